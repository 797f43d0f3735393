"""Campaign prices, Solteq → WooCommerce: the campaigns, which sale prices they make, and sending what differs."""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg
import duckdb

from solteq_woo_assets.clients.woo_documents import sku_key
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.pictures import price_timeline
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.snapshot import read_feed
from solteq_woo_assets.engine.steps import (
    OWNERS,
    READ_FIRST,
    DeltaConfig,
    ReadConfig,
    agreement,
    count_rows,
    delta_metadata,
    markdown_table,
    pricing_rules,
    read_metadata,
    send_delta,
    store_delta,
    warn_of_quarantine,
)
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.flows.campaigns.explanation import Explanation, explain_prices
from solteq_woo_assets.flows.campaigns.guard_rails import GUARD_RAILS
from solteq_woo_assets.flows.campaigns.one_writer import PRICES, refuse_older
from solteq_woo_assets.flows.campaigns.rules import campaign_price_delta as compare_prices
from solteq_woo_assets.flows.campaigns.source import FLOW, SOURCE, campaign_feed
from solteq_woo_assets.flows.campaigns.tables import SOLTEQ_CAMPAIGNS, TABLES
from solteq_woo_assets.flows.products.frames import campaign_frame
from solteq_woo_assets.settings import Settings

GROUP = "campaigns_to_woo"


def compare(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime) -> Comparison:
    """The sale prices that the store should hold at an instant, less what it holds, by what was last read of both."""
    return compare_prices(
        connection,
        products=connection.table("snapshot.solteq_products"),
        campaigns=connection.table(SOLTEQ_CAMPAIGNS.name),
        catalogue=connection.table("snapshot.woo_catalogue"),
        history=connection.table("sync.price_history"),
        links=connection.sql("FROM sync.links WHERE kind = 'product'"),
        deliveries=connection.table("sync.deliveries"),
        rules=pricing_rules(connection, settings),
        now=now,
    )


CAMPAIGNS = Flow(
    name=FLOW,
    module=__name__,
    job="campaigns_to_woo",
    group=GROUP,
    direction="solteq-to-woocommerce",
    description="Brings campaign prices from Solteq to the web store as sale prices, and takes them back.",
    snapshots={"solteq_campaigns": "solteq/campaigns", "woo_catalogue": "woocommerce/catalogue"},
    after=("solteq_products", "woo_products"),
    delta="campaign_price_delta",
    delivery="woo_campaign_prices",
    writes="woocommerce/products",
    source=SOURCE,
    tables=TABLES,
    compare=compare,
    guard_rails=GUARD_RAILS,
)
EXPLAINED = 10
"""So many products of a delta are explained campaign by campaign in its metadata."""


@dg.asset(
    group_name=GROUP,
    kinds={"solteq", "duckdb"},
    owners=OWNERS,
    code_version="1",
    pool=FLOW,
    op_tags=READ_FIRST,
)
def solteq_campaigns(
    context: dg.AssetExecutionContext,
    config: ReadConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The campaigns as Solteq's back office has them: what they are for, what they take off, and when.

    Reads what changed since the last read; deleted campaigns are kept as such. Table `snapshot.solteq_campaigns`.
    """
    with shop.step(context, FLOW) as effort:
        counts = read_feed(
            shop.database,
            shop.solteq,
            campaign_feed(shop.settings),
            flow=FLOW,
            table=SOLTEQ_CAMPAIGNS,
            frame=campaign_frame,
            full=config.is_full(shop.database, FLOW),
        )
    return dg.MaterializeResult(metadata=read_metadata(counts, effort))


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb"},
    owners=OWNERS,
    code_version="1",
    pool=FLOW,
    # A product's price goes with it, so where one run does both flows, campaigns are compared with what it brought.
    deps=CAMPAIGNS.compared,
    check_specs=GUARD_RAILS.check_specs(),
)
def campaign_price_delta(
    context: dg.AssetExecutionContext,
    config: DeltaConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The sale prices to be written to the web store, with their windows and the campaign that makes each.

    The lowest price of the campaigns that run and of the product's own discounted price; where nothing runs, what comes
    next. Campaigns that cannot be a discount price for everybody are listed as skipped. Table
    `delta.campaign_price_delta`.
    """
    with shop.step(context, FLOW, PRICES) as effort:
        with shop.database.transaction() as connection:
            now = shop.clock()
            comparison = compare(connection, shop.settings, now)
            refused = store_delta(connection, config, FLOW, "campaign_price_delta", comparison)
            changes, verdicts = GUARD_RAILS.guard(connection, shop.settings, now, let_pass=config.let_pass)
            active = count_rows(
                connection, "SELECT count(*) FROM snapshot.solteq_products WHERE active AND NOT deleted"
            )
            written = changes.filter(changes["kind"] != "campaign")["key"]
            explanation = explain(connection, shop.settings, written.head(EXPLAINED).to_list(), now)
        quarantined = warn_of_quarantine(context, shop.database, FLOW)
    return dg.MaterializeResult(
        metadata={
            **delta_metadata(
                shop,
                changes,
                quarantined=quarantined,
                unchanged=max(active - len(written) - refused, 0),
                effort=effort,
            ),
            **comparison.numbers,
            "next_edge": f"{comparison.next_edge.isoformat()}Z" if comparison.next_edge else "",
            "why": dg.MarkdownMetadataValue(markdown_table(explanation.verdicts)),
            "calendar": dg.MarkdownMetadataValue(markdown_table(explanation.calendar)),
            **({} if explanation.segments.is_empty() else {"timeline": price_timeline(explanation.segments, now)}),
        },
        check_results=GUARD_RAILS.report(context, verdicts, config.let_pass),
    )


def explain(
    connection: duckdb.DuckDBPyConnection, settings: Settings, codes: Sequence[str], now: datetime
) -> Explanation:
    """Why these products' prices are what they are at an instant.

    :param codes: product codes, in any spelling that WooCommerce takes for the same SKU
    """
    return explain_prices(
        connection,
        products=connection.sql(
            "FROM snapshot.solteq_products WHERE list_contains($keys, sku_key(code))",
            params={"keys": [sku_key(code) for code in codes]},
        ),
        campaigns=connection.table(SOLTEQ_CAMPAIGNS.name),
        history=connection.table("sync.price_history"),
        links=connection.sql("FROM sync.links WHERE kind = 'product'"),
        rules=pricing_rules(connection, settings),
        now=now,
    )


@dg.asset(
    group_name=GROUP,
    kinds={"woocommerce"},
    owners=OWNERS,
    code_version="1",
    pool=FLOW,
    deps=[campaign_price_delta],
)
def woo_campaign_prices(
    context: dg.AssetExecutionContext,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The sale prices and their windows, sent to the web store; of variable products to their variations.

    With each reduction goes the lowest price of the 30 days before it, as private meta. Each write is in the ledger,
    `sync.deliveries`, before it leaves.
    """
    with shop.step(context, FLOW, PRICES), shop.database.transaction() as connection:
        refuse_older(connection, flow=FLOW, delta="campaign_price_delta", other="products")
    return send_delta(context, shop, flow=FLOW, delta="campaign_price_delta")


@dg.asset_check(asset=woo_campaign_prices)
def sale_prices_agree(
    shop: dg.ResourceParam[Shop],
) -> dg.AssetCheckResult:
    """After delivery the store's sale prices are those of the campaigns, but for what is in quarantine."""
    with shop.database.transaction() as connection:
        return agreement(connection, FLOW, compare(connection, shop.settings, shop.clock()))
