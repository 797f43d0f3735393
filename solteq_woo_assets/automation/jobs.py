"""The jobs that people and schedules run: one a flow, and those that concern several."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from solteq_woo_assets.engine.flow import Flow, Occasion
from solteq_woo_assets.flows.customers.assets import erase_from_database
from solteq_woo_assets.flows.sales.frames import local_day
from solteq_woo_assets.settings import Settings

RECONCILE_ALL = "reconcile_all"
RETRY_QUARANTINED = "retry_quarantined"
RETRY_SALES = "retry_sales"


@dg.job(name="erase_customer", executor_def=dg.in_process_executor)
def ERASE_CUSTOMER() -> None:
    """Erases everything personal of one customer from this integration's database, for good."""
    erase_from_database()


def today(settings: Settings, now: datetime) -> str:
    """The default partition of a run by day.

    :param now: naive UTC
    """
    return local_day(now, ZoneInfo(settings.timezone)).isoformat()


def ops_of_all(flows: Sequence[Flow], occasion: Occasion, settings: Settings) -> dict[str, Any]:
    """The config of the assets of several flows in a run that is requested for this reason."""
    return {name: given for flow in flows for name, given in flow.ops_of(occasion, settings).items()}


def _job(
    deliveries: Sequence[str],
    name: str,
    selection: dg.AssetSelection,
    description: str,
    ops: Mapping[str, Any] | None = None,
) -> Any:  # Dagster's type of it is private
    """A job in one process.

    :param deliveries: assets that it leaves out: those of shadow mode
    """
    kept = {asset: told for asset, told in (ops or {}).items() if not asset.startswith(tuple(deliveries))}
    return dg.define_asset_job(
        name,
        selection=selection - dg.AssetSelection.assets(*deliveries) if deliveries else selection,
        description=f"{description} Shadow mode: nothing is sent." if deliveries else description,
        executor_def=dg.in_process_executor,
        config={"ops": kept} if kept else None,
    )


def jobs(settings: Settings, flows: Sequence[Flow]) -> list[Any]:
    """Every job of ours, resolved when Dagster loads them; in shadow mode they end at the deltas."""
    job = partial(_job, [flow.delivery for flow in flows] if settings.mode == "shadow" else [])
    everything, named = dg.AssetSelection.all(), dg.AssetSelection.assets
    return [
        ERASE_CUSTOMER,
        *(job(flow.job, named(*flow.assets), flow.description) for flow in flows),
        job(
            RECONCILE_ALL,
            everything,
            "Reads both sides in full, reports what differs and why, and puts it right; tries again what was refused.",
            ops_of_all(flows, "reconcile", settings),
        ),
        job(
            RETRY_QUARANTINED,
            everything - named("reconciliation"),
            "Tries again everything that is held back: reads a feed in full when a document of it could not be read, "
            "and sends again what was refused.",
            ops_of_all(flows, "retry", settings),
        ),
        job(
            RETRY_SALES,
            named("sales_delta", "solteq_sales"),
            "Sends again the sales that Solteq refused: all, or those of the orders in the config of sales_delta.",
            {"sales_delta": {"config": {"retry_refused": True}}},
        ),
        *(job(*_full_refresh(name)) for name in dict.fromkeys(name for flow in flows for name in flow.full_reads)),
    ]


def _full_refresh(snapshot: str) -> tuple[str, dg.AssetSelection, str, Mapping[str, Any]]:
    return (
        f"full_refresh_{snapshot}",
        dg.AssetSelection.assets(snapshot),
        f"Reads {snapshot} in full; nothing is compared or sent. The next run of its flow does that.",
        {snapshot: {"config": {"full": True}}},
    )
