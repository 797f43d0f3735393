-- Campaigns that set no price, and why.
-- A campaign whose time is over is not worth a word.
WITH reduced AS (
    SELECT position FROM candidates WHERE price IS NOT NULL
),

without_price AS (
    SELECT * FROM campaigns_judged WHERE held = 'skip'
    UNION ALL
    SELECT * REPLACE ('none of its targets is a product that is on sale in Solteq' AS reason)
    FROM campaigns_judged
    WHERE held IS NULL AND position NOT IN (SELECT position FROM covered)
    UNION ALL
    SELECT
        * REPLACE (
            'it is a discount for none of its products: a price would be nothing, or not below the sales price, '
            || 'or the product''s maximum discount is 0' AS reason
        )
    FROM campaigns_judged
    SEMI JOIN candidates USING (position)
    ANTI JOIN reduced USING (position)
)

SELECT
    id AS key, 'skip' AS action, 'campaign' AS kind, NULL AS woo_id, NULL AS parent_key, NULL AS parent_id,
    [] AS changes, 'campaign ' || name || ': ' || reason AS reason, NULL AS old_price, NULL AS new_price,
    CASE WHEN isfinite(starts) THEN starts END AS valid_from,
    CASE WHEN isfinite(ends) THEN ends END AS valid_to,
    name AS campaign, [] AS beaten
FROM without_price
WHERE ends > $now
ORDER BY id
