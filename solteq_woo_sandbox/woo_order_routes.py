"""What the WooCommerce stand-in can be asked of orders, their refunds and coupons."""

import json
from typing import Any

from .woo_auth import ApiError
from .woo_calls import EDITABLE, ID, LIST, ONE, REFUSALS, VIEW, Call, Reply, Route, paging, pick
from .woo_coupons import COUPON_SCHEMA, Coupons, coupon_document
from .woo_fields import Schema, boolean, integer, text, words
from .woo_order_lists import (
    ORDER_LIST_SCHEMA,
    REFUND_LIST_SCHEMA,
    load_order,
    order_text,
    page_of_orders,
    page_of_refunds,
    put_orders,
    refunds_of,
)
from .woo_order_render import at, order_document, part_links, refund_document, refund_rows
from .woo_orders import INVALID_ID, ORDER_SCHEMA
from .woo_refunds import RefundError, refund_order
from .woo_shuffle import shuffle
from .woo_store import site_time
from .woo_totals import Order

_O, _R, _C = "/wc/v3/orders", rf"/wc/v3/orders{ID}/refunds", "/wc/v3/coupons"
_N = rf"/wc/v3/orders{ID}/notes"
_NO_REFUND = ("woocommerce_rest_shop_order_refund_invalid_id", "Invalid ID.")
_REFUND_SCHEMA: dict[str, Schema] = {
    "amount": {"type": "string"},
    "reason": {"type": "string"},
    "meta_data": {"type": "array", "items": {"type": "object"}},
    "line_items": {"type": "array", "items": {"type": "object"}},
    "api_refund": {"type": "boolean"},
    "api_restock": {"type": "boolean"},
}


def _decimals(call: Call) -> int:
    return abs(integer(call.params.get("dp", 2)))


def _shown(call: Call, document: Any, status: int = 200) -> Reply:
    """One thing; WordPress leaves its links in whatever ``_fields`` says."""
    body = json.loads(at(json.dumps(document, ensure_ascii=False), call.site))
    if "_fields" in call.query:
        body = pick(body, [*words(call.query["_fields"]), "_links"])
    return Reply(body, status, picked=True)


def _show_order(call: Call, order: Order, status: int = 200) -> Reply:
    return _shown(call, order_document(order, _decimals(call)), status)


def _paging(call: Call, total: int, shown: list[Any], **defaults: str) -> dict[str, str]:
    """As any list's, but WooCommerce puts what it takes for granted into the links when it has shown something."""
    if shown:
        call.query = call.query | {name: call.query.get(name, value) for name, value in defaults.items()}
    return paging(call, total)


def _list_orders(call: Call) -> Reply:
    total, texts = page_of_orders(call.store, call.params)
    statuses = words(call.query.pop("status", "any"))  # they stand in the links as a list, behind the rest
    listed = {f"status[{place}]": status for place, status in enumerate(statuses)}
    headers = _paging(call, total, texts, **listed, dp="2", context="view")
    if _decimals(call) != 2:
        orders = (load_order(call.store, json.loads(each)["id"]) for each in texts)
        texts = [json.dumps(order_document(order, _decimals(call)), ensure_ascii=False) for order in orders if order]
    joined = at(f"[{', '.join(texts)}]", call.site)
    if "_fields" not in call.query:
        return Reply(joined, headers=headers)
    return Reply(pick(json.loads(joined), words(call.query["_fields"])), headers=headers, picked=True)


def _one_order(call: Call) -> Reply:
    kept = order_text(call.store, call.ids[0])
    if kept is None:
        raise ApiError(404, INVALID_ID, "Invalid ID.")
    if _decimals(call) != 2:
        return _show_order(call, call.orders.get(call.ids[0]))
    return _shown(call, json.loads(kept))


def _create_order(call: Call) -> Reply:
    orders = call.orders
    return _show_order(call, orders.create(call.params), 201)


def _update_order(call: Call) -> Reply:
    orders = call.orders
    return _show_order(call, orders.update(orders.get(call.ids[0], missing=400), call.params))


def _delete_order(call: Call) -> Reply:
    """Answers with the order as it was before."""
    orders = call.orders
    order = orders.get(call.ids[0])
    reply = _show_order(call, order)
    if boolean(call.params.get("force")):
        orders.delete(order)
    elif order["status"] == "trash":
        raise ApiError(410, "woocommerce_rest_already_trashed", "The shop_order has already been deleted.")
    else:
        orders.bin(order)
    return reply


def _list_refunds(call: Call) -> Reply:
    order_id = call.ids[0] if call.ids else None
    total, refunds = page_of_refunds(call.store, call.params, order_id)
    rows = refund_rows(refunds, call.site, _decimals(call), named=order_id is None)
    headers = _paging(call, total, refunds, dp="2")
    if "_fields" not in call.query:
        return Reply(rows, headers=headers)
    return Reply(pick(json.loads(rows), words(call.query["_fields"])), headers=headers, picked=True)


def _create_refund(call: Call) -> Reply:
    orders, order_id = call.orders, call.ids[0]
    order = load_order(call.store, order_id)
    if order is None:
        raise RefundError("Invalid order ID.", "woocommerce_rest_invalid_order_id", 404)
    refund = refund_order(orders, order, call.params)
    return _shown(call, refund_document(refund, order_id, _decimals(call)), 201)


def _refund(call: Call) -> dict[str, Any]:
    found = next((each for each in refunds_of(call.store, call.ids[0]) if each["id"] == call.ids[1]), None)
    if found is None:
        raise ApiError(404, *_NO_REFUND)
    return found


def _one_refund(call: Call) -> Reply:
    return _shown(call, refund_document(_refund(call), call.ids[0], _decimals(call)))


def _delete_refund(call: Call) -> Reply:
    """For good, with ``force`` or without; what was restocked stays, and the order's ``date_modified``."""
    refund = _refund(call)
    reply = _shown(call, refund_document(refund, call.ids[0], _decimals(call)))
    orders = call.orders
    call.store.execute("DELETE FROM refunds WHERE id = ?", (refund["id"],))
    order = orders.get(call.ids[0])
    order["refunds"] = []
    orders.save(order, modified=False)
    return reply


def _list_notes(call: Call) -> Reply:
    call.orders.get(call.ids[0])
    query = "SELECT document FROM order_notes WHERE order_id = ? ORDER BY id DESC"
    rows = call.store.execute(query, (call.ids[0],))
    return Reply(json.loads(at(f"[{', '.join(row[0] for row in rows)}]", call.site)))


def _create_note(call: Call) -> Reply:
    """Leaves the order as it is: its ``date_modified`` does not move."""
    order_id = call.orders.get(call.ids[0])["id"]
    note = {"id": call.store.next_id("comment"), "author": "WooCommerce", "date_created": site_time(call.site.now)}
    note |= {"date_created_gmt": call.site.now, "note": text(call.params["note"])}
    note |= {"customer_note": boolean(call.params.get("customer_note"))}
    note |= {"_links": part_links(order_id, "notes", note["id"])}
    row = (note["id"], order_id, json.dumps(note, ensure_ascii=False))
    call.store.execute("INSERT INTO order_notes VALUES (?, ?, ?)", row)
    return _shown(call, note, 201)


def _list_coupons(call: Call) -> Reply:
    total, coupons = Coupons(call.store, call.site.now).page(call.params)
    shown = at(json.dumps([coupon_document(each) for each in coupons], ensure_ascii=False), call.site)
    return Reply(json.loads(shown), headers=paging(call, total))


def _create_coupon(call: Call) -> Reply:
    return _shown(call, coupon_document(Coupons(call.store, call.site.now).create(call.params)), 201)


def _put_orders(call: Call) -> Reply:
    return Reply({"ids": put_orders(call.store, call.params.get("orders") or [], call.site.now)})


def _shuffle(call: Call) -> Reply:
    count, seed = integer(call.params.get("orders", 10)), integer(call.params.get("seed", 0))
    return Reply({"ids": shuffle(call.orders, Coupons(call.store, call.site.now), count, seed)})


ORDER_ROUTES = [
    Route(("GET",), _O, _list_orders, LIST, ORDER_LIST_SCHEMA),
    Route(("POST",), _O, _create_order, LIST, ORDER_SCHEMA),
    Route(("GET",), _O + ID, _one_order, ONE, {"dp": {"type": "integer"}}, VIEW),
    Route(EDITABLE, _O + ID, _update_order, ONE, ORDER_SCHEMA, REFUSALS["PUT"]),
    Route(("DELETE",), _O + ID, _delete_order, ONE),
    Route(("GET",), _R, _list_refunds, LIST, REFUND_LIST_SCHEMA),
    Route(("POST",), _R, _create_refund, LIST, _REFUND_SCHEMA),
    Route(("GET",), _R + ID, _one_refund, ("GET", "DELETE"), refusal=VIEW),
    Route(("DELETE",), _R + ID, _delete_refund, ("GET", "DELETE")),
    Route(("GET",), _N, _list_notes, LIST),
    Route(("POST",), _N, _create_note, LIST, {"note": {"type": "string", "required": True}}),
    Route(("GET",), "/wc/v3/refunds", _list_refunds, ("GET",), REFUND_LIST_SCHEMA),
    Route(("GET",), _C, _list_coupons, LIST),
    Route(("POST",), _C, _create_coupon, LIST, COUPON_SCHEMA),
]
ORDER_CONTROLS = [
    Route(("PUT",), "/_sandbox/orders", _put_orders, ()),
    Route(("POST",), "/_sandbox/orders/shuffle", _shuffle, ()),
]
