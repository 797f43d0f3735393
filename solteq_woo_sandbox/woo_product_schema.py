"""What a product and a variation may be made of in the WooCommerce stand-in, as WordPress checks it."""

from .woo_fields import Schema

STATUSES = ("draft", "pending", "private", "publish", "future", "auto-draft", "trash")
TYPES = ("simple", "grouped", "external", "variable")
TAX_CLASSES = {"": 25.5, "reduced-rate": 13.5, "zero-rate": 0.0}
"""The slugs that a product can have, with the rate that its country takes."""

_STRING, _INTEGER, _BOOLEAN = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_META = {
    "type": "array",
    "items": {"type": "object", "properties": {"id": _INTEGER, "key": _STRING, "value": {"type": "mixed"}}},
}
_COST = {
    "type": "object",
    "properties": {
        "values": {
            "type": "array",
            "items": {"type": "object", "properties": {"defined_value": {"type": "number", "null": False}}},
        },
    },
}
STOCK_STATUS = {"type": "string", "enum": ("instock", "outofstock", "onbackorder")}
_BACKORDERS = {"type": "string", "enum": ("no", "notify", "yes")}
_NAMED = {"id": _INTEGER, "name": _STRING, "option": _STRING}

# In the order in which WooCommerce names wrong ones. Dates are not here: it does not check them.
VARIATION_SCHEMA: dict[str, Schema] = {
    "description": _STRING,
    "sku": _STRING,
    "global_unique_id": _STRING,
    "regular_price": _STRING,
    "sale_price": _STRING,
    "status": {"type": "string", "enum": STATUSES[:4]},
    "virtual": _BOOLEAN,
    "downloadable": _BOOLEAN,
    "tax_status": {"type": "string", "enum": ("taxable", "shipping", "none")},
    "tax_class": _STRING,
    "manage_stock": _BOOLEAN,
    "stock_quantity": _INTEGER,
    "stock_status": STOCK_STATUS,
    "backorders": _BACKORDERS,
    "low_stock_amount": {"type": "integer,null"},
    "attributes": {"type": "array", "items": {"type": "object", "properties": _NAMED}},
    "menu_order": _INTEGER,
    "meta_data": _META,
    "cost_of_goods_sold": _COST,
}
PRODUCT_SCHEMA: dict[str, Schema] = {
    "name": _STRING,
    "slug": _STRING,
    "type": {"type": "string", "enum": TYPES},
    **VARIATION_SCHEMA,
    "status": {"type": "string", "enum": STATUSES},
    "featured": _BOOLEAN,
    "catalog_visibility": {"type": "string", "enum": ("visible", "catalog", "search", "hidden")},
    "short_description": _STRING,
    "external_url": _STRING,
    "attributes": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "id": _INTEGER,
                "name": _STRING,
                "position": _INTEGER,
                "visible": _BOOLEAN,
                "variation": _BOOLEAN,
                "options": {"type": "array", "items": _STRING},
            },
        },
    },
}
# Real fields that the stand-in does not take over REST: better an error than a write that ignores them.
NOT_HERE = (
    *("button_text", "categories", "cross_sell_ids", "default_attributes", "dimensions", "download_expiry"),
    *("download_limit", "grouped_products", "image", "images", "parent_id", "post_password", "purchase_note"),
    *("reviews_allowed", "shipping_class", "sold_individually", "tags", "upsell_ids", "weight"),
)
