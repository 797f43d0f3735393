-- The offer of each product. sku: what the history of prices calls the product. A code that was another document's has
-- no history yet.
WITH chosen AS (
    SELECT product, id, sku_key(code) AS sku, price AS sale_price, opens, closes, position
    FROM segments JOIN sold USING (product)
),

own AS (
    SELECT solteq_id AS id, min(key) AS key
    FROM links WHERE solteq_id IN (SELECT id FROM chosen) GROUP BY ALL
),

others AS (
    SELECT DISTINCT chosen.id FROM links JOIN chosen ON chosen.sku = links.key WHERE links.solteq_id <> chosen.id
)

SELECT chosen.* REPLACE (coalesce(own.key, CASE WHEN others.id IS NULL THEN sku END) AS sku)
FROM chosen LEFT JOIN own USING (id) LEFT JOIN others USING (id)
