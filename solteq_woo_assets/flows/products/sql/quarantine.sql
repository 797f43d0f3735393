-- Products that are held back, or go without a field, and why.
SELECT
    coalesce(nullif(trim(code), ''), id) AS key,
    'code' AS field, 'the product has no code' AS reason, 'code-missing' AS code
FROM documents
WHERE sku_key = '' AND on_sale
UNION ALL
SELECT sku, field, reason, problem
FROM verdicts
JOIN items USING (sku_key)
WHERE held = 'quarantine'
UNION ALL
SELECT
    sku, 'gtin',
    'the GTIN ' || coalesce(gtin_fault, 'is on another product too') || '; the product goes without it',
    CASE WHEN gtin IS NULL THEN 'gtin-invalid' ELSE 'gtin-duplicate' END
FROM items
WHERE
    on_sale
    AND verdict IS NULL
    AND CASE WHEN gtin IS NULL THEN gtin_fault <> fault_of_company_number() ELSE gtin_is_taken END
UNION ALL
SELECT
    sku, 'discountedPrice',
    'the discounted price is not above 0; the product goes without a sale price',
    'discounted-price-invalid'
FROM items
WHERE on_sale AND verdict IS NULL AND discounted_price <= 0
UNION ALL
SELECT
    sku, 'attributes',
    'its attributes do not tell it from another variant of model ' || model_number,
    'variant-indistinguishable'
FROM items
WHERE verdict IS NULL AND cannot_be_told_apart
UNION ALL
SELECT
    sku, 'modelNumber',
    'model number ' || model_number || ' is also the code of a product, and a SKU is unique',
    'model-number-is-code'
FROM items
WHERE on_sale AND verdict IS NULL AND model_is_also_code AND woo_id IS NULL
UNION ALL
SELECT
    sku, 'modelNumber',
    'it is a product of its own in the store (id ' || woo_id || ') and stays so; its model ' || model_number
    || ' is product ' || model_parent_id,
    'variant-is-simple-product'
FROM items
WHERE on_sale AND verdict IS NULL AND is_variant AND kind = 'simple' AND woo_id IS NOT NULL
UNION ALL
SELECT
    sku, 'modelNumber',
    'it is a variation of product ' || parent_id || ' in the store and stays so; its model ' || model_number
    || ' is another product',
    'variation-of-other-product'
FROM items
WHERE
    on_sale
    AND verdict IS NULL
    AND is_variant
    AND kind = 'variation'
    AND woo_id IS NOT NULL
    AND parent_id IS DISTINCT FROM model_parent_id
UNION ALL
SELECT
    sku, 'code',
    'the store''s product ' || woo_id || ' with this SKU is of type ' || store_type
    || ', which has no price of its own',
    'sku-of-variable-product'
FROM items
WHERE on_sale AND verdict IS NULL AND store_type IN ('variable', 'grouped')
UNION ALL
SELECT items.sku, 'status', 'the store''s product ' || held.id || ' is in the bin', 'product-in-bin'
FROM items
JOIN held ON held.id = coalesce(items.woo_id, items.parent_id)
WHERE items.on_sale AND items.verdict IS NULL AND held.status = 'trash' AND $binned_products = 'leave'
