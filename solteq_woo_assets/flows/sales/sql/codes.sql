-- The codes that products have in Solteq by the SKUs of the chosen orders and by the codes in their documents. A SKU is
-- that of the product whose page shows it: Solteq may have given its code to another one meanwhile.
WITH sought AS (
    SELECT sku_key(sku) AS sku_key FROM snapshot.woo_sales_lines WHERE order_id IN (SELECT id FROM chosen)
    UNION
    SELECT sku_key(unnest(json_extract_string(document, '$.lines[*].productCode')))
    FROM sync.sales
    WHERE order_id IN (SELECT id FROM chosen)
),

live AS (
    SELECT id, trim(code) AS code, sku_key(code) AS sku_key, modified_at FROM snapshot.solteq_products WHERE NOT deleted
),

known AS (
    SELECT links.sku AS sku_key, live.code, TRUE AS is_shown, live.modified_at
    FROM sync.links AS links
    INNER JOIN live ON links.solteq_id = live.id
    WHERE links.kind = 'product' AND links.sku <> ''
    UNION ALL
    SELECT sku_key, code, FALSE, modified_at FROM live
)

SELECT sku_key, arg_max(code, (is_shown, modified_at)) AS code
FROM known
WHERE sku_key IN (SELECT sku_key FROM sought)
GROUP BY ALL
