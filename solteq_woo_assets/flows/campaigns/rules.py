"""Which sale prices the store should hold, less what it holds: the campaign price delta."""

from collections.abc import Mapping
from datetime import datetime

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.skus import sku_key
from solteq_woo_assets.engine.temporary import leaves_nothing
from solteq_woo_assets.flow import CHANGES_SCHEMA, Comparison
from solteq_woo_assets.flows.campaigns.pricing import (
    PricingRules,
    local_text,
    next_edge,
    price_products,
    price_text,
    public_price,
    regular_price,
    sale_agrees,
    sale_changes,
)
from solteq_woo_assets.flows.products.matching import find_strangers

Relation = duckdb.DuckDBPyRelation

CAMPAIGN_CHANGES_SCHEMA = pl.Schema(
    {
        **CHANGES_SCHEMA,
        "old_price": pl.Decimal(18, 4),
        "new_price": pl.Decimal(18, 4),
        "valid_from": pl.Datetime("us"),
        "valid_to": pl.Datetime("us"),
        "campaign": pl.String,
        "beaten": pl.List(pl.String),
    }
)
"""The columns of ``delta.campaign_price_delta``; ``engine/database.py`` says what they hold."""


# A code on two active products is nobody's price: the product delta holds it back. What is not sold online is left
# alone; what is not active any more has no offer. Of store products that share a SKU the one that is not in the bin,
# then the older one.
_COMPARED = f"""
CREATE TEMP TABLE compared AS
WITH single AS (
    SELECT {sku_key("code")} AS sku, any_value(id) FILTER (is_active) AS id, bool_or(is_active) AS is_active,
        coalesce(any_value(trim(code)) FILTER (is_active), any_value(trim(code))) AS code,
        any_value({regular_price("sales_price")}) FILTER (is_active) AS regular_price
    FROM (SELECT *, active AND NOT deleted AS is_active FROM products WHERE trim(code) <> '')
    GROUP BY ALL
    HAVING count(*) FILTER (is_active) = 0 OR count(*) FILTER (is_active) = 1
        AND any_value(regexp_replace(lower(product_type), '[ _-]', '', 'g')) FILTER (is_active)
            NOT IN ('giftcard', 'deposit', 'custom')
        AND any_value(sales_price) FILTER (is_active) > 0
), held AS (
    SELECT {sku_key("item.sku")} AS sku, item.* EXCLUDE (sku)
    FROM catalogue AS item LEFT JOIN catalogue AS parent ON parent.id = item.parent_id
    WHERE item.status <> 'trash' AND parent.status IS DISTINCT FROM 'trash'
        AND item.type NOT IN ('variable', 'grouped')
    QUALIFY row_number() OVER (PARTITION BY {sku_key("item.sku")} ORDER BY item.id) = 1
)
SELECT
    single.code, single.sku, single.is_active, held.* EXCLUDE (sku),
    CASE WHEN single.is_active THEN single.regular_price ELSE held.regular_price END AS wanted_regular_price,
    offers.sale_price AS wanted_sale_price,
    offers.product, offers.opens, offers.closes, offers.position,
    {sale_changes("held", "offers")} AS fields
FROM single JOIN held USING (sku) LEFT JOIN offers ON offers.id = single.id
WHERE NOT ({sale_agrees("held", "offers")})
"""

# What was last sent of the sale that the store holds tells a hand's work from ours. One that is over by now was ended
# by the store itself.
_SENT = """
CREATE TEMP TABLE sent AS
SELECT
    woo_id, arg_max(change.new, settled_at) FILTER (change.field = 'sale_price') AS sale_price,
    TRY_CAST(arg_max(change.new, settled_at) FILTER (change.field = 'date_on_sale_to_gmt') AS TIMESTAMP) < $now
        AS is_over
FROM (
    SELECT woo_id, settled_at, unnest(changes) AS change FROM deliveries
    WHERE state = 'delivered' AND woo_id IN (SELECT id FROM compared)
) WHERE change.field IN ('sale_price', 'date_on_sale_to_gmt') GROUP BY ALL
"""

_CHANGES = f"""
WITH beaten AS (
    SELECT
        compared.product,
        list(coalesce(campaigns_judged.name, 'its discounted price') || ' ' || {price_text("candidates.price")}
            ORDER BY candidates.price, candidates.position) AS beaten
    FROM compared JOIN candidates USING (product)
    LEFT JOIN campaigns_judged ON campaigns_judged.position = candidates.position
    WHERE candidates.price IS NOT NULL AND candidates.starts <= opens AND candidates.ends > opens
        AND candidates.position IS DISTINCT FROM compared.position
    GROUP BY ALL
), named AS (
    SELECT
        compared.* REPLACE (CASE WHEN isfinite(closes) THEN closes END AS closes),
        CASE WHEN position IS NOT NULL THEN 'campaign ' || campaigns_judged.name || ' (' || campaigns_judged.id || ')'
            WHEN wanted_sale_price IS NOT NULL THEN 'its discounted price in Solteq' END AS campaign,
        coalesce(beaten.beaten, []) AS beaten,
        {public_price("compared", "$now")} AS old_price,
        {price_text("compared.sale_price")} AS held_sale_price, nullif(sent.sale_price, '') AS sent_sale_price,
        coalesce(sent.is_over, FALSE) AS is_over,
        {local_text("compared.opens")} AS opens_text, {local_text("compared.closes")} AS closes_text
    FROM compared
    LEFT JOIN campaigns_judged USING (position) LEFT JOIN beaten USING (product)
    LEFT JOIN sent ON sent.woo_id = compared.id
)
SELECT
    code AS key, 'update' AS action, CASE type WHEN 'variation' THEN 'variation' ELSE 'simple' END AS kind,
    id AS woo_id, NULL AS parent_key, CASE type WHEN 'variation' THEN parent_id END AS parent_id,
    list_filter(
        -- A sale price beside another sales price than Solteq's would be another discount, or none: they go together.
        [{{'field': 'regular_price', 'old': coalesce({price_text("regular_price")}, ''),
            'new': {price_text("wanted_regular_price")}}}] || fields,
        lambda change: change.old IS DISTINCT FROM change.new
    ) AS changes,
    concat(
        CASE
            WHEN NOT is_active THEN 'it is not active in Solteq'
            WHEN campaign IS NULL THEN 'no campaign now or to come'
            WHEN opens > $now THEN campaign || ' from ' || opens_text
            ELSE campaign
        END,
        ' until ' || closes_text,
        CASE
            WHEN held_sale_price IS NULL AND sent_sale_price = {price_text("wanted_sale_price")} AND NOT is_over
                THEN '; the sale price was emptied by hand in the store'
            WHEN held_sale_price IS DISTINCT FROM sent_sale_price AND held_sale_price IS NOT NULL
                THEN '; the store''s ' || held_sale_price || ' was set by hand'
        END,
        CASE WHEN len(beaten) > 0 THEN '; beats ' || array_to_string(beaten, ', ') END
    ) AS reason,
    old_price, coalesce(wanted_sale_price, wanted_regular_price) AS new_price,
    CASE WHEN wanted_sale_price IS NOT NULL AND opens > $now THEN opens END AS valid_from, closes AS valid_to,
    campaign, beaten
FROM named
WHERE is_active OR held_sale_price = sent_sale_price  -- a sale of ours; a hand's work on it is the store's affair
ORDER BY key
"""

# A campaign whose time is over is not worth a word.
_SKIPPED = """
SELECT
    id AS key, 'skip' AS action, 'campaign' AS kind, NULL AS woo_id, NULL AS parent_key, NULL AS parent_id,
    [] AS changes, 'campaign ' || name || ': ' || reason AS reason, NULL AS old_price, NULL AS new_price,
    CASE WHEN isfinite(starts) THEN starts END AS valid_from, CASE WHEN isfinite(ends) THEN ends END AS valid_to,
    name AS campaign, [] AS beaten
FROM (
    SELECT * FROM campaigns_judged WHERE held = 'skip'
    UNION ALL
    SELECT * REPLACE ('none of its targets is a product that is on sale in Solteq' AS reason)
    FROM campaigns_judged WHERE held IS NULL AND position NOT IN (SELECT position FROM covered)
    UNION ALL
    SELECT * REPLACE ('it is a discount for none of its products: a price would be nothing, or not below the sales '
        || 'price, or the product''s maximum discount is 0' AS reason)
    FROM campaigns_judged SEMI JOIN candidates USING (position)
    ANTI JOIN (SELECT position FROM candidates WHERE price IS NOT NULL) AS reduced USING (position)
)
WHERE ends > $now ORDER BY id
"""

_QUARANTINE = """
SELECT id AS key, field, 'campaign ' || name || ': ' || reason AS reason, problem AS code
FROM campaigns_judged WHERE held = 'quarantine' AND ends > $now
"""


@leaves_nothing
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

    ``changes`` has ``CAMPAIGN_CHANGES_SCHEMA``; a campaign that sets no price is a row with action ``skip``, by its id.
    ``numbers``: products with an offer, and those of them without 30 days of history.

    :param products: rows of ``snapshot.solteq_products``
    :param campaigns: rows of ``snapshot.solteq_campaigns``
    :param catalogue: rows of ``snapshot.woo_catalogue``
    :param history: rows of ``sync.price_history``
    :param links: rows of ``sync.links`` with kind ``product``
    :param deliveries: rows of ``sync.deliveries``, to tell whose the store's sale price is
    :param now: in UTC, without a zone
    """
    price_products(
        connection, products=products, campaigns=campaigns, history=history, links=links, rules=rules, now=now
    )
    connection.execute(_COMPARED)
    pairs = connection.sql("SELECT sku AS sku_key, id AS woo_id FROM compared")
    with sql.steps(connection, __name__, products=products, catalogue=catalogue, links=links, pairs=pairs) as steps:
        steps.add(strangers=find_strangers(connection))
        connection.execute("DELETE FROM compared WHERE id IN (SELECT woo_id FROM strangers)")
    connection.execute(_SENT, {"now": now})

    def frame(query: str, parameters: Mapping[str, object]) -> pl.DataFrame:
        return connection.sql(query, params=parameters).pl()

    changes = frame(_CHANGES, {"now": now, "zone": rules.zone.key}).cast(CAMPAIGN_CHANGES_SCHEMA)
    skipped = frame(_SKIPPED, {"now": now}).cast(CAMPAIGN_CHANGES_SCHEMA)
    counts = connection.execute("SELECT count(*), count(*) FILTER (lowest_price_30d IS NULL) FROM offers").fetchall()[0]
    return Comparison(
        changes=pl.concat([changes, skipped]),
        held=frame(_QUARANTINE, {"now": now}),
        next_edge=next_edge(connection),
        numbers={"reductions": counts[0], "without_30_days_of_history": counts[1]},
    )
