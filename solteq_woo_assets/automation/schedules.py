"""Each flow compares everything from time to time, whatever the sensors saw."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from solteq_woo_assets.assets import customers
from solteq_woo_assets.automation.jobs import FLOW_JOBS, RECONCILE_ALL
from solteq_woo_assets.errors import ConfigurationError
from solteq_woo_assets.settings import Settings


def flow_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """A schedule for each flow that has a cron, and the nightly reconciliation.

    :raises ConfigurationError: a cron setting that is none
    """
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
    try:
        return dg.ScheduleDefinition(
            name=f"{name or job}_schedule",
            job_name=job,
            run_config=config,
            cron_schedule=cron,
            execution_timezone=settings.timezone,
            description=f"Runs {job} at {cron}, {settings.timezone} time. Set by {setting}.",
            default_status=default_schedule_status(settings),
        )
    except dg.DagsterInvalidDefinitionError as error:
        raise ConfigurationError(
            f"{setting}: it is not a cron expression; every hour at seven past is 7 * * * *"
        ) from error


def default_schedule_status(settings: Settings) -> dg.DefaultScheduleStatus:
    """On with the sandbox on both sides; on a real shop the user turns it on."""
    if settings.solteq_is_sandbox and settings.woo_is_sandbox:
        return dg.DefaultScheduleStatus.RUNNING
    return dg.DefaultScheduleStatus.STOPPED
