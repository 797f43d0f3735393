"""The lines of an order: what WooCommerce makes of those that a client posts."""

import json
from decimal import Decimal
from typing import Any

from .woo_auth import ApiError
from .woo_discounts import Coupon
from .woo_fields import decimal, integer, line, text
from .woo_render import chosen_options, variation_name
from .woo_sales import price_of
from .woo_store import Item, Store, sku_key
from .woo_totals import Line, TaxRules, bare, number, stored, tax_within

_REQUIRED = {
    "shipping_lines": ("method_id", "woocommerce_rest_invalid_shipping_item", "Shipping method ID is required."),
    "fee_lines": ("name", "woocommerce_rest_invalid_fee_item", "Fee name is required."),
}
_NEW: dict[str, dict[str, Any]] = {
    "shipping_lines": {
        **{"method_title": "", "method_id": "", "instance_id": "", "total": "0", "total_tax": "0", "taxes": []},
        **{"tax_status": "taxable", "meta_data": []},
    },
    "fee_lines": {
        **{"name": "", "tax_class": "", "tax_status": "taxable", "amount": "", "total": "0", "total_tax": "0"},
        **{"taxes": [], "meta_data": []},
    },
}


class Lines:
    """Makes and changes lines, in an open transaction."""

    def __init__(self, store: Store, rules: TaxRules) -> None:
        self._store = store
        self._rules = rules

    def new(self, kind: str, given: dict[str, Any]) -> Line:
        """A line that the order did not have."""
        if kind == "line_items":
            return self._new_product(given)
        name, code, message = _REQUIRED[kind]
        if not given.get(name):
            raise ApiError(400, code, message)
        made = {"id": self._store.next_id("order item")} | _NEW[kind] | {"taxes": [], "meta_data": []}
        self.change(kind, made, given)
        return made

    def change(self, kind: str, made: Line, given: dict[str, Any]) -> None:
        """Put in what is given."""
        if kind == "line_items":
            self._change_product(made, given)
            return
        for name in ("name", "method_id", "method_title", "instance_id", "tax_class", "tax_status"):
            if name in made and given.get(name) is not None:
                made[name] = line(given[name])
        if given.get("total") is not None:
            made["total"] = decimal(given["total"], comma=self._rules.decimal_comma) or "0"
        self.set_meta(made, given.get("meta_data"), shown=True)

    def new_coupon(self, coupon: Coupon) -> Line:
        """The line of a coupon, whose worth is found when it is applied."""
        kind = coupon["discount_type"]
        amount = bare(number(coupon["amount"]))
        info: list[Any] = [coupon["id"], coupon["code"], None if kind == "fixed_cart" else kind, amount]
        if coupon["free_shipping"]:
            info.append(True)
        made: Line = {"id": self._store.next_id("order item"), "code": coupon["code"], "discount": "0"}
        made |= {"discount_tax": "0", "meta_data": []}
        self._add_meta(made, "coupon_info", json.dumps(info, separators=(",", ":")))
        return made | {"discount_type": kind, "nominal_amount": amount, "free_shipping": coupon["free_shipping"]}

    def set_meta(self, owner: dict[str, Any], given: Any, *, shown: bool) -> None:
        """Meta as posted: a key is updated in place, ``null`` removes it.

        :param shown: with the texts that people see, as lines have them
        """
        for meta in given if isinstance(given, list) else ():
            if not isinstance(meta, dict) or not meta.get("key"):
                continue
            key, value = text(meta["key"]), meta.get("value")
            held = [row for row in owner["meta_data"] if row["key"] == key]
            if wanted := integer(meta.get("id")):
                held = [row for row in owner["meta_data"] if row["id"] == wanted]
            if value is None:
                owner["meta_data"] = [row for row in owner["meta_data"] if row not in held]
                continue
            value = value if isinstance(value, list | dict) else text(value)
            if held:
                held[0] |= {"key": key, "value": value}
                if shown:
                    held[0] |= {"display_key": key, "display_value": value}
            else:
                self._add_meta(owner, key, value, shown=shown)

    def _add_meta(self, owner: dict[str, Any], key: str, value: Any, *, label: str = "", shown: bool = True) -> None:
        row = {"id": self._store.next_id("meta"), "key": key, "value": value}
        if shown:
            row |= {"display_key": label or key, "display_value": value}
        owner["meta_data"].append(row)

    def _new_product(self, given: dict[str, Any]) -> Line:
        item = self._wanted(given)
        made: Line = {"id": self._store.next_id("order item"), "name": "", "product_id": 0, "variation_id": 0}
        made |= {"quantity": 1, "tax_class": "", "subtotal": "0", "subtotal_tax": "0", "total": "0"}
        made |= {"total_tax": "0", "taxes": [], "meta_data": [], "sku": None, "global_unique_id": None, "price": 0}
        made |= {"image": {"id": 0, "src": ""}, "parent_name": None, "_tax_status": "taxable"}
        if item:
            self._set_product(made, item)
            quantity = integer(given["quantity"]) if given.get("quantity") is not None else 1
            made["subtotal"] = made["total"] = stored(self._without_tax(made, item, max(quantity, 0)))
        self._change_product(made, given, product=False)
        return made

    def _change_product(self, made: Line, given: dict[str, Any], *, product: bool = True) -> None:
        item = (
            self._wanted(given)
            if product and any(given.get(n) for n in ("sku", "product_id", "variation_id"))
            else None
        )
        if item and item["id"] != (made["variation_id"] or made["product_id"]):
            self._set_product(made, item)
        if given.get("name") is not None:
            made["name"] = line(given["name"])
        if given.get("quantity") is not None:
            made["quantity"] = integer(given["quantity"])
        if given.get("total") is not None:
            made["total"] = decimal(given["total"], comma=self._rules.decimal_comma) or "0"
            if number(made["subtotal"]) < number(made["total"]):
                made["subtotal"] = made["total"]
        if given.get("subtotal") is not None:
            made["subtotal"] = decimal(given["subtotal"], comma=self._rules.decimal_comma) or "0"
        if given.get("tax_class") is not None:
            made["tax_class"] = text(given["tax_class"]) if text(given["tax_class"]) in self._rules.rates else ""
        self.set_meta(made, given.get("meta_data"), shown=True)

    def _wanted(self, given: dict[str, Any]) -> Item | None:
        if given.get("sku"):
            key = sku_key(text(given["sku"]))
            identifier = self._store.holder("sku_key", key) or 0
        else:
            identifier = integer(given.get("variation_id")) or integer(given.get("product_id"))
            if not identifier:
                raise ApiError(400, "woocommerce_rest_required_product_reference", "Product ID or SKU is required.")
        return self._store.get(identifier)

    def _set_product(self, made: Line, item: Item) -> None:
        parent = self._store.get(item["parent_id"]) if item["type"] == "variation" else None
        above = parent or item
        tax_class = item.get("tax_class", "parent" if parent else "")
        made |= {
            "name": variation_name(item, parent) if parent else item.get("name", ""),
            "product_id": above["id"],
            "variation_id": item["id"] if parent else 0,
            "tax_class": above.get("tax_class", "") if tax_class == "parent" else tax_class,
            "sku": item.get("sku", ""),
            "global_unique_id": item.get("global_unique_id", ""),
            "image": _image(item, parent),
            "parent_name": parent["name"] if parent else None,
            "_tax_status": above.get("tax_status", "taxable"),
        }
        for option in chosen_options(item, parent) if parent else ():
            self._add_meta(made, option["slug"], option["option"], label=option["name"])

    def _without_tax(self, made: Line, item: Item, quantity: int) -> Decimal:
        price = number(price_of(item)) * quantity
        if self._rules.prices_include_tax and made["_tax_status"] == "taxable":
            price -= tax_within(price, self._rules.rate(made["tax_class"]))
        return price


def _image(item: Item, parent: Item | None) -> dict[str, Any]:
    """A product's first picture, its id as text; a variation's own or its parent's, its id as a number."""
    images = [*([item["image"]] if parent and item.get("image") else []), *(parent or item).get("images", [])]
    if not images:
        return {"id": 0 if parent else "", "src": ""}
    found = images[0]
    return {"id": found["id"] if parent else str(found["id"]), "src": found["src"]}
