"""How the WooCommerce stand-in shows orders and refunds, and their sums.

Lines are kept without VAT to six decimals; the VAT of each line is rounded to cents, or with the setting
``round_at_subtotal`` that of each rate.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from .woo_render import Site
from .woo_site import tax_rates
from .woo_store import Store, site_time

Order = dict[str, Any]
Line = dict[str, Any]
KINDS = ("product", "shipping", "fee")
ADDRESS = ("first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "country")
_CENT = Decimal("0.01")


class Till:
    """Orders and refunds as the store shows them.

    :param decimals: of amounts, as the parameter ``dp`` asks
    """

    def __init__(self, store: Store, site: Site, decimals: int = 2) -> None:
        self._store = store
        self._site = site
        self._shown = Decimal(1).scaleb(-decimals)
        self._rates = {each["id"]: each for each in tax_rates(site)}

    def order(self, order: Order, refunds: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """In the store's order of keys."""
        sums = sums_of(order, at_subtotal=self._site.settings["round_at_subtotal"])
        totals = {name: self._amount(cents(value)) for name, value in sums.items()}
        shown: dict[str, Any] = {"id": order["id"], "parent_id": 0, "status": order["status"]}
        shown |= {"currency": order["currency"], "version": "10.5.0", "prices_include_tax": order["prices_include_tax"]}
        shown |= {"date_created": site_time(order["created"]), "date_modified": site_time(order["modified"])}
        shown |= totals | {"customer_id": order["customer_id"], "order_key": order["order_key"]}
        shown |= {name: self._address(order, name) for name in ("billing", "shipping")}
        shown |= {name: order.get(name, "") for name in ("payment_method", "payment_method_title", "transaction_id")}
        shown |= {"customer_ip_address": "", "customer_user_agent": "", "created_via": "rest-api"}
        shown |= {"customer_note": order.get("customer_note", "")}
        shown |= {f"date_{name}": _local(order[name]) for name in ("completed", "paid")}
        shown |= {"cart_hash": "", "number": str(order["id"]), "meta_data": order["meta_data"]}
        shown |= self._lines(order) | {"coupon_lines": [self._coupon(each) for each in order["coupons"]]}
        shown["refunds"] = [
            {"id": each["id"], "reason": each["reason"], "total": f"-{each['amount']}"} for each in refunds
        ]
        status, number, key = order["status"], order["id"], order["order_key"]
        shown["payment_url"] = f"{self._site.base}/checkout/order-pay/{number}/?pay_for_order=true&key={key}"
        shown |= {"is_editable": status in ("pending", "on-hold"), "needs_payment": status in ("pending", "failed")}
        shown |= {"needs_processing": True}
        names = ("created", "modified", "completed", "paid")
        shown |= {f"date_{name}_gmt": order[name] for name in names}
        return shown | {"currency_symbol": "€", "_links": self._links(order)}

    def refund(self, refund: Mapping[str, Any], order_id: int) -> dict[str, Any]:
        """In the store's order of keys."""
        shown: dict[str, Any] = {"id": refund["id"], "date_created": site_time(refund["created"])}
        shown |= {"date_created_gmt": refund["created"], "amount": refund["amount"], "reason": refund["reason"]}
        shown |= {"refunded_by": 1, "refunded_payment": False, "meta_data": [refund["meta"]]}
        lines = self._lines(refund)
        shown |= {name: lines[name] for name in ("line_items", "shipping_lines", "tax_lines", "fee_lines")}
        above = f"{self._site.rest}/orders/{order_id}"
        own = {"href": f"{above}/refunds/{refund['id']}", "targetHints": {"allow": ["GET", "DELETE"]}}
        links = {"self": [own], "collection": [{"href": f"{above}/refunds"}], "up": [{"href": above}]}
        return shown | {"_links": links}

    def _lines(self, document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
        kinds = {kind: [each for each in document["lines"] if each["kind"] == kind] for kind in KINDS}
        return {
            "line_items": [self._product(each) for each in kinds["product"]],
            "tax_lines": [self._tax_line(document, int(rate_id)) for rate_id in document["tax_ids"]],
            "shipping_lines": [self._shipping(each) for each in kinds["shipping"]],
            "fee_lines": [self._fee(each) for each in kinds["fee"]],
        }

    def _product(self, of: Line) -> dict[str, Any]:
        item = self._store.get(of["variation_id"] or of["product_id"]) or {}
        price = Decimal(of["total"]) / of["quantity"] if of["quantity"] else Decimal(0)
        return {
            **{name: of[name] for name in ("id", "name", "product_id", "variation_id", "quantity", "tax_class")},
            **{"subtotal": self._amount(of["subtotal"]), "subtotal_tax": self._amount(vat_of_line(of, "subtotal"))},
            **self._totals(of),
            "meta_data": [_shown_meta(each) for each in of["meta"]],
            **{"sku": item.get("sku", ""), "global_unique_id": item.get("global_unique_id", "")},
            "price": number(price),
            "image": {"id": 0 if of["variation_id"] else "", "src": ""},
            "parent_name": of["parent_name"],
        }

    def _totals(self, of: Line) -> dict[str, Any]:
        taxes = [
            {"id": tax["id"], **{n: self._amount(tax[n]) if tax[n] != "" else "" for n in ("total", "subtotal")}}
            for tax in of["taxes"]
        ]
        return {"total": self._amount(of["total"]), "total_tax": self._amount(vat_of_line(of)), "taxes": taxes}

    def _shipping(self, of: Line) -> dict[str, Any]:
        shown = {"id": of["id"], "method_title": of["name"], "method_id": of["method_id"], "instance_id": ""}
        meta = [_shown_meta(each) for each in of["meta"]]
        return {**shown, **self._totals(of), "tax_status": of["tax_status"], "meta_data": meta}

    def _fee(self, of: Line) -> dict[str, Any]:
        shown = {"id": of["id"], "name": of["name"], "tax_class": of["tax_class"], "tax_status": of["tax_status"]}
        meta = [_shown_meta(each) for each in of["meta"]]
        return {**shown, "amount": "", **self._totals(of), "meta_data": meta}

    def _tax_line(self, document: Mapping[str, Any], rate_id: int) -> dict[str, Any]:
        rate, at_subtotal = self._rates[rate_id], self._site.settings["round_at_subtotal"]
        cart = [each for each in document["lines"] if each["kind"] != "shipping"]
        shipping = [each for each in document["lines"] if each["kind"] == "shipping"]
        return {
            **{"id": document["tax_ids"][str(rate_id)], "rate_code": f"FI-{rate['name']}-1", "rate_id": rate_id},
            **{"label": rate["name"], "compound": False},
            "tax_total": self._amount(vat_of(cart, at_subtotal, rate_id)),
            "shipping_tax_total": self._amount(vat_of(shipping, at_subtotal, rate_id)),
            "rate_percent": number(Decimal(rate["rate"])),
            "meta_data": [],
        }

    def _coupon(self, of: Mapping[str, Any]) -> dict[str, Any]:
        coupon = of["coupon"]
        return {
            **{"id": of["id"], "code": coupon["code"], "discount": of["discount"], "discount_tax": of["discount_tax"]},
            "meta_data": [_shown_meta(each) for each in of["meta"]],
            **{"discount_type": coupon["discount_type"], "nominal_amount": number(Decimal(coupon["amount"]))},
            "free_shipping": coupon["free_shipping"],
        }

    def _amount(self, value: str | Decimal) -> str:
        return str(Decimal(value).quantize(self._shown, ROUND_HALF_UP))

    def _address(self, order: Order, name: str) -> dict[str, str]:
        fields = (
            "first_name",
            "last_name",
            "company",
            "address_1",
            "address_2",
            "city",
            "state",
            "postcode",
            "country",
        )
        own = ("email", "phone") if name == "billing" else ("phone",)
        return {each: order[name].get(each, "") for each in (*fields, *own)}

    def _links(self, order: Order) -> dict[str, Any]:
        rest, number = self._site.rest, order["id"]
        hints = {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]}
        links = {
            "self": [{"href": f"{rest}/orders/{number}", "targetHints": hints}],
            "collection": [{"href": f"{rest}/orders"}],
            "email_templates": [{"embeddable": True, "href": f"{rest}/orders/{number}/actions/email_templates"}],
        }
        if order["customer_id"]:
            links["customer"] = [{"href": f"{rest}/customers/{order['customer_id']}"}]
        return links


def _local(instant: str | None) -> str | None:
    return site_time(instant) if instant else None


def _shown_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: meta[name] for name in ("id", "key", "value")}
    return {**shown, "display_key": meta.get("display", meta["key"]), "display_value": meta["value"]}


def vat_of_line(of: Line, name: str = "total") -> Decimal:
    return sum((cents(Decimal(tax[name])) for tax in of["taxes"] if tax[name] != ""), Decimal(0))


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def number(value: Decimal) -> int | float:
    """As PHP writes a number: whole ones without a point."""
    return int(value) if value == value.to_integral_value() else float(value)


def sums_of(order: Mapping[str, Any], *, at_subtotal: bool = False) -> dict[str, Decimal]:
    """The order's own totals, unrounded where WooCommerce rounds only what it shows."""
    lines = order["lines"]
    by_kind = {kind: [each for each in lines if each["kind"] == kind] for kind in ("product", "shipping", "fee")}
    cart = vat_of([*by_kind["product"], *by_kind["fee"]], at_subtotal)
    shipping = vat_of(by_kind["shipping"], at_subtotal)
    net = sum((Decimal(each["total"]) for each in lines), Decimal(0))
    products = by_kind["product"]
    return {
        "discount_total": sum((Decimal(p["subtotal"]) - Decimal(p["total"]) for p in products), Decimal(0)),
        "discount_tax": sum((vat_of_line(p, "subtotal") - vat_of_line(p) for p in products), Decimal(0)),
        "shipping_total": sum((Decimal(each["total"]) for each in by_kind["shipping"]), Decimal(0)),
        "shipping_tax": shipping,
        "cart_tax": cart,
        "total": net + cart + shipping,
        "total_tax": cart + shipping,
    }


def vat_of(lines: list[Line], at_subtotal: bool, rate_id: int | None = None) -> Decimal:
    taxes = [tax for each in lines for tax in each["taxes"] if rate_id in (None, tax["id"])]
    if not at_subtotal:
        return sum((cents(Decimal(tax["total"])) for tax in taxes), Decimal(0))
    rates = sorted({tax["id"] for tax in taxes})
    raw = [sum((Decimal(tax["total"]) for tax in taxes if tax["id"] == rate), Decimal(0)) for rate in rates]
    return sum(map(cents, raw), Decimal(0))
