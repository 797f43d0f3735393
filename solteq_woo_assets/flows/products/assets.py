"""Products, Solteq → WooCommerce: what both sides hold, what differs, and sending the difference."""

from dataclasses import replace
from datetime import datetime
from functools import partial

import dagster as dg
import duckdb

from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.snapshot import outdate, read_catalogue, read_feed
from solteq_woo_assets.engine.steps import (
    OWNERS,
    READ_FIRST,
    DeltaConfig,
    ReadConfig,
    agreement,
    count_rows,
    delta_metadata,
    pricing_rules,
    read_metadata,
    send_delta,
    store_delta,
    wake,
    warn_of_quarantine,
)
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.flows.campaigns.one_writer import PRICES, refuse_older
from solteq_woo_assets.flows.products.frames import product_frame
from solteq_woo_assets.flows.products.guard_rails import GUARD_RAILS
from solteq_woo_assets.flows.products.rules import CatalogueRules
from solteq_woo_assets.flows.products.rules import product_delta as compare_products
from solteq_woo_assets.flows.products.source import FLOW, SOURCE, TABLE, product_feed
from solteq_woo_assets.settings import Settings

GROUP = "products_to_woo"


def compare(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime) -> Comparison:
    """What the store should hold at an instant, less what it holds, by what was last read of both sides."""
    rows = connection.execute("SELECT tax_classes FROM snapshot.woo_store").fetchall()
    store_classes = rows[0][0] if rows else []
    comparison = compare_products(
        connection,
        products=connection.table(TABLE),
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
    return replace(comparison, effects=(*comparison.effects, wake_campaigns), next_edge=None)


PRODUCTS = Flow(
    name=FLOW,
    module=__name__,
    job="products_to_woo",
    group=GROUP,
    direction="solteq-to-woocommerce",
    description="Brings new and changed products and prices from Solteq to the web store.",
    snapshots={"solteq_products": "solteq/products", "woo_catalogue": "woocommerce/catalogue"},
    delta="product_delta",
    delivery="woo_products",
    writes="woocommerce/products",
    source=SOURCE,
    compare=compare,
    guard_rails=GUARD_RAILS,
    waits_for=PRICES,
)


@dg.asset(
    group_name=GROUP,
    kinds={"solteq", "duckdb"},
    owners=OWNERS,
    code_version="1",
    pool=FLOW,
    op_tags=READ_FIRST,
)
def solteq_products(
    context: dg.AssetExecutionContext,
    config: ReadConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The products as Solteq's back office has them: code, model number, name, VAT and prices.

    Reads what changed since the last read, with an overlap of five minutes because Solteq may deliver late and out
    of order; the newest version of each product is kept, deleted ones too. Table `snapshot.solteq_products`.
    """
    with shop.step(context, FLOW) as effort:
        counts = read_feed(
            shop.database,
            shop.solteq,
            product_feed(shop.settings),
            flow=FLOW,
            table=TABLE,
            keys=["id"],
            frame=product_frame,
            full=config.is_full(shop.database, FLOW),
        )
        if shop.settings.inactive_products == "out_of_stock":  # it is the stock flow that takes it off the shelf
            with shop.database.transaction() as connection:
                outdate(connection, "balances", counts.changed)
    return dg.MaterializeResult(metadata=read_metadata(counts, effort))


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


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb"},
    owners=OWNERS,
    code_version="1",
    pool=FLOW,
    deps=PRODUCTS.compared,
    check_specs=GUARD_RAILS.check_specs(),
)
def product_delta(
    context: dg.AssetExecutionContext,
    config: DeltaConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """What has to be written to the web store, field by field, old → new, and why. Nothing is sent yet.

    Only fields that Solteq owns: SKU, prices, sale price and its window, tax class, GTIN, purchase price and the
    attributes that tell variants apart. Images and texts are never in it. Sale prices follow the campaigns as they were
    last read. Table `delta.product_delta`.
    """
    with shop.step(context, FLOW, PRICES) as effort:
        with shop.database.transaction() as connection:
            now = shop.clock()
            comparison = compare(connection, shop.settings, now)
            comparison.take_effect(connection)
            store_delta(connection, config, FLOW, "product_delta", comparison)
            changes, verdicts = GUARD_RAILS.guard(connection, shop.settings, now, let_pass=config.let_pass)
            active = count_rows(connection, f"SELECT count(*) FROM {TABLE} WHERE active AND NOT deleted")
        quarantined = warn_of_quarantine(context, shop.database, FLOW)
    unchanged = max(active - changes.filter(changes["kind"] != "variable").height - quarantined, 0)
    return dg.MaterializeResult(
        metadata=delta_metadata(shop, changes, quarantined=quarantined, unchanged=unchanged, effort=effort),
        check_results=GUARD_RAILS.report(context, verdicts, config.let_pass),
    )


@dg.asset(
    group_name=GROUP,
    kinds={"woocommerce"},
    owners=OWNERS,
    code_version="1",
    pool=FLOW,
    deps=[product_delta],
)
def woo_products(
    context: dg.AssetExecutionContext,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The delta, sent to the web store: new products as drafts, changed prices, withdrawn products as drafts.

    Parents go before their variations, in batches of at most 100. Each write is in the ledger, `sync.deliveries`,
    before it leaves, and is settled when the store has answered. It gives way to campaigns that wait to write prices;
    the next run sends the rest.
    """
    with shop.step(context, FLOW, PRICES), shop.database.transaction() as connection:
        refuse_older(connection, flow=FLOW, delta="product_delta", other="campaigns")
    return send_delta(context, shop, flow=FLOW, delta="product_delta", stop=lambda: shop.leases.is_wanted(PRICES))


@dg.asset_check(asset=woo_products)
def catalogue_agrees(
    shop: dg.ResourceParam[Shop],
) -> dg.AssetCheckResult:
    """After delivery the store holds what Solteq says, but for what is in quarantine."""
    with shop.database.transaction() as connection:
        return agreement(connection, FLOW, compare(connection, shop.settings, shop.clock()))
