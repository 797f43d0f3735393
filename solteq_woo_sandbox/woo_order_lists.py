"""The store's orders and refunds as rows: put there whole, saved, listed.

An order is kept as the text that a list answers with, since a list of a hundred is asked for much more often than
one of them changes; what an order made over REST has besides (unrounded money) is kept beside it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .woo_auth import ApiError
from .woo_fields import Schema, integers, words
from .woo_lists import PAGE_SCHEMA, POSTS_SCHEMA, add_dates, refuse_filters
from .woo_order_render import text_of
from .woo_store import Store, Where, site_time
from .woo_totals import Order, money, number

STATUSES = (
    *("auto-draft", "pending", "processing", "on-hold", "completed", "cancelled", "refunded"),
    *("failed", "checkout-draft"),
)
_BY = {"date": "created {0}, id {0}", "id": "id {0}", "include": "id {0}", "modified": "modified {0}, id {0}"}
_NOT_HERE = ("search", "customer", "product", "created_via", "parent", "parent_exclude")

REFUND_LIST_SCHEMA: dict[str, Schema] = {
    **PAGE_SCHEMA,
    **POSTS_SCHEMA,
    "orderby": {"type": "string", "enum": tuple(_BY)},
    "dp": {"type": "integer"},
}
ORDER_LIST_SCHEMA: dict[str, Schema] = REFUND_LIST_SCHEMA | {
    "status": {"type": "array", "items": {"type": "string", "enum": ("any", "trash", *STATUSES)}},
}


def put_orders(store: Store, orders: Iterable[Mapping[str, Any]], now: str) -> list[int]:
    """Store orders under their ids, or new ones; what is not told is that of an order just placed. Their ids.

    An order that is there keeps the time at which it was made, unless that is told.
    """
    rows: list[tuple[Any, ...]] = []
    refunds: list[tuple[Any, ...]] = []
    for given in orders:
        order = {"id": given.get("id") or store.next_id(), "status": "processing", "customer_id": 0}
        made = store.execute("SELECT created FROM orders WHERE id = ?", (order["id"],)).fetchone()
        order |= {"date_created_gmt": made[0] if made else now, "date_modified_gmt": now, **given}
        order["date_created"] = site_time(order["date_created_gmt"])
        order["date_modified"] = site_time(order["date_modified_gmt"])
        if (own := order.pop("_refunds", None)) is not None:
            kept = [_refund_row(each, order) for each in own]
            order["refunds"] = _summary(kept)
            refunds += kept
        rows.append(_row(order, json.dumps(order, ensure_ascii=False)))
    ids = [row[0] for row in rows]
    _replace(store, rows)
    for table, column in (("order_states", "id"), ("refunds", "order_id")):
        store.execute_many(f"DELETE FROM {table} WHERE {column} = ?", [(identifier,) for identifier in ids])
    store.execute_many("INSERT OR REPLACE INTO refunds VALUES (?, ?, ?, ?, ?)", refunds)
    if given_ids := [*ids, *(row[0] for row in refunds)]:
        store.spend_ids(max(given_ids))
    return ids


def save_order(store: Store, order: Order) -> None:
    """Write an order as it now is, under its id."""
    _replace(store, [_row(order, text_of(order))])
    state = json.dumps(order, ensure_ascii=False, separators=(",", ":"))
    store.execute("INSERT OR REPLACE INTO order_states VALUES (?, ?)", (order["id"], state))


def load_order(store: Store, identifier: int) -> Order | None:
    """One order as it is kept, a binned one too."""
    query = """SELECT coalesce(state, document) FROM orders LEFT JOIN order_states USING (id) WHERE id = ?"""
    row = store.execute(query, (identifier,)).fetchone()
    return json.loads(row[0]) if row else None


def order_text(store: Store, identifier: int) -> str | None:
    """One order ready to be sent, but for the address."""
    row = store.execute("SELECT document FROM orders WHERE id = ?", (identifier,)).fetchone()
    return row[0] if row else None


def delete_order(store: Store, identifier: int) -> None:
    """Remove for good, its refunds with it."""
    for table, column in (
        ("orders", "id"),
        ("order_states", "id"),
        ("refunds", "order_id"),
        ("order_notes", "order_id"),
    ):
        store.execute(f"DELETE FROM {table} WHERE {column} = ?", (identifier,))


def save_refund(store: Store, refund: dict[str, Any], order: Order) -> None:
    """Keep a refund of an order."""
    store.execute("INSERT OR REPLACE INTO refunds VALUES (?, ?, ?, ?, ?)", _refund_row(refund, order))


def refunds_of(store: Store, order_id: int) -> list[dict[str, Any]]:
    """The refunds of an order, newest first; of one second the first comes first, as the real store has it."""
    query = "SELECT document FROM refunds WHERE order_id = ? ORDER BY created DESC, id"
    return [json.loads(row[0]) for row in store.execute(query, (order_id,))]


def summary(refunds: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Refunds as their order shows them."""
    return [
        {"id": each["id"], "reason": each.get("reason") or "", "total": _taken(each.get("amount", 0))}
        for each in refunds
    ]


def _taken(amount: Any) -> str:
    return "-" if amount == "" else f"-{number(amount):f}"


def page_of_orders(store: Store, params: dict[str, Any]) -> tuple[int, list[str]]:
    """How many orders match, and one page of them, ready to be sent but for the address.

    Binned ones are listed when they are asked for alone.
    """
    where = _where(params)
    statuses = words(params.get("status", "any"))
    if "any" in statuses:
        where.add("status NOT IN ('trash', 'auto-draft')")
    else:
        where.among("status", statuses)
    total, rows = _page(store, "orders", "document", where, params)
    return total, [row[0] for row in rows]


def page_of_refunds(
    store: Store, params: dict[str, Any], order_id: int | None = None
) -> tuple[int, list[tuple[dict[str, Any], int]]]:
    """How many refunds match, and one page of them with their orders' ids.

    :param order_id: of this order alone
    """
    if "modified" in (params.get("orderby"), *(name.partition("_")[0] for name in params)):
        raise ApiError(501, "sandbox_unsupported", "The sandbox's refunds do not say when they were modified.")
    where = _where(params)
    if order_id is not None:
        where.add("order_id = ?", order_id)
    total, rows = _page(store, "refunds", "document, order_id", where, params)
    return total, [(json.loads(document), order) for document, order in rows]


def _where(params: dict[str, Any]) -> Where:
    refuse_filters(params, _NOT_HERE)
    where = Where()
    where.among("id", integers(params.get("include", [])))
    where.among("id", integers(params.get("exclude", [])), "NOT")
    add_dates(params, where)
    return where


def _page(
    store: Store, table: str, columns: str, where: Where, params: dict[str, Any]
) -> tuple[int, list[tuple[Any, ...]]]:
    by = _BY[params.get("orderby", "date")].format("ASC" if params.get("order") == "asc" else "DESC")
    # Without the plus sign the rows would be walked through in the order of their ids.
    return store.page(table, columns, where, by, params, search=by.replace("id", "+id"))


def _row(order: Mapping[str, Any], text: str) -> tuple[Any, ...]:
    created, modified = order["date_created_gmt"], order["date_modified_gmt"]
    local = site_time(created), site_time(modified)
    return order["id"], order["status"], order["customer_id"], created, local[0], modified, local[1], text


def _replace(store: Store, rows: Iterable[tuple[Any, ...]]) -> None:
    store.execute_many("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _refund_row(refund: Mapping[str, Any], order: Mapping[str, Any]) -> tuple[Any, ...]:
    created = refund.get("date_created_gmt") or order["date_modified_gmt"]
    dated = {**refund, "date_created": site_time(created), "date_created_gmt": created}
    return refund["id"], order["id"], created, site_time(created), json.dumps(dated, ensure_ascii=False)


def _summary(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    newest_first = sorted(sorted(rows), key=lambda row: row[2], reverse=True)  # of one second the first comes first
    shown = summary(json.loads(row[4]) for row in newest_first)
    return [each if each["total"] == "-" else each | {"total": money(each["total"])} for each in shown]
