"""What a write does to a product in the WooCommerce stand-in."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from typing import Any

from .woo_auth import ApiError
from .woo_fields import amount, boolean, decimal, integer, line, parse_time, text, unslashed
from .woo_product_schema import NOT_HERE, PRODUCT_SCHEMA, STATUSES, STOCK_STATUS, TAX_CLASSES, TYPES
from .woo_sales import end_sale, fresh_price, next_edge, priced_by, start_sale
from .woo_store import SITE_ZONE, Item, Store, sku_key
from .woo_texts import kses, slugify

# Fields that only have to be cleaned; every other one has a rule of its own below.
_PLAIN: dict[str, Callable[[Any], Any]] = {
    "name": lambda value: kses(text(value)).strip(),
    "description": lambda value: kses(text(value)),
    "short_description": lambda value: kses(text(value)),
    "featured": boolean,
    "virtual": boolean,
    "downloadable": boolean,
    "external_url": text,
    "menu_order": integer,
    "backorders": text,
}
_ENTITY = re.compile(r"&(?:\w+|#\d+|#[xX][0-9a-fA-F]+);")  # PHP wants the semicolon
_CHECKED = {
    "tax_status": ("product_invalid_tax_status", "Invalid product tax status."),
    "catalog_visibility": ("product_invalid_catalog_visibility", "Invalid catalog visibility option."),
}
_SALE_DATES = (
    ("date_on_sale_from", "sale_from", SITE_ZONE),
    ("date_on_sale_from_gmt", "sale_from", UTC),
    ("date_on_sale_to", "sale_to", SITE_ZONE),
    ("date_on_sale_to_gmt", "sale_to", UTC),
)
_CREATED = (("date_created", SITE_ZONE), ("date_created_gmt", UTC))
_HAND_MADE = ("images", "image", "categories", "tags", "brands", "average_rating", "rating_count", "total_sales")
HAND_EDITS = frozenset(PRODUCT_SCHEMA) | set(_HAND_MADE) | {name for name, _, _ in _SALE_DATES}
"""What the store's people can change through the control endpoint."""


class Products:
    """Every rule of a write, in an open transaction; values have been checked before, or never are."""

    def __init__(self, store: Store, settings: dict[str, Any], now: str) -> None:
        self._store = store
        self._settings = settings
        self._now = now

    def create(self, body: dict[str, Any]) -> Item:
        """A new product; its id is spent even when the bin holds its SKU."""
        _refuse(body)
        item: Item = {"id": 0, "type": "simple", "status": "publish", "created": self._now, "modified": self._now}
        self._set_product(item, body)
        item["name"] = item.get("name") or "Product"
        return self._insert(item)

    def update(self, item: Item, body: dict[str, Any], *, by_hand: bool = False) -> Item:
        """Change what ``body`` names and move ``date_modified``, whether or not a value differs.

        :param by_hand: pictures, categories and the like are taken as they are
        """
        if not by_hand:
            _refuse(body)
        before, priced = (item["type"], item["status"]), priced_by(item)
        if item["type"] == "variation":
            self._set_variation(item, body, self._store.get(item["parent_id"]))
        else:
            self._set_product(item, body)
        if by_hand:
            item.update({name: body[name] for name in _HAND_MADE if name in body})
        if before[0] == "variable" != item["type"]:
            self._delete_variations(item)
        self._leave_or_enter_bin(item, before[1])
        if priced_by(item) != priced:
            item["price"] = fresh_price(item, self._now)
        return self._save(item)

    def create_variation(self, parent_id: int, body: dict[str, Any]) -> Item:
        """A new variation; moves its parent."""
        _refuse(body)
        item: Item = {"id": 0, "parent_id": parent_id, "type": "variation", "status": "publish"}
        item |= {"created": self._now, "modified": self._now}
        self._set_variation(item, body, self._store.get(parent_id))
        return self._insert(item)

    def update_variation(self, item: Item, parent_id: int, body: dict[str, Any]) -> Item:
        """Change a variation. A batch may name another parent than its own: it then moves there."""
        item["parent_id"] = parent_id
        return self.update(item, body)

    def bin(self, item: Item) -> None:
        """Put into the bin, the variations of a product with it; SKUs stay taken."""
        if item["type"] == "variable":
            for variation in self._store.family([item["id"]])[item["id"]]:
                self.bin(variation)
        before, item["status"] = item["status"], "trash"
        self._add_meta(item, "_wp_trash_meta_status", before)
        self._add_meta(item, "_wp_trash_meta_time", str(seconds(self._now)))
        self._leave_or_enter_bin(item, before)
        self._save(item)

    def delete(self, item: Item) -> None:
        """Remove for good, the variations of a product with it."""
        self._delete_variations(item)
        self._store.delete(item["id"])
        if item["type"] == "variation":
            self._store.touch(item["parent_id"], self._now)

    def run_cron(self) -> dict[str, int]:
        """Start and end the sales that are due, as ``wc_scheduled_sales`` does."""
        done = {"started": 0, "ended": 0}
        for item in self._store.due(self._now):
            done["started"] += start_sale(item, self._now)
            done["ended"] += end_sale(item, self._now)
            self._save(item)
        return done

    def _delete_variations(self, item: Item) -> None:
        for variation in self._store.family([item["id"]], binned=True)[item["id"]]:
            self._store.delete(variation["id"])

    def _insert(self, item: Item) -> Item:
        item["id"] = self._store.next_id()
        sku = item.get("sku", "")
        if self._store.holder("sku_key", sku_key(sku), binned=True):
            message = f"The product with SKU ({sku}) you are trying to insert is already present in"
            raise ApiError(400, "woocommerce_rest_product_not_created", f"{message} the lookup table")
        return self._save(item)

    def _save(self, item: Item) -> Item:
        item["modified"] = self._now
        if item["type"] != "variation" and not item.get("slug") and item["status"] not in ("draft", "pending"):
            item["slug"] = self._store.unique_slug(slugify(item.get("name", "")))
        if "price" not in item:
            item["price"] = fresh_price(item, self._now)
        self._store.put(item, next_edge(item))
        if item["type"] == "variation":
            self._store.touch(item["parent_id"], self._now)
        return item

    def _leave_or_enter_bin(self, item: Item, before: str) -> None:
        # WordPress frees the slug of a binned post, and gives it back.
        if before != "trash" == item["status"] and item.get("slug"):
            item["desired_slug"] = item["slug"]
            item["slug"] += "__trashed"
            self._add_meta(item, "_wp_desired_post_slug", item["desired_slug"])
        elif before == "trash" != item["status"] and "desired_slug" in item:
            item["slug"] = item.pop("desired_slug")
            item["meta_data"] = [m for m in item["meta_data"] if m["key"] != "_wp_desired_post_slug"]

    def _set_product(self, item: Item, body: dict[str, Any]) -> None:
        if (kind := body.get("type")) is not None:
            item["type"] = kind if kind in TYPES else "simple"
        if (slug := body.get("slug")) is not None and slugify(text(slug)) != item.get("slug"):
            item["slug"] = self._store.unique_slug(slugify(text(slug)))
        self._set_common(item, body)
        self._set_date(item, body)
        if item["type"] in ("variable", "grouped"):
            for name in ("regular_price", "sale_price", "sale_from", "sale_to"):
                item.pop(name, None)
        if isinstance(body.get("attributes"), list):
            item["attributes"] = _attributes(body["attributes"])

    def _set_date(self, item: Item, body: dict[str, Any]) -> None:
        """When it was made; a published product of a later date becomes a future one, whatever is asked for."""
        given = [parse_time(body.get(name), zone) for name, zone in _CREATED]
        item["created"] = next(filter(None, given), item["created"])
        if item["status"] == "future" or (any(given) and item["status"] == "publish"):
            item["status"] = "future" if item["created"] > self._now else "publish"

    def _set_variation(self, item: Item, body: dict[str, Any], parent: Item | None) -> None:
        if parent is None or parent["type"] == "variation":
            code, message = "woocommerce_rest_product_variation_invalid_parent", "invalid parent product."
            raise ApiError(404, code, f"Cannot set attributes due to {message}")
        self._set_common(item, {name: value for name, value in body.items() if name != "name"})
        if isinstance(body.get("attributes"), list):
            # Attributes that the parent does not vary by are dropped without a word.
            known = {slugify(a["name"]) for a in parent.get("attributes", []) if a["variation"]}
            given = [a for a in body["attributes"] if isinstance(a, dict) and a.get("name")]
            pairs = [(slugify(text(a["name"])), line(unslashed(text(a.get("option"))))) for a in given]
            item["chosen"] = {key: option for key, option in pairs if key in known}

    def _set_common(self, item: Item, body: dict[str, Any]) -> None:
        for name, clean in _PLAIN.items():
            if (value := body.get(name)) is not None:
                item[name] = clean(value)
        for name, (code, message) in _CHECKED.items():
            if (value := body.get(name)) is not None:
                if value not in PRODUCT_SCHEMA[name]["enum"]:
                    raise ApiError(400, code, message)
                item[name] = value
        if (status := body.get("status")) is not None:
            item["status"] = status if status in STATUSES else "draft"
        if (tax_class := body.get("tax_class")) is not None:
            known = {*TAX_CLASSES, *self._settings["tax_classes"]}
            if item["type"] == "variation":
                known.add("parent")
            item["tax_class"] = text(tax_class) if text(tax_class) in known else ""
        self._set_identity(item, body)
        _set_prices(item, body, comma=self._settings["decimal_comma"])
        _set_stock(item, body)
        if isinstance(body.get("meta_data"), list):
            self._set_meta(item, body["meta_data"])
        cost = body.get("cost_of_goods_sold")
        if self._settings["cost_of_goods_sold"] and isinstance(cost, dict):
            _set_cost(item, cost)

    def _set_identity(self, item: Item, body: dict[str, Any]) -> None:
        if (sku := body.get("sku")) is not None:
            sku = line(sku)
            if owner := self._store.holder("sku_key", sku_key(sku), item["id"]):
                extra = {"resource_id": owner, "unique_sku": self._free_sku(sku, item["id"])}
                raise ApiError(400, "product_invalid_sku", "Invalid or duplicated SKU.", **extra)
            item["sku"] = sku
        if (gtin := body.get("global_unique_id")) is not None:
            gtin = "".join(letter for letter in text(gtin) if letter in "0123456789-")
            if owner := self._store.holder("gtin", gtin, item["id"]):
                message = "Invalid or duplicated GTIN, UPC, EAN or ISBN."
                raise ApiError(400, "product_invalid_global_unique_id", message, resource_id=owner)
            item["global_unique_id"] = gtin

    def _free_sku(self, sku: str, besides: int) -> str:
        number = 1
        while self._store.holder("sku_key", sku_key(f"{sku}-{number}"), besides):
            number += 1
        return f"{sku}-{number}"

    def _set_meta(self, item: Item, given: list[Any]) -> None:
        rows: list[dict[str, Any]] = item.setdefault("meta_data", [])
        for meta in given:
            if not isinstance(meta, dict) or not meta.get("key"):
                continue
            key, value = text(meta["key"]), meta.get("value")
            by_id = [row for row in rows if meta.get("id") and row["id"] == integer(meta["id"])]
            matches = by_id or [row for row in rows if not meta.get("id") and row["key"] == key]
            if value is None or len(matches) > 1:  # the first of several keeps the key, the others go
                rows[:] = [row for row in rows if row not in (matches if value is None else matches[1:])]
            if value is None:
                continue
            stored = value if isinstance(value, list | dict) else text(value)
            if matches:
                matches[0] |= {"key": key, "value": stored}
            else:
                self._add_meta(item, key, stored)

    def _add_meta(self, item: Item, key: str, value: Any) -> None:
        row = {"id": self._store.next_id("meta"), "key": key, "value": value}
        item["meta_data"] = [*item.get("meta_data", []), row]


def seconds(gmt: str) -> int:
    """Unix time of a GMT instant as WordPress writes it."""
    return int(datetime.fromisoformat(gmt).replace(tzinfo=UTC).timestamp())


def _refuse(body: dict[str, Any]) -> None:
    if unknown := [name for name in NOT_HERE if name in body]:
        raise ApiError(501, "sandbox_unsupported", f"The sandbox's products take no {', '.join(unknown)}.")


def _attributes(given: list[Any]) -> list[dict[str, Any]]:
    """The whole array is replaced; an attribute without options is dropped, the last of one name counts.

    The store keeps the options of one attribute as one text with bars between them, and unescapes it when it reads.
    """
    kept: dict[str, dict[str, Any]] = {}
    for attribute in given:
        if not isinstance(attribute, dict) or not attribute.get("name") or attribute.get("options") is None:
            continue
        name, options = line(attribute["name"]), attribute["options"]
        kept_text = " | ".join(text(option) for option in (options if isinstance(options, list) else [options]))
        values = [part.strip() for part in _ENTITY.sub(lambda found: unescape(found[0]), kept_text).split("|")]
        kept[slugify(name)] = {
            "id": 0,
            "name": name,
            "slug": name,
            "position": abs(integer(attribute.get("position"))),
            "visible": boolean(attribute.get("visible")),
            "variation": boolean(attribute.get("variation")),
            "options": [value for value in values if value],
        }
    return list(kept.values())


def _set_prices(item: Item, body: dict[str, Any], *, comma: bool) -> None:
    sale_before = item.get("sale_price")
    for name in ("regular_price", "sale_price"):
        if (value := body.get(name)) is not None:
            item[name] = decimal(value, comma=comma)
    for name, key, zone in _SALE_DATES:
        if (value := body.get(name)) is not None:  # null changes nothing, empty text empties
            item[key] = parse_time(value, zone)
    sale, regular = item.get("sale_price", ""), item.get("regular_price", "")
    if sale and (not regular or amount(sale) >= amount(regular)):
        item["sale_price"] = ""
    elif sale == "" != sale_before:
        item.pop("sale_price", None)  # WooCommerce deletes its row, and the cron finds nothing


def _set_cost(item: Item, cost: dict[str, Any]) -> None:
    """Values are added up; none and zero are no cost."""
    if isinstance(values := cost.get("values"), list):
        item["cost"] = sum(amount(text(value.get("defined_value"))) for value in values) or None
    if (additive := cost.get("defined_value_is_additive")) is not None:
        item["cost_is_additive"] = boolean(additive)


def _set_stock(item: Item, body: dict[str, Any]) -> None:
    if (managed := body.get("manage_stock")) is not None:
        item["manage_stock"] = boolean(managed)
    if (status := body.get("stock_status")) is not None:
        item["stock_status"] = status if status in STOCK_STATUS["enum"] else "instock"
    if not item.get("manage_stock"):
        for name in ("stock_quantity", "low_stock_amount", "backorders"):
            item.pop(name, None)
        return
    if (quantity := body.get("stock_quantity")) is not None:
        item["stock_quantity"] = integer(quantity)
    elif (delta := body.get("inventory_delta")) is not None:
        counted = integer(item.get("stock_quantity")) + integer(delta)
        item["stock_quantity"] = 0 if "stock_quantity" in body else counted  # a null beside it loses the count
    if "low_stock_amount" in body:
        low = body["low_stock_amount"]
        item["low_stock_amount"] = None if low in (None, "") else integer(low)
    if (item.get("stock_quantity") or 0) > 0:
        item["stock_status"] = "instock"
    else:
        item["stock_status"] = "outofstock" if item.get("backorders", "no") == "no" else "onbackorder"
