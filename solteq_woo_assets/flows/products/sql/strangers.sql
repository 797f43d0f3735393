-- The pairs of a code and a store product that do not belong together, and why.
-- A balance may be of a code that Solteq's products do not have: only another document's store product is none of its.
SELECT
    pairs.sku_key, pairs.woo_id,
    CASE
        WHEN claimants > 1 THEN 'the code is on ' || claimants || ' active products'
        WHEN contradicted_id IS NOT NULL THEN 'the store''s product with this SKU has another GTIN'
        ELSE 'the store''s product with this SKU is another product in Solteq'
    END AS why
FROM pairs
LEFT JOIN matches USING (sku_key)
LEFT JOIN held ON held.id = pairs.woo_id
WHERE
    CASE
        WHEN matches.id IS NOT NULL THEN matches.woo_id IS DISTINCT FROM pairs.woo_id OR claimants > 1
        ELSE
            held.own_sku IS DISTINCT FROM pairs.sku_key
            OR pairs.woo_id IN (
                SELECT links.woo_id
                FROM links
                JOIN products AS other ON other.id = links.solteq_id
                WHERE sku_key(other.code) <> links.sku
            )
    END
