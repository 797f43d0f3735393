-- The calendar of each product: its discount prices one after the other, and none in the gaps. Without an end closes is
-- NULL.
SELECT
    id, trim(code) AS code, opens,
    CASE WHEN isfinite(closes) THEN closes END AS closes,
    price, at_the_cent(sales_price) AS regular_price, position
FROM segments JOIN sold USING (product)
WHERE opens < $until
ORDER BY code, opens
