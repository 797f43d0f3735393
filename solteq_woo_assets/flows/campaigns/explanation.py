"""Why a price is what it is: every campaign that touches a product, and what becomes of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.flows.campaigns.pricing import PricingRules, lay_out_calendar, price_products

Relation = duckdb.DuckDBPyRelation

DAYS_AHEAD = timedelta(days=60)


@dataclass(frozen=True)
class Explanation:
    """Prices and their reasons, as text, of each product by its ``code``; times are local to the shop.

    ``prices``: code, sales_price, sale_price, set_by, lowest_price_30d.
    ``verdicts``: code, campaign, touches, window, price, verdict; also campaigns that are over, off or not public.
    ``calendar``: code, opens, closes, price, campaign, for the coming 60 days.
    ``segments``: the same as numbers: code, opens, closes (UTC; NULL: without an end), price, regular_price.
    """

    prices: pl.DataFrame
    verdicts: pl.DataFrame
    calendar: pl.DataFrame
    segments: pl.DataFrame


def explain_prices(
    connection: duckdb.DuckDBPyConnection,
    *,
    products: Relation,
    campaigns: Relation,
    history: Relation,
    links: Relation,
    rules: PricingRules,
    now: datetime,
) -> Explanation:
    """Explain the prices of a few products at an instant.

    :param products: rows of ``snapshot.solteq_products``, not many
    :param campaigns: rows of ``snapshot.solteq_campaigns``
    :param history: rows of ``sync.price_history``
    :param links: rows of ``sync.links`` with kind ``product``
    :param now: in UTC, without a zone
    """
    inputs = {"products": products, "campaigns": campaigns, "history": history, "links": links}
    zone = rules.zone.key
    with sql.steps(connection, __name__, **inputs) as steps:
        price_products(steps, rules, now, ahead=DAYS_AHEAD, by_all=True)
        prices = steps.frame("prices_shown", now=now)
        verdicts = steps.frame("verdicts_shown", now=now, zone=zone)
        lay_out_calendar(steps, now, until=now + DAYS_AHEAD)
        return Explanation(
            prices=prices,
            verdicts=verdicts,
            calendar=steps.frame("calendar_shown", zone=zone),
            segments=steps.frame("calendar_numbers"),
        )
