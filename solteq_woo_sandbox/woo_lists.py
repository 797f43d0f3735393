"""How the WooCommerce stand-in finds products for a list: the query's parameters as conditions, and pages."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

from .woo_auth import ApiError
from .woo_fields import Schema, boolean, integer, integers, line, parse_time, text, words
from .woo_product_schema import TYPES
from .woo_store import Item, Store, site_time, sku_key

_INTEGERS = {"type": "array", "items": {"type": "integer"}}
_IDS = {"type": "array"}  # words are no error, and find nothing
_DATE = {"type": "string", "format": "date-time"}
_ANY_STATUS = ("any", "future", "trash", "draft", "pending", "private", "publish")
_ORDERS = {
    "date": "created {0}, id {0}",
    "id": "id {0}",
    "include": "id {0}",
    "title": "name {0}, id {0}",
    "slug": "slug {0}, id {0}",
    "modified": "modified {0}, id {0}",
    "menu_order": "coalesce(json_extract(document, '$.menu_order'), 0) {0}, id {0}",
}
_UNKNOWN_ORDERS = ("price", "popularity", "rating")

# In the order in which WordPress names wrong ones.
LIST_SCHEMA: dict[str, Schema] = {
    "context": {"type": "string", "enum": ("view", "edit")},
    "page": {"type": "integer", "minimum": 1},
    "per_page": {"type": "integer", "minimum": 1, "maximum": 100},
    "search": {"type": "string"},
    "after": _DATE,
    "before": _DATE,
    "modified_after": _DATE,
    "modified_before": _DATE,
    "dates_are_gmt": {"type": "boolean"},
    "exclude": _IDS,
    "include": _IDS,
    "offset": {"type": "integer"},
    "order": {"type": "string", "enum": ("asc", "desc")},
    "orderby": {"type": "string", "enum": (*_ORDERS, *_UNKNOWN_ORDERS)},
    "parent": _INTEGERS,
    "parent_exclude": _INTEGERS,
    "slug": {"type": "string"},
    "status": {"type": "string", "enum": _ANY_STATUS},
    "type": {"type": "string", "enum": TYPES},
    "sku": {"type": "string"},
    "featured": {"type": "boolean"},
    "tax_class": {"type": "string"},
    "stock_status": {"type": "string", "enum": ("instock", "outofstock", "onbackorder")},
}
# Real filters that the stand-in does not have: better an error than an answer that ignores them.
_NOT_HERE = (
    "attribute",
    "attribute_term",
    "category",
    "has_price",
    "in_stock",
    "max_price",
    "min_price",
    "on_sale",
    "shipping_class",
    "tag",
)


def page_of(
    store: Store, params: dict[str, Any], *, variations: bool, parent_id: int | None = None
) -> tuple[int, list[Item]]:
    """How many products match in all, and those on the page asked for.

    :param variations: list variations, of the whole store or of ``parent_id``; else products, and variations
        only when asked for by SKU or GTIN
    """
    if unknown := [name for name in _NOT_HERE if name in params]:
        raise ApiError(501, "sandbox_unsupported", f"The sandbox has no filter {', '.join(unknown)}.")
    conditions: list[str] = []
    values: list[Any] = []

    def add(condition: str, *more: Any) -> None:
        conditions.append(condition)
        values.extend(more)

    if parent_id is not None:
        add("parent_id = ?", parent_id)
    if variations:
        add("type = 'variation'")
    elif not params.get("sku") and not params.get("global_unique_id"):
        add("type <> 'variation'")
    status = params.get("status", "any")
    add("status NOT IN ('trash', 'auto-draft')" if status == "any" else "status = ?", *_unless_any(status))
    for name, condition in _FILTERS.items():
        if params.get(name) not in (None, "", []):
            condition(params[name], add)
    add_dates(params, add)
    per_page = integer(params.get("per_page", 10))
    offset = integer(params["offset"]) if params.get("offset") else (integer(params.get("page", 1)) - 1) * per_page
    return store.select(" AND ".join(conditions), values, _order(params), per_page, offset)


def _unless_any(status: str) -> list[str]:
    return [] if status == "any" else [status]


def _order(params: dict[str, Any]) -> str:
    by = params.get("orderby", "date")
    if by in _UNKNOWN_ORDERS:
        raise ApiError(501, "sandbox_unsupported", f"The sandbox cannot order by {by}.")
    if by == "include" and (wanted := integers(params.get("include", []))):
        cases = " ".join(f"WHEN {identifier} THEN {place}" for place, identifier in enumerate(wanted))
        return f"CASE id {cases} END"
    return _ORDERS[by].format("ASC" if params.get("order") == "asc" else "DESC")


_Add = Callable[..., None]


def _ids(column: str, negated: str = "") -> Callable[[Any, _Add], None]:
    def condition(value: Any, add: _Add) -> None:
        wanted = integers(value)
        add(f"{column} {negated} IN ({', '.join('?' * len(wanted))})", *wanted)

    return condition


def _by_sku(value: Any, add: _Add) -> None:
    # The value is trimmed as a whole, its parts are not: a space after a comma breaks that SKU.
    # That none is empty has to be said for the index, which leaves those out.
    whole = line(value)
    skus = {sku_key(sku) for sku in [*whole.split(","), whole]} - {""}
    add(f"sku_key <> '' AND sku_key IN ({', '.join('?' * len(skus))})", *skus)


def _by_gtin(value: Any, add: _Add) -> None:
    gtins = {gtin.strip() for gtin in text(value).split(",")} - {""}
    add(f"gtin <> '' AND gtin IN ({', '.join('?' * len(gtins))})", *gtins)


def _by_search(value: Any, add: _Add) -> None:
    for word in words(value):
        add("name LIKE ?", f"%{word}%")


def _by_part_of_sku(value: Any, add: _Add) -> None:
    add("sku_key LIKE ?", f"%{sku_key(text(value))}%")


def _by_name_or_sku(value: Any, add: _Add) -> None:
    for word in words(value):
        add("(name LIKE ? OR sku_key LIKE ?)", f"%{word}%", f"%{sku_key(word)}%")


_FILTERS: dict[str, Callable[[Any, _Add], None]] = {
    "include": _ids("id"),
    "exclude": _ids("id", "NOT"),
    "parent": _ids("parent_id"),
    "parent_exclude": _ids("parent_id", "NOT"),
    "sku": _by_sku,
    "global_unique_id": _by_gtin,
    "search": _by_search,
    "search_sku": _by_part_of_sku,
    "search_name_or_sku": _by_name_or_sku,
    "slug": lambda value, add: add("slug = ?", value),
    "type": lambda value, add: add("type = ?", value),
    "featured": lambda value, add: add("coalesce(json_extract(document, '$.featured'), 0) = ?", boolean(value)),
    "tax_class": lambda value, add: add(
        "coalesce(json_extract(document, '$.tax_class'), '') = ?", "" if value == "standard" else value
    ),
    "stock_status": lambda value, add: add("coalesce(json_extract(document, '$.stock_status'), 'instock') = ?", value),
    "include_status": lambda value, add: add(
        f"(status IN ({', '.join('?' * len(words(value)))}) OR ? )", *words(value), "any" in words(value)
    ),
    "exclude_status": lambda value, add: add(f"status NOT IN ({', '.join('?' * len(words(value)))})", *words(value)),
}
_BOUNDS = (("after", "created", ">"), ("before", "created", "<"), ("modified_after", "modified", ">"))
_BOUNDS += (("modified_before", "modified", "<"),)


def add_dates(params: dict[str, Any], add: _Add) -> None:
    """Conditions on when things were made and modified.

    WordPress turns every date into the site's wall clock, then compares it with the column it was told: with
    ``dates_are_gmt`` only a date without a zone means what it says.
    """
    gmt = boolean(params.get("dates_are_gmt", False))
    for name, column, sign in _BOUNDS:
        if value := params.get(name):
            zoned = value[-1] in "zZ" or "+" in value or "-" in value[10:]
            instant = parse_time(value, UTC)
            if instant is None:
                raise ApiError(400, "rest_invalid_date", "Invalid date.")
            wall = site_time(instant) if zoned else instant
            add(f"{column}{'' if gmt else '_local'} {sign} ?", wall)
