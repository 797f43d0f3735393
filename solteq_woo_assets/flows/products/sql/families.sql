-- The variable products of the store whose variations are all of one model in Solteq, whatever their SKU says: the
-- model got another number. Only variations that Solteq sells count.
WITH parents AS (
    SELECT DISTINCT held.parent_id
    FROM matches
    JOIN held ON held.id = matches.woo_id
    WHERE held.type = 'variation'
),

children AS (
    SELECT
        child.parent_id,
        coalesce(codes.model_key, CASE WHEN codes.sku_key IS NULL THEN sku_key(parent.sku) END) AS model_key
    FROM catalogue AS child
    JOIN catalogue AS parent ON parent.id = child.parent_id
    LEFT JOIN matches ON matches.woo_id = child.id
    LEFT JOIN codes USING (sku_key)
    WHERE
        child.parent_id IN (SELECT parent_id FROM parents)
        AND coalesce(codes.on_sale, child.id IN (SELECT woo_id FROM links WHERE solteq_id IS NOT NULL))
)

SELECT parent_id, any_value(model_key) AS model_key
FROM children
GROUP BY parent_id
HAVING count(DISTINCT model_key) = 1 AND count(model_key) = count(*)
