-- The store products that could be theirs. A variation without a SKU shows its parent's: its own_sku is NULL. sku_key
-- is set for the one that counts of those that share a SKU.
WITH wanted AS (
    SELECT sku_key AS key FROM unsettled
    UNION
    SELECT sku_key FROM documents
    UNION
    SELECT model_key FROM documents WHERE model_key IS NOT NULL
),

found AS (
    SELECT *
    FROM catalogue
    WHERE
        sku_key(sku) IN (SELECT key FROM wanted)
        OR id IN (SELECT woo_id FROM linked)
        OR (global_unique_id <> '' AND ltrim(global_unique_id, '0') IN (SELECT gtin_key FROM documents))
),

family AS (
    SELECT * FROM found
    UNION
    SELECT * FROM catalogue WHERE id IN (SELECT parent_id FROM found)
),

named AS (
    SELECT
        family.*,
        CASE
            WHEN family.type <> 'variation' OR sku_key(family.sku) <> sku_key(parent.sku) OR parent.sku IS NULL
                THEN nullif(sku_key(family.sku), '')
        END AS own_sku
    FROM family
    LEFT JOIN family AS parent ON parent.id = family.parent_id
)

SELECT
    *,
    CASE WHEN counts_for_sku(own_sku, status, id) THEN own_sku END AS sku_key
FROM named
