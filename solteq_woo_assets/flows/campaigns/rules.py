"""Which sale prices the store should hold, less what it holds: the campaign price delta."""

from datetime import datetime

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.flows.campaigns.pricing import PricingRules, next_edge, price_products
from solteq_woo_assets.flows.campaigns.tables import CAMPAIGN_PRICE_DELTA
from solteq_woo_assets.flows.products.matching import find_strangers

Relation = duckdb.DuckDBPyRelation


def campaign_price_delta(
    connection: duckdb.DuckDBPyConnection,
    *,
    products: Relation,
    campaigns: Relation,
    catalogue: Relation,
    history: Relation,
    links: Relation,
    deliveries: Relation,
    rules: PricingRules,
    now: datetime,
) -> Comparison:
    """The sale prices and windows that the store should hold at an instant, less what it holds.

    ``changes``: of ``delta.campaign_price_delta``; a campaign that sets no price is a row with action ``skip``.
    ``numbers``: products with an offer, and those of them without 30 days of history.

    :param products: rows of ``snapshot.solteq_products``
    :param campaigns: rows of ``snapshot.solteq_campaigns``
    :param catalogue: rows of ``snapshot.woo_catalogue``
    :param history: rows of ``sync.price_history``
    :param links: rows of ``sync.links`` with kind ``product``
    :param deliveries: rows of ``sync.deliveries``, to tell whose the store's sale price is
    :param now: in UTC, without a zone
    """
    inputs = {"products": products, "campaigns": campaigns, "catalogue": catalogue, "history": history, "links": links}
    with sql.steps(connection, __name__, **inputs, deliveries=deliveries) as steps:
        price_products(steps, rules, now)
        steps.table("compared")
        steps.table("pairs")
        steps.add(strangers=find_strangers(connection))
        steps.table("sent", now=now)
        changes = steps.frame("changes", now=now, zone=rules.zone.key)
        skipped = steps.frame("skipped", now=now)
        held = steps.frame("quarantine", now=now)
        (numbers,) = steps.frame("numbers").to_dicts()
        return Comparison(
            changes=pl.concat([changes.cast(CAMPAIGN_PRICE_DELTA.schema), skipped.cast(CAMPAIGN_PRICE_DELTA.schema)]),
            held=held,
            next_edge=next_edge(steps),
            numbers=numbers,
        )
