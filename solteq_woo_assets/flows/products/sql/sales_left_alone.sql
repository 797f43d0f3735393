-- Before the campaigns have been read nobody knows that a sale in the store is none of theirs.
INSERT INTO offers BY NAME
WITH found AS (
    SELECT product.id, links.woo_id, 1 AS choice
    FROM products AS product
    JOIN links ON links.solteq_id = product.id
    UNION ALL
    SELECT product.id, store.id, 2
    FROM products AS product
    JOIN catalogue AS store ON sku_key(store.sku) = sku_key(product.code)
)

SELECT DISTINCT ON (found.id)
    found.id,
    store.sale_price, store.date_on_sale_from_gmt, store.date_on_sale_to_gmt, store.lowest_price_30d
FROM found
JOIN catalogue AS store ON store.id = found.woo_id
WHERE found.id NOT IN (SELECT id FROM offers)
ORDER BY store.status = 'trash', choice, store.id
