"""Orders, refunds and coupons as the WooCommerce stand-in answers them: keys in order, money in decimals."""

import json
from collections.abc import Iterable
from typing import Any

from .woo_render import Site, links
from .woo_store import site_time
from .woo_totals import Line, Order, bare, money, number

BASE = "store://here"
"""Stands for scheme and host in what is stored, since the stand-in has whichever address it is asked at."""

MONEY = ("discount_total", "discount_tax", "shipping_total", "shipping_tax", "cart_tax", "total", "total_tax")
LINES = ("line_items", "tax_lines", "shipping_lines", "fee_lines", "coupon_lines")
_LINE_MONEY = ("subtotal", "subtotal_tax", "total", "total_tax", "tax_total", "shipping_tax_total")
_DATES = ("date_created", "date_modified", "date_completed", "date_paid")
_ORDERS = f"{BASE}/wp-json/wc/v3/orders"
_PARTS = ("meta_data", *LINES, "refunds", "payment_url", "is_editable", "needs_payment", "needs_processing")
_ORDER_KEYS = (
    *("id", "parent_id", "status", "currency", "version", "prices_include_tax", "date_created", "date_modified"),
    *MONEY,
    *("customer_id", "order_key", "billing", "shipping", "payment_method", "payment_method_title", "transaction_id"),
    *("customer_ip_address", "customer_user_agent", "created_via", "customer_note", "date_completed", "date_paid"),
    *("cart_hash", "number", *_PARTS, *(f"{name}_gmt" for name in _DATES), "currency_symbol", "_links"),
)
_REFUND_KEYS = (
    *("id", "date_created", "date_created_gmt", "amount", "reason", "refunded_by", "refunded_payment", "meta_data"),
    *("line_items", "shipping_lines", "tax_lines", "fee_lines"),
)


def order_document(order: Order, decimals: int = 2) -> dict[str, Any]:
    """An order as the API shows it; of one that was put there whole, what it has."""
    shown = {name: order[name] for name in _ORDER_KEYS if name in order}
    shown |= {name: value for name, value in order.items() if name not in shown and not name.startswith("_")}
    for name in MONEY:
        if name in shown:
            shown[name] = money(shown[name], decimals)
    for name in LINES:
        if name in shown:
            shown[name] = [line_document(line, decimals) for line in shown[name]]
    if "refunds" in shown:
        shown["refunds"] = [each | {"total": _given(each["total"], decimals)} for each in shown["refunds"]]
    return shown


def _given(total: Any, decimals: int) -> str:
    return total if total == "-" else f"-{money(number(total).copy_abs(), decimals)}"


def line_document(line: Line, decimals: int) -> dict[str, Any]:
    """A line of any kind."""
    shown = {name: value for name, value in line.items() if not name.startswith("_")}
    for name in _LINE_MONEY:
        if name in shown:
            shown[name] = money(shown[name], decimals)
    if "taxes" in shown:
        names = ("total", "subtotal")
        shown["taxes"] = [
            tax | {name: money(tax[name], decimals) for name in names if tax.get(name, "") != ""}
            for tax in shown["taxes"]
        ]
    return shown


def complete(order: Order, *, needs_processing: bool) -> None:
    """Put in what follows from the rest of an order: its dates, what can be done with it, its links."""
    status, identifier = order["status"], order["id"]
    for name in _DATES:
        instant = order.setdefault(f"{name}_gmt", None)
        order[name] = site_time(instant) if instant else None
    pay = f"{BASE}/checkout/order-pay/{identifier}/?pay_for_order=true&key={order.get('order_key', '')}"
    order |= {
        "number": order.get("number") or str(identifier),
        "payment_url": pay,
        "is_editable": status in ("pending", "on-hold", "auto-draft"),
        "needs_payment": status in ("pending", "failed") and number(order.get("total", 0)) > 0,
        "needs_processing": needs_processing,
        "currency_symbol": {"EUR": "€", "SEK": "kr"}.get(order["currency"], order["currency"]),
    }
    templates = [{"embeddable": True, "href": f"{_ORDERS}/{identifier}/actions/email_templates"}]
    order["_links"] = links(_ORDERS, identifier) | {"email_templates": templates}
    if order["customer_id"]:
        order["_links"]["customer"] = [{"href": f"{BASE}/wp-json/wc/v3/customers/{order['customer_id']}"}]


def price_of_line(line: Line) -> int | float:
    """What one piece was sold for, without tax, with as many digits as PHP divides to."""
    quantity = number(line["quantity"])
    total = float(number(line["total"]))
    return bare(number(total / float(quantity))) if quantity else 0


def text_of(order: Order) -> str:
    """An order as it is kept for the lists: ready to be sent, but for the address."""
    return json.dumps(order_document(order), ensure_ascii=False)


def at(text: str, site: Site) -> str:
    """What was kept, with the address that it was asked at."""
    return text.replace(BASE, site.base)


def refund_document(refund: dict[str, Any], order_id: int, decimals: int = 2, *, named: bool = False) -> dict[str, Any]:
    """A refund of an order.

    :param named: with its order's id, as the store-wide list shows it
    """
    shown: dict[str, Any] = {"id": refund["id"]} | ({"parent_id": order_id} if named else {})
    shown |= {name: refund[name] for name in _REFUND_KEYS if name in refund}
    if shown.get("amount") != "":  # a refund of nothing says so
        shown["amount"] = money(refund.get("amount", 0), decimals)
    for name in LINES:
        if name in shown:
            shown[name] = [line_document(line, decimals) for line in shown[name]]
    return shown | {"_links": part_links(order_id, "refunds", refund["id"])}


def part_links(order_id: int, kind: str, identifier: int) -> dict[str, Any]:
    """Where a refund or a note of an order is."""
    order = f"{_ORDERS}/{order_id}"
    return links(f"{order}/{kind}", identifier, ("GET", "DELETE"), order)


def refund_rows(refunds: Iterable[tuple[dict[str, Any], int]], site: Site, decimals: int, *, named: bool) -> str:
    """A page of refunds, ready to be sent."""
    shown = [refund_document(refund, order_id, decimals, named=named) for refund, order_id in refunds]
    return at(json.dumps(shown, ensure_ascii=False), site)
