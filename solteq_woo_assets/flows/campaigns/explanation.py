"""Why a price is what it is: every campaign that touches a product, and what becomes of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import polars as pl

from solteq_woo_assets.engine.temporary import leaves_nothing
from solteq_woo_assets.flows.campaigns.pricing import (
    PricingRules,
    campaign_price,
    price_products,
    timeline,
)

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


_PRICES = """
SELECT
    trim(code) AS code, price_text(at_the_cent(sales_price)) AS sales_price,
    CASE WHEN opens <= $now THEN price_text(sale_price) END AS sale_price,
    CASE WHEN opens <= $now THEN coalesce(name || ' (' || campaigns_judged.id || ')', 'its discounted price') END
        AS set_by,
    CASE WHEN opens <= $now THEN lowest_price_30d END AS lowest_price_30d
FROM sold LEFT JOIN offers ON offers.id = sold.id LEFT JOIN campaigns_judged USING (position)
ORDER BY code
"""

_WINDOW = """concat_ws(', ', nullif(days_and_hours, ''), concat_ws(' – ',
    CASE WHEN isfinite(starts) THEN local_text(starts, $zone) ELSE 'since ever' END,
    CASE WHEN isfinite(ends) THEN local_text(ends, $zone) ELSE 'without an end' END))"""

_VERDICTS = f"""
WITH judged AS (
    SELECT * REPLACE (list_transform(targets, lambda t: sku_key(t)) AS targets) FROM campaigns_judged
), touched AS (
    SELECT
        product, trim(code) AS code, judged.*, CASE level
            WHEN 'productgroup' THEN 'product group ' || product_group
            WHEN 'supplier' THEN 'supplier ' || supplier
            ELSE if(list_contains(targets, sku_key(code)), 'the product', 'model ' || model_number)
        END AS touches,
        CASE WHEN held IS NULL
            THEN {campaign_price("sales_price", "discount_type", "value", "max_discount_percent")} END AS price,
        max_discount_percent
    FROM sold JOIN judged ON CASE level
        WHEN 'productgroup' THEN list_contains(targets, sku_key(product_group))
        WHEN 'supplier' THEN list_contains(targets, sku_key(supplier))
        ELSE list_contains(targets, sku_key(code)) OR list_contains(targets, sku_key(model_number))
    END
    UNION ALL BY NAME
    SELECT
        product, trim(code) AS code, NULL AS position, 'its discounted price' AS name, 'the product' AS touches,
        0 AS rank, '-infinity'::TIMESTAMP AS starts, 'infinity'::TIMESTAMP AS ends,
        CASE WHEN discounted_price <= 0 THEN 'quarantine' END AS held,
        CASE WHEN discounted_price <= 0 THEN 'it is not above 0' END AS reason,
        {campaign_price("sales_price", "'fixedprice'", "discounted_price", "max_discount_percent")} AS price,
        max_discount_percent
    FROM sold WHERE discounted_price IS NOT NULL
), times AS (
    SELECT position, bool_or(starts <= $now AND ends > $now) AS is_running, bool_or(starts > $now) AS is_to_come
    FROM windows GROUP BY position
), best AS (
    SELECT sold.product, offers.position AS best_position, offers.sale_price AS best_price
    FROM sold JOIN offers USING (id) WHERE offers.opens <= $now
)
SELECT
    code, name || coalesce(' (' || id || ')', '') AS campaign, touches, {_WINDOW} AS window,
    CASE WHEN held IS NULL THEN price_text(price) END AS price,
    CASE
        WHEN held IS NOT NULL THEN 'does not apply: ' || reason
        WHEN ends <= $now OR NOT is_running AND NOT is_to_come THEN 'is over'
        WHEN price IS NULL AND max_discount_percent = 0 THEN 'does not apply: the product may not be discounted'
        WHEN price IS NULL THEN 'does not apply: the price would not be below the sales price, or not above 0'
        WHEN NOT is_running THEN 'is to come'
        WHEN position IS NOT DISTINCT FROM best_position THEN 'sets the price'
        ELSE 'is beaten by ' || price_text(best_price)
    END AS verdict
FROM touched LEFT JOIN best USING (product) LEFT JOIN times USING (position)
ORDER BY code, verdict = 'sets the price' DESC, held IS NOT NULL, ends <= $now, starts > $now, price, campaign
"""

_CALENDAR = """
SELECT
    trim(code) AS code, local_text(opens, $zone) AS opens,
    coalesce(local_text(closes, $zone), 'without an end') AS closes,
    price_text(price) AS price,
    coalesce(name || ' (' || campaigns_judged.id || ')', 'its discounted price') AS campaign
FROM segments JOIN sold USING (id) LEFT JOIN campaigns_judged USING (position)
ORDER BY code, segments.opens
"""


_SEGMENTS = """
SELECT
    trim(code) AS code, opens, closes, segments.price::DOUBLE AS price,
    at_the_cent(sales_price)::DOUBLE AS regular_price
FROM segments JOIN sold USING (id) ORDER BY code, opens
"""


@leaves_nothing
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
    price_products(
        connection,
        products=products,
        campaigns=campaigns,
        history=history,
        links=links,
        rules=rules,
        now=now,
        ahead=DAYS_AHEAD,
    )
    connection.register("segments", timeline(connection, since=now, until=now + DAYS_AHEAD))
    zone = rules.zone.key
    return Explanation(
        prices=connection.sql(_PRICES, params={"now": now}).pl(),
        verdicts=connection.sql(_VERDICTS, params={"now": now, "zone": zone}).pl(),
        calendar=connection.sql(_CALENDAR, params={"zone": zone}).pl(),
        segments=connection.sql(_SEGMENTS).pl(),
    )
