-- What each code becomes: a simple product, or a variation of which parent. woo_id is NULL for what is yet to be
-- created. A product that could not become the parent stays on sale as it is.
WITH placed AS (
    SELECT
        codes.*, matches.matched_by, matches.status_before,
        models.model_key IS NOT NULL AND NOT models.is_also_code AND NOT models.is_undecided AS is_variant,
        coalesce(models.is_undecided, FALSE) AS model_is_undecided,
        coalesce(models.is_also_code, FALSE) AS model_is_also_code,
        models.parent_id AS model_parent_id,
        CASE WHEN NOT is_variant OR (matches.woo_id IS DISTINCT FROM models.parent_id) THEN matches.woo_id END AS woo_id
    FROM codes
    LEFT JOIN matches USING (sku_key)
    LEFT JOIN models ON models.model_key = codes.model_key
),

needed_skus AS (
    SELECT codes.sku_key
    FROM codes
    LEFT JOIN verdicts USING (sku_key)
    JOIN matches USING (sku_key)
    WHERE codes.on_sale AND (fate IS NULL OR (fate = 'goes on' AND matches.woo_id IS NOT NULL))
)

SELECT
    placed.*, verdicts.held AS verdict, verdicts.reason AS verdict_reason, held.type AS store_type,
    -- The page of a code on several products stays while it shows the price of one of them.
    CASE
        WHEN problem = 'code-duplicate'
            AND NOT list_contains(list_transform(claimed_prices, lambda each: at_the_cent(each)), held.regular_price)
            THEN 'off'
        ELSE fate
    END AS page,
    on_sale AND (page IS DISTINCT FROM 'off') AS for_sale,
    CASE
        WHEN held.type = 'variation' OR (placed.woo_id IS NULL AND is_variant) THEN 'variation' ELSE 'simple'
    END AS kind,
    CASE
        WHEN held.type = 'variation' THEN held.parent_id
        WHEN placed.woo_id IS NULL THEN model_parent_id
    END AS parent_id,
    placed.woo_id IS NULL AND on_sale
    AND (model_is_undecided OR (is_variant AND NOT is_told_apart)) AS cannot_be_told_apart,
    parent.status AS parent_status,
    gtin_claimants > 1 OR EXISTS (
        FROM held AS other
        WHERE other.global_unique_id = placed.gtin AND other.id IS DISTINCT FROM matches.woo_id
    ) AS gtin_is_taken,
    -- A product off sale keeps its SKU, unless another code needs it.
    CASE
        WHEN NOT for_sale
            AND held.own_sku IN (SELECT sku_key FROM needed_skus)
            AND (held.own_sku IS DISTINCT FROM placed.sku_key)
            THEN CASE WHEN placed.replaced_by IS NULL THEN placed.sku ELSE '' END
    END AS sku_to_give_way
FROM placed
LEFT JOIN matches USING (sku_key)
LEFT JOIN held ON held.id = placed.woo_id
LEFT JOIN held AS parent ON parent.id = placed.model_parent_id
LEFT JOIN verdicts ON verdicts.sku_key = placed.sku_key
