-- Which product of the store would be written for which code.
SELECT sku AS sku_key, id AS woo_id FROM compared
