-- What becomes of each campaign that covers a product, and of the product's own discounted price.
WITH touched AS (
    SELECT
        product, position, trim(code) AS code, set_by(name, campaigns_judged.id) AS campaign,
        CASE
            WHEN level = 'productgroup' THEN 'product group ' || product_group
            WHEN level = 'supplier' THEN 'supplier ' || supplier
            WHEN list_contains(target_keys, sku_key(code)) THEN 'the product'
            ELSE 'model ' || model_number
        END AS touches,
        days_and_hours, starts, ends, held, reason,
        CASE
            WHEN held IS NULL THEN campaign_price(sales_price, discount_type, value, max_discount_percent)
        END AS price,
        max_discount_percent
    FROM covered JOIN sold USING (product) JOIN campaigns_judged USING (position)
    UNION ALL BY NAME
    SELECT
        product, NULL AS position, trim(code) AS code, set_by(NULL, NULL) AS campaign, 'the product' AS touches,
        '-infinity'::TIMESTAMP AS starts, 'infinity'::TIMESTAMP AS ends,
        CASE WHEN discounted_price <= 0 THEN 'quarantine' END AS held,
        CASE WHEN discounted_price <= 0 THEN 'it is not above 0' END AS reason,
        campaign_price(sales_price, 'fixedprice', discounted_price, max_discount_percent) AS price,
        max_discount_percent
    FROM sold WHERE discounted_price IS NOT NULL
),

running AS (
    SELECT
        product,
        coalesce(position, 0) AS place,
        bool_or(starts <= $now) AS is_running
    FROM candidates GROUP BY ALL
),

best AS (
    SELECT
        product,
        coalesce(position, 0) AS best_place,
        sale_price AS best_price
    FROM offers WHERE opens <= $now
)

SELECT
    code, campaign, touches,
    concat_ws(
        ', ', nullif(days_and_hours, ''),
        concat_ws(
            ' – ',
            CASE WHEN isfinite(starts) THEN local_text(starts, $zone) ELSE 'since ever' END,
            CASE WHEN isfinite(ends) THEN local_text(ends, $zone) ELSE 'without an end' END
        )
    ) AS "window",
    CASE WHEN held IS NULL THEN price_text(price) END AS price,
    CASE
        WHEN held IS NOT NULL THEN 'does not apply: ' || reason
        WHEN is_running IS NULL THEN 'is over'
        WHEN price IS NULL AND max_discount_percent = 0 THEN 'does not apply: the product may not be discounted'
        WHEN price IS NULL THEN 'does not apply: the price would not be below the sales price, or not above 0'
        WHEN NOT is_running THEN 'is to come'
        WHEN coalesce(position, 0) = best_place THEN 'sets the price'
        ELSE 'is beaten by ' || price_text(best_price)
    END AS verdict
FROM touched
LEFT JOIN best USING (product)
LEFT JOIN running ON running.product = touched.product AND place = coalesce(position, 0)
ORDER BY code, verdict = 'sets the price' DESC, held IS NOT NULL, ends <= $now, starts > $now, price, campaign
