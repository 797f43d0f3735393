"""Campaign prices, Solteq → WooCommerce: the campaigns, which sale prices they make, and sending what differs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg
import duckdb

from solteq_woo_assets.clients.woo_documents import sku_key
from solteq_woo_assets.engine.assets import agreement_check, delivery_asset, delta_asset, feed_asset
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.pictures import price_timeline
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.steps import MadeDelta, count_rows, markdown_table
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.flows.campaigns.explanation import Explanation, explain_prices
from solteq_woo_assets.flows.campaigns.guard_rails import GUARD_RAILS
from solteq_woo_assets.flows.campaigns.one_writer import PRICES, refuse_older
from solteq_woo_assets.flows.campaigns.rules import campaign_price_delta as compare_prices
from solteq_woo_assets.flows.campaigns.source import FEED, FLOW, SOURCE, pricing_rules
from solteq_woo_assets.flows.campaigns.tables import SOLTEQ_CAMPAIGNS, TABLES
from solteq_woo_assets.flows.products.outbox import ProductOutbox
from solteq_woo_assets.settings import Settings


def compare(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime) -> Comparison:
    """The sale prices that the store should hold at an instant, less what it holds, by what was last read of both."""
    comparison = compare_prices(
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
    products = count_rows(connection, "SELECT count(*) FROM snapshot.solteq_products WHERE active AND NOT deleted")
    return replace(comparison, compared=products)


def _outbox(shop: Shop) -> ProductOutbox:
    return ProductOutbox(shop.woo, FLOW, "delta.campaign_price_delta", clock=shop.clock)


CAMPAIGNS = Flow(
    name=FLOW,
    module=__name__,
    job="campaigns_to_woo",
    group="campaigns_to_woo",
    direction="solteq-to-woocommerce",
    description="Brings campaign prices from Solteq to the web store as sale prices, and takes them back.",
    snapshots={"solteq_campaigns": "solteq/campaigns", "woo_catalogue": "woocommerce/catalogue"},
    # A product's price goes with it, so where one run does both flows, campaigns are compared with what it brought.
    after=("solteq_products", "woo_products"),
    delta="campaign_price_delta",
    delivery="woo_campaign_prices",
    writes="woocommerce/products",
    source=SOURCE,
    tables=TABLES,
    compare=compare,
    outbox=_outbox,
    guard_rails=GUARD_RAILS,
    shared_lease=PRICES,
    before_sending=partial(refuse_older, flow=FLOW, delta="campaign_price_delta", other="products"),
)
EXPLAINED = 10
"""So many products of a delta are explained campaign by campaign in its metadata."""


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


def _remarks(connection: duckdb.DuckDBPyConnection, settings: Settings, made: MadeDelta) -> dict[str, Any]:
    """When prices change next, and why those of the first products are what they are."""
    written = made.changes.filter(made.changes["kind"] != "campaign")["key"]
    explanation = explain(connection, settings, written.head(EXPLAINED).to_list(), made.now)
    edge, segments = made.comparison.next_edge, explanation.segments
    return {
        "next_edge": f"{edge.isoformat()}Z" if edge else "",
        "why": dg.MarkdownMetadataValue(markdown_table(explanation.verdicts)),
        "calendar": dg.MarkdownMetadataValue(markdown_table(explanation.calendar)),
        **({} if segments.is_empty() else {"timeline": price_timeline(segments, made.now)}),
    }


solteq_campaigns = feed_asset(
    CAMPAIGNS,
    FEED,
    """The campaigns as Solteq's back office has them: what they are for, what they take off, and when.

    Reads what changed since the last read; deleted campaigns are kept as such. Table `snapshot.solteq_campaigns`.
    """,
)
campaign_price_delta = delta_asset(
    CAMPAIGNS,
    """The sale prices to be written to the web store, with their windows and the campaign that makes each.

    The lowest price of the campaigns that run and of the product's own discounted price; where nothing runs, what comes
    next. Campaigns that cannot be a discount price for everybody are listed as skipped. Table
    `delta.campaign_price_delta`.
    """,
    _remarks,
)
woo_campaign_prices = delivery_asset(
    CAMPAIGNS,
    """The sale prices and their windows, sent to the web store; of variable products to their variations.

    With each reduction goes the lowest price of the 30 days before it, as private meta. Each write is in the ledger,
    `sync.deliveries`, before it leaves.
    """,
)
sale_prices_agree = agreement_check(
    CAMPAIGNS,
    "sale_prices_agree",
    "After delivery the store's sale prices are those of the campaigns, but for what is in quarantine.",
)
