-- The sale prices to write, and why.
WITH beaten AS (
    SELECT
        compared.product,
        list(coalesce(campaigns_judged.name, 'its discounted price') || ' ' || price_text(candidates.price)
            ORDER BY candidates.price, candidates.position) AS beaten
    FROM compared JOIN candidates USING (product)
    LEFT JOIN campaigns_judged ON campaigns_judged.position = candidates.position
    WHERE candidates.price IS NOT NULL AND candidates.starts <= opens AND candidates.ends > opens
        AND candidates.position IS DISTINCT FROM compared.position
    GROUP BY ALL
),

named AS (
    SELECT
        compared.* REPLACE (CASE WHEN isfinite(closes) THEN closes END AS closes),
        CASE WHEN position IS NOT NULL THEN 'campaign ' || campaigns_judged.name || ' (' || campaigns_judged.id || ')'
            WHEN wanted_sale_price IS NOT NULL THEN 'its discounted price in Solteq' END AS campaign,
        coalesce(beaten.beaten, []) AS beaten,
        public_price(compared, $now) AS old_price, price_text(compared.sale_price) AS held_sale_price,
        nullif(sent.sale_price, '') AS sent_sale_price,
        coalesce(sent.is_over, FALSE) AS is_over,
        local_text(compared.opens, $zone) AS opens_text, local_text(compared.closes, $zone) AS closes_text
    FROM compared
    LEFT JOIN campaigns_judged USING (position) LEFT JOIN beaten USING (product)
    LEFT JOIN sent ON sent.woo_id = compared.id
)

SELECT
    code AS key, 'update' AS action,
    CASE type WHEN 'variation' THEN 'variation' ELSE 'simple' END AS kind,
    id AS woo_id, NULL AS parent_key,
    CASE type WHEN 'variation' THEN parent_id END AS parent_id,
    -- A sale price beside another sales price than Solteq's would be another discount, or none: they go together.
    changed([
        change('regular_price', coalesce(price_text(regular_price), ''), price_text(wanted_regular_price))
    ] || fields) AS changes,
    concat(
        CASE
            WHEN NOT is_active THEN 'it is not active in Solteq'
            WHEN campaign IS NULL THEN 'no campaign now or to come'
            WHEN opens > $now THEN campaign || ' from ' || opens_text
            ELSE campaign
        END,
        ' until ' || closes_text,
        CASE
            WHEN held_sale_price IS NULL AND sent_sale_price = price_text(wanted_sale_price) AND NOT is_over
                THEN '; the sale price was emptied by hand in the store'
            WHEN held_sale_price IS DISTINCT FROM sent_sale_price AND held_sale_price IS NOT NULL
                THEN '; the store''s ' || held_sale_price || ' was set by hand'
        END,
        CASE WHEN len(beaten) > 0 THEN '; beats ' || array_to_string(beaten, ', ') END
    ) AS reason,
    old_price,
    coalesce(wanted_sale_price, wanted_regular_price) AS new_price,
    CASE WHEN wanted_sale_price IS NOT NULL AND opens > $now THEN opens END AS valid_from,
    closes AS valid_to, campaign, beaten
FROM named
WHERE
    -- A hand's work on the sale of a product that is not active is the store's affair.
    (is_active OR held_sale_price = sent_sale_price) AND NOT EXISTS (FROM strangers WHERE strangers.woo_id = named.id)
ORDER BY key
