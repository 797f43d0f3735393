"""Lists of the store, whole, while rows come and go."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, Self, TypeVar

import requests.auth
from pydantic import BaseModel, ValidationError

from solteq_woo_assets.clients.bounds import LONGEST_KEY, Id, id_or_zero, words_of
from solteq_woo_assets.clients.http import JsonResponse, JsonSession, Params
from solteq_woo_assets.errors import WooError

PAGE_ROWS = 100


class Row(Protocol):
    """A row has an id that the store never uses again; 0 is none, and such a row may come twice."""

    @property
    def id(self) -> int: ...


R = TypeVar("R", bound=Row)
Read = Callable[[Any], R]
"""Makes a record of a row's JSON, or raises :class:`pydantic.ValidationError`."""


@dataclass(frozen=True)
class Unreadable:
    """A row of the store that makes no record. Its values are left out.

    :param id: 0 where it has none
    :param modified: when the store says that it was modified; empty where it says no time
    """

    id: int
    field: str
    problem: str
    modified: str = dataclasses.field(default="", compare=False)

    @classmethod
    def of(cls, raw: object, error: ValidationError) -> Self:
        """From the first wrong field."""
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        row = raw if isinstance(raw, dict) else {}
        time = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", str(row.get("date_modified_gmt")))
        place = ".".join(map(str, problem["loc"]))[:LONGEST_KEY] or "(all)"
        return cls(id_or_zero(row.get("id")), place, words_of(problem["msg"]), time[0] if time else "")


@dataclass(frozen=True)
class Page(Generic[R]):
    """Some rows of the store; one that cannot be read does not stop the others."""

    rows: list[R] = dataclasses.field(default_factory=list)
    unreadable: list[Unreadable] = dataclasses.field(default_factory=list)

    @property
    def ids(self) -> set[int]:
        """The ids of all rows, as far as they can be told."""
        return {row.id for row in (*self.rows, *self.unreadable)} - {0}

    def add(self, rows: Iterable[R | Unreadable]) -> None:
        """Put more rows into it."""
        for row in rows:
            if isinstance(row, Unreadable):
                self.unreadable.append(row)
            else:
                self.rows.append(row)


def gathered(pages: Iterable[Page[R]], most: int) -> Iterator[Page[R]]:
    """Pages put together until they have this number of rows."""
    lot = Page[R]()
    for page in pages:
        lot.add((*page.rows, *page.unreadable))
        if len(lot.rows) >= most:
            yield lot
            lot = Page[R]()
    if lot.rows or lot.unreadable:
        yield lot


def read_row(read: Read[R], raw: Any) -> R | Unreadable:
    """A record, or why it makes none."""
    try:
        return read(raw)
    except ValidationError as error:
        return Unreadable.of(raw, error)


def rows_of(body: Any, path: str, read: Read[R]) -> list[R | Unreadable]:
    """The rows of an answer.

    :raises WooError: it is no list
    """
    return [read_row(read, raw) for raw in list_of(body, path)]


def page_of(body: Any, path: str, read: Read[R]) -> Page[R]:
    """The same, sorted out."""
    page = Page[R]()
    page.add(rows_of(body, path, read))
    return page


def pages(session: JsonSession, path: str, params: Params, *, fields: str, read: Read[R]) -> Iterator[Page[R]]:
    """Every row that stays in the list while it is read, once, by id.

    Rows that leave the list move those behind them forward, past a page by number. So each page begins with the
    last row of the one before; if it begins behind that row, we step back until it does not.
    """
    offset, last, step = 0, 0, PAGE_ROWS
    seen: set[int] = set()
    while True:
        window: Params = {"per_page": PAGE_ROWS, "offset": offset, "orderby": "id", "order": "asc"}
        response = session.get(path, {**params, **window, "_fields": fields})
        rows = rows_of(response.body, path, read)
        if offset and (not rows or rows[0].id > last):
            offset = max(0, offset - step)
            step *= 2
            continue
        fresh = Page[R]()
        fresh.add(row for row in rows if not row.id or row.id not in seen)
        seen |= fresh.ids
        if fresh.rows or fresh.unreadable:
            yield fresh
        total = total_of(response)
        if len(rows) < PAGE_ROWS or (total is not None and offset + PAGE_ROWS >= total):
            return
        last = max(last, *(row.id for row in rows))
        offset += PAGE_ROWS - 1
        step = PAGE_ROWS


class _OnlyId(BaseModel):
    id: Id


def ids_of(session: JsonSession, path: str, params: Params) -> set[int]:
    found = pages(session, path, params, fields="id", read=_OnlyId.model_validate)
    return {row_id for page in found for row_id in page.ids}


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
