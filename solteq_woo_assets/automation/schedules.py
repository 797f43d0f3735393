"""Each flow compares everything from time to time, whatever the sensors saw."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import dagster as dg

from solteq_woo_assets.automation.jobs import RECONCILE_ALL, today
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.flows.customers.assets import CUSTOMERS_TO_SOLTEQ
from solteq_woo_assets.settings import Settings


def flow_schedules(settings: Settings, flows: Sequence[Flow]) -> list[dg.ScheduleDefinition]:
    """A schedule for each flow that has a cron, and the nightly reconciliation."""
    schedules = []
    for flow in flows:
        if cron := settings.cron(flow.name):
            setting, ops = f"SOLTEQ_WOO_{flow.name.upper()}_CRON", flow.ops_of("schedule", settings)
            schedules.append(_schedule(flow.job, setting, cron, settings, ops, flow.is_by_day))
    if settings.reconcile_cron:
        is_by_day = any(flow.is_by_day for flow in flows)
        cron = settings.reconcile_cron
        schedules.append(_schedule(RECONCILE_ALL, "SOLTEQ_WOO_RECONCILE_CRON", cron, settings, {}, is_by_day))
    if settings.customer_accounts_cron:
        schedules.append(_accounts_schedule(settings))
    return schedules


def _accounts_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The store does not tell which accounts changed, so all of them are read from time to time."""
    job = CUSTOMERS_TO_SOLTEQ.job
    cron = settings.customer_accounts_cron
    return dg.ScheduleDefinition(
        name="customer_accounts_schedule",
        job_name=job,
        run_config={"ops": {"woo_customer_accounts": {"config": {"full": True}}}},
        **_common(job, "SOLTEQ_WOO_CUSTOMER_ACCOUNTS_CRON", cron, settings),
    )


def _schedule(
    job: str, setting: str, cron: str, settings: Settings, ops: Mapping[str, Any], is_by_day: bool
) -> dg.ScheduleDefinition:
    """The run of a partitioned job is for today."""

    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        at = context.scheduled_execution_time.astimezone(UTC).replace(tzinfo=None)
        day = today(settings, at) if is_by_day else None
        return dg.RunRequest(partition_key=day, run_config={"ops": ops} if ops else None)

    return dg.ScheduleDefinition(
        name=f"{job}_schedule", job_name=job, execution_fn=request, **_common(job, setting, cron, settings)
    )


def _common(job: str, setting: str, cron: str, settings: Settings) -> dict[str, Any]:
    return {
        "cron_schedule": cron,
        "execution_timezone": settings.timezone,
        "description": f"Runs {job} at {cron}, {settings.timezone} time. Set by {setting}.",
        "default_status": default_schedule_status(settings),
    }


def default_schedule_status(settings: Settings) -> dg.DefaultScheduleStatus:
    """Schedules run with the sandbox on both sides; on a real shop the user turns them on."""
    if settings.solteq_is_sandbox and settings.woo_is_sandbox:
        return dg.DefaultScheduleStatus.RUNNING
    return dg.DefaultScheduleStatus.STOPPED
