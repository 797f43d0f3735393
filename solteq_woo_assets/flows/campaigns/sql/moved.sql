-- The prices that are others now, and since when.
-- A price is as old as the store says, if its time of change has moved and is not to come; else as old as our look.
SELECT
    sku,
    CASE
        WHEN after.modified > before.modified AND after.modified <= $seen THEN after.modified ELSE $seen::TIMESTAMP
    END AS since,
    after.regular_price, after.sale_price, after.date_on_sale_from_gmt, after.date_on_sale_to_gmt
FROM public_before AS before FULL JOIN public_after AS after USING (id, sku)
WHERE
    before.regular_price IS DISTINCT FROM after.regular_price
    OR before.sale_price IS DISTINCT FROM after.sale_price
    OR before.date_on_sale_from_gmt IS DISTINCT FROM after.date_on_sale_from_gmt
    OR before.date_on_sale_to_gmt IS DISTINCT FROM after.date_on_sale_to_gmt
    OR sku IN (FROM lost)
QUALIFY row_number() OVER (PARTITION BY sku ORDER BY after.id NULLS LAST) = 1
