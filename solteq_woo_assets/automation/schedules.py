"""Each flow compares everything from time to time, whatever the sensors saw."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import dagster as dg

from solteq_woo_assets.automation.jobs import BY_DAY, FLOW_JOBS, RECONCILE_ALL, SALES_TO_SOLTEQ, partition_of
from solteq_woo_assets.flows.customers import assets as customers
from solteq_woo_assets.settings import Settings


def flow_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """A schedule for each flow that has a cron, and the nightly reconciliation."""
    crons = {job.name: (f"SOLTEQ_WOO_{flow.upper()}_CRON", settings.cron(flow)) for flow, job in FLOW_JOBS.items()}
    crons[RECONCILE_ALL.name] = ("SOLTEQ_WOO_RECONCILE_CRON", settings.reconcile_cron)
    schedules = [_schedule(job, setting, cron, settings) for job, (setting, cron) in crons.items() if cron]
    if settings.customer_accounts_cron:
        schedules.append(_accounts_schedule(settings))
    return schedules


def _accounts_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The store does not tell which accounts changed, so all of them are read from time to time."""
    job = FLOW_JOBS[customers.TO_SOLTEQ].name
    full = {"ops": {"woo_customer_accounts": {"config": {"full": True}}}}
    setting = "SOLTEQ_WOO_CUSTOMER_ACCOUNTS_CRON"
    return _schedule(job, setting, settings.customer_accounts_cron, settings, name="customer_accounts", config=full)


def _schedule(
    job: str,
    setting: str,
    cron: str,
    settings: Settings,
    *,
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> dg.ScheduleDefinition:
    if job in BY_DAY:
        return _schedule_by_day(job, setting, cron, settings)
    return dg.ScheduleDefinition(
        name=f"{name or job}_schedule", job_name=job, run_config=config, **_common(job, setting, cron, settings)
    )


def _schedule_by_day(job: str, setting: str, cron: str, settings: Settings) -> dg.ScheduleDefinition:
    """A schedule of a job that runs for a day: today; sales are read by what changed, and the last days whole."""
    read = {"changed_only": True, "recheck_days": settings.sales_recheck_days}
    config = {"ops": {"woo_sales": {"config": read}}} if job == SALES_TO_SOLTEQ.name else None

    def today(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        at = context.scheduled_execution_time.astimezone(UTC).replace(tzinfo=None)
        return dg.RunRequest(partition_key=partition_of(job, settings, at), run_config=config)

    return dg.ScheduleDefinition(
        name=f"{job}_schedule", job_name=job, execution_fn=today, **_common(job, setting, cron, settings)
    )


def _common(job: str, setting: str, cron: str, settings: Settings) -> dict[str, Any]:
    return {
        "cron_schedule": cron,
        "execution_timezone": settings.timezone,
        "description": f"Runs {job} at {cron}, {settings.timezone} time. Set by {setting}.",
        "default_status": default_schedule_status(settings),
    }


def default_schedule_status(settings: Settings) -> dg.DefaultScheduleStatus:
    """On with the sandbox on both sides; on a real shop the user turns it on."""
    if settings.solteq_is_sandbox and settings.woo_is_sandbox:
        return dg.DefaultScheduleStatus.RUNNING
    return dg.DefaultScheduleStatus.STOPPED
