-- The model numbers that are variable products, and which store product is the parent: the product with the model
-- number as SKU, unless its variations and those of the model say that numbers were handed on; else the parent of
-- which all variations are of the model, else the one that the model is linked to, else the parent of variations that
-- are there, else the oldest simple product among its codes, which is turned into the variable one. A model number
-- that is also a code cannot be a SKU twice: no model.
WITH members AS (
    SELECT
        codes.model_key, codes.sku_key, on_sale, is_told_apart, held.id, held.type, families.parent_id AS family_id,
        CASE
            WHEN (sku_key(parent.sku) IS NOT DISTINCT FROM codes.model_key)
                OR families.parent_id IS NOT NULL
                OR NOT EXISTS (
                    FROM products AS other
                    WHERE other.active AND NOT other.deleted AND sku_key(other.model_number) = sku_key(parent.sku)
                )
                THEN parent.id
        END AS parent_id
    FROM codes
    LEFT JOIN matches USING (sku_key)
    LEFT JOIN held ON held.id = matches.woo_id
    LEFT JOIN held AS parent ON parent.id = held.parent_id
    LEFT JOIN families ON families.parent_id = held.parent_id AND families.model_key = codes.model_key
    LEFT JOIN verdicts ON verdicts.sku_key = codes.sku_key
    WHERE codes.model_key IS NOT NULL AND verdicts.held IS DISTINCT FROM 'skip'
),

counted AS (
    SELECT
        model_key, count(*) FILTER (on_sale) AS on_sale_count,
        count(*) FILTER (on_sale AND is_told_apart) AS told_apart_count,
        model_key IN (SELECT sku_key FROM codes) AS is_also_code, min(family_id) AS family_id,
        min(parent_id) FILTER (type = 'variation') AS parent_of_variations,
        min(id) FILTER (type = 'simple' AND is_told_apart) AS oldest_simple
    FROM members
    GROUP BY model_key
),

named AS (
    SELECT counted.*, by_sku.id AS by_sku, by_sku.type AS by_sku_type, by_link.id AS by_link
    FROM counted
    LEFT JOIN held AS by_sku
        ON by_sku.sku_key = counted.model_key
        AND by_sku.type IN ('simple', 'variable')
        AND NOT is_also_code
        AND NOT (
            family_id IS NOT NULL
            AND by_sku.id IN (SELECT parent_id FROM families WHERE families.model_key <> counted.model_key)
        )
    LEFT JOIN linked ON linked.key = counted.model_key AND linked.solteq_id IS NULL
    LEFT JOIN held AS by_link ON by_link.id = linked.woo_id AND by_link.type = 'variable'
)

SELECT
    model_key, is_also_code,
    coalesce(by_sku, family_id, by_link, parent_of_variations, oldest_simple) AS parent_id,
    (SELECT max(status_before) FROM links WHERE links.solteq_id IS NULL AND links.woo_id = parent_id) AS status_before,
    -- Nothing is turned into a variable product until two of its variants can be told apart.
    told_apart_count < CASE WHEN oldest_simple IS NULL THEN 1 ELSE 2 END
    AND (by_sku_type IS DISTINCT FROM 'variable')
    AND by_link IS NULL
    AND parent_of_variations IS NULL AS is_undecided
FROM named
WHERE on_sale_count > 1 OR by_sku_type = 'variable' OR by_link IS NOT NULL OR parent_of_variations IS NOT NULL
