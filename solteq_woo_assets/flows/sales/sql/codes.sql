-- Solteq's spelling of the SKUs of the chosen orders, and of the codes in their documents.
WITH sought AS (
    SELECT sku FROM snapshot.woo_sales_lines WHERE order_id IN (SELECT id FROM chosen)
    UNION
    SELECT unnest(json_extract_string(document, '$.lines[*].productCode'))
    FROM sync.sales
    WHERE order_id IN (SELECT id FROM chosen)
)

SELECT sku_key(code) AS sku_key, arg_max(trim(code), modified_at) AS code
FROM snapshot.solteq_products
WHERE NOT deleted AND sku_key(code) IN (SELECT sku_key(sku) FROM sought)
GROUP BY ALL
