-- The product documents of the codes and models that are to be matched.
SELECT
    *, sku_key(code) AS sku_key, nullif(sku_key(model_number), '') AS model_key, active AND NOT deleted AS on_sale,
    gtin_key(gtin) AS gtin_key
FROM products
WHERE
    sku_key(code) IN (SELECT sku_key FROM unsettled)
    OR sku_key(model_number) IN (SELECT model_key FROM unsettled)
    OR sku_key(code) IN (SELECT model_key FROM unsettled)
    OR trim(code) = ''
