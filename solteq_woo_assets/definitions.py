"""The code location: assets, checks, jobs, schedules, sensors and resources."""

from collections.abc import Iterator, Sequence
from importlib import import_module

import dagster as dg

from solteq_woo_assets.automation.alerts import alert_sensors
from solteq_woo_assets.automation.jobs import jobs
from solteq_woo_assets.automation.schedules import flow_schedules
from solteq_woo_assets.automation.sensors import flow_sensors
from solteq_woo_assets.automation.shadow import without_deliveries, would_send
from solteq_woo_assets.automation.specs import outside, shown
from solteq_woo_assets.engine.database import Clock, utc_now
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.shop import Shop, opened
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets.flows.reconciliation.assets import nothing_survives, reconciliation_of
from solteq_woo_assets.flows.sales.assets import days_of
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings


def build_definitions(settings: Settings, clock: Clock = utc_now, flows: Sequence[Flow] = FLOWS) -> dg.Definitions:
    """Everything that Dagster loads, for these settings.

    :param clock: what campaigns go by
    """

    @dg.resource(description="The shop: its settings, its database, Solteq and the web store")
    def shop() -> Iterator[Shop]:
        with opened(settings, state_database(settings.database, flows), clock) as shop:
            yield shop

    modules = [import_module(name) for name in dict.fromkeys(flow.module for flow in flows)]
    loaded = [asset for asset in dg.load_assets_from_modules(modules) if isinstance(asset, dg.AssetsDefinition)]
    loaded.append(reconciliation_of(flows))
    days = days_of(settings)
    loaded = dg.map_asset_specs(
        lambda spec: spec.replace_attributes(partitions_def=days) if spec.partitions_def else spec, loaded
    )
    assets = [*dg.map_asset_specs(shown(settings, flows), loaded)]
    checks = [*dg.load_asset_checks_from_modules(modules), nothing_survives]
    if settings.mode == "shadow":
        deliveries = {flow.delivery for flow in flows}
        assets = without_deliveries(assets, deliveries)
        checks = [check for check in checks if check.check_key.asset_key.to_user_string() not in deliveries]
        checks += [would_send(flow.delta) for flow in flows]
    return dg.Definitions(
        assets=[*assets, *outside(flows)],
        asset_checks=checks,
        jobs=jobs(settings, flows),
        schedules=flow_schedules(settings, flows),
        sensors=[*flow_sensors(settings, flows), *alert_sensors(settings, clock)],
        resources={"shop": shop},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions for Dagster. The settings are read by then, not when the module is imported."""
    return build_definitions(Settings.load())
