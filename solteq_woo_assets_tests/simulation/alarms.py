"""What the integration itself says of its work: its comparison of both sides at night, and the checks of its assets."""

from collections.abc import Mapping
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import dagster as dg

from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.shop import Shop, opened
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets.flows.reconciliation import assets as reconciliation
from solteq_woo_assets_tests.engine.flows import Run
from solteq_woo_assets_tests.simulation.world import World

_CONFIGS: Mapping[str, Mapping[str, Any]] = {"days_agree": {"last_days": 30, "read_back": True}}


def reconcile(world: World) -> None:
    """Compare both sides, as ``reconcile_all`` does after the runs of its flows."""
    asset = reconciliation.reconciliation_of(FLOWS)
    with opened(world.settings, world.database, utc_now) as shop:
        result = _called(asset, shop, {})
    world.tell("reconciliation", ", ".join(f"{name} {result.metadata[name]}" for name in ("differing", "surviving")))


def tell(world: World) -> None:
    """Say which checks of the flows do not pass."""
    with opened(world.settings, world.database, utc_now) as shop:
        for check in _checks():
            name = check.check_key.name
            result = _called(check, shop, _CONFIGS.get(name, {}))
            if not result.passed:
                world.tell("check", f"{name} does not pass: {result.description or result.metadata}")


def _checks() -> list[dg.AssetChecksDefinition]:
    modules = [*sorted({flow.module for flow in FLOWS}), reconciliation.__name__]
    named = (vars(import_module(module)).values() for module in modules)
    return [each for of_module in named for each in of_module if isinstance(each, dg.AssetChecksDefinition)]


def _called(asset: Any, shop: Shop, config: Mapping[str, Any]) -> Any:
    function = asset.op.compute_fn.decorated_fn
    asked = function.__annotations__
    run = SimpleNamespace(run_id="alarms", tags={})
    context = Run("alarms", [], {}).context({})
    given: dict[str, Any] = {"context": SimpleNamespace(**vars(context) | {"run": run}), "shop": shop}
    if "config" in asked:
        given["config"] = asked["config"](**config)
    return function(**{name: value for name, value in given.items() if name in asked})
