"""What the Dagster UI shows of each asset besides its code: its table, its direction, and how old it may be."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise

import dagster as dg

from solteq_woo_assets.automation.dagster_internals import cron_string_iterator
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.steps import OWNERS
from solteq_woo_assets.engine.tables import DELIVERIES
from solteq_woo_assets.flows.tables import TABLES
from solteq_woo_assets.settings import Settings
from solteq_woo_assets.table import Table, sql_type

LATE = timedelta(minutes=10)
"""A run takes a while."""
TICKS = 1500
"""So many ticks show a schedule's longest pause, of one that rests at night, too."""


def shown(settings: Settings, flows: Sequence[Flow]) -> Callable[[dg.AssetSpec], dg.AssetSpec]:
    """What adds to an asset's spec what the UI shows of it."""
    deliveries = {flow.delivery for flow in flows}
    directions = {flow.group: flow.direction for flow in flows}

    @cache
    def pause(cron: str) -> timedelta:
        return longest_pause(cron, settings.timezone)

    read = {asset: outside for flow in flows for asset, outside in flow.snapshots.items()}

    def add(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.to_user_string()
        table = DELIVERIES if name in deliveries else _table(name)
        direction = directions.get(spec.group_name or "")
        crons = _crons(name, settings, flows)
        deps = [*spec.deps, dg.AssetDep(_key(read[name]))] if name in read else spec.deps
        return spec.replace_attributes(
            deps=deps,
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
            freshness_policy=_policy(min(map(pause, crons))) if crons else None,
        )

    return add


SYSTEMS = {"solteq": "Solteq Commerce Cloud", "woocommerce": "the web store"}


def outside(flows: Sequence[Flow]) -> list[dg.AssetSpec]:
    """What is read and written in the two systems: where the lineage begins and ends.

    What is written has another name than what is read of it, since Dagster's lineage has no circles.
    """
    written: dict[str, list[str]] = {}
    for flow in flows:
        written.setdefault(flow.writes, []).append(flow.delivery)
    read = {name for flow in flows for name in flow.snapshots.values()}
    return [_outside(name, written.get(name, [])) for name in sorted(read | set(written))]


def _outside(name: str, deps: Sequence[str]) -> dg.AssetSpec:
    system, _, what = name.partition("/")
    verb = "written to" if deps else "read from"
    return dg.AssetSpec(
        _key(name),
        deps=deps,
        description=f"The {what.replace('_', ' ')} that are {verb} {SYSTEMS[system]}.",
        group_name=system,
        kinds={system},
        owners=OWNERS,
    )


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey(name.split("/"))


def _table(name: str) -> Table:
    return next(table for table in TABLES if table.name.partition(".")[2] == name)


def _crons(asset: str, settings: Settings, flows: Sequence[Flow]) -> list[str]:
    """The schedules that materialize an asset in any case; the reconciliation makes what is of no flow."""
    crons = [settings.cron(flow.name) for flow in flows if asset in flow.assets] or [settings.reconcile_cron]
    return [cron for cron in crons if cron]


def longest_pause(cron: str, timezone: str) -> timedelta:
    """The longest time between two ticks of a schedule."""
    ticks = cron_string_iterator(datetime.now(UTC).timestamp(), cron, timezone)
    return max(later - earlier for earlier, later in pairwise(islice(ticks, TICKS)))


def _policy(pause: timedelta) -> dg.FreshnessPolicy:
    """Stale when two ticks in a row brought nothing; a warning after the first."""
    return dg.FreshnessPolicy.time_window(fail_window=2 * pause + LATE, warn_window=pause + LATE)
