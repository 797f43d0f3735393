"""Refunds of orders in the WooCommerce stand-in."""

from decimal import Decimal
from typing import Any

from .woo_auth import ApiError
from .woo_fields import boolean, decimal, integer, text
from .woo_order_lists import refunds_of, save_refund, summary
from .woo_order_render import price_of_line
from .woo_orders import Orders
from .woo_store import site_time
from .woo_totals import ZERO, Line, Order, TaxRules, number, set_taxes, stored, update_taxes

_KINDS = ("line_items", "fee_lines", "shipping_lines")
_MANUAL = ("bacs", "cheque", "cod")


class RefundError(ApiError):
    """WooCommerce words these as no other error: the status alone stands where an object with it should (trap 22)."""

    def __init__(
        self, message: str, code: str = "woocommerce_rest_cannot_create_order_refund", data: int = 500
    ) -> None:
        super().__init__(500, code, message)
        self._bare = data

    def document(self) -> dict[str, Any]:
        return super().document() | {"data": self._bare}


def refund_order(orders: Orders, order: Order, body: dict[str, Any]) -> dict[str, Any]:
    """Refund as a client asks: an amount, lines, or both. The last refund makes the order ``refunded``."""
    wanted = _wanted_lines(body.get("line_items"))
    text_of_amount = _amount(body, wanted, orders.rules)
    amount, before = number(text_of_amount), remaining(orders, order)
    if amount < 0:
        code = "woocommerce_rest_invalid_order_refund"
        raise RefundError("Refund amount must be greater than zero.", code, 400)
    if amount > before:
        raise RefundError("Invalid refund amount.")
    _guard_payment(orders, order, body)
    refund = _new_refund(orders, text_of_amount, text(body.get("reason")))
    for kind in _KINDS:
        refund[kind] = [
            _refund_line(orders, line, wanted[line["id"]])
            for line in order.get(kind, ())
            if any(wanted.get(line["id"], {}).get(name) for name in ("quantity", "refund_total", "refund_tax"))
        ]
    update_taxes(refund, orders.rules, lambda: orders.store.next_id("order item"))
    if _flag(body.get("api_restock")):
        for line in order.get("line_items", ()):
            orders.stock.restock(line, integer(wanted.get(line["id"], {}).get("quantity")))
    whole = amount >= before
    orders.lines.set_meta(refund, [{"key": "_refund_type", "value": "full" if whole else "partial"}], shown=False)
    orders.lines.set_meta(refund, body.get("meta_data"), shown=False)
    save_refund(orders.store, refund, order)
    if whole:
        orders.enter(order, "refunded")
    orders.save(order)
    return refund


def refund_rest(orders: Orders, order: Order) -> None:
    """What WooCommerce does by itself to an order that is said to be refunded."""
    if left := remaining(orders, order):
        refund = _new_refund(orders, stored(left), "Order fully refunded.")
        refund["meta_data"] = [{"id": orders.store.next_id("meta"), "key": "_refund_type", "value": "full"}]
        save_refund(orders.store, refund, order)


def remaining(orders: Orders, order: Order) -> Decimal:
    """What of an order has not been refunded yet."""
    given = summary(refunds_of(orders.store, order["id"])) or order.get("refunds", [])
    return number(order.get("total", 0)) + sum((number(each["total"]) for each in given), ZERO)


def _new_refund(orders: Orders, amount: str, reason: str) -> dict[str, Any]:
    made = {"id": orders.store.next_id(), "date_created": site_time(orders.now), "date_created_gmt": orders.now}
    made |= {"amount": amount, "reason": reason, "refunded_by": 1, "refunded_payment": False, "meta_data": []}
    return made | {"line_items": [], "shipping_lines": [], "tax_lines": [], "fee_lines": []}


def _wanted_lines(given: Any) -> dict[int, dict[str, Any]]:
    """Lines by their order line's id, the taxes of each by their rate's."""
    wanted = {}
    for line in given if isinstance(given, list) else ():
        if not isinstance(line, dict) or not line.get("id"):
            continue
        taxes = line.get("refund_tax") or []
        rates = {integer(tax["id"]): number(tax.get("refund_total", 0)) for tax in taxes if isinstance(tax, dict)}
        total = number(line.get("refund_total", 0))
        quantity = integer(line.get("quantity"))
        wanted[integer(line["id"])] = {"quantity": quantity, "refund_total": total, "refund_tax": rates}
    return wanted


def _amount(body: dict[str, Any], wanted: dict[int, dict[str, Any]], rules: TaxRules) -> str:
    """Empty when neither an amount nor lines are given: then nothing is refunded."""
    if body.get("amount") is not None:
        return decimal(body["amount"], comma=rules.decimal_comma)
    parts = [each for line in wanted.values() for each in (line["refund_total"], *line["refund_tax"].values())]
    return stored(sum(parts, ZERO)) if wanted else ""


def _refund_line(orders: Orders, line: Line, wanted: dict[str, Any]) -> Line:
    made = dict(line)
    total = stored(-number(stored(wanted["refund_total"])))
    made |= {"id": orders.store.next_id("order item"), "total": total, "meta_data": []}
    if "subtotal" in made:
        made["subtotal"] = total
    taxes = {rate: -tax for rate, tax in wanted["refund_tax"].items() if tax}  # a tax of nothing is left out
    set_taxes(made, taxes, taxes, orders.rules)
    if "quantity" in made:
        made["quantity"] = -wanted["quantity"]
        made["price"] = price_of_line(made)
    orders.lines.set_meta(made, [{"key": "_refunded_item_id", "value": line["id"]}], shown=True)
    return made


def _guard_payment(orders: Orders, order: Order, body: dict[str, Any]) -> None:
    """Without ``"api_refund": false`` the payment method is asked to pay back, and the sandbox has none that can."""
    if _flag(body.get("api_refund")):
        orders.store.next_id()  # the real store has made the refund by then, and deletes it
        manual = order.get("payment_method") in _MANUAL
        why = "does not support automatic refunds." if manual else "does not exist."
        raise RefundError(f"The payment gateway for this order {why}")


def _flag(value: Any) -> bool:
    return value if isinstance(value, bool) else True if value is None else boolean(value)
