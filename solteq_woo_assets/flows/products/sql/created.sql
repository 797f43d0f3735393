-- The products that the store lacks. It puts what has no tax class into its standard one. With another VAT rate that
-- would be a wrong price, so a product without a VAT rate is not shown to shoppers before somebody has looked at it.
SELECT
    sku AS key, 'create' AS action, kind, NULL::BIGINT AS woo_id,
    CASE kind WHEN 'variation' THEN items.model_number END AS parent_key,
    CASE kind WHEN 'variation' THEN items.parent_id END AS parent_id,
    changed([
        change('name', NULL, CASE kind WHEN 'simple' THEN coalesce(items.name, items.sku) END),
        change('type', NULL, CASE kind WHEN 'simple' THEN 'simple' END),
        change('status', NULL, CASE
            WHEN kind = 'simple' AND vat_rate IS NULL AND $new_product_status = 'publish' THEN 'draft'
            WHEN kind = 'simple' THEN $new_product_status
        END),
        change('sku', NULL, items.sku),
        change('regular_price', NULL, price_text(items.regular_price)),
        change('sale_price', NULL, price_text(items.sale_price)),
        change('date_on_sale_from_gmt', NULL, nullif(time_text(items.date_on_sale_from_gmt), '')),
        change('date_on_sale_to_gmt', NULL, nullif(time_text(items.date_on_sale_to_gmt), '')),
        change('_solteq_lowest_price_30d', NULL, items.lowest_price_30d),
        change('tax_class', NULL, items.tax_class),
        change('global_unique_id', NULL, CASE WHEN NOT gtin_is_taken THEN gtin END),
        change('_solteq_purchase_price', NULL, price_text(items.purchase_price)),
        change('attributes', NULL, CASE kind WHEN 'variation' THEN choices END),
        change('manage_stock', NULL, CASE WHEN NOT keeps_no_stock(items.product_type) THEN 'true' END),
        change('stock_quantity', NULL, CASE WHEN NOT keeps_no_stock(items.product_type) THEN '0' END)
    ]) AS changes,
    'new in Solteq' || CASE WHEN vat_rate IS NULL THEN '; without a VAT rate there' ELSE '' END AS reason
FROM items
LEFT JOIN choices USING (sku_key)
WHERE
    woo_id IS NULL
    AND on_sale
    AND verdict IS NULL
    AND NOT cannot_be_told_apart
    AND NOT model_is_also_code
    AND NOT (kind = 'variation' AND coalesce(parent_status, '') = 'trash' AND $binned_products = 'leave')
