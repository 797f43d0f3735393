"""A sensor a flow: it asks one cheap question, and requests a run when there is something new.

A sensor only says *when* to look. What to do is decided by the run, which compares everything. When a system or the
database cannot be asked, the tick fails with the reason, where the UI shows it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
import polars as pl

from solteq_woo_assets.automation.jobs import CHANGED_SALES, DELTA_ASSETS, FLOW_JOBS, partition_of
from solteq_woo_assets.clients.solteq import Feed
from solteq_woo_assets.engine.ledger import SENT_ACTIONS
from solteq_woo_assets.engine.shop import Shop, report_crashed
from solteq_woo_assets.engine.skus import sku_key
from solteq_woo_assets.engine.snapshot import SOLTEQ_TICK, Watermark, count_news, watermark
from solteq_woo_assets.engine.steps import count_rows
from solteq_woo_assets.flows.balances import assets as balances
from solteq_woo_assets.flows.campaigns import assets as campaigns
from solteq_woo_assets.flows.customers import assets as customers
from solteq_woo_assets.flows.customers.frames import customer_frame
from solteq_woo_assets.flows.customers.snapshots import ACCOUNTS, CUSTOMERS, known_accounts
from solteq_woo_assets.flows.products import assets as products
from solteq_woo_assets.flows.products.frames import balance_frame, campaign_frame, product_frame
from solteq_woo_assets.flows.sales import assets as sales
from solteq_woo_assets.flows.sales.snapshots import ORDERS, covers
from solteq_woo_assets.settings import Settings

PAGE_SIZE = 100
LONGEST_PAUSE = timedelta(minutes=5)
"""A flow whose runs fail is tried again ever more slowly, up to this."""
DAEMON_SECONDS = 5.0
"""Dagster comes round to its sensors this often, whatever their interval; it has no setting for it."""
SPARE_SECONDS = 0.5
"""A tick that is not over when Dagster comes round is passed over, so it ends this much sooner."""
UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Source:
    """What a flow's sensor looks at."""

    flow: str
    table: str
    asks: str
    """Whom it asks for what, in words."""
    news: Callable[[Shop], str | None]
    """What is new there, in words."""
    due: Callable[[duckdb.DuckDBPyConnection, datetime], str | None] = lambda _connection, _now: None
    """What there is to do at an instant without any news, in words."""
    covers: Callable[[Shop, Watermark], bool] = lambda _shop, _before: True
    """Whether what was read before is what the settings say to read."""
    lease: str = ""
    """The lease of the flow's runs, where it is not named after the flow."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Of the runs that the sensor requests."""


def _waiting_balances(connection: duckdb.DuckDBPyConnection, _now: datetime) -> str | None:
    arrived = count_rows(
        connection,
        "SELECT count(*) FROM delta.balance_delta AS delta JOIN snapshot.woo_catalogue AS held "
        f"ON {sku_key('held.sku')} = {sku_key('delta.key')} "
        "WHERE delta.action = 'wait' AND held.status <> 'trash' AND held.type NOT IN ('variable', 'grouped')",
    )
    return f"{arrived} balances were waiting for their product, which has arrived" if arrived else None


def _campaign_calendar(connection: duckdb.DuckDBPyConnection, now: datetime) -> str | None:
    """A sale begins or ends, or two flows side by side wrote prices and the one that knew less wrote last."""
    comparisons = connection.execute(
        "SELECT flow, computed_at, next_edge FROM sync.comparisons WHERE flow IN ('products', 'campaigns') "
        "ORDER BY computed_at DESC"
    ).fetchall()
    if not comparisons:
        return None
    (_, newest, _), *older = comparisons
    edge = min((edge for _, _, edge in comparisons if edge is not None), default=None)
    if edge is not None and edge <= now:
        return f"a sale begins or ends at {edge.isoformat()}Z"
    outdated = count_rows(
        connection,
        "SELECT count(*) FROM sync.deliveries WHERE settled_at > $newest AND list_contains($older, flow) "
        "AND state = 'delivered' "
        "AND list_has_any(list_transform(changes, lambda c: c.field), ['regular_price', 'sale_price'])",
        {"newest": newest, "older": [flow for flow, _, _ in older]},
    )
    return f"{outdated} prices were written after a newer comparison" if outdated else None


def _solteq_feed(
    feed: Callable[[Settings], Feed], table: str, keys: Sequence[str], frame: Callable[[Sequence], pl.DataFrame]
) -> Callable[[Shop], str | None]:
    """Asks a feed of Solteq whether anything changed since the last read."""

    def news(shop: Shop) -> str | None:
        with shop.database.transaction() as connection:
            before = watermark(connection, table)
            if before is None:  # it was, a moment ago
                return None
            recent = count_rows(connection, f"SELECT count(*) FROM {table} WHERE modified_at >= ?", [before.position])
        # Read the overlap again too, as the run will, unless that would take more than one page.
        since = before.position if recent < PAGE_SIZE or before.newest is None else before.newest + SOLTEQ_TICK
        page = shop.solteq.newest_page(
            feed(shop.settings), modified_since=since.replace(tzinfo=UTC), page_size=PAGE_SIZE
        )
        with shop.database.transaction() as connection:
            changed = count_news(connection, table, keys, frame(page.documents), page)
        return f"{changed} changed {feed(shop.settings).name} in Solteq" if changed else None

    return news


def _same_feed(feed: Callable[[Settings], Feed]) -> Callable[[Shop, Watermark], bool]:
    return lambda shop, before: before.is_made_for(shop.solteq.answers_for(feed(shop.settings)))


def _new_accounts(shop: Shop) -> str | None:
    """Asks the store for its newest accounts; what changed of the others it cannot tell."""
    newest = shop.woo.customers.newest(PAGE_SIZE)
    with shop.database.transaction() as connection:
        known = known_accounts(connection)
    new = sum(account.id not in known for account in newest.customers)
    return f"{new} new accounts in the store" if new else None


def _changed_orders(shop: Shop) -> str | None:
    """Asks the store for orders that changed since the last read."""
    with shop.database.transaction() as connection:
        before = watermark(connection, ORDERS)
    if before is None:  # it was, a moment ago
        return None
    recent = shop.woo.orders.modified(before.position)
    with shop.database.transaction() as connection:
        known = dict(
            connection.execute(
                f"SELECT id, modified_at FROM {ORDERS} WHERE list_contains($ids, id) AND gone IS NULL UNION ALL "
                "SELECT order_id, TRY_CAST(modified AS TIMESTAMP) FROM sync.orders_not_stored "
                "WHERE list_contains($ids, order_id)",
                {"ids": list(recent)},
            ).fetchall()
        )
    changed = sum(known.get(order_id) != modified for order_id, modified in recent.items())
    return f"{changed} new or changed orders in the store" if changed else None


def _orders_not_compared(connection: duckdb.DuckDBPyConnection, _now: datetime) -> str | None:
    """Another flow, stock, read them, or the run that did broke off."""
    read = count_rows(
        connection,
        f"SELECT count(*) FROM {ORDERS} WHERE read_at > "
        "coalesce((SELECT computed_at FROM sync.comparisons WHERE flow = 'sales'), TIMESTAMP '1970-01-01')",
    )
    return f"{read} orders were read after the last comparison" if read else None


SOURCES = [
    Source(
        campaigns.FLOW,
        campaigns.TABLE,
        "Solteq for changed campaigns",
        _solteq_feed(campaigns.campaign_feed, campaigns.TABLE, ["id"], campaign_frame),
        _campaign_calendar,
        covers=_same_feed(campaigns.campaign_feed),
    ),
    Source(
        products.FLOW,
        products.TABLE,
        "Solteq for changed products",
        _solteq_feed(products.product_feed, products.TABLE, ["id"], product_frame),
        covers=_same_feed(products.product_feed),
    ),
    Source(
        balances.FLOW,
        balances.TABLE,
        "Solteq for changed balances",
        _solteq_feed(balances.balance_feed, balances.TABLE, ["product_code", "store_id"], balance_frame),
        _waiting_balances,
        covers=_same_feed(balances.balance_feed),
    ),
    Source(
        customers.TO_WOO,
        CUSTOMERS,
        "Solteq for changed customers",
        _solteq_feed(customers.customer_feed, CUSTOMERS, ["id"], customer_frame),
        covers=_same_feed(customers.customer_feed),
        lease=customers.FLOW,
    ),
    Source(
        customers.TO_SOLTEQ,
        ACCOUNTS,
        "the store for new accounts",
        _new_accounts,
        covers=lambda shop, before: before.is_made_for(shop.settings.tax_code_meta),
        lease=customers.FLOW,
    ),
    Source(
        sales.FLOW,
        ORDERS,
        "the store for changed orders",
        _changed_orders,
        _orders_not_compared,
        covers=lambda shop, before: covers(before, shop.settings.sales_from, ZoneInfo(shop.settings.timezone)),
        config=CHANGED_SALES,
    ),
]


def flow_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """A sensor for each flow whose poll seconds are not 0."""
    return [_sensor(source, settings) for source in SOURCES if settings.poll_seconds(source.flow)]


def _sensor(source: Source, settings: Settings) -> dg.SensorDefinition:
    job = FLOW_JOBS[source.flow].name
    seconds = settings.poll_seconds(source.flow)
    is_sandbox = settings.solteq_is_sandbox and settings.woo_is_sandbox

    @dg.sensor(
        name=f"{job}_sensor",
        job_name=job,
        minimum_interval_seconds=seconds,
        description=(
            f"Asks {source.asks} every {seconds} s, and runs {job} when there are any. "
            f"Set by SOLTEQ_WOO_{source.flow.upper()}_POLL_SECONDS."
        ),
        default_status=dg.DefaultSensorStatus.RUNNING if is_sandbox else dg.DefaultSensorStatus.STOPPED,
    )
    def evaluate(
        context: dg.SensorEvaluationContext,
        shop: dg.ResourceParam[Shop],
    ) -> dg.RunRequest | dg.SkipReason:
        shop.leases.admit()
        crashed = shop.leases.crashed_run(source.lease or source.flow)
        if crashed:
            report_crashed(context.instance, crashed)

        until = time.monotonic() + DAEMON_SECONDS - SPARE_SECONDS
        while isinstance(answer := look(context, shop), dg.SkipReason):
            if time.monotonic() + seconds >= until:
                break
            time.sleep(seconds)  # asked for more often than Dagster comes round
        return answer

    def look(context: dg.SensorEvaluationContext, shop: Shop) -> dg.RunRequest | dg.SkipReason:
        if shop.leases.is_taken(source.lease or source.flow):
            return dg.SkipReason(f"A run of {job} is under way.")
        failures, last_end = _failures(context.instance, job)
        pause = _pause(context.instance, job, seconds, failures, last_end)
        if pause:
            return dg.SkipReason(pause)
        if failures:  # what it was for may be in the snapshot already, and then nobody says it again
            return request("the last run failed", shop)
        news = _left_over(source, shop) or source.news(shop)
        if not news:
            return dg.SkipReason(f"Nothing new: asked {source.asks}.")
        return request(news, shop)

    def request(why: str, shop: Shop) -> dg.RunRequest:
        return dg.RunRequest(
            partition_key=partition_of(job, settings, shop.clock()),
            run_config=dict(source.config),
            tags={"solteq_woo/why": why[:200]},
        )

    return evaluate


def _failures(instance: dg.DagsterInstance, job: str) -> tuple[int, float | None]:
    """How many of the last runs failed, one after the other, and when the last one ended."""
    records = instance.get_run_records(dg.RunsFilter(job_name=job), limit=8)
    statuses = [record.dagster_run.status for record in records]
    failures = next(
        (number for number, status in enumerate(statuses) if status != dg.DagsterRunStatus.FAILURE), len(records)
    )
    return failures, records[0].end_time if records else None


def _pause(instance: dg.DagsterInstance, job: str, seconds: int, failures: int, last_end: float | None) -> str | None:
    """Why no run is requested now, whatever is new: one is under way, or the last ones failed."""
    if instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=UNDER_WAY)):
        return f"A run of {job} is under way."
    if not failures or last_end is None:
        return None
    pause = min(timedelta(seconds=max(seconds, 1)) * 2**failures, LONGEST_PAUSE)
    left = datetime.fromtimestamp(last_end, UTC) + pause - datetime.now(UTC)
    if left <= timedelta(0):
        return None
    return f"The last {failures} run(s) of {job} failed; the next try is in {left.total_seconds():.0f} s."


def _left_over(source: Source, shop: Shop) -> str | None:
    """What there is to do without any news, in words, or ``None``."""
    with shop.database.transaction() as connection:
        before = watermark(connection, source.table)
        if before is None:
            return f"{source.flow} have never been read"
        if not source.covers(shop, before):
            return f"{source.flow} were read by other settings"
        if count_rows(
            connection, "SELECT count(*) FROM sync.comparisons WHERE flow = ? AND is_outdated", [source.flow]
        ):
            return f"{source.flow} were read and not compared: a run broke off"
        is_sent = shop.settings.mode != "shadow"
        return (_not_sent(connection, source.flow) if is_sent else None) or source.due(connection, shop.clock())


def _not_sent(connection: duckdb.DuckDBPyConnection, flow: str) -> str | None:
    """What of the last delta has not arrived, in words, or ``None``."""
    again = count_rows(
        connection,
        "SELECT count(*) FROM sync.deliveries WHERE flow = ? AND state IN ('pending', 'retry', 'unsent')",
        [flow],
    )
    if again:
        return f"{again} writes of the last run did not arrive"
    shown = count_rows(
        connection,
        f"SELECT count(*) FROM delta.{DELTA_ASSETS[flow]} AS delta WHERE list_contains($sent, action) "
        "AND NOT EXISTS (FROM sync.deliveries AS row JOIN sync.comparisons USING (flow) "
        "WHERE row.flow = $flow AND row.key = delta.key AND row.created_at >= computed_at)",
        {"flow": flow, "sent": list(SENT_ACTIONS)},
    )
    return f"{shown} writes of the last delta were only previewed" if shown else None
