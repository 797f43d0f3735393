"""Metadata of the assets for the Dagster UI: the table, the direction, and how old each may be."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise

import dagster as dg

from solteq_woo_assets.automation.dagster_internals import cron_string_iterator
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.steps import OWNERS
from solteq_woo_assets.engine.tables import DELIVERIES
from solteq_woo_assets.flows.tables import tables_of
from solteq_woo_assets.settings import Settings
from solteq_woo_assets.table import Table, sql_type

LATE = timedelta(minutes=10)
"""A run takes a while."""
TICKS = 1500
"""The number of ticks that shows a schedule's longest pause, also when it rests at night."""


def shown(settings: Settings, flows: Sequence[Flow]) -> Callable[[dg.AssetSpec], dg.AssetSpec]:
    """Adds the metadata to an asset's spec."""
    tables = tables_of(flows)
    deliveries = {flow.delivery for flow in flows}
    directions = {flow.group: flow.direction for flow in flows}

    @cache
    def pause(cron: str) -> timedelta:
        return longest_pause(cron, settings.timezone)

    read = {asset: outside for flow in flows for asset, outside in flow.snapshots.items()}

    def add(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.to_user_string()
        table = DELIVERIES if name in deliveries else _table(name, tables)
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
    """The resources of the two systems that are read and written: the ends of the lineage.

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


def _table(name: str, tables: Sequence[Table]) -> Table:
    return next(table for table in tables if table.name.partition(".")[2] == name)


def _crons(asset: str, settings: Settings, flows: Sequence[Flow]) -> list[str]:
    """The schedules that materialize an asset in any case; the reconciliation makes assets of no flow."""
    crons = [settings.cron(flow.name) for flow in flows if asset in flow.assets] or [settings.reconcile_cron]
    return [cron for cron in crons if cron]


def longest_pause(cron: str, timezone: str) -> timedelta:
    """The longest time between two ticks of a schedule."""
    ticks = cron_string_iterator(datetime.now(UTC).timestamp(), cron, timezone)
    return max(later - earlier for earlier, later in pairwise(islice(ticks, TICKS)))


def _policy(pause: timedelta) -> dg.FreshnessPolicy:
    """Stale when two ticks in a row brought nothing; a warning after the first."""
    return dg.FreshnessPolicy.time_window(fail_window=2 * pause + LATE, warn_window=pause + LATE)
