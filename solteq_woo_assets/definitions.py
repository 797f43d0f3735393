"""The code location: assets, checks, jobs, schedules, sensors and resources."""

from collections.abc import Iterator

import dagster as dg

from solteq_woo_assets.automation.alerts import alert_sensors
from solteq_woo_assets.automation.jobs import DELIVERY_ASSETS, DELTA_ASSETS, jobs
from solteq_woo_assets.automation.schedules import flow_schedules
from solteq_woo_assets.automation.sensors import flow_sensors
from solteq_woo_assets.automation.shadow import without_deliveries, would_send
from solteq_woo_assets.automation.specs import shown
from solteq_woo_assets.engine.database import Clock, utc_now
from solteq_woo_assets.engine.shop import Shop, opened
from solteq_woo_assets.flows.balances import assets as balances
from solteq_woo_assets.flows.campaigns import assets as campaigns
from solteq_woo_assets.flows.customers import assets as customers
from solteq_woo_assets.flows.products import assets as products
from solteq_woo_assets.flows.reconciliation import assets as reconciliation
from solteq_woo_assets.flows.sales import assets as sales
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings


def build_definitions(settings: Settings, clock: Clock = utc_now) -> dg.Definitions:
    """Everything that Dagster loads, for these settings.

    :param clock: what campaigns go by
    """

    @dg.resource(description="The shop: its settings, its database, Solteq and the web store")
    def shop() -> Iterator[Shop]:
        with opened(settings, state_database(settings.database), clock) as shop:
            yield shop

    days = sales.days_of(settings)
    by_day = dg.map_asset_specs(
        lambda spec: spec.replace_attributes(partitions_def=days),
        [sales.woo_sales, sales.sales_delta, sales.solteq_sales],
    )
    flows = [products, balances, campaigns, customers, reconciliation]
    loaded = [asset for asset in dg.load_assets_from_modules(flows) if isinstance(asset, dg.AssetsDefinition)]
    assets = [*dg.map_asset_specs(shown(settings), [*loaded, *by_day])]
    checks = dg.load_asset_checks_from_modules([*flows, sales])
    if settings.mode == "shadow":
        deliveries = set(DELIVERY_ASSETS.values())
        assets = without_deliveries(assets, deliveries)
        checks = [check for check in checks if check.check_key.asset_key.to_user_string() not in deliveries]
        checks += map(would_send, DELTA_ASSETS.values())
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=jobs(settings),
        schedules=flow_schedules(settings),
        sensors=[*flow_sensors(settings), *alert_sensors(settings)],
        resources={"shop": shop},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads; the settings are read then, not when the module is imported."""
    return build_definitions(Settings.load())
