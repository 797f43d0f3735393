"""Lists of the store's orders and refunds: those that were made over REST (``made``), as :mod:`woo_checkout` keeps and
shows them, and those that a control endpoint put there whole, in the form in which a store shows them.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .woo_fields import Schema, integer, integers, words
from .woo_lists import add_dates
from .woo_store import Store, site_time

_DATE: Schema = {"type": "string", "format": "date-time"}
_INTEGERS: Schema = {"type": "array", "items": {"type": "integer"}}
_STATUSES = (
    *("any", "trash", "auto-draft", "pending", "processing", "on-hold", "completed", "cancelled", "refunded"),
    *("failed", "checkout-draft"),
)
_ORDERS = {"date": "created {0}, id {0}", "id": "id {0}", "include": "id {0}", "modified": "modified {0}, id {0}"}

_STRING: Schema = {"type": "string"}
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}
ORDER_SCHEMA: dict[str, Schema] = {
    "status": {"type": "string", "enum": _STATUSES[2:]},
    "currency": _STRING,
    "customer_id": {"type": "integer"},
    "customer_note": _STRING,
    "billing": {"type": "object"},
    "shipping": {"type": "object"},
    **dict.fromkeys(("payment_method", "payment_method_title", "transaction_id"), _STRING),
    **dict.fromkeys(("line_items", "shipping_lines", "fee_lines", "coupon_lines"), _OBJECTS),
    "set_paid": {"type": "boolean"},
}
REFUND_SCHEMA: dict[str, Schema] = {"reason": _STRING, "line_items": _OBJECTS, "api_restock": {"type": "boolean"}}
ORDER_LIST_SCHEMA: dict[str, Schema] = {
    "context": {"type": "string", "enum": ("view", "edit")},
    "page": {"type": "integer", "minimum": 1},
    "per_page": {"type": "integer", "minimum": 1, "maximum": 100},
    "after": _DATE,
    "before": _DATE,
    "modified_after": _DATE,
    "modified_before": _DATE,
    "dates_are_gmt": {"type": "boolean"},
    "exclude": _INTEGERS,
    "include": _INTEGERS,
    "offset": {"type": "integer"},
    "order": {"type": "string", "enum": ("asc", "desc")},
    "orderby": {"type": "string", "enum": tuple(_ORDERS)},
    "status": {"type": "array", "items": {"type": "string", "enum": _STATUSES}},
    "customer": {"type": "integer"},
}


def put_orders(store: Store, orders: Iterable[Mapping[str, Any]], now: str) -> list[int]:
    """Store orders under their ids, or new ones; what is not told is that of an order just placed. Their ids.

    Refunds come with their order, under the key ``_refunds``, and replace those that it had.
    """
    ids: list[int] = []
    for given in orders:
        order = {
            "id": given.get("id") or store.next_id(),
            "status": "processing",
            "customer_id": 0,
            "date_created_gmt": now,
        }
        order |= {"date_modified_gmt": now, **given}
        order["refunds"] = _put_refunds(store, order["id"], order.pop("_refunds", []), now)
        created, modified = order["date_created_gmt"], order["date_modified_gmt"]
        order |= {"date_created": site_time(created), "date_modified": site_time(modified)}
        row = (order["id"], order["status"], order["customer_id"], created, site_time(created))
        row += (modified, site_time(modified), json.dumps(order, ensure_ascii=False))
        store.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        ids.append(order["id"])
    return ids


def _put_refunds(store: Store, order_id: int, refunds: Iterable[Mapping[str, Any]], now: str) -> list[dict[str, Any]]:
    """Store an order's refunds; as the order itself names them."""
    store.execute("DELETE FROM refunds WHERE order_id = ?", (order_id,))
    named: list[dict[str, Any]] = []
    for given in refunds:
        refund = {"id": given.get("id") or store.next_id(), "date_created_gmt": now, "reason": "", **given}
        refund["date_created"] = site_time(refund["date_created_gmt"])
        row = (refund["id"], order_id, refund["date_created_gmt"], json.dumps(refund, ensure_ascii=False))
        store.execute("INSERT OR REPLACE INTO refunds VALUES (?, ?, ?, ?)", row)
        named.append({"id": refund["id"], "reason": refund["reason"], "total": f"-{refund['amount']}"})
    return named


def page_of_refunds(
    store: Store, params: dict[str, Any], order_id: int | None = None
) -> tuple[int, list[tuple[int, dict[str, Any]]]]:
    """How many refunds match, and one page of them with their orders' ids, the newest first."""
    conditions, values = ["TRUE"], []
    if order_id is not None:
        conditions.append("order_id = ?")
        values.append(order_id)
    if ids := integers(params.get("include", [])):
        conditions.append(f"id IN ({', '.join('?' * len(ids))})")
        values += ids
    if after := params.get("after"):
        conditions.append("created > ?")
        values.append(after)
    where = " AND ".join(conditions)
    direction = "ASC" if params.get("order") == "asc" else "DESC"
    by = "id" if params.get("orderby") == "id" else "created"
    limit = integer(params.get("per_page", 10))
    offset = params.get("offset")
    start = integer(offset) if offset is not None else (integer(params.get("page", 1)) - 1) * limit
    total = store.execute(f"SELECT count(*) FROM refunds WHERE {where}", values).fetchone()[0]
    query = f"SELECT order_id, document FROM refunds WHERE {where} ORDER BY {by} {direction}, id {direction} "
    rows = store.execute(f"{query} LIMIT ? OFFSET ?", [*values, limit, start]).fetchall()
    return total, [(parent, json.loads(document)) for parent, document in rows]


def order(store: Store, identifier: int) -> dict[str, Any] | None:
    """One order, a binned one too."""
    row = store.execute("SELECT document FROM orders WHERE id = ?", (identifier,)).fetchone()
    return json.loads(row[0]) if row else None


def page_of_orders(store: Store, params: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """How many orders match, and one page of them. Binned ones are listed when they are asked for alone."""
    conditions: list[str] = []
    values: list[Any] = []

    def add(condition: str, *more: Any) -> None:
        conditions.append(condition)
        values.extend(more)

    statuses = words(params.get("status", "any"))
    if "any" in statuses:
        add("status NOT IN ('trash', 'auto-draft')")
    else:
        add(f"status IN ({', '.join('?' * len(statuses))})", *statuses)
    if params.get("customer") is not None:
        add("customer_id = ?", integer(params["customer"]))
    for name, operator in (("include", "IN"), ("exclude", "NOT IN")):
        if ids := integers(params.get(name, [])):
            add(f"id {operator} ({', '.join('?' * len(ids))})", *ids)
    add_dates(params, add)
    where = " AND ".join(conditions)
    direction = "ASC" if params.get("order") == "asc" else "DESC"
    by = _ORDERS[params.get("orderby", "date")].format(direction)
    limit = integer(params.get("per_page", 10))
    offset = params.get("offset")
    start = integer(offset) if offset is not None else (integer(params.get("page", 1)) - 1) * limit
    total = store.execute(f"SELECT count(*) FROM orders WHERE {where}", values).fetchone()[0]
    query = f"SELECT document FROM orders WHERE {where} ORDER BY {by} LIMIT ? OFFSET ?"
    return total, [json.loads(row[0]) for row in store.execute(query, [*values, limit, start])]
