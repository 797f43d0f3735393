-- Who is who: the store product of each code and model. sku: the SKU that both sides agree on; NULL leaves what was
-- agreed before.
SELECT
    items.sku_key AS key, woo_id, NULL::VARCHAR AS status_before,
    for_sale AND held.status NOT IN ('draft', 'private', 'trash') AS status_is_ours,
    items.id AS solteq_id,
    CASE
        WHEN held.own_sku = items.sku_key THEN held.own_sku
        WHEN replaced_by IS NOT NULL AND held.own_sku IS NULL THEN ''
    END AS sku
FROM items
JOIN held ON held.id = items.woo_id
WHERE
    (verdict IS DISTINCT FROM 'skip' OR matched_by = 'link')
    AND claimants <= 1
    AND items.sku_key NOT IN (SELECT sku_key FROM verdicts WHERE problem = 'sku-taken')
UNION ALL
SELECT
    models.model_key, models.parent_id, NULL, FALSE, NULL,
    CASE WHEN held.own_sku = models.model_key THEN held.own_sku END
FROM models
JOIN held ON held.id = models.parent_id
WHERE held.type = 'variable' AND NOT is_also_code AND NOT is_undecided
ORDER BY key, woo_id
