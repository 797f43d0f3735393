-- The newest balance of each code and store. A code that is spelled in two ways is one product.
SELECT
    store_id, sku_key(product_code) AS sku_key, arg_max(trim(product_code), modified_at) AS sku,
    arg_max(CASE WHEN deleted THEN 0 ELSE free_balance END, modified_at) AS free_balance,
    max(modified_at) AS modified_at,
    len($stock_stores) = 0 OR list_contains($stock_stores, store_id) AS is_sold_online
FROM balances
GROUP BY ALL
