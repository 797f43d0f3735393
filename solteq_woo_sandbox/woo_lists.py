"""How the WooCommerce stand-in finds products for a list: the query's parameters as conditions, and pages."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from typing import Any

from .woo_auth import ApiError
from .woo_fields import Schema, boolean, integers, line, parse_time, text, words
from .woo_store import Item, Store, Where, item_of, site_time, sku_key

_IDS = {"type": "array"}  # words are no error, and find nothing
_DATE = {"type": "string", "format": "date-time"}
_ANY_STATUS = ("any", "future", "trash", "draft", "pending", "private", "publish")
_ORDERS = {
    "date": "created {0}, id {0}",
    "id": "id {0}",
    "include": "id {0}",
    "title": "name {0}, id {0}",
    "modified": "modified {0}, id {0}",
}
_UNKNOWN_ORDERS = ("slug", "menu_order", "price", "popularity", "rating")

# In the order in which WordPress names wrong ones.
PAGE_SCHEMA: dict[str, Schema] = {
    "context": {"type": "string", "enum": ("view", "edit")},
    "page": {"type": "integer", "minimum": 1},
    "per_page": {"type": "integer", "minimum": 1, "maximum": 100},
}
ORDER_SCHEMA: dict[str, Schema] = {"offset": {"type": "integer"}, "order": {"type": "string", "enum": ("asc", "desc")}}
POSTS_SCHEMA: dict[str, Schema] = {
    "after": _DATE,
    "before": _DATE,
    "modified_after": _DATE,
    "modified_before": _DATE,
    "dates_are_gmt": {"type": "boolean"},
    "exclude": _IDS,
    "include": _IDS,
    **ORDER_SCHEMA,
}
LIST_SCHEMA: dict[str, Schema] = {
    **PAGE_SCHEMA,
    "search": {"type": "string"},
    **POSTS_SCHEMA,
    "orderby": {"type": "string", "enum": (*_ORDERS, *_UNKNOWN_ORDERS)},
    "status": {"type": "string", "enum": _ANY_STATUS},
    "sku": {"type": "string"},
    "stock_status": {"type": "string", "enum": ("instock", "outofstock", "onbackorder")},
}
# Filters of the real store.
_NOT_HERE = (
    *("attribute", "attribute_term", "category", "featured", "global_unique_id", "has_price", "in_stock", "max_price"),
    *("min_price", "on_sale", "parent", "parent_exclude", "shipping_class", "slug", "tag", "tax_class", "type"),
)


def page_of(
    store: Store, params: dict[str, Any], *, variations: bool, parent_id: int | None = None
) -> tuple[int, list[Item]]:
    """How many products match in all, and those on the page asked for.

    :param variations: list variations, of the whole store or of ``parent_id``; else products, and variations
        only when asked for by SKU
    """
    refuse_filters(params, _NOT_HERE)
    where = Where()
    if parent_id is not None:
        where.add("parent_id = ?", parent_id)
    if variations:
        where.add("type = 'variation'")
    elif not params.get("sku"):
        where.add("type <> 'variation'")
    if (status := params.get("status", "any")) == "any":
        where.add("status NOT IN ('trash', 'auto-draft')")
    else:
        where.add("status = ?", status)
    for name, condition in _FILTERS.items():
        if params.get(name) not in (None, "", []):
            condition(params[name], where)
    add_dates(params, where)
    total, rows = store.page("products", "document, modified", where, _order(params), params)
    return total, [item_of(*row) for row in rows]


def refuse_filters(params: Mapping[str, Any], names: Iterable[str]) -> None:
    """
    :raises ApiError: better an error than an answer that ignores what the stand-in does not have
    """
    if unknown := [name for name in names if name in params]:
        raise ApiError(501, "sandbox_unsupported", f"The sandbox has no filter {', '.join(unknown)}.")


def _order(params: dict[str, Any]) -> str:
    by = params.get("orderby", "date")
    if by in _UNKNOWN_ORDERS:
        raise ApiError(501, "sandbox_unsupported", f"The sandbox cannot order by {by}.")
    if by == "include" and (wanted := integers(params.get("include", []))):
        cases = " ".join(f"WHEN {identifier} THEN {place}" for place, identifier in enumerate(wanted))
        return f"CASE id {cases} END"
    return _ORDERS[by].format("ASC" if params.get("order") == "asc" else "DESC")


_Filter = Callable[[Any, Where], None]


def _by_sku(value: Any, where: Where) -> None:
    # The value is trimmed as a whole, its parts are not: a space after a comma breaks that SKU.
    # That none is empty has to be said for the index, which leaves those out.
    whole = line(value)
    where.add("sku_key <> ''")
    where.among("sku_key", {sku_key(sku) for sku in [*whole.split(","), whole]} - {""})


def _by_search(value: Any, where: Where) -> None:
    for word in words(value):
        where.add("name LIKE ?", f"%{word}%")


def _by_name_or_sku(value: Any, where: Where) -> None:
    for word in words(value):
        where.add("(name LIKE ? OR sku_key LIKE ?)", f"%{word}%", f"%{sku_key(word)}%")


def _by_stock_status(value: Any, where: Where) -> None:
    where.add("coalesce(json_extract(document, '$.stock_status'), 'instock') = ?", value)


def _by_statuses(value: Any, where: Where) -> None:
    if "any" not in words(value):
        where.among("status", words(value))


_FILTERS: dict[str, _Filter] = {
    "include": lambda value, where: where.among("id", integers(value)),
    "exclude": lambda value, where: where.among("id", integers(value), "NOT"),
    "sku": _by_sku,
    "search": _by_search,
    "search_sku": lambda value, where: where.add("sku_key LIKE ?", f"%{sku_key(text(value))}%"),
    "search_name_or_sku": _by_name_or_sku,
    "stock_status": _by_stock_status,
    "include_status": _by_statuses,
    "exclude_status": lambda value, where: where.among("status", words(value), "NOT"),
}
_BOUNDS = (("after", "created", ">"), ("before", "created", "<"), ("modified_after", "modified", ">"))
_BOUNDS += (("modified_before", "modified", "<"),)


def add_dates(params: dict[str, Any], where: Where) -> None:
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
            where.add(f"{column}{'' if gmt else '_local'} {sign} ?", wall)
