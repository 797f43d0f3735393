"""Products, Solteq → WooCommerce: both sides' products, and sending the difference."""

from dataclasses import replace
from datetime import datetime
from functools import partial

import dagster as dg
import duckdb

from solteq_woo_assets.engine.assets import agreement_check, delivery_asset, delta_asset, feed_asset
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.snapshot import ReadCounts, outdate
from solteq_woo_assets.engine.steps import OWNERS, READ_FIRST, ReadConfig, count_rows, read_metadata, wake
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.flows.campaigns.one_writer import PRICES, refuse_older
from solteq_woo_assets.flows.campaigns.source import pricing_rules
from solteq_woo_assets.flows.products.guard_rails import GUARD_RAILS
from solteq_woo_assets.flows.products.outbox import ProductOutbox
from solteq_woo_assets.flows.products.rules import CatalogueRules
from solteq_woo_assets.flows.products.rules import product_delta as compare_products
from solteq_woo_assets.flows.products.snapshots import read_catalogue
from solteq_woo_assets.flows.products.source import FEED, FLOW, SOURCE
from solteq_woo_assets.flows.products.tables import SOLTEQ_PRODUCTS, TABLES
from solteq_woo_assets.settings import Settings


def compare(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime) -> Comparison:
    """The difference between Solteq and the store at an instant, by the last read of both sides."""
    rows = connection.execute("SELECT tax_classes FROM snapshot.woo_store").fetchall()
    store_classes = rows[0][0] if rows else []
    comparison = compare_products(
        connection,
        products=connection.table(SOLTEQ_PRODUCTS.name),
        catalogue=connection.table("snapshot.woo_catalogue"),
        links=connection.sql("FROM sync.links WHERE kind = 'product'"),
        campaigns=connection.table("snapshot.solteq_campaigns"),
        history=connection.table("sync.price_history"),
        pricing=pricing_rules(connection, settings),
        now=now,
        rules=CatalogueRules(
            new_product_status=settings.new_product_status,
            inactive_products=settings.inactive_products,
            binned_products=settings.binned_products,
            attribute_separator=settings.attribute_separator,
            tax_classes=settings.tax_classes,
            store_tax_classes=frozenset("" if slug == "standard" else slug for slug in store_classes),
        ),
    )
    # At an edge it is the campaigns that are compared: they write the prices of what this flow holds back, too.
    wake_campaigns = partial(wake, flow="campaigns", at=comparison.next_edge)
    return replace(
        comparison,
        effects=(*comparison.effects, wake_campaigns),
        next_edge=None,
        compared=count_rows(connection, f"SELECT count(*) FROM {SOLTEQ_PRODUCTS} WHERE active AND NOT deleted"),
    )


def _outbox(shop: Shop) -> ProductOutbox:
    return ProductOutbox(shop.woo, FLOW, "delta.product_delta", clock=shop.clock)


PRODUCTS = Flow(
    name=FLOW,
    module=__name__,
    job="products_to_woo",
    group="products_to_woo",
    direction="solteq-to-woocommerce",
    description="Brings new and changed products and prices from Solteq to the web store.",
    snapshots={"solteq_products": "solteq/products", "woo_catalogue": "woocommerce/catalogue"},
    delta="product_delta",
    delivery="woo_products",
    writes="woocommerce/products",
    source=SOURCE,
    tables=TABLES,
    compare=compare,
    outbox=_outbox,
    guard_rails=GUARD_RAILS,
    shared_lease=PRICES,
    gives_way=True,
    before_sending=partial(refuse_older, flow=FLOW, delta="product_delta", other="campaigns"),
)


def _tell_stock(shop: Shop, counts: ReadCounts) -> None:
    """The stock flow takes an inactive product off the shelf."""
    if shop.settings.inactive_products == "out_of_stock":
        with shop.database.transaction() as connection:
            outdate(connection, "balances", counts.changed)


solteq_products = feed_asset(
    PRODUCTS,
    FEED,
    """The products as Solteq's back office has them: code, model number, name, VAT and prices.

    Reads what changed since the last read, with an overlap of five minutes because Solteq may deliver late and out
    of order; the newest version of each product is kept, deleted ones too. Table `snapshot.solteq_products`.
    """,
    then=_tell_stock,
)


@dg.asset(group_name="store", kinds={"woocommerce", "duckdb"}, owners=OWNERS, code_version="1", op_tags=READ_FIRST)
def woo_catalogue(
    context: dg.AssetExecutionContext,
    config: ReadConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The products and variations that the web store holds now: ids, SKUs, prices, sale windows and stock.

    Reads what changed in the store since the last read, whoever changed it; a full read also sees the bin and what
    is gone. Table `snapshot.woo_catalogue`.
    """
    with shop.step(context) as effort:
        shop.leases.admit()  # it takes no lease: several flows read it side by side
        counts = read_catalogue(shop.database, shop.woo, full=config.full, clock=shop.clock)
    return dg.MaterializeResult(metadata=read_metadata(counts, effort))


product_delta = delta_asset(
    PRODUCTS,
    """The writes to the web store, field by field, old → new, and why. Nothing is sent yet.

    Only fields that Solteq owns: SKU, prices, sale price and its window, tax class, GTIN, purchase price and the
    attributes that tell variants apart. Images and texts are never in it. Sale prices follow the campaigns as they were
    last read. Table `delta.product_delta`.
    """,
)
woo_products = delivery_asset(
    PRODUCTS,
    """The delta, sent to the web store: new products as drafts, changed prices, withdrawn products as drafts.

    Parents go before their variations, in batches of at most 100. Each write is in the ledger, `sync.deliveries`,
    before it leaves, and is settled when the store has answered. It gives way to campaigns that wait to write prices;
    the next run sends the rest.
    """,
)
catalogue_agrees = agreement_check(
    PRODUCTS,
    "catalogue_agrees",
    "After delivery the store holds what Solteq says, but for what is in quarantine.",
)
