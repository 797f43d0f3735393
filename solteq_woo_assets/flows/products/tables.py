"""Tables of products: what both sides hold, what differs, and which store product is which code."""

import polars as pl

from solteq_woo_assets.flow import CHANGES
from solteq_woo_assets.table import COUNT, FLAG, ID, MONEY, NOT_NULL, PERCENT, TEXT, TEXTS, TIME, Column, Table

SOLTEQ_PRODUCTS = Table(
    "snapshot.solteq_products",
    "The newest version of each product document, deleted ones too",
    {
        "id": Column(TEXT, "Solteq's id of the document, which stays when the code changes"),
        "code": Column(TEXT, "The product's code: its SKU in the store"),
        "model_number": Column(TEXT, "Shared by the variants of a model: the SKU of the variable product"),
        "name": Column(TEXT, "Name, for new products"),
        "gtin": Column(TEXT, "GTIN as Solteq writes it"),
        "product_type": Column(TEXT, "Basic, Variant, Service, Giftcard, …"),
        "vat_rate": Column(PERCENT, "VAT in percent"),
        "product_group": Column(TEXT, "Group, which campaigns go by"),
        "categories": Column(TEXTS, "Categories"),
        "supplier": Column(TEXT, "Supplier, which campaigns go by"),
        "sales_price": Column(MONEY, "Price with VAT, in euros"),
        "purchase_price": Column(MONEY, "The retailer's price, in euros"),
        "discounted_price": Column(MONEY, "Sale price with VAT that holds without a campaign"),
        "attributes": Column(pl.List(pl.Struct({"name": TEXT, "option": TEXT})), "Attributes that tell variants apart"),
        "max_discount_percent": Column(PERCENT, "No campaign takes off more"),
        "active": Column(FLAG, "On sale", NOT_NULL),
        "deleted": Column(FLAG, "Gone from Solteq", NOT_NULL),
        "modified_at": Column(TIME, "When Solteq changed it", NOT_NULL),
    },
    key=("id",),
)
ATTRIBUTE = pl.Struct({"id": ID, "name": TEXT, "variation": FLAG, "visible": FLAG, "options": TEXTS})
WOO_CATALOGUE = Table(
    "snapshot.woo_catalogue",
    "The store's products, variations and the bin included",
    {
        "id": Column(ID, "The store's id"),
        "parent_id": Column(ID, "The id of a variation's product"),
        "type": Column(TEXT, "simple, variable, variation, …", NOT_NULL),
        "status": Column(TEXT, "publish, draft, private, trash, …", NOT_NULL),
        "name": Column(TEXT, "Name, which the store owns"),
        "sku": Column(TEXT, "SKU as the store writes it"),
        "global_unique_id": Column(TEXT, "GTIN"),
        "regular_price": Column(MONEY, "Price without a sale"),
        "sale_price": Column(MONEY, "Price in the sale's window"),
        "date_on_sale_from_gmt": Column(TIME, "When the sale begins; NULL is open"),
        "date_on_sale_to_gmt": Column(TIME, "When the sale ends, to the second inclusive; NULL is open"),
        "tax_class": Column(TEXT, "Slug of the tax class"),
        "manage_stock": Column(FLAG, "Whether the store counts pieces"),
        "stock_quantity": Column(ID, "Pieces that a shopper can buy"),
        "stock_status": Column(TEXT, "instock, outofstock or onbackorder"),
        "attributes": Column(pl.List(ATTRIBUTE), "Attributes with their options"),
        "purchase_price": Column(TEXT, "Our private meta: what the retailer pays, as text"),
        "store_balances": Column(TEXT, "Our private meta: the balance of each store, as JSON"),
        "lowest_price_30d": Column(TEXT, "Our private meta: the lowest price of the 30 days before a reduction"),
        "cost_of_goods_sold": Column(MONEY, "The retailer's price, where the store has that feature on"),
        "has_cost_of_goods": Column(FLAG, "Whether it has"),
        "date_modified_gmt": Column(TIME, "When the store changed it", NOT_NULL),
    },
    key=("id",),
)
WOO_STORE = Table(
    "snapshot.woo_store",
    "One row: what the store says of itself",
    {
        "currency": Column(TEXT, "Currency of all prices"),
        "prices_include_tax": Column(FLAG, "Whether prices are with VAT"),
        "manage_stock": Column(FLAG, "Whether the store counts pieces at all"),
        "timezone": Column(TEXT, "Its time zone"),
        "tax_classes": Column(TEXTS, "Slugs of its tax classes"),
        "read_at": Column(TIME, "When it was asked"),
        "row": Column(COUNT, "1: there is one row", "DEFAULT 1 CHECK (row = 1)"),
    },
    key=("row",),
)
PRODUCT_DELTA = Table("delta.product_delta", "Writes of products to come", CHANGES)
LINKS = Table(
    "sync.links",
    "Which store product is which Solteq code",
    {
        "kind": Column(TEXT, "product"),
        "key": Column(TEXT, "The code or model number, lower case, trimmed"),
        "woo_id": Column(ID, "The store's id", NOT_NULL),
        "status_before": Column(TEXT, "Status before Solteq withdrew it; NULL while it is on sale"),
        "solteq_id": Column(TEXT, "Id of the code's document, which stays when the code changes; NULL of a model"),
        "sku": Column(TEXT, "Its SKU in the store as both sides last agreed, as key; empty: it gave it away"),
    },
    key=("kind", "key"),
)

TABLES = (SOLTEQ_PRODUCTS, WOO_CATALOGUE, WOO_STORE, PRODUCT_DELTA, LINKS)
