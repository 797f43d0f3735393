-- What each product costs now, and why.
SELECT
    trim(code) AS code, price_text(at_the_cent(sales_price)) AS sales_price,
    CASE WHEN opens <= $now THEN price_text(sale_price) END AS sale_price,
    CASE WHEN opens <= $now THEN set_by(name, campaigns_judged.id) END AS set_by,
    CASE WHEN opens <= $now THEN lowest_price_30d END AS lowest_price_30d
FROM sold LEFT JOIN offers ON offers.id = sold.id LEFT JOIN campaigns_judged USING (position)
ORDER BY code
