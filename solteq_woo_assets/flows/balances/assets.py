"""Stock balances, Solteq → WooCommerce: both sides' stock, and sending the difference."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
import polars as pl

from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.engine.assets import agreement_check, delivery_asset, delta_asset, feed_asset, flow_asset
from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.steps import READ_FIRST, DeltaConfig, count_rows, make_delta
from solteq_woo_assets.errors import ConfigurationError
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.flows.balances.guard_rails import GUARD_RAILS
from solteq_woo_assets.flows.balances.rules import StockRules, pieces_under_way, unknown_stores
from solteq_woo_assets.flows.balances.rules import balance_delta as compare_balances
from solteq_woo_assets.flows.balances.source import FEED, FLOW, SOURCE
from solteq_woo_assets.flows.balances.tables import SOLTEQ_BALANCES, TABLES
from solteq_woo_assets.flows.products.outbox import ProductOutbox
from solteq_woo_assets.flows.sales.assets import receipt_rules
from solteq_woo_assets.flows.sales.snapshots import books_sales, read_changed
from solteq_woo_assets.flows.sales.under_way import store_sales_under_way
from solteq_woo_assets.settings import Settings

WRITES_AT_ONCE = 500
"""The number of quantities that leave between two looks at the store's orders."""


def compare(connection: duckdb.DuckDBPyConnection, settings: Settings, _now: datetime) -> Comparison:
    """The quantities in which the store differs from Solteq, by the last read of both sides.

    :raises ConfigurationError: a store whose balances are to be sold online has none: nothing would be left to sell
    """
    rules, balances = stock_rules(settings), connection.table(SOLTEQ_BALANCES.name)
    unknown = unknown_stores(balances=balances, rules=rules)
    if unknown:
        rows = connection.execute(f"SELECT DISTINCT store_id FROM {SOLTEQ_BALANCES} ORDER BY 1").fetchall()
        raise ConfigurationError(
            f"SOLTEQ_WOO_STOCK_STORES: Solteq has no balance of the store {', '.join(unknown)}, so its pieces would "
            f"count as none. Nothing is sent. Balances are of the stores {', '.join(row[0] for row in rows)}."
        )
    comparison = compare_balances(
        connection,
        balances=balances,
        products=connection.table("snapshot.solteq_products"),
        catalogue=connection.table("snapshot.woo_catalogue"),
        links=connection.sql("FROM sync.links WHERE kind = 'product'"),
        under_way=connection.table("snapshot.sales_under_way"),
        rules=rules,
    )
    products = count_rows(connection, f"SELECT count(DISTINCT sku_key(product_code)) FROM {SOLTEQ_BALANCES}")
    return replace(comparison, compared=products)


def stock_rules(settings: Settings) -> StockRules:
    """The settings that decide about quantities."""
    return StockRules(
        stock_stores=settings.stock_stores,
        stock_buffer=settings.stock_buffer,
        web_store=settings.web_store,
        stock_store_changes=settings.stock_store_changes,
        inactive_products=settings.inactive_products,
    )


def _outbox(shop: Shop) -> ProductOutbox:
    return ProductOutbox(
        shop.woo,
        FLOW,
        "delta.balance_delta",
        clock=shop.clock,
        portion=WRITES_AT_ONCE,
        look=partial(_compare_again, shop),
    )


BALANCES = Flow(
    name=FLOW,
    module=__name__,
    job="balances_to_woo",
    group="balances_to_woo",
    direction="solteq-to-woocommerce",
    description="Brings changed stock balances from Solteq to the web store.",
    snapshots={"solteq_balances": "solteq/balances", "woo_catalogue": "woocommerce/catalogue"},
    derived=("sales_under_way",),
    delta="balance_delta",
    delivery="woo_stock",
    writes="woocommerce/products",
    source=SOURCE,
    tables=TABLES,
    compare=compare,
    outbox=_outbox,
    guard_rails=GUARD_RAILS,
)


solteq_balances = feed_asset(
    BALANCES,
    FEED,
    """The free and reserved balance of each product in each store, as Solteq has them.

    Reads what changed since the last read; a balance that vanishes from the feed keeps its last value. Table
    `snapshot.solteq_balances`.
    """,
)


@flow_asset(BALANCES, "woocommerce", "duckdb", op_tags=READ_FIRST, deps=["woo_sales"])
def sales_under_way(
    context: dg.AssetExecutionContext,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The pieces that were sold in the web store and that Solteq's balances may not show yet.

    They must not go back on the shelf. Reads the orders that changed, as the sales flow does. Nothing is under way
    until the sales flow has run once and sent: who books web sales otherwise has them in Solteq by other means. Table
    `snapshot.sales_under_way`.
    """
    with shop.step(context, FLOW) as effort:
        changed, pieces = _read_sales(shop.settings, shop.database, shop.woo)
    return dg.MaterializeResult(metadata={"changed_orders": changed, "pieces": pieces, **effort.metadata()})


def _read_sales(settings: Settings, database: StateDatabase, woo: WooClient) -> tuple[int, int]:
    """Read the orders that changed; their number, and the pieces under way."""
    with database.transaction() as connection:
        if not books_sales(connection):
            return 0, 0
    counts = read_changed(database, woo, ZoneInfo(settings.timezone))
    with database.transaction() as connection:
        pieces = store_sales_under_way(connection, receipt_rules(settings))
    return counts.changed + counts.removed, pieces


def _compare_again(shop: Shop, due: list[str]) -> bool:
    """Read the orders that changed, and make the delta anew if there are any; whether it was.

    :param due: keys that are to be sent: they were not refused, or are to be tried again
    """
    changed, _ = _read_sales(shop.settings, shop.database, shop.woo)
    if changed:
        with shop.database.transaction() as connection:
            make_delta(connection, shop, BALANCES, DeltaConfig(retry=due), judged=due)
    return changed > 0


def held_pieces(connection: duckdb.DuckDBPyConnection, settings: Settings) -> pl.DataFrame:
    """The orders that hold pieces from the shelf, since when and why, by the last read of both sides."""
    return pieces_under_way(
        connection,
        balances=connection.table(SOLTEQ_BALANCES.name),
        under_way=connection.table("snapshot.sales_under_way"),
        rules=stock_rules(settings),
    )


balance_delta = delta_asset(
    BALANCES,
    """The stock quantities to be written to the web store, old → new. Nothing is sent yet.

    The quantity is the free balance of the stores that sell online, less the buffer and what the web store sold that
    the balance does not show yet, in whole pieces, never below 0. A balance whose product is not in the store yet is
    shown as waiting. Table `delta.balance_delta`.
    """,
)
woo_stock = delivery_asset(
    BALANCES,
    """The stock quantities, sent to the web store; variations through their parent's batch.

    Only the quantity, that stock is managed, and the balances per store as private meta. Right before each lot leaves,
    the store is asked for new orders: a piece that was sold a moment ago is not put back on the shelf. What only then
    turns out to differ waits for the next run, whose guard rails look at it. Each write is in the ledger,
    `sync.deliveries`, before it leaves.
    """,
)
stock_agrees = agreement_check(
    BALANCES,
    "stock_agrees",
    "After delivery the store shows what Solteq can sell, but for what waits or is in quarantine.",
)
