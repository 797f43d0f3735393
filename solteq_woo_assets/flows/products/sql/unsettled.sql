-- The codes that do not plainly agree with the store; only these go on. A held product whose every owned field is right
-- is left out before anything else is asked. Whatever is not plain here (another spelling of the SKU, a new model, a
-- missing link) goes through the whole of the rules.
WITH shared_models AS (
    SELECT model_number
    FROM products
    WHERE trim(model_number) <> ''
    GROUP BY ALL
    HAVING count(*) > 1
),

parents AS (
    SELECT
        catalogue.id, catalogue.sku, status, tax_class, links.status_before,
        flatten(list_transform(attributes, lambda each: each.options)) AS options
    FROM catalogue
    LEFT JOIN links ON links.woo_id = catalogue.id AND links.key = sku_key(catalogue.sku)
    WHERE type = 'variable'
)

SELECT sku_key(product.code) AS sku_key, nullif(sku_key(product.model_number), '') AS model_key
FROM products AS product
LEFT JOIN catalogue AS store ON store.sku = product.code
LEFT JOIN offers AS offer ON offer.id = product.id
LEFT JOIN links ON links.woo_id = store.id AND links.key = sku_key(product.code)
LEFT JOIN parents AS parent ON parent.id = store.parent_id
LEFT JOIN tax_classes USING (vat_rate)
LEFT JOIN shared_models ON shared_models.model_number = product.model_number
WHERE NOT coalesce(
    product.active AND NOT product.deleted AND product.product_type IN ('Basic', 'Variant', 'Service')
    AND links.solteq_id = product.id AND links.sku = links.key AND links.status_before IS NULL
    AND store.status <> 'trash'
    AND store.regular_price = at_the_cent(product.sales_price)
    AND sale_agrees(store, offer)
    AND (product.discounted_price > 0 OR product.discounted_price IS NULL)
    AND (
        product.vat_rate IS NULL
        OR tax_classes.known
        AND CASE store.tax_class WHEN 'parent' THEN parent.tax_class ELSE store.tax_class END = tax_classes.slug
    )
    AND store.purchase_price IS NOT DISTINCT FROM price_text(purchase_price(product.purchase_price))
    AND (
        NOT store.has_cost_of_goods
        OR product.purchase_price IS NULL
        OR store.cost_of_goods_sold = purchase_price(product.purchase_price)
    )
    AND (product.gtin IS NULL OR product.gtin = store.global_unique_id)
    AND CASE store.type
        WHEN 'simple' THEN shared_models.model_number IS NULL
        WHEN 'variation'
            THEN parent.sku = product.model_number AND parent.status <> 'trash' AND parent.status_before IS NULL
                AND list_has_all(parent.options, list_transform(product.attributes, lambda each: each.option))
                AND list_transform(store.attributes, lambda each: (each.name, each.options[1]))
                = list_transform(product.attributes, lambda each: (each.name, each.option))
        ELSE FALSE
    END,
    FALSE
)
