"""What the Dagster UI shows of each asset besides its code: its table, its direction, and how old it may be."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import dagster as dg
from dagster._utils.schedules import cron_string_iterator

from solteq_woo_assets.automation.jobs import DELIVERY_ASSETS, DELTA_ASSETS
from solteq_woo_assets.engine.tables import DELIVERIES
from solteq_woo_assets.flows.balances import assets as balances
from solteq_woo_assets.flows.campaigns import assets as campaigns
from solteq_woo_assets.flows.customers import assets as customers
from solteq_woo_assets.flows.products import assets as products
from solteq_woo_assets.flows.reconciliation import assets as reconciliation
from solteq_woo_assets.flows.sales import assets as sales
from solteq_woo_assets.flows.tables import TABLES
from solteq_woo_assets.settings import Settings
from solteq_woo_assets.table import Table, sql_type

DIRECTIONS = {
    products.GROUP: "solteq-to-woocommerce",
    balances.GROUP: "solteq-to-woocommerce",
    campaigns.GROUP: "solteq-to-woocommerce",
    customers.GROUP: "both-ways",
    sales.GROUP: "woocommerce-to-solteq",
}
_FLOWS = {
    **{asset: flow for assets in (DELTA_ASSETS, DELIVERY_ASSETS) for flow, asset in assets.items()},
    "solteq_customers": customers.TO_WOO,
    "woo_customer_accounts": customers.TO_SOLTEQ,
}
_FLOW_OF_GROUP = {
    products.GROUP: products.FLOW,
    "store": products.FLOW,
    balances.GROUP: balances.FLOW,
    campaigns.GROUP: campaigns.FLOW,
    sales.GROUP: sales.FLOW,
}
LATE = timedelta(minutes=10)
"""A run takes a while."""
TICKS = 1500
"""So many ticks show a schedule's longest pause, of one that rests at night, too."""


def shown(settings: Settings) -> Callable[[dg.AssetSpec], dg.AssetSpec]:
    """What adds to an asset's spec what the UI shows of it."""
    pauses: dict[str, timedelta | None] = {}

    def add(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.to_user_string()
        table = DELIVERIES if name in DELIVERY_ASSETS.values() else _table(name)
        cron = _cron(spec, settings)
        if cron not in pauses:
            pauses[cron] = longest_pause(cron, settings.timezone) if cron else None
        pause = pauses[cron]
        direction = DIRECTIONS.get(spec.group_name or "")
        return spec.replace_attributes(
            metadata={
                **spec.metadata,
                "dagster/table_name": table.name,
                "dagster/column_schema": dg.TableSchema(
                    columns=[
                        dg.TableColumn(name, sql_type(column.type), description=column.meaning)
                        for name, column in table.columns.items()
                    ]
                ),
            },
            tags={**spec.tags, **({"solteq_woo/direction": direction} if direction else {})},
            freshness_policy=_policy(pause) if pause else None,
        )

    return add


def _table(name: str) -> Table:
    return next(table for table in TABLES if table.name.partition(".")[2] == name)


def _cron(spec: dg.AssetSpec, settings: Settings) -> str:
    """The schedule that materializes an asset in any case; empty when it has none."""
    if spec.group_name == reconciliation.GROUP:
        return settings.reconcile_cron
    flow = _FLOWS.get(spec.key.to_user_string()) or _FLOW_OF_GROUP[spec.group_name or ""]
    return settings.cron(flow)


def longest_pause(cron: str, timezone: str) -> timedelta:
    """The longest time between two ticks of a schedule."""
    ticks = cron_string_iterator(datetime.now(UTC).timestamp(), cron, timezone)
    return max(later - earlier for earlier, later in pairwise(islice(ticks, TICKS)))


def _policy(pause: timedelta) -> dg.FreshnessPolicy:
    """Stale when two ticks in a row brought nothing; a warning after the first."""
    return dg.FreshnessPolicy.time_window(fail_window=2 * pause + LATE, warn_window=pause + LATE)
