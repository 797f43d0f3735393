-- Each code beside its product in the store, where they may differ.
WITH held AS (
    SELECT
        sku_key(item.sku) AS sku_key, item.id, item.parent_id, item.type,
        CASE parent.status WHEN 'trash' THEN 'trash' ELSE item.status END AS status,
        item.manage_stock, item.stock_quantity, item.store_balances
    FROM catalogue AS item
    LEFT JOIN catalogue AS parent ON parent.id = item.parent_id
    QUALIFY counts_for_sku(sku_key(item.sku), item.status, item.id)
),

known AS (
    SELECT
        sku_key(code) AS sku_key,
        bool_or(active AND NOT deleted AND is_sold_online(product_type, sales_price)) AS on_sale,
        bool_or(keeps_no_stock(product_type)) AS keeps_no_stock
    FROM products
    GROUP BY ALL
),

joined AS (
    SELECT
        sku_key, sku,
        CASE WHEN known.on_sale IS FALSE AND $inactive_products = 'out_of_stock' THEN 0 ELSE quantity END AS quantity,
        quantities.under_way, held.* EXCLUDE (sku_key), known.on_sale, known.keeps_no_stock
    FROM quantities
    LEFT JOIN held USING (sku_key)
    LEFT JOIN known USING (sku_key)
)

SELECT *
FROM joined
WHERE
    id IS NULL
    OR status = 'trash'
    OR type IN ('variable', 'grouped')
    OR $stock_store_changes
    OR manage_stock IS NOT TRUE
    OR stock_quantity IS DISTINCT FROM quantity
