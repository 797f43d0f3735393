-- What is not told stays as it is remembered. A code that moved to another store product takes over what is remembered
-- of that one.
MERGE INTO sync.links AS held
USING told
    ON held.kind = 'product' AND held.key = told.key
WHEN MATCHED AND (
    held.woo_id <> told.woo_id
    OR (told.status_is_ours AND held.status_before IS DISTINCT FROM told.status_before)
    OR held.solteq_id IS DISTINCT FROM coalesce(told.solteq_id, held.solteq_id)
    OR held.sku IS DISTINCT FROM coalesce(told.sku, held.sku)
) THEN
    UPDATE SET
        woo_id = told.woo_id, solteq_id = coalesce(told.solteq_id, held.solteq_id),
        sku = coalesce(told.sku, CASE WHEN held.woo_id = told.woo_id THEN held.sku ELSE told.old_sku END),
        status_before = CASE
            WHEN told.status_is_ours THEN told.status_before
            WHEN held.woo_id = told.woo_id THEN held.status_before
            ELSE told.old_status_before
        END
WHEN NOT MATCHED THEN
    INSERT (kind, key, woo_id, status_before, solteq_id, sku)
    VALUES (
        'product', told.key, told.woo_id,
        CASE WHEN told.status_is_ours THEN told.status_before ELSE told.old_status_before END,
        told.solteq_id,
        coalesce(told.sku, told.old_sku)
    )
