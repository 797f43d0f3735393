"""Schedules: each flow compares everything from time to time, when the user wants it."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from solteq_woo_assets.automation.schedules import flow_schedules
from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets.settings import Settings
from solteq_woo_assets_tests.conftest import Shop

SCHEDULED = [
    *("products", "balances", "campaigns", "customers_to_woo", "customers_to_solteq"),
    *("customer_accounts", "sales", "reconcile"),
]

pytestmark = pytest.mark.usefixtures("no_settings")


def test_crons_and_time_zone_are_settings() -> None:
    settings = Settings(products_cron="*/5 6-20 * * *", balances_cron="@hourly", timezone="Europe/Stockholm")
    crons = {schedule.name: schedule.cron_schedule for schedule in flow_schedules(settings, FLOWS)}
    assert crons == {
        "products_to_woo_schedule": "*/5 6-20 * * *",
        "balances_to_woo_schedule": "@hourly",
        "campaigns_to_woo_schedule": "22 * * * *",
        "customers_to_woo_schedule": "12 * * * *",
        "customers_to_solteq_schedule": "42 * * * *",
        "customer_accounts_schedule": "52 */2 * * *",
        "sales_to_solteq_schedule": "2 * * * *",
        "reconcile_all_schedule": "30 3 * * *",
    }
    assert {schedule.execution_timezone for schedule in flow_schedules(settings, FLOWS)} == {"Europe/Stockholm"}


@pytest.mark.parametrize("off", SCHEDULED)
def test_an_empty_cron_leaves_the_schedule_out(off: str) -> None:
    names = {schedule.name for schedule in flow_schedules(Settings.model_validate({f"{off}_cron": ""}), FLOWS)}
    assert len(names) == 7
    assert not any(name.startswith(off) for name in names)


@pytest.mark.slow
def test_a_tick_requests_a_run_that_can_start(shop: Shop) -> None:
    """Also the reconciliation, whose configuration names every asset that can read in full."""
    definitions = build_definitions(shop.settings)
    for schedule in flow_schedules(shop.settings, FLOWS):
        now = datetime.now(UTC)
        repository = definitions.get_repository_def()
        with dg.build_schedule_context(shop.instance, now, repository_def=repository) as context:
            (request,) = schedule.evaluate_tick(context).run_requests or []
        job = definitions.resolve_job_def(schedule.job_name)
        result = job.execute_in_process(
            instance=shop.instance,
            run_config=request.run_config,
            tags=request.tags,
            partition_key=request.partition_key,
        )
        assert result.success


def test_schedules_start_switched_on_with_the_sandbox_on_both_sides_alone(shop: Shop) -> None:
    """On a real shop nothing is sent before the user says so."""
    statuses = {
        side: {schedule.default_status for schedule in flow_schedules(settings, FLOWS)}
        for side, settings in {
            "sandbox": Settings(),
            "real store": Settings.model_validate(
                {
                    "WOO_URL": "https://shop.example",
                    "WOO_CONSUMER_KEY": "ck",
                    "WOO_CONSUMER_SECRET": "cs",
                    "sandbox": "solteq",
                }
            ),
            "real": shop.settings,
        }.items()
    }
    assert statuses == {
        "sandbox": {dg.DefaultScheduleStatus.RUNNING},
        "real store": {dg.DefaultScheduleStatus.STOPPED},
        "real": {dg.DefaultScheduleStatus.STOPPED},
    }
