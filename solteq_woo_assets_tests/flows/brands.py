"""A toy flow: the name of a product in the store is to begin with its brand, Solteq's supplier. A flow is no more."""

from datetime import datetime

import duckdb

from solteq_woo_assets.clients.solteq_documents import Document
from solteq_woo_assets.engine.assets import agreement_check, delivery_asset, delta_asset, feed_asset
from solteq_woo_assets.engine.feeds import FeedTable
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.flow import CHANGES, CHANGES_SCHEMA, Comparison
from solteq_woo_assets.flows.products.outbox import ProductOutbox
from solteq_woo_assets.settings import Settings
from solteq_woo_assets.table import FLAG, TEXT, TIME, Column, Table


class BrandDocument(Document):
    keys = ("id",)
    id: str
    code: str
    supplier: str


class BrandSettings(Settings):
    brands_poll_seconds: int = 60
    brands_cron: str = "17 * * * *"


SOLTEQ_BRANDS = Table(
    "snapshot.solteq_brands",
    "The brand of each product",
    {
        "id": Column(TEXT, "Solteq's id"),
        "code": Column(TEXT, "SKU"),
        "supplier": Column(TEXT, "Brand"),
        "deleted": Column(FLAG, "Gone from Solteq"),
        "modified_at": Column(TIME, "When Solteq changed it"),
    },
    key=("id",),
)
FEED = FeedTable("products", BrandDocument, SOLTEQ_BRANDS)


def compare(connection: duckdb.DuckDBPyConnection, _settings: Settings, _now: datetime) -> Comparison:
    changes = connection.sql(
        "SELECT code AS key, 'update' AS action, 'simple' AS kind, held.id AS woo_id, NULL AS parent_key, "
        "NULL AS parent_id, [change('name', name, supplier || ' ' || name)] AS changes, 'no brand' AS reason "
        "FROM snapshot.solteq_brands AS brand JOIN snapshot.woo_catalogue AS held ON sku_key(sku) = sku_key(code) "
        "WHERE NOT brand.deleted AND NOT starts_with(name, supplier)"
    ).pl()
    return Comparison(changes.cast(CHANGES_SCHEMA))  # type: ignore[arg-type]


BRANDS = Flow(
    name="brands",
    module=__name__,
    job="brands_to_woo",
    group="brands_to_woo",
    direction="solteq-to-woocommerce",
    description="Brings brands to the store.",
    snapshots={"solteq_brands": "solteq/products", "woo_catalogue": "woocommerce/catalogue"},
    delta="brand_delta",
    delivery="woo_brands",
    writes="woocommerce/products",
    source=FEED.source(),
    compare=compare,
    outbox=lambda shop: ProductOutbox(shop.woo, "brands", "delta.brand_delta"),
    tables=(SOLTEQ_BRANDS, Table("delta.brand_delta", "The names to be written", CHANGES)),
)
solteq_brands = feed_asset(BRANDS, FEED, "The brand of each product. Table `snapshot.solteq_brands`.")
brand_delta = delta_asset(BRANDS, "The names to be written. Table `delta.brand_delta`.")
woo_brands = delivery_asset(BRANDS, "The names, sent to the store.")
brands_agree = agreement_check(BRANDS, "brands_agree", "After delivery each name begins with its brand.")
