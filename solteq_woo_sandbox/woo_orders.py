"""What a write does to an order in the WooCommerce stand-in: lines, totals, payment, stock, the bin."""

import hashlib
from collections.abc import Callable
from typing import Any

from .woo_auth import ApiError, PhpError
from .woo_coupons import Coupons
from .woo_currencies import CURRENCIES
from .woo_customers import Customers
from .woo_discounts import apply_coupons
from .woo_fields import Schema, boolean, integer, is_email, line, text
from .woo_order_lines import Lines
from .woo_order_lists import STATUSES, delete_order, load_order, refunds_of, save_order, summary
from .woo_order_render import complete, price_of_line
from .woo_products import seconds
from .woo_stock import Stock
from .woo_store import Store
from .woo_totals import Order, TaxRules, calculate_totals, number

_STRING, _INTEGER, _BOOLEAN = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_BILLING = (
    *("first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "country"),
    *("email", "phone"),
)
_SHIPPING = tuple(name for name in _BILLING if name != "email")
_TEXTS = ("created_via", "payment_method", "payment_method_title", "transaction_id", "currency")
_ADDED = ("line_items", "shipping_lines", "fee_lines")
_PAYABLE = ("on-hold", "pending", "failed", "cancelled")
_REDUCING = ("processing", "completed", "on-hold")
_UNUSED = ("cancelled", "failed", "trash")

# In the order in which WooCommerce names wrong ones.
ORDER_SCHEMA: dict[str, Schema] = {
    "parent_id": _INTEGER,
    "status": {"type": "string", "enum": STATUSES},
    "currency": {"type": "string", "enum": CURRENCIES},
    "customer_id": _INTEGER,
    "customer_note": _STRING,
    "billing": {
        "type": "object",
        "properties": dict.fromkeys(_SHIPPING, _STRING) | {"email": {"type": "string", "format": "email"}},
    },
    "shipping": {"type": "object", "properties": dict.fromkeys(_SHIPPING, _STRING)},
    "payment_method": _STRING,
    "payment_method_title": _STRING,
    "transaction_id": _STRING,
    "meta_data": {"type": "array", "items": {"type": "object", "properties": {"id": _INTEGER, "key": _STRING}}},
    "line_items": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "id": _INTEGER,
                "variation_id": _INTEGER,
                "quantity": _INTEGER,
                "tax_class": _STRING,
                "subtotal": _STRING,
                "total": _STRING,
            },
        },
    },
    "shipping_lines": {"type": "array", "items": {"type": "object", "properties": {"id": _INTEGER, "total": _STRING}}},
    "fee_lines": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "id": _INTEGER,
                "tax_class": _STRING,
                "tax_status": {"type": "string", "enum": ("taxable", "none")},
                "total": _STRING,
            },
        },
    },
    "coupon_lines": {"type": "array", "items": {"type": "object", "properties": {"id": _INTEGER, "code": _STRING}}},
    "set_paid": _BOOLEAN,
}
INVALID_ID = "woocommerce_rest_shop_order_invalid_id"


class Orders:
    """Every rule of a write, in an open transaction, at an instant (GMT).

    :param refund_rest: makes a refund of all that is left, when an order is said to be refunded
    """

    def __init__(
        self, store: Store, settings: dict[str, Any], now: str, refund_rest: Callable[["Orders", Order], None]
    ) -> None:
        self.store = store
        self.now = now
        self.rules = TaxRules.of(settings)
        self.stock = Stock(store, settings, now)
        self._settings = settings
        self.lines = Lines(store, self.rules)
        self._coupons = Coupons(store, now)
        self._refund_rest = refund_rest

    def get(self, identifier: int, missing: int = 404) -> Order:
        """One order, a binned one too."""
        order = load_order(self.store, identifier)
        if order is None:
            raise ApiError(missing, INVALID_ID, "Invalid ID.")
        return order

    def create(self, body: dict[str, Any]) -> Order:
        """A new order. One whose lines are refused leaves nothing behind, one whose coupons are leaves a draft."""
        with self.store.whole():
            order = self._new()
            self._write(order, body)
            self.calculate(order)
        try:
            self._write_coupons(order, body)
        except ApiError as error:
            order["status"] = "checkout-draft"
            self.save(order)
            error.data["new_draft_order_id"] = order["id"]
            raise
        self._finish(order, body, may_pay=True)
        return order

    def _new(self) -> Order:
        identifier = self.store.next_id()
        key = hashlib.md5(f"order {identifier}".encode(), usedforsecurity=False).hexdigest()[:13]
        order: Order = {
            **{"id": identifier, "parent_id": 0, "status": "pending", "currency": self._settings["currency"]},
            **{"version": "10.5.0", "prices_include_tax": self._settings["prices_include_tax"]},
            **{"customer_id": 0, "order_key": f"wc_order_{key}", "billing": dict.fromkeys(_BILLING, "")},
            **{"shipping": dict.fromkeys(_SHIPPING, ""), "payment_method": "", "payment_method_title": ""},
            **{"transaction_id": "", "customer_ip_address": "", "customer_user_agent": "", "created_via": "rest-api"},
            **{"customer_note": "", "cart_hash": "", "meta_data": [], "refunds": [], "date_created_gmt": self.now},
            **{"_stock_reduced": False, "_sales_counted": False, "_coupons_counted": []},
        }
        _fill(order)
        return order

    def update(self, order: Order, body: dict[str, Any]) -> Order:
        """Change what ``body`` names and move ``date_modified``, whether or not a value differs."""
        _fill(order)
        self._write(order, body)
        touched = ("billing", "shipping", *_ADDED, "coupon_lines")
        if any(body.get(name) is not None for name in touched):
            self.calculate(order)
        self._write_coupons(order, body)
        self._finish(order, body, may_pay=False)
        return order

    def bin(self, order: Order) -> None:
        """Put into the bin; its stock stays with it, its sales do not."""
        _fill(order)
        kept = {"_wp_trash_meta_status": f"wc-{order['status']}", "_wp_trash_meta_time": str(seconds(self.now))}
        rows = [{"key": key, "value": value} for key, value in kept.items()]
        self.lines.set_meta(order, rows, shown=False)
        self.stock.count_sales(order, sold=False)
        order["status"] = "trash"
        self.save(order)

    def delete(self, order: Order) -> None:
        """Remove for good, refunds with it; its stock stays with it, its sales do not."""
        _fill(order)
        self.stock.count_sales(order, sold=False)
        delete_order(self.store, order["id"])

    def save(self, order: Order, *, modified: bool = True) -> None:
        """Write an order with all that follows from it.

        :param modified: moves ``date_modified``
        """
        _fill(order)
        if modified or "date_modified_gmt" not in order:
            order["date_modified_gmt"] = self.now
        for each in order["line_items"]:
            if "_tax_status" in each:  # a line that was put there whole says it itself
                each["price"] = price_of_line(each)
        order["refunds"] = summary(refunds_of(self.store, order["id"])) or order.get("refunds", [])
        self._coupons.count(order, used=order["status"] not in _UNUSED)
        complete(order, needs_processing=self.needs_processing(order))
        save_order(self.store, order)

    def calculate(self, order: Order) -> None:
        """Totals and taxes anew."""
        calculate_totals(order, self.rules, lambda: self.store.next_id("order item"))

    def enter(self, order: Order, status: str) -> None:
        """Change the status, with what WooCommerce does at it: dates, stock, sales, the refund of the rest."""
        before, order["status"] = order["status"], status
        if before == status:
            return
        if not order.get("date_paid_gmt") and status in (self._status_of_paid(order), "completed"):
            order["date_paid_gmt"] = self.now
        if status == "completed":
            order["date_completed_gmt"] = self.now
        if status in _REDUCING:
            self.stock.reduce(order)
            self.stock.count_sales(order, sold=True)
        elif status in ("cancelled", "pending"):
            self.stock.put_back(order)
            if status == "cancelled":
                self.stock.count_sales(order, sold=False)
        elif status == "refunded":
            self._refund_rest(self, order)

    def needs_processing(self, order: Order) -> bool:
        """Whether anybody has something to do for it: not when all it holds is virtual and to be downloaded."""
        products = (self.stock.product_of(each) for each in order.get("line_items", ()))
        return any(not (found.get("virtual") and found.get("downloadable")) for found in products if found)

    def _status_of_paid(self, order: Order) -> str:
        """The status that says that an order is paid; cash on delivery is paid when the order is completed."""
        on_delivery = order.get("payment_method") == "cod"
        return "completed" if on_delivery or not self.needs_processing(order) else "processing"

    def _finish(self, order: Order, body: dict[str, Any], *, may_pay: bool) -> None:
        if body.get("status"):
            self.enter(order, body["status"])
        payable = order["status"] in ("pending", "failed") and number(order["total"]) > 0
        if boolean(body.get("set_paid")) and (may_pay or payable) and order["status"] in _PAYABLE:
            if not order.get("date_paid_gmt"):
                order["date_paid_gmt"] = self.now
            self.enter(order, self._status_of_paid(order))
        self.save(order)

    def _write(self, order: Order, body: dict[str, Any]) -> None:
        customer = body.get("customer_id")
        if customer and Customers(self.store, self.now).get(integer(customer)) is None:
            raise ApiError(400, "woocommerce_rest_invalid_customer_id", "Customer ID is invalid.")
        for name in ("parent_id", "customer_id"):
            if body.get(name) is not None:
                order[name] = integer(body[name])
        for name in _TEXTS:
            if body.get(name) is not None:
                order[name] = line(body[name])
        if body.get("customer_note") is not None:
            order["customer_note"] = text(body["customer_note"])
        for address, names in (("billing", _BILLING), ("shipping", _SHIPPING)):
            parts = body.get(address)
            if isinstance(parts, dict):
                order[address] |= {name: line(parts[name]) for name in names if parts.get(name) is not None}
        email = order["billing"]["email"]
        if email and not is_email(email):
            raise ApiError(400, "order_invalid_billing_email", "Invalid billing email address")
        for kind in _ADDED:
            for given in _objects(body.get(kind)):
                self._set_line(order, kind, given)
        self.lines.set_meta(order, body.get("meta_data"), shown=False)

    def _set_line(self, order: Order, kind: str, given: dict[str, Any]) -> None:
        keys = ("product_id", "method_id", "method_title", "name", "code")
        removed = any(key in given and given[key] is None for key in keys) or given.get("quantity") == 0
        identifier = integer(given.get("id"))
        found = next((each for each in order[kind] if identifier and each["id"] == identifier), None)
        reduces = kind == "line_items" and order["status"] in _REDUCING
        if removed:
            if not identifier and given.get("quantity") == 0:
                raise PhpError
            if found and reduces:
                self.stock.adjust(found | {"quantity": 0})
            order[kind] = [each for each in order[kind] if each is not found]
            return
        if identifier and found is None:
            message = "Order item ID provided is not associated with order."
            raise ApiError(400, "woocommerce_rest_invalid_item_id", message)
        if found is None:
            found = self.lines.new(kind, given)
            order[kind].append(found)
        else:
            self.lines.change(kind, found, given)
        if reduces:
            self.stock.adjust(found)

    def _write_coupons(self, order: Order, body: dict[str, Any]) -> None:
        if body.get("coupon_lines") is None:
            return
        given = _objects(body["coupon_lines"])
        held = [row["code"] for row in order["coupon_lines"]]
        coupons = [self._coupons.for_order(each, held) for each in given]
        for number_, coupon in enumerate(coupons):
            if coupon["code"] in [each["code"] for each in coupons[:number_]]:
                self.store.next_id("order item")  # the first one has been applied by then
                message = f"Coupon code &quot;{coupon['code']}&quot; already applied!"
                raise ApiError(400, "woocommerce_rest_invalid_coupon", message)
        if not coupons and not held:
            return
        order["coupon_lines"] = [self.lines.new_coupon(coupon) for coupon in coupons]
        apply_coupons(order, coupons, self.rules)
        self.calculate(order)


def _fill(order: Order) -> None:
    """What an order that was put there whole may not tell."""
    order.setdefault("currency", "EUR")
    order.setdefault("prices_include_tax", True)
    order.setdefault("total", "0")
    for kind in ("line_items", "tax_lines", "shipping_lines", "fee_lines", "coupon_lines", "meta_data"):
        order.setdefault(kind, [])
    for kind in _ADDED:
        for each in order[kind]:
            known: dict[str, Any] = {"id": 0, "total": "0", "taxes": [], "meta_data": []}
            if kind != "shipping_lines":
                known["tax_class"] = ""
            if kind == "line_items":
                known |= {"quantity": 1, "subtotal": each.get("total", "0"), "subtotal_tax": "0"}
            each |= {name: value for name, value in known.items() if name not in each}
    for address, names in (("billing", _BILLING), ("shipping", _SHIPPING)):
        order[address] = dict.fromkeys(names, "") | order.get(address, {})


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
