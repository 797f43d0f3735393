-- The new links, beside those that are stored under another key.
SELECT
    rows.*, old.key AS old_key, old.status_before AS old_status_before, old.sku AS old_sku,
    old.solteq_id = rows.solteq_id AS is_renamed
FROM rows
LEFT JOIN sync.links AS old
    ON old.kind = 'product' AND old.woo_id = rows.woo_id AND old.key <> rows.key
QUALIFY row_number() OVER (PARTITION BY rows.key ORDER BY old.solteq_id = rows.solteq_id DESC NULLS LAST, old.key) = 1
