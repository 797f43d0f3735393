-- The pieces of each order that the web store sold and that Solteq's balance does not show yet.
-- A sale is booked on the web store, so the web store's balance is the one that shows it. Where that keeps no stock,
-- any balance that is sold online shows it. Of each line of an order, what is off the shelf is what the store says
-- that it holds, or what Solteq's documents make of it, whichever is more; less what the balance has seen of those
-- documents. What others reserved in Solteq has nothing to do with it (contract, second edition).
WITH seen AS (
    SELECT
        sku_key,
        coalesce(max(modified_at) FILTER (store_id = $web_store), max(modified_at) FILTER (is_sold_online)) AS seen_at
    FROM newest
    GROUP BY ALL
),

of_lines AS (
    SELECT
        sku_key(sales.sku) AS sku_key, order_id, line_id, any_value(trim(sku)) AS sku, min(since) AS since,
        any_value(why) AS why,
        coalesce(sum(quantity) FILTER (document = ''), 0) AS held,
        coalesce(sum(quantity) FILTER (document <> ''), 0) AS sold,
        coalesce(sum(quantity) FILTER (document <> '' AND (is_shown OR booked_at <= seen_at)), 0) AS shown
    FROM sales
    LEFT JOIN seen ON seen.sku_key = sku_key(sales.sku)
    GROUP BY ALL
)

SELECT
    sku_key, order_id, any_value(sku) AS sku, sum(greatest(greatest(held, sold) - shown, 0)) AS pieces,
    min(since) AS since, any_value(why) AS why
FROM of_lines
GROUP BY ALL
HAVING pieces > 0
