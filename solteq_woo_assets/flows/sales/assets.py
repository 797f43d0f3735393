"""Sales, WooCommerce → Solteq: the store's orders by day, what Solteq lacks of them, and booking it."""

import warnings
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
import polars as pl

from solteq_woo_assets.engine import failures, quarantine, sql
from solteq_woo_assets.engine.assets import flow_asset
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.flow import Flow, Occasion
from solteq_woo_assets.engine.pictures import sales_per_day
from solteq_woo_assets.engine.shop import Shop, failing_in_words
from solteq_woo_assets.engine.steps import (
    READ_FIRST,
    count_rows,
    delivery_result,
    delta_metadata,
    held_rows,
    markdown_table,
    read_metadata,
    send,
    warn_of_quarantine,
    without_refused,
)
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.flows.sales import books, lookups
from solteq_woo_assets.flows.sales.frames import local_day
from solteq_woo_assets.flows.sales.guard_rails import GUARD_RAILS
from solteq_woo_assets.flows.sales.orders import ReceiptRules
from solteq_woo_assets.flows.sales.outbox import SalesOutbox
from solteq_woo_assets.flows.sales.plan import plan, with_whole_orders_waiting, without_orders
from solteq_woo_assets.flows.sales.snapshots import FLOW, begin, read_changed, read_days
from solteq_woo_assets.flows.sales.source import SOURCE
from solteq_woo_assets.flows.sales.tables import TABLES
from solteq_woo_assets.settings import Settings

# It is said at every start otherwise, in the terminal of whoever runs a command. It is beta, and fine.
warnings.filterwarnings("ignore", "Parameter `backfill_policy`", category=dg.BetaWarning)

GROUP = "sales_to_solteq"
DAYS = dg.DailyPartitionsDefinition("2024-01-01", timezone="Europe/Helsinki", end_offset=1)
"""Stands for the days of the shop's settings until the definitions are built."""
DAYS_SHOWN = 30
RECONCILED_DAYS = 7
"""So many last days of sales are read whole, and asked for in Solteq, when everything is reconciled."""


def _ops(occasion: Occasion, settings: Settings) -> dict[str, Any]:
    """What a run that is not for whole days reads: what changed, and some days whole."""
    days = {"sensor": 0, "schedule": settings.sales_recheck_days}.get(occasion, RECONCILED_DAYS)
    read: dict[str, Any] = {"woo_sales": {"config": {"changed_only": True, "recheck_days": days}}}
    if occasion != "reconcile":
        return read
    return read | {
        "sales_delta": {"config": {"retry_refused": True, "look_up_days": RECONCILED_DAYS}},
        "solteq_sales_days_agree": {"config": {"last_days": RECONCILED_DAYS, "read_back": True}},
    }


def compare(connection: duckdb.DuckDBPyConnection, settings: Settings, _now: datetime) -> Comparison:
    """The documents that Solteq lacks, by what was last read of the store and what was booked."""
    return plan(connection, receipt_rules(settings))


def receipt_rules(settings: Settings) -> ReceiptRules:
    """The settings that decide about documents."""
    return ReceiptRules(
        shop=settings.shop,
        web_store=settings.web_store,
        zone=ZoneInfo(settings.timezone),
        end_of_business_day=settings.end_of_business_day,
        sale_statuses=settings.sale_statuses,
        payment_types=settings.payment_types,
        payment_fees=settings.payment_fees,
        payment_meta=settings.payment_meta,
        old_order_refunds=settings.old_order_refunds,
        deleted_orders=settings.deleted_orders,
    )


SALES = Flow(
    name=FLOW,
    module=__name__,
    job="sales_to_solteq",
    group=GROUP,
    direction="woocommerce-to-solteq",
    description=(
        "Books the web store's sales and refunds in Solteq. Run for days, it reads those days whole; the sensor runs "
        "it for what changed, whatever its day."
    ),
    snapshots={"woo_sales": "woocommerce/orders"},
    delta="sales_delta",
    delivery="solteq_sales",
    writes="solteq/sales",
    source=SOURCE,
    tables=TABLES,
    compare=compare,
    outbox=lambda shop: SalesOutbox(shop.solteq, shop.settings.shop),
    guard_rails=GUARD_RAILS,
    is_by_day=True,
    ops=_ops,
)


def days_of(settings: Settings) -> dg.DailyPartitionsDefinition:
    """The shop's days, today included."""
    return dg.DailyPartitionsDefinition(settings.sales_first_day.isoformat(), timezone=settings.timezone, end_offset=1)


_by_day = partial(flow_asset, SALES, partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())


class SalesReadConfig(dg.Config):
    """Which orders to read."""

    changed_only: bool = False
    """Read what changed since the last read, whatever its day, instead of the whole days of the run's partitions."""
    recheck_days: int = 0
    """With changed_only: read so many last days whole, too."""


class SalesDeltaConfig(dg.Config):
    """What the delta leaves out."""

    retry_refused: bool = False
    """Include documents that Solteq refused before, though they are the same."""
    retry: list[str] = []  # noqa: RUF012  a field of pydantic's, copied for each
    """Include those of these orders alone: numbers of orders, or external ids."""
    let_pass: list[str] = []  # noqa: RUF012
    """Names of guard rails: what they had stopped before this run, and is as it was, may go. The run's tags say so."""
    look_up_days: int = 0
    """Ask Solteq what it has of the orders of so many last days, though the ledger knows something of them."""


@_by_day("woocommerce", "duckdb", op_tags=READ_FIRST)
def woo_sales(
    context: dg.AssetExecutionContext,
    config: SalesReadConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The web store's orders with their lines, taxes, refunds and payments, by the day they were made.

    A run for days reads those days whole, and has them booked. The sensor's run reads what changed, whatever its day,
    and marks the days it touched. Tables `snapshot.woo_sales` and `snapshot.woo_sales_…`.
    """
    zone = ZoneInfo(shop.settings.timezone)
    with shop.step(context, FLOW) as effort:
        with shop.database.transaction() as connection:
            begin(connection, shop.settings.sales_from, zone, utc_now(), is_shadow=shop.settings.mode == "shadow")
        days = [date.fromisoformat(key) for key in context.partition_keys]
        if config.changed_only:
            counts = read_changed(
                shop.database,
                shop.woo,
                zone,
                recheck_days=config.recheck_days,
                in_flight=shop.settings.requests_in_flight,
            )
        else:
            counts = read_days(
                shop.database, shop.woo, zone, days[0], days[-1], in_flight=shop.settings.requests_in_flight
            )
        with shop.database.transaction() as connection:
            by_day = books.orders_by_day(connection, {*days, *counts.days}, receipt_rules(shop.settings))
            held = held_rows(connection, FLOW) if counts.quarantined else []
        quarantined = warn_of_quarantine(context, held)
    _tell_by_day(context, by_day, days)
    metadata = {**read_metadata(counts, effort), "quarantined": quarantined, "days": len(counts.days)}
    return dg.MaterializeResult(metadata=metadata)


def _tell_by_day(
    context: dg.AssetExecutionContext, by_day: Mapping[date, Mapping[str, Any]], run_days: Iterable[date]
) -> None:
    """Numbers of each day: of the run's own ones with their materializations, of others that it touched beside them."""
    own = set(run_days)
    for day, numbers in sorted(by_day.items()):
        if day in own:
            context.add_asset_metadata(numbers, partition_key=day.isoformat())
        elif day >= _first_partition(context):
            told = dg.AssetMaterialization(context.asset_key, partition=day.isoformat(), metadata=numbers)
            context.log_event(told)


def _first_partition(context: dg.AssetExecutionContext) -> date:
    first = context.assets_def.partitions_def.get_first_partition_key() if context.assets_def.partitions_def else None
    return date.fromisoformat(first) if first else date.max


@_by_day("duckdb", deps=[woo_sales], check_specs=GUARD_RAILS.check_specs())
def sales_delta(
    context: dg.AssetExecutionContext,
    config: SalesDeltaConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The sales and refunds that Solteq lacks, as documents. Nothing is sent yet.

    Whatever its day: an order of a day that is to be booked, that is paid and not booked as it is now. An order that
    was changed after it was booked is refunded and booked anew. Solteq is asked first what it has of orders that the
    ledger knows nothing of. Table `delta.sales_delta`.
    """
    rules = receipt_rules(shop.settings)
    with shop.step(context, FLOW) as effort:
        adoption = lookups.adopt(
            shop.database,
            shop.solteq.sales.find,
            rules,
            run_id=context.run.run_id,
            in_flight=shop.settings.requests_in_flight,
            again=_looked_up_again(config, shop.settings),
        )
        with shop.database.transaction() as connection:
            comparison = compare(connection, shop.settings, utc_now())
            comparison.take_effect(connection)
            quarantine.replace(connection, FLOW, "delta", comparison.held)
            refused = _store(connection, config, comparison.changes)
            changes, verdicts = GUARD_RAILS.guard(connection, shop.settings, utc_now(), let_pass=config.let_pass)
            settled = count_rows(connection, "SELECT count(*) FROM sync.settled_orders")
            held = held_rows(connection, FLOW)
        quarantined = warn_of_quarantine(context, held)
    remarked = changes.filter(pl.col("notes").list.len() > 0)
    for row in remarked.head(20).to_dicts():
        context.log.info(f"{row['key']}: {'; '.join(row['notes'])}")
    metadata = delta_metadata(shop, changes.drop("document"), quarantined=quarantined, unchanged=settled, effort=effort)
    gross = changes["document"].str.json_path_match("$.totals.gross").cast(pl.Decimal(18, 2)).sum()
    more = {
        "gross": float(gross or 0),
        "refused_before": refused,
        "with_remarks": remarked.height,
        "found_in_solteq": adoption.documents,
        "conflicts": adoption.conflicts,
    }
    return dg.MaterializeResult(
        metadata={**metadata, **more}, check_results=GUARD_RAILS.report(context, verdicts, config.let_pass)
    )


def _looked_up_again(config: SalesDeltaConfig, settings: Settings) -> lookups.Again:
    today = local_day(utc_now(), ZoneInfo(settings.timezone))
    since = today - timedelta(days=config.look_up_days - 1) if config.look_up_days else None
    return lookups.Again(since, config.retry, conflicts=config.retry_refused)


def _store(connection: duckdb.DuckDBPyConnection, config: SalesDeltaConfig, changes: pl.DataFrame) -> int:
    """Make the delta just these documents, without those that Solteq refused and what follows them.

    :return: how many were refused before
    """
    due = changes.select("key")
    quarantine.keep_only(connection, FLOW, due)
    failures.keep_only(connection, FLOW, due)
    again, others = changes.clear(), changes
    if config.retry:
        is_meant = pl.col("key").is_in(config.retry) | pl.col("woo_id").cast(pl.String).is_in(config.retry)
        again, others = changes.filter(is_meant), changes.filter(~is_meant)
    refused = 0
    if not config.retry_refused:
        kept, refused = without_refused(connection, FLOW, others)
        dropped = others.join(kept, on="key", how="anti")["woo_id"].to_list()
        others = with_whole_orders_waiting(without_orders(kept, dropped))
    changes = pl.concat([again, others])
    connection.execute("DELETE FROM delta.sales_delta")
    with sql.reading(connection, changes=changes):
        connection.execute("INSERT INTO delta.sales_delta BY NAME FROM changes")
    connection.execute("INSERT OR REPLACE INTO sync.comparisons (flow, computed_at) VALUES (?, ?)", [FLOW, utc_now()])
    return refused


@dg.asset_check(asset=sales_delta)
def no_document_twice(shop: dg.ResourceParam[Shop]) -> dg.AssetCheckResult:
    """No sale or refund is due twice, and none that Solteq has said it has.

    The order of such a document is held in quarantine; all others are booked.
    """
    with shop.database.transaction() as connection:
        rows = connection.execute(
            "SELECT key FROM sync.quarantine WHERE flow = ? AND code = 'document-twice' ORDER BY key", [FLOW]
        ).fetchall()
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"orders": [row[0] for row in rows[:20]], "count": len(rows)},
    )


@_by_day("solteq", deps=[sales_delta])
def solteq_sales(
    context: dg.AssetExecutionContext,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The documents, booked in Solteq, each once; an answer that is lost is asked for again by the document's id.

    Each document is in `sync.sales` and in the ledger, `sync.deliveries`, before it leaves.
    """
    with shop.step(context, FLOW) as effort:
        counts = send(context, shop, SALES)
        days = [date.fromisoformat(key) for key in context.partition_keys]
        with shop.database.transaction() as connection:
            touched = books.days_of_run(connection, context.run.run_id)
            by_day = books.booked_by_day(connection, {*days, *touched})
            shown = books.last_days(local_day(utc_now(), ZoneInfo(shop.settings.timezone)), DAYS_SHOWN)
            in_store = books.orders_by_day(connection, shown, receipt_rules(shop.settings))
            in_solteq = books.booked_by_day(connection, shown)
    _tell_by_day(context, by_day, days)
    if counts.delivered:
        context.add_asset_metadata({"last_30_days": sales_per_day(in_store, in_solteq, shown)})
    return delivery_result(context, shop, FLOW, "sales_delta", counts, effort)


@dg.asset_check(asset=solteq_sales)
def no_conflicts(shop: dg.ResourceParam[Shop]) -> dg.AssetCheckResult:
    """No order has another one in its place, in Solteq or in the store. It fails until somebody has solved it."""
    with shop.database.transaction() as connection:
        rows = connection.sql(
            "SELECT order_id::VARCHAR AS 'order', reason FROM sync.sales_conflicts ORDER BY since"
        ).pl()
    words = (
        f"{rows.height} orders are held back, since others are in their place; solteq-woo quarantine list says more."
    )
    return dg.AssetCheckResult(
        passed=rows.is_empty(),
        description=None if rows.is_empty() else words,
        metadata={
            "conflicts": rows.height,
            "orders": dg.MarkdownMetadataValue(markdown_table(rows.head(DAYS_SHOWN))),
        },
    )


class DaysCheckConfig(dg.Config):
    """How closely to look."""

    last_days: int = 0
    """Look at so many last days, besides those of the run."""
    read_back: bool = False
    """Ask Solteq for each document of these days, instead of going by what it answered."""


@dg.asset_check(asset=solteq_sales)
def days_agree(
    context: dg.AssetCheckExecutionContext,
    config: DaysCheckConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.AssetCheckResult:
    """Day by day, the store and Solteq agree: orders, gross, VAT by rate, refunds, and payments by type; and the gross
    of each business date.

    A difference names the orders.
    """
    today = local_day(shop.clock(), ZoneInfo(shop.settings.timezone))
    with failing_in_words():
        with shop.database.transaction() as connection:
            days = books.days_of_run(connection, context.run.run_id)
            days |= books.partition_days(context.run.tags)
            days |= books.last_days(today, config.last_days)
        agreement = books.compare(
            shop.database, receipt_rules(shop.settings), days, shop.solteq.sales.find if config.read_back else None
        )
    return dg.AssetCheckResult(
        passed=not agreement.differences,
        severity=dg.AssetCheckSeverity.WARN,
        description=agreement.words(),
        metadata={
            "days": len(days),
            "orders": agreement.orders,
            "differing_orders": len({difference.order_id for difference in agreement.differences}),
            "read_back": agreement.read_back,
            "by_day": dg.MarkdownMetadataValue(markdown_table(agreement.by_day())),
            "by_business_date": dg.MarkdownMetadataValue(markdown_table(agreement.by_business_date())),
            "differences": dg.MarkdownMetadataValue(markdown_table(agreement.table())),
        },
    )
