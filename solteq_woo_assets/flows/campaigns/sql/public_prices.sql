-- The public prices of the store.
-- Only what is published has a public price; a variation is as public as its parent. What is linked goes by the code of
-- its document, whatever its SKU is while codes are swapped or a person renames it.
WITH linked AS (
    SELECT key, woo_id FROM sync.links WHERE solteq_id IS NOT NULL
)

SELECT
    item.id, item.parent_id,
    coalesce(link.key, sku_key(item.sku)) AS sku,
    item.regular_price, item.sale_price, item.date_on_sale_from_gmt, item.date_on_sale_to_gmt,
    greatest(item.date_modified_gmt, parent.date_modified_gmt) AS modified
FROM snapshot.woo_catalogue AS item LEFT JOIN snapshot.woo_catalogue AS parent ON parent.id = item.parent_id
LEFT JOIN linked AS link ON link.woo_id = item.id
WHERE
    (link.key IS NOT NULL OR trim(item.sku) <> '') AND item.regular_price > 0
    AND item.status = 'publish' AND coalesce(parent.status, 'publish') = 'publish'
