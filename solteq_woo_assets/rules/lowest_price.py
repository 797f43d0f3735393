"""The lowest price of the 30 days before a reduction, which a shop that announces one has to state.

EU directive 98/6/EC, article 6a; in Finland chapter 2, section 11 of the Consumer Protection Act. What counts is what
shoppers were shown, so it comes from the history of public prices, not from the campaigns.
"""

DAYS = 30

BRIEFLY = "INTERVAL 1 HOUR"
"""Between two windows the store shows the full price until our write has come; that announces nothing anew."""

# A reduction begins when shoppers first saw it. One that grows by steps, without a day at full price in between, keeps
# the price from before its first step (article 6a, paragraph 5). One that shrinks is announced anew.
LOWEST_PRICES = f"""
CREATE TEMP TABLE lowest_prices AS
WITH shown AS (
    SELECT sku, price, regular_price, valid_from, coalesce(valid_to, 'infinity') AS valid_to
    FROM history WHERE valid_from <= $now AND sku IN (SELECT sku FROM offers_now)
), steps AS (
    SELECT *, valid_from < lag(valid_to) OVER story + {BRIEFLY} AND price <= lag(price) OVER story AS goes_on
    FROM shown WHERE price < regular_price WINDOW story AS (PARTITION BY sku ORDER BY valid_from)
), chained AS (
    SELECT *, count(*) FILTER (goes_on IS NOT TRUE) OVER (PARTITION BY sku ORDER BY valid_from) AS chain FROM steps
), last_reductions AS (
    SELECT sku, min(valid_from) AS began, arg_max(price, valid_from) AS price,
        least(max(valid_to), $now::TIMESTAMP) AS ended
    FROM chained GROUP BY sku, chain QUALIFY row_number() OVER (PARTITION BY sku ORDER BY chain DESC) = 1
), announced AS (
    SELECT offer.id, offer.sku, greatest(offer.opens, $now::TIMESTAMP) AS begins,
        CASE WHEN begins < last.ended + {BRIEFLY} AND offer.sale_price <= last.price THEN last.began
            ELSE begins END AS since
    FROM offers_now AS offer LEFT JOIN last_reductions AS last USING (sku)
)
SELECT
    id, CASE WHEN min(valid_from) <= since - INTERVAL {DAYS} DAYS
        THEN min(price) FILTER (valid_to > since - INTERVAL {DAYS} DAYS) END AS price
FROM announced JOIN shown USING (sku) WHERE valid_from < since
GROUP BY id, since
"""
