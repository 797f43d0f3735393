-- Which product of the store would be written for which code.
SELECT sku_key, id AS woo_id
FROM compared
WHERE status <> 'trash' AND type NOT IN ('variable', 'grouped')
