"""Lists of the store, whole, while rows come and go."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from solteq_woo_assets.clients.http import JsonResponse, JsonSession, Params

PAGE_ROWS = 100


class Row(Protocol):
    """What has an id that the store never uses again; 0 is none, and such a row may come twice."""

    @property
    def id(self) -> int: ...


R = TypeVar("R", bound=Row)


def pages(
    session: JsonSession, path: str, params: Params, *, fields: str, rows: Callable[[Any], list[R]]
) -> Iterator[list[R]]:
    """Every row that stays in the list while it is read, once, by id.

    Rows that leave the list move those behind them forward, past a page by number. So each page begins with the
    last row of the one before; if it begins behind that row, we step back until it does not.

    :param rows: makes rows of an answer's body
    """
    offset, last, step = 0, 0, PAGE_ROWS
    seen: set[int] = set()
    while True:
        window: Params = {"per_page": PAGE_ROWS, "offset": offset, "orderby": "id", "order": "asc"}
        response = session.get(path, {**params, **window, "_fields": fields})
        page = rows(response.body)
        if offset and (not page or page[0].id > last):
            offset = max(0, offset - step)
            step *= 2
            continue
        fresh = [row for row in page if not row.id or row.id not in seen]
        seen.update(row.id for row in fresh)
        if fresh:
            yield fresh
        if len(page) < PAGE_ROWS or offset + PAGE_ROWS >= _total(response):
            return
        last = max(last, *(row.id for row in page))
        offset += PAGE_ROWS - 1
        step = PAGE_ROWS


def _total(response: JsonResponse) -> float:
    total = total_of(response)
    return float("inf") if total is None else total


def total_of(response: JsonResponse) -> int | None:
    """How many rows the whole list has; ``None`` where the answer does not say it."""
    said = response.headers.get("X-WP-Total", "")
    return int(said) if re.fullmatch("[0-9]{1,9}", said) else None
