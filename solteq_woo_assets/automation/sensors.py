"""A sensor a flow: it asks one cheap question, and requests a run when there is something new.

A sensor only says *when* to look. The run compares everything and decides what to do. When a system or the
database cannot be asked, the tick fails with the reason, where the UI shows it.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb

from solteq_woo_assets.automation.jobs import today
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.ledger import SENT_ACTIONS
from solteq_woo_assets.engine.shop import Shop, report_crashed
from solteq_woo_assets.engine.snapshot import watermark
from solteq_woo_assets.engine.steps import count_rows
from solteq_woo_assets.settings import Settings

LONGEST_PAUSE = timedelta(minutes=5)
"""A flow whose runs fail is tried again ever more slowly, up to this."""
DAEMON_SECONDS = 5.0
"""Dagster looks at its sensors this often, whatever their interval; it has no setting for it."""
SPARE_SECONDS = 0.5
"""Dagster passes over a sensor whose tick is not over when it looks, so a tick ends this much sooner."""
UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def flow_sensors(settings: Settings, flows: Sequence[Flow]) -> list[dg.SensorDefinition]:
    """A sensor for each flow whose poll seconds are not 0."""
    return [_sensor(flow, settings) for flow in flows if settings.poll_seconds(flow.name)]


def _sensor(flow: Flow, settings: Settings) -> dg.SensorDefinition:
    asks, job, seconds = flow.source.asks, flow.job, settings.poll_seconds(flow.name)
    is_sandbox = settings.solteq_is_sandbox and settings.woo_is_sandbox

    @dg.sensor(
        name=f"{job}_sensor",
        job_name=job,
        minimum_interval_seconds=seconds,
        description=(
            f"Asks {asks} every {seconds} s, and runs {job} when there are any. "
            f"Set by SOLTEQ_WOO_{flow.name.upper()}_POLL_SECONDS."
        ),
        default_status=dg.DefaultSensorStatus.RUNNING if is_sandbox else dg.DefaultSensorStatus.STOPPED,
    )
    def evaluate(context: dg.SensorEvaluationContext, shop: dg.ResourceParam[Shop]) -> dg.RunRequest | dg.SkipReason:
        shop.leases.admit()
        crashed = shop.leases.crashed_run(flow.lease_name)
        if crashed:
            report_crashed(context.instance, crashed)

        until = time.monotonic() + DAEMON_SECONDS - SPARE_SECONDS
        while isinstance(answer := _look(context.instance, flow, shop), dg.SkipReason):
            if time.monotonic() + seconds >= until:
                break
            time.sleep(seconds)  # asked for more often than Dagster comes round
        return answer

    return evaluate


def _look(instance: dg.DagsterInstance, flow: Flow, shop: Shop) -> dg.RunRequest | dg.SkipReason:
    """Whether there is anything to do, asked once."""
    if shop.leases.is_taken(flow.lease_name):
        return dg.SkipReason(f"A run of {flow.job} is under way.")
    if flow.gives_way and shop.leases.is_taken(flow.shared_lease):
        return dg.SkipReason(f"Another run writes {flow.shared_lease}.")
    failures, last_end = _failures(instance, flow.job)
    pause = _pause(instance, flow.job, shop.settings.poll_seconds(flow.name), failures, last_end)
    if pause:
        return dg.SkipReason(pause)
    # What a failed run was for may be in the snapshot already, and then nobody says it again.
    why = "the last run failed" if failures else left_over(flow, shop) or flow.source.news(shop)
    if not why:
        return dg.SkipReason(f"Nothing new: asked {flow.source.asks}.")
    return dg.RunRequest(
        partition_key=today(shop.settings, shop.clock()) if flow.is_by_day else None,
        run_config={"ops": flow.ops_of("sensor", shop.settings)},
        tags={"solteq_woo/why": why[:200]},
    )


def _failures(instance: dg.DagsterInstance, job: str) -> tuple[int, float | None]:
    """How many of the last runs failed, one after the other, and when the last one ended."""
    records = instance.get_run_records(dg.RunsFilter(job_name=job), limit=8)
    statuses = [record.dagster_run.status for record in records]
    failures = next(
        (number for number, status in enumerate(statuses) if status != dg.DagsterRunStatus.FAILURE), len(records)
    )
    return failures, records[0].end_time if records else None


def _pause(instance: dg.DagsterInstance, job: str, seconds: int, failures: int, last_end: float | None) -> str | None:
    """Why no run is requested now: one is under way, or the last ones failed."""
    if instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=UNDER_WAY)):
        return f"A run of {job} is under way."
    if not failures or last_end is None:
        return None
    pause = min(timedelta(seconds=max(seconds, 1)) * 2**failures, LONGEST_PAUSE)
    left = datetime.fromtimestamp(last_end, UTC) + pause - datetime.now(UTC)
    if left <= timedelta(0):
        return None
    return f"The last {failures} run(s) of {job} failed; the next try is in {left.total_seconds():.0f} s."


def left_over(flow: Flow, shop: Shop) -> str | None:
    """Work that is due without any news, in words, or ``None``."""
    with shop.database.transaction() as connection:
        before = watermark(connection, flow.source.table)
        if before is None:
            return f"{flow.name} have never been read"
        if not flow.source.covers(shop, before):
            return f"{flow.name} were read by other settings"
        if count_rows(connection, "SELECT count(*) FROM sync.comparisons WHERE flow = ? AND is_outdated", [flow.name]):
            return f"{flow.name} were read and not compared: a run broke off"
        is_sent = shop.settings.mode != "shadow"
        return (
            (_not_sent(connection, flow) if is_sent else None)
            or _edge(connection, flow, shop.clock())
            or flow.source.due(connection, shop.clock())
        )


def _edge(connection: duckdb.DuckDBPyConnection, flow: Flow, now: datetime) -> str | None:
    """Words about the same data giving another comparison by now, or ``None``."""
    rows = connection.execute(
        "SELECT next_edge FROM sync.comparisons WHERE flow = ? AND next_edge <= ?", [flow.name, now]
    ).fetchall()
    return f"a sale begins or ends at {rows[0][0].isoformat()}Z" if rows else None


def _not_sent(connection: duckdb.DuckDBPyConnection, flow: Flow) -> str | None:
    """Rows of the last delta that have not arrived, in words, or ``None``."""
    again = count_rows(
        connection,
        "SELECT count(*) FROM sync.deliveries WHERE flow = ? AND state IN ('pending', 'retry', 'unsent')",
        [flow.name],
    )
    if again:
        return f"{again} writes of the last run did not arrive"
    shown = count_rows(
        connection,
        f"SELECT count(*) FROM delta.{flow.delta} AS delta WHERE list_contains($sent, action) "
        "AND NOT EXISTS (FROM sync.deliveries AS row JOIN sync.comparisons USING (flow) "
        "WHERE row.flow = $flow AND row.key = delta.key AND row.created_at >= computed_at)",
        {"flow": flow.name, "sent": list(SENT_ACTIONS)},
    )
    return f"{shown} writes of the last delta were only previewed" if shown else None
