"""The store's coupons: made over REST, found by code, counted when orders use them."""

import json
from datetime import UTC
from typing import Any

from .woo_auth import ApiError
from .woo_discounts import Coupon
from .woo_fields import Schema, decimal, integers, parse_time, text
from .woo_order_render import BASE
from .woo_render import links
from .woo_store import SITE_ZONE, Store, Where, site_time
from .woo_totals import Order, money

_TYPES = ("percent", "fixed_cart", "fixed_product")
COUPON_SCHEMA: dict[str, Schema] = {
    "code": {"type": "string", "required": True},
    "amount": {"type": "string"},
    "discount_type": {"type": "string", "enum": _TYPES},
    "description": {"type": "string"},
    "free_shipping": {"type": "boolean"},
}
# Real conditions that the stand-in does not have: better an error than a coupon that ignores them.
_NOT_HERE = (
    *("individual_use", "excluded_product_ids", "usage_limit", "usage_limit_per_user"),
    *("limit_usage_to_x_items", "product_categories", "excluded_product_categories", "exclude_sale_items"),
    *("minimum_amount", "maximum_amount", "email_restrictions"),
)


class Coupons:
    """The rules of coupons, in an open transaction, at an instant (GMT)."""

    def __init__(self, store: Store, now: str) -> None:
        self._store = store
        self._now = now

    def create(self, given: dict[str, Any]) -> Coupon:
        """A new coupon; codes are lower case and unique."""
        if unknown := [name for name in _NOT_HERE if given.get(name)]:
            raise ApiError(501, "sandbox_unsupported", f"The sandbox's coupons have no {', '.join(unknown)}.")
        code = text(given["code"]).strip().lower()
        if not code:
            raise ApiError(400, "woocommerce_rest_empty_coupon_code", "The coupon code cannot be empty.")
        if self.find(code):
            raise ApiError(400, "woocommerce_rest_coupon_code_already_exists", "The coupon code already exists")
        expires = parse_time(given["date_expires_gmt"], UTC) if given.get("date_expires_gmt") else None
        if given.get("date_expires"):
            expires = parse_time(given["date_expires"], SITE_ZONE)
        coupon: Coupon = {
            "id": self._store.next_id(),
            "code": code,
            "amount": money(decimal(given.get("amount", "0"))),
            "status": "publish",
            **_dated("date_created", self._now),
            **_dated("date_modified", self._now),
            "discount_type": given.get("discount_type") or "fixed_cart",
            "description": text(given.get("description")),
            **_dated("date_expires", expires),
            "usage_count": 0,
            "individual_use": False,
            "product_ids": integers(given.get("product_ids", [])),
            "excluded_product_ids": [],
            "usage_limit": None,
            "usage_limit_per_user": None,
            "limit_usage_to_x_items": None,
            "free_shipping": bool(given.get("free_shipping")),
            "product_categories": [],
            "excluded_product_categories": [],
            "exclude_sale_items": False,
            "minimum_amount": "0.00",
            "maximum_amount": "0.00",
            "email_restrictions": [],
            "used_by": [],
            "meta_data": [],
        }
        self._put(coupon)
        return coupon

    def find(self, code: str) -> Coupon | None:
        """The coupon of this code, in any case."""
        query = "SELECT document FROM coupons WHERE code = ?"
        row = self._store.execute(query, (code.strip().lower(),)).fetchone()
        return json.loads(row[0]) if row else None

    def page(self, params: dict[str, Any]) -> tuple[int, list[Coupon]]:
        """How many coupons there are, of one code if that is asked for, and one page of them by id."""
        where = Where()
        if params.get("code"):
            where.add("code = ?", text(params["code"]).lower())
        order = "id ASC" if params.get("order") == "asc" else "id DESC"
        total, rows = self._store.page("coupons", "document", where, order, params)
        return total, [json.loads(row[0]) for row in rows]

    def for_order(self, given: dict[str, Any], held: list[str]) -> Coupon:
        """The coupon that an order's line asks for.

        :param held: codes that the order already has, which are not checked again
        """
        if given.get("id"):
            raise ApiError(400, "woocommerce_rest_coupon_item_id_readonly", "Coupon item ID is readonly.")
        if not given.get("code"):
            raise ApiError(400, "woocommerce_rest_invalid_coupon", "Coupon code is required.")
        code = text(given["code"]).strip().lower()
        coupon = self.find(code)
        if coupon is None:
            message = f"Coupon &quot;{code}&quot; cannot be applied because it does not exist."
            raise ApiError(400, "woocommerce_rest_invalid_coupon", message)
        if code not in held and coupon["date_expires_gmt"] and coupon["date_expires_gmt"] < self._now:
            raise ApiError(400, "woocommerce_rest_invalid_coupon", "This coupon has expired.")
        return coupon

    def count(self, order: Order, *, used: bool) -> None:
        """How often a coupon was used, and by whom; an order counts until it is cancelled, fails or is binned."""
        codes = [row["code"] for row in order["coupon_lines"]]
        counted: list[str] = order.get("_coupons_counted", codes)
        wanted = codes if used else []
        who = str(order["customer_id"] or order["billing"]["email"])
        gone, new = [c for c in counted if c not in wanted], [c for c in wanted if c not in counted]
        for changed, sign in ((gone, -1), (new, 1)):
            for coupon in filter(None, map(self.find, changed)):
                coupon["usage_count"] += sign
                if sign > 0:
                    coupon["used_by"].append(who)
                elif who in coupon["used_by"]:
                    coupon["used_by"].remove(who)
                self._put(coupon)
        order["_coupons_counted"] = wanted

    def _put(self, coupon: Coupon) -> None:
        row = (coupon["id"], coupon["code"], json.dumps(coupon, ensure_ascii=False))
        self._store.execute("INSERT OR REPLACE INTO coupons VALUES (?, ?, ?)", row)


def coupon_document(coupon: Coupon) -> dict[str, Any]:
    """A coupon as the API shows it."""
    return coupon | {"_links": links(f"{BASE}/wp-json/wc/v3/coupons", coupon["id"])}


def _dated(name: str, instant: str | None) -> dict[str, Any]:
    return {name: site_time(instant) if instant else None, f"{name}_gmt": instant}
