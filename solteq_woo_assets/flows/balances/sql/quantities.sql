-- How many pieces of each code the store may sell: the free balance of all stores together less the buffer and what is
-- under way, in whole pieces, never below 0. 2.9 kg is 2.
-- A product that is not on sale and is to be out of stock is so without a balance, too.
WITH sold AS (
    SELECT sku_key, sum(pieces) AS pieces FROM under_way GROUP BY ALL
),

of_balances AS (
    SELECT
        sku_key, min(sku) AS sku,
        coalesce(sum(free_balance) FILTER (is_sold_online), 0) AS free_balance,
        coalesce(any_value(sold.pieces), 0) AS under_way
    FROM newest
    LEFT JOIN sold USING (sku_key)
    GROUP BY ALL
)

SELECT
    sku_key, sku,
    greatest(floor(free_balance - $stock_buffer - under_way), 0)::BIGINT AS quantity,
    under_way
FROM of_balances
UNION ALL
SELECT sku_key(code), min(trim(code)), 0, 0
FROM products
WHERE $inactive_products = 'out_of_stock' AND sku_key(code) NOT IN (SELECT sku_key FROM newest)
GROUP BY ALL
HAVING NOT bool_or(active AND NOT deleted AND is_sold_online(product_type, sales_price))
