"""What WooCommerce makes of an order that is placed, changed, refunded and binned, and of its money and stock.

Its money is kept as :mod:`woo_till` says.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from .woo_auth import ApiError
from .woo_fields import boolean, integer, line, text
from .woo_products import Products
from .woo_render import Site, chosen_options
from .woo_sales import price_of
from .woo_site import tax_rates
from .woo_store import Item, Store, site_time
from .woo_till import Line, Order, cents, number, sums_of, vat_of_line

_CENT, _KEPT = Decimal("0.01"), Decimal("0.000001")
_HOLDS_STOCK = ("processing", "completed", "on-hold")
_GIVES_STOCK_BACK = ("cancelled", "pending")
_PLAIN = ("payment_method", "payment_method_title", "transaction_id", "customer_note")
_PARTS = {"line_items": "product", "shipping_lines": "shipping", "fee_lines": "fee"}


class Final(ApiError):
    """An error that is not to be tried again: its data is a bare status (contract, 22)."""

    def document(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"code": self.code, "message": self.message, "data": self.status}


class Orders:
    """Every rule of orders, in an open transaction."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store = store
        self._site = site
        self._products = Products(store, site.settings, site.now)
        self._rates = {each["class"]: each for each in tax_rates(site)}

    def create(self, given: Mapping[str, Any]) -> Order:
        """A new order; stock is not checked, only taken."""
        order: Order = {
            **{"id": self._store.next_id(), "made": True, "status": "pending", "customer_id": 0},
            **{"created": self._site.now, "paid": None, "completed": None},
            **{"currency": self._site.settings["currency"], "lines": [], "coupons": [], "tax_ids": {}, "meta_data": []},
            "prices_include_tax": self._site.settings["prices_include_tax"],
            "order_key": f"wc_order_{secrets.token_hex(7)[:13]}",
        }
        return self._change(order, given)

    def update(self, order: Order, given: Mapping[str, Any]) -> Order:
        """Change what is given; lines are named by their ids, new ones have none, one without quantity goes."""
        return self._change(order, given)

    def bin(self, order: Order) -> None:
        """Put into the bin; a ``PUT`` with a status takes it out."""
        order["status"] = "trash"
        self.keep(order)

    def refund(self, order: Order, given: Mapping[str, Any]) -> dict[str, Any]:
        """Refund an amount, or lines, whose pieces go back on the shelf."""
        asked = [each for each in given.get("line_items") or [] if isinstance(each, dict)]
        lines = [self._refunded(order, each) for each in asked]
        of_lines = sum((Decimal(each["total"]) + vat_of_line(each) for each in lines), Decimal(0))
        amount = cents(Decimal(text(given["amount"]))) if given.get("amount") else cents(-of_lines)
        refunded = sum((Decimal(each["amount"]) for each in self.refunds(order)), Decimal(0))
        left = cents(sums_of(order)["total"]) - refunded
        if amount > left:
            code, message = "woocommerce_rest_cannot_create_order_refund", "Invalid refund amount."
            raise Final(500, code, message)
        refund = {"id": self._store.next_id(), "created": self._site.now, "amount": str(amount)}
        refund |= {"reason": text(given.get("reason")), "type": "full" if amount == left else "partial", "lines": lines}
        for each in lines:
            each["id"] = self._item_id()
            each["meta"] = [self._meta("_refunded_item_id", str(each["of"]))]
        refund["tax_ids"] = {}
        self._number_taxes(refund)
        refund["meta"] = self._meta("_refund_type", refund["type"])
        row = (refund["id"], order["id"], refund["created"], json.dumps(refund, ensure_ascii=False))
        self._store.execute("INSERT INTO refunds VALUES (?, ?, ?, ?)", row)
        if boolean(given.get("api_restock", True)):
            self._restock(order, lines)
        if amount == left:
            order["status"] = "refunded"
        self.keep(order)
        return refund

    def delete_refund(self, order: Order, refund_id: int) -> None:
        """For good; the order is as it was, but for its stock."""
        self._store.execute("DELETE FROM refunds WHERE id = ?", (refund_id,))
        self.keep(order)

    def refunds(self, order: Order) -> list[dict[str, Any]]:
        """The newest last."""
        rows = self._store.execute("SELECT document FROM refunds WHERE order_id = ? ORDER BY id", (order["id"],))
        return [json.loads(row[0]) for row in rows]

    def keep(self, order: Order) -> Order:
        """Write it as it now is, and move its time."""
        order["modified"] = self._site.now
        row = (order["id"], order["status"], order["customer_id"], order["created"], site_time(order["created"]))
        row += (order["modified"], site_time(order["modified"]), json.dumps(order, ensure_ascii=False))
        self._store.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return order

    def _change(self, order: Order, given: Mapping[str, Any]) -> Order:
        if given.get("customer_id") is not None:
            order["customer_id"] = integer(given["customer_id"])
        for name in _PLAIN:
            if given.get(name) is not None:
                order[name] = text(given[name])
        for name in ("billing", "shipping"):
            order[name] = order.get(name, {}) | {key: text(value) for key, value in (given.get(name) or {}).items()}
        is_edited = any(given.get(part) for part in (*_PARTS, "coupon_lines"))
        if is_edited:
            for part, kind in _PARTS.items():
                for each in given.get(part) or []:
                    self._set_line(order, kind, each)
            for each in given.get("coupon_lines") or []:
                self._apply_coupon(order, text(each.get("code")))
            self._calculate(order)
        if boolean(given.get("set_paid")) and order["paid"] is None:
            order["paid"] = self._site.now
        if status := given.get("status"):
            self._set_status(order, text(status))
        self._hold_stock(order)
        return self.keep(order)

    def _set_status(self, order: Order, status: str) -> None:
        order["status"] = status
        if status == "completed" and order["completed"] is None:
            order["completed"] = self._site.now
        if status in ("processing", "completed") and order["paid"] is None:
            order["paid"] = self._site.now

    def _set_line(self, order: Order, kind: str, given: Mapping[str, Any]) -> None:
        held = next((each for each in order["lines"] if each["id"] == given.get("id")), None)
        if held is None:
            self._add_line(order, kind, given)
            return
        if given.get("quantity") is not None and integer(given["quantity"]) == 0:
            self._take(held, -_reduced(held))
            order["lines"].remove(held)
            return
        if given.get("quantity") is not None:
            held["quantity"] = integer(given["quantity"])
        for name in ("subtotal", "total"):
            if given.get(name) is not None:
                held[name] = str(Decimal(text(given[name])).quantize(_KEPT, ROUND_HALF_UP))

    def _add_line(self, order: Order, kind: str, given: Mapping[str, Any]) -> None:
        new: Line = {"id": self._item_id(), "kind": kind, "quantity": 1, "tax_class": "", "meta": []}
        if kind == "product":
            new |= self._of_product(given)
        else:
            total = Decimal(text(given.get("total")) or "0")
            new |= {"name": text(given.get("name") or given.get("method_title")), "total": str(total)}
            new |= {"method_id": text(given.get("method_id")), "tax_status": text(given.get("tax_status") or "taxable")}
            new["tax_class"] = text(given.get("tax_class"))
        order["lines"].append(new)

    def _of_product(self, given: Mapping[str, Any]) -> Line:
        item = self._item(given)
        parent = self._store.get(item["parent_id"]) if item["type"] == "variation" else None
        pieces = integer(given.get("quantity", 1))
        inherits = parent is not None and item.get("tax_class", "parent") == "parent"
        tax_class = (parent if inherits and parent else item).get("tax_class", "")
        net = self._without_vat(Decimal(price_of(item, self._site.now) or "0") * pieces, tax_class)
        options = chosen_options(item, parent) if parent else []
        name = " - ".join(filter(None, [(parent or item)["name"], ", ".join(each["option"] for each in options)]))
        return {
            **{"product_id": item.get("parent_id") or item["id"], "variation_id": item["id"] if parent else 0},
            **{"quantity": pieces, "name": name, "tax_class": tax_class, "parent_name": parent and parent["name"]},
            **{"subtotal": str(net), "total": str(net)},
            "meta": [self._meta(each["slug"], each["option"]) | {"display": each["name"]} for each in options],
        }

    def _item(self, given: Mapping[str, Any]) -> Item:
        item = self._store.get(integer(given.get("variation_id") or given.get("product_id")))
        if item is None:
            message = "Product ID or SKU is required."
            raise ApiError(400, "woocommerce_rest_required_product_reference", message)
        return item

    def _without_vat(self, price: Decimal, tax_class: str) -> Decimal:
        if self._site.settings["prices_include_tax"]:
            price = price * 100 / (100 + self._percent(tax_class))
        return price.quantize(_KEPT, ROUND_HALF_UP)

    def _percent(self, tax_class: str) -> Decimal:
        return Decimal(self._rates[tax_class or "standard"]["rate"])

    def _apply_coupon(self, order: Order, code: str) -> None:
        row = self._store.execute("SELECT document FROM coupons WHERE code = ?", (code.lower(),)).fetchone()
        if row is None:
            message = f'Coupon "{code}" cannot be applied because it does not exist.'
            raise ApiError(400, "woocommerce_rest_invalid_coupon", message)
        coupon = json.loads(row[0])
        lines = [each for each in order["lines"] if each["kind"] == "product"]
        prices = [self._price(each) for each in lines]
        for each, off in zip(lines, _discounts(coupon, lines, prices), strict=True):
            each["total"] = str(Decimal(each["total"]) - self._without_vat(off, each["tax_class"]))
        info = [coupon["id"], coupon["code"], coupon["discount_type"], number(Decimal(coupon["amount"]))]
        meta = self._meta("coupon_info", json.dumps(info, separators=(",", ":")))
        order["coupons"].append({"coupon": coupon, "meta": [meta]})

    def _price(self, of: Line) -> Decimal:
        """What the line costs before discounts, as prices are entered."""
        with_vat = self._site.settings["prices_include_tax"]
        factor = 1 + self._percent(of["tax_class"]) / 100 if with_vat else Decimal(1)
        return cents(Decimal(of["total"]) * factor)

    def _calculate(self, order: Order) -> None:
        for each in order["lines"]:
            rate = self._rates[each["tax_class"] or "standard"]
            percent = Decimal(rate["rate"])
            taxes = {"id": rate["id"], "total": _unrounded_vat(each["total"], percent)}
            each["taxes"] = [
                taxes | {"subtotal": _unrounded_vat(each["subtotal"], percent) if "subtotal" in each else ""}
            ]
        self._number_taxes(order)
        for coupon in order["coupons"]:
            coupon.setdefault("id", self._item_id())
            products = [each for each in order["lines"] if each["kind"] == "product"]
            off = sum((Decimal(each["subtotal"]) - Decimal(each["total"]) for each in products), Decimal(0))
            tax = sum((vat_of_line(each, "subtotal") - vat_of_line(each) for each in products), Decimal(0))
            coupon |= {"discount": str(cents(off)), "discount_tax": str(cents(tax))}

    def _number_taxes(self, document: Mapping[str, Any]) -> None:
        for rate_id in sorted({tax["id"] for each in document["lines"] for tax in each["taxes"]}):
            document["tax_ids"].setdefault(str(rate_id), self._item_id())

    def _hold_stock(self, order: Order) -> None:
        for each in order["lines"]:
            if each["kind"] != "product":
                continue
            if order["status"] in _HOLDS_STOCK and not any(m["key"] == "_restock_refunded_items" for m in each["meta"]):
                self._take(each, each["quantity"] - _reduced(each))
            elif order["status"] in _GIVES_STOCK_BACK:
                self._take(each, -_reduced(each))

    def _take(self, of: Line, pieces: int) -> None:
        """Take pieces from the stock of a line's product, or give them back, and remember it on the line."""
        item = self._store.get(of.get("variation_id") or of.get("product_id") or 0)
        if not pieces or item is None or not item.get("manage_stock"):
            return
        self._products.update(item, {"stock_quantity": (item.get("stock_quantity") or 0) - pieces})
        self._set_meta(of, "_reduced_stock", _reduced(of) + pieces)

    def _restock(self, order: Order, refunded: Iterable[Line]) -> None:
        for each in refunded:
            sold = next(held for held in order["lines"] if held["id"] == each["of"])
            back = min(-each["quantity"], _reduced(sold)) if sold["kind"] == "product" else 0
            if back:
                self._take(sold, -back)
                self._set_meta(sold, "_restock_refunded_items", _meta_of(sold, "_restock_refunded_items") + back)

    def _refunded(self, order: Order, given: Mapping[str, Any]) -> Line:
        sold = next((each for each in order["lines"] if each["id"] == integer(given.get("id"))), None)
        if sold is None:
            raise ApiError(400, "woocommerce_rest_invalid_order_refund_item", "Invalid item.")
        total = -Decimal(text(given.get("refund_total") or 0)).quantize(_KEPT, ROUND_HALF_UP)
        taxes = [
            {"id": integer(tax["id"]), "total": str(-Decimal(text(tax["refund_total"]))), "subtotal": ""}
            for tax in given.get("refund_tax") or []
        ]
        if sold["kind"] == "product":
            taxes = [tax | {"subtotal": tax["total"]} for tax in taxes]
        amounts = {"total": str(total), "taxes": taxes} | ({"subtotal": str(total)} if "subtotal" in sold else {})
        return sold | amounts | {"of": sold["id"], "quantity": -integer(given.get("quantity") or 0), "meta": []}

    def _set_meta(self, of: Line, key: str, value: int) -> None:
        others = [each for each in of["meta"] if each["key"] != key]
        held = next((each for each in of["meta"] if each["key"] == key), None)
        if not value:
            of["meta"] = others
        elif held:
            held["value"] = str(value)
        else:
            of["meta"].append(self._meta(key, str(value)))

    def _meta(self, key: str, value: str) -> dict[str, Any]:
        return {"id": self._store.next_id("order meta"), "key": key, "value": value}

    def _item_id(self) -> int:
        return self._store.next_id("order item", 1)


def create_coupon(store: Store, site: Site, given: Mapping[str, Any]) -> dict[str, Any]:
    """A new coupon; as much of it as orders need, and as the recording shows."""
    coupon = {
        "id": store.next_id(),
        "code": line(given.get("code")).lower(),
        "amount": f"{Decimal(text(given.get('amount')) or '0'):.2f}",
        "status": "publish",
        **{"date_created": site_time(site.now), "date_created_gmt": site.now},
        **{"date_modified": site_time(site.now), "date_modified_gmt": site.now},
        "discount_type": text(given.get("discount_type") or "fixed_cart"),
        **{"description": "", "date_expires": None, "date_expires_gmt": None, "usage_count": 0},
        **{"individual_use": False, "product_ids": [], "excluded_product_ids": [], "usage_limit": None},
        **{"usage_limit_per_user": None, "limit_usage_to_x_items": None, "free_shipping": False},
        **{"product_categories": [], "excluded_product_categories": [], "exclude_sale_items": False},
        **{"minimum_amount": "0.00", "maximum_amount": "0.00", "email_restrictions": [], "used_by": []},
        "meta_data": [],
    }
    store.execute("INSERT OR REPLACE INTO coupons VALUES (?, ?)", (coupon["code"], json.dumps(coupon)))
    return coupon


def _discounts(coupon: Mapping[str, Any], lines: list[Line], prices: list[Decimal]) -> list[Decimal]:
    """What a coupon takes off each line, in cents; what rounding leaves goes to the first lines, cent by cent."""
    amount, total = Decimal(coupon["amount"]), sum(prices, Decimal(0))
    if coupon["discount_type"] == "fixed_product":
        return [min(amount * each["quantity"], price) for each, price in zip(lines, prices, strict=True)]
    off = cents(total * amount / 100) if coupon["discount_type"] == "percent" else min(amount, total)
    shares = [(off * price / total).quantize(_CENT, ROUND_DOWN) if total else Decimal(0) for price in prices]
    for place, price in enumerate(prices):
        if sum(shares) < off and shares[place] < price:
            shares[place] += _CENT
    return shares


def _unrounded_vat(total: str, percent: Decimal) -> str:
    return str((Decimal(total) * percent / 100).quantize(_KEPT, ROUND_HALF_UP))


def _reduced(of: Line) -> int:
    return _meta_of(of, "_reduced_stock")


def _meta_of(of: Line, key: str) -> int:
    return int(next((each["value"] for each in of["meta"] if each["key"] == key), 0))
