-- Which orders hold pieces, and why.
SELECT order_id, sku, pieces, since, why FROM under_way ORDER BY since, order_id, sku
