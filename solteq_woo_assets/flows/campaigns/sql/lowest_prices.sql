-- The lowest price of the 30 days before a reduction, which a shop that announces one has to state: EU directive
-- 98/6/EC, article 6a; in Finland chapter 2, section 11 of the Consumer Protection Act. What counts is what shoppers
-- were shown, so it comes from the history of public prices, not from the campaigns.
-- A reduction begins when shoppers first saw its price. Steps that grow without a gap are one campaign: while it lasts
-- for 60 days at most (Finland says so), the price from before its first step is told (article 6a, paragraph 5). After
-- that, and where a step is known to end later, each step tells the lowest price of the 30 days before itself.
WITH shown AS (
    SELECT
        sku, price, regular_price, valid_from,
        coalesce(valid_to, 'infinity') AS valid_to
    FROM history WHERE valid_from <= $now AND sku IN (SELECT sku FROM offers_now)
),

reduced AS (
    SELECT
        *,
        follows(valid_from, lag(valid_to) OVER story) AND price <= lag(price) OVER story AS grows,
        valid_from <= lag(valid_to) OVER story AND price = lag(price) OVER story AS stays
    FROM shown WHERE price < regular_price WINDOW story AS (PARTITION BY sku ORDER BY valid_from)
),

numbered AS (
    SELECT
        *, count(*) FILTER (grows IS NOT TRUE) OVER story AS campaign,
        count(*) FILTER (stays IS NOT TRUE) OVER story AS step
    FROM reduced WINDOW story AS (PARTITION BY sku ORDER BY valid_from)
),

steps AS (
    SELECT sku, campaign, step, any_value(price) AS price, min(valid_from) AS began, max(valid_to) AS ended
    FROM numbered GROUP BY sku, campaign, step
),

last_steps AS (
    SELECT
        sku, price, began, min(began) OVER (PARTITION BY sku, campaign) AS campaign_began,
        least(ended, $now::TIMESTAMP) AS ended
    FROM steps QUALIFY row_number() OVER (PARTITION BY sku ORDER BY step DESC) = 1
),

announced AS (
    SELECT
        offer.id, offer.sku, greatest(offer.opens, $now::TIMESTAMP) AS begins,
        campaign_began + INTERVAL 60 DAYS AS limit_of_steps,
        follows(begins, last.ended) AND offer.sale_price <= last.price AND begins < limit_of_steps
        AND (offer.closes <= limit_of_steps OR NOT isfinite(offer.closes)) AS grows,
        begins <= last.ended AND offer.sale_price = last.price AS stays,
        CASE WHEN stays THEN last.began ELSE begins END AS step_began,
        CASE WHEN grows THEN campaign_began ELSE step_began END AS since,
        since - INTERVAL 30 DAYS AS first_day
    FROM offers_now AS offer LEFT JOIN last_steps AS last USING (sku)
)

SELECT
    id,
    CASE WHEN min(valid_from) <= first_day THEN min(price) FILTER (valid_to > first_day) END AS price,
    any_value(CASE WHEN since < step_began THEN limit_of_steps END) AS holds_until
FROM announced JOIN shown USING (sku)
WHERE valid_from < since
GROUP BY id, first_day
