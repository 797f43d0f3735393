"""Stock balances, Solteq → WooCommerce: what Solteq has, what the store shows, and sending the difference."""

import dagster as dg
import duckdb
import polars as pl

from solteq_woo_assets.assets.common import (
    OWNERS,
    DeltaConfig,
    ReadConfig,
    agreement,
    count_rows,
    delta_metadata,
    effort,
    failing_in_words,
    read_metadata,
    send_delta,
    store_delta,
    take_lease,
    warn_of_quarantine,
)
from solteq_woo_assets.assets.products import woo_catalogue
from solteq_woo_assets.clients.solteq import BalanceDocument, Feed, SolteqClient
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.rules.skus import sku_key
from solteq_woo_assets.rules.stock import StockRules
from solteq_woo_assets.rules.stock import balance_delta as compare_balances
from solteq_woo_assets.settings import Settings
from solteq_woo_assets.sync.frames import balance_frame
from solteq_woo_assets.sync.lease import FlowLeases
from solteq_woo_assets.sync.snapshot import read_feed
from solteq_woo_assets.sync.state import Clock, StateDatabase

FLOW = "balances"
TABLE = "snapshot.solteq_balances"


def balance_feed(settings: Settings) -> Feed:
    """Solteq's balance feed, where this tenant has it."""
    return Feed(FLOW, settings.solteq_balances_path, settings.solteq_balances_scope, BalanceDocument)


@dg.asset(group_name=FLOW, kinds={"solteq", "duckdb"}, owners=OWNERS, code_version="1", pool=FLOW)
def solteq_balances(
    context: dg.AssetExecutionContext,
    config: ReadConfig,
    settings: dg.ResourceParam[Settings],
    database: dg.ResourceParam[StateDatabase],
    solteq: dg.ResourceParam[SolteqClient],
    leases: dg.ResourceParam[FlowLeases],
) -> dg.MaterializeResult:
    """The free and reserved balance of each product in each store, as Solteq has them.

    Reads what changed since the last read; a balance that vanishes from the feed keeps its last value. Table
    `snapshot.solteq_balances`.
    """
    with failing_in_words(), effort(solteq) as measured:
        take_lease(context, leases, FLOW)
        counts = read_feed(
            database,
            solteq,
            balance_feed(settings),
            flow=FLOW,
            table=TABLE,
            keys=["product_code", "store_id"],
            frame=balance_frame,
            full=config.full,
        )
    return dg.MaterializeResult(metadata=read_metadata(counts, measured))


@dg.asset(
    group_name=FLOW,
    kinds={"duckdb"},
    owners=OWNERS,
    code_version="1",
    pool=FLOW,
    deps=[solteq_balances, woo_catalogue],
)
def balance_delta(
    context: dg.AssetExecutionContext,
    config: DeltaConfig,
    settings: dg.ResourceParam[Settings],
    database: dg.ResourceParam[StateDatabase],
    leases: dg.ResourceParam[FlowLeases],
) -> dg.MaterializeResult:
    """The stock quantities to be written to the web store, old → new. Nothing is sent yet.

    The quantity is the free balance of the stores that sell online, less the buffer, in whole pieces, never below
    0. A balance whose product is not in the store yet is shown as waiting. Table `delta.balance_delta`.
    """
    with failing_in_words(), effort() as measured:
        take_lease(context, leases, FLOW)
        with database.transaction() as connection:
            changes = _compare(connection, settings)
            changes, refused = store_delta(connection, config, FLOW, "balance_delta", changes)
            products = count_rows(connection, f"SELECT count(DISTINCT {sku_key('product_code')}) FROM {TABLE}")
        quarantined = warn_of_quarantine(context, database, FLOW)
    return dg.MaterializeResult(
        metadata=delta_metadata(
            changes, quarantined=quarantined, unchanged=products - changes.height - refused, measured=measured
        )
    )


def _compare(connection: duckdb.DuckDBPyConnection, settings: Settings) -> pl.DataFrame:
    return compare_balances(
        connection,
        balances=connection.table(TABLE),
        products=connection.table("snapshot.solteq_products"),
        catalogue=connection.table("snapshot.woo_catalogue"),
        rules=StockRules(
            stock_stores=settings.stock_stores,
            stock_buffer=settings.stock_buffer,
            stock_store_changes=settings.stock_store_changes,
            inactive_products=settings.inactive_products,
        ),
    )


@dg.asset_check(asset=balance_delta, blocking=True)
def no_stock_twice(database: dg.ResourceParam[StateDatabase]) -> dg.AssetCheckResult:
    """No store product gets two quantities in one delivery."""
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT woo_id FROM delta.balance_delta WHERE woo_id IS NOT NULL GROUP BY ALL HAVING count(*) > 1"
        ).fetchall()
    return dg.AssetCheckResult(passed=not rows, metadata={"woo_ids": [row[0] for row in rows[:20]], "count": len(rows)})


@dg.asset(
    group_name=FLOW,
    kinds={"woocommerce"},
    owners=OWNERS,
    code_version="1",
    pool=FLOW,
    deps=[balance_delta],
)
def woo_stock(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    database: dg.ResourceParam[StateDatabase],
    woo: dg.ResourceParam[WooClient],
    leases: dg.ResourceParam[FlowLeases],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """The stock quantities, sent to the web store; variations through their parent's batch.

    Only the quantity, that stock is managed, and the balances per store as private meta. Each write is in the
    ledger, `sync.deliveries`, before it leaves.
    """
    return send_delta(context, settings, database, woo, leases, clock, flow=FLOW, delta="balance_delta")


@dg.asset_check(asset=woo_stock)
def stock_agrees(
    settings: dg.ResourceParam[Settings], database: dg.ResourceParam[StateDatabase]
) -> dg.AssetCheckResult:
    """After delivery the store shows what Solteq can sell, but for what waits or is in quarantine."""
    with database.transaction() as connection:
        return agreement(connection, FLOW, _compare(connection, settings))
