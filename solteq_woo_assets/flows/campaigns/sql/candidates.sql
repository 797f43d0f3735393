-- Every price that a campaign, or the product's own discounted price, would give a product.
-- The price is NULL where it is no discount: to leave those out here takes longer than to pass them over later.
SELECT
    product, position, rank, windows.starts, windows.ends,
    campaign_price(sales_price, discount_type, value, max_discount_percent) AS price
FROM covered JOIN sold USING (product) JOIN campaigns_judged USING (position) JOIN windows USING (position)
WHERE windows.ends > $now
UNION ALL
SELECT
    product, NULL, 0, '-infinity'::TIMESTAMP, 'infinity'::TIMESTAMP,
    campaign_price(sales_price, 'fixedprice', discounted_price, max_discount_percent)
FROM sold WHERE discounted_price > 0
