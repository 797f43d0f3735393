"""The assets that every flow has: a feed's snapshot, the delta, the delivery, and the check that both sides agree.

A flow that does more in one of them writes its own, with ``flow_asset`` and the parts of ``engine/steps.py``.
"""

from collections.abc import Callable, Mapping
from inspect import cleandoc
from typing import Any

import dagster as dg
import duckdb

from solteq_woo_assets.engine.feeds import FeedTable
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.snapshot import ReadCounts
from solteq_woo_assets.engine.steps import (
    OWNERS,
    READ_FIRST,
    DeltaConfig,
    MadeDelta,
    ReadConfig,
    agreement,
    delivery_result,
    delta_metadata,
    held_rows,
    make_delta,
    read_metadata,
    send,
    warn_of_quarantine,
)
from solteq_woo_assets.settings import Settings

Remarks = Callable[[duckdb.DuckDBPyConnection, Settings, MadeDelta], Mapping[str, Any]]
"""More metadata of a delta, made in the transaction that stored it."""


def flow_asset(
    flow: Flow, *kinds: str, **given: Any
) -> Callable[[Callable[..., dg.MaterializeResult]], dg.AssetsDefinition]:
    """Dagster's ``asset``, with the common settings of a flow's assets.

    :param given: what else the asset has
    """
    return dg.asset(
        group_name=flow.group,
        kinds=set(kinds),
        owners=OWNERS,
        code_version="1",
        pool=flow.lease_name,
        **given,
    )


def feed_asset(
    flow: Flow,
    feed: FeedTable,
    description: str,
    then: Callable[[Shop, ReadCounts], None] = lambda _shop, _counts: None,
) -> dg.AssetsDefinition:
    """A feed of Solteq in its snapshot table.

    :param then: what else the flow does once the feed is read
    """

    @flow_asset(
        flow,
        "solteq",
        "duckdb",
        name=feed.table.name.partition(".")[2],
        description=cleandoc(description),
        op_tags=READ_FIRST,
    )
    def snapshot(
        context: dg.AssetExecutionContext, config: ReadConfig, shop: dg.ResourceParam[Shop]
    ) -> dg.MaterializeResult:
        with shop.step(context, flow.lease_name) as effort:
            counts = feed.read(shop, flow.name, full=config.is_full(shop.database, flow.name))
            then(shop, counts)
        return dg.MaterializeResult(metadata=read_metadata(counts, effort))

    return snapshot


def delta_asset(
    flow: Flow, description: str, remarks: Remarks = lambda _connection, _settings, _made: {}
) -> dg.AssetsDefinition:
    """The writes that a flow would make, judged by its guard rails and stored."""
    rails = flow.guard_rails

    @flow_asset(
        flow,
        "duckdb",
        name=flow.delta,
        description=cleandoc(description),
        deps=flow.compared,
        check_specs=rails.check_specs() if rails else None,
    )
    def delta(
        context: dg.AssetExecutionContext, config: DeltaConfig, shop: dg.ResourceParam[Shop]
    ) -> dg.MaterializeResult:
        with shop.step(context, *flow.leases) as effort, shop.database.transaction() as connection:
            made = make_delta(connection, shop, flow, config, let_pass=config.let_pass)
            remarked = remarks(connection, shop.settings, made)
            held = held_rows(connection, flow.name)
        quarantined = warn_of_quarantine(context, held)
        told = delta_metadata(shop, made.changes, quarantined=quarantined, unchanged=made.unchanged, effort=effort)
        return dg.MaterializeResult(
            metadata={**told, **made.comparison.numbers, **remarked},
            check_results=rails.report(context, made.verdicts, config.let_pass) if rails else None,
        )

    return delta


def delivery_asset(flow: Flow, description: str) -> dg.AssetsDefinition:
    """The delta, sent to the other side."""

    @flow_asset(
        flow,
        flow.writes.partition("/")[0],
        name=flow.delivery,
        description=cleandoc(description),
        deps=[flow.delta],
    )
    def delivery(context: dg.AssetExecutionContext, shop: dg.ResourceParam[Shop]) -> dg.MaterializeResult:
        with shop.step(context, *flow.leases) as effort:
            flow.before_sending(context, shop)
            counts = send(context, shop, flow)
        return delivery_result(context, shop, flow.name, flow.delta, counts, effort)

    return delivery


def agreement_check(flow: Flow, name: str, description: str) -> dg.AssetChecksDefinition:
    """Whether nothing is left to write after the delivery."""

    @dg.asset_check(asset=flow.delivery, name=name, description=description)
    def check(shop: dg.ResourceParam[Shop]) -> dg.AssetCheckResult:
        with shop.database.transaction() as connection:
            return agreement(connection, flow.name, flow.compare(connection, shop.settings, shop.clock()))

    return check
