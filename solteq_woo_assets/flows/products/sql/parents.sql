-- One row a model with all that its parent's fields depend on. The attributes of variants that are withdrawn stay.
WITH members AS (
    SELECT
        items.*, mine.attributes AS held_attributes,
        on_sale AND (verdict IS NULL OR (page = 'goes on' AND woo_id IS NOT NULL))
        AND kind = 'variation'
        AND NOT cannot_be_told_apart AS is_sold
    FROM items
    LEFT JOIN held AS mine ON mine.id = items.woo_id
)

SELECT
    models.model_key, models.parent_id, held.type, held.sku, held.status, held.tax_class, held.manage_stock,
    held.attributes AS held_attributes, held.global_unique_id, held.purchase_price, held.store_balances,
    held.lowest_price_30d, models.status_before, arg_min(members.model_number, members.sku_key) AS model_number,
    arg_min(members.tax_class, members.sku_key) FILTER (is_sold AND tax_class_is_known) AS wanted_tax_class,
    min(members.name) FILTER (is_sold) AS first_name, max(members.name) FILTER (is_sold) AS last_name,
    list(
        {'sku_key': members.sku_key, 'attributes': members.attributes, 'held': members.held_attributes}
        ORDER BY members.sku_key
    ) FILTER (is_sold) AS variants,
    list(members.gtin) AS gtins, count(*) FILTER (is_sold) AS sold_count,
    count(*) FILTER (members.for_sale) AS for_sale_count, bool_and(members.deleted) AS deleted,
    bool_or(members.on_sale) AS is_active
FROM models
JOIN members ON members.model_key = models.model_key
LEFT JOIN held ON held.id = models.parent_id
WHERE NOT models.is_also_code AND NOT models.is_undecided
GROUP BY ALL
ORDER BY models.model_key
