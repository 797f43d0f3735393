-- The links of these documents, codes and models.
SELECT
    key, woo_id, status_before, solteq_id,
    coalesce(sku, key) AS sku
FROM links
WHERE
    solteq_id IN (SELECT id FROM documents)
    OR key IN (SELECT sku_key FROM documents
    UNION ALL
    SELECT model_key FROM documents)
