"""Lists of the store, whole, while rows come and go."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import requests.auth

from solteq_woo_assets.clients.http import JsonResponse, JsonSession, Params
from solteq_woo_assets.errors import WooError

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
        total = total_of(response)
        if len(page) < PAGE_ROWS or (total is not None and offset + PAGE_ROWS >= total):
            return
        last = max(last, *(row.id for row in page))
        offset += PAGE_ROWS - 1
        step = PAGE_ROWS


def total_of(response: JsonResponse) -> int | None:
    """How many rows the whole list has; ``None`` where the answer does not say it."""
    said = response.headers.get("X-WP-Total", "")
    return int(said) if re.fullmatch("[0-9]{1,9}", said) else None


def list_of(body: Any, path: str) -> list[Any]:
    """An answer that is a list.

    :raises WooError: it is none
    """
    if not isinstance(body, list):
        raise WooError(f"WooCommerce: GET {path}: the answer is no list")
    return body


def object_at(
    session: JsonSession, path: str, params: Params, auth: requests.auth.AuthBase | None = None
) -> dict[str, Any]:
    """An answer that is an object.

    :raises WooError: it is none
    """
    body = session.get(path, params, auth=auth).body
    if not isinstance(body, dict):
        raise WooError(f"WooCommerce: GET {path or 'the index'}: the answer is no object")
    return body


def chunks_of_ids(ids: Sequence[int]) -> Iterator[str]:
    """The ids as the store takes them, a page's rows at a time."""
    for start in range(0, len(ids), PAGE_ROWS):
        yield ",".join(map(str, ids[start : start + PAGE_ROWS]))


def in_seconds(instant: datetime) -> str:
    """A time of UTC as the store takes it. With a Z or an offset it would shift it by its own zone and lose rows."""
    utc = instant if instant.tzinfo is None else instant.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S")


def modified_after(instant: datetime) -> dict[str, str]:
    """The parameters of what was changed since then: strictly greater, with a resolution of a second."""
    return {"modified_after": in_seconds(instant), "dates_are_gmt": "true"}
