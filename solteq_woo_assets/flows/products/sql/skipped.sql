-- Products that are not sold online by their type.
SELECT
    sku AS key, 'skip' AS action, 'simple' AS kind, woo_id, NULL AS parent_key, NULL::BIGINT AS parent_id,
    []::STRUCT(field VARCHAR, old VARCHAR, new VARCHAR)[] AS changes,
    reason
FROM items
JOIN verdicts USING (sku_key)
WHERE verdicts.held = 'skip'
