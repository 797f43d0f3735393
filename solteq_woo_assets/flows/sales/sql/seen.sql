-- When the store changed orders, as they were last seen.
SELECT id, modified_at FROM snapshot.woo_sales WHERE list_contains($ids, id) AND gone IS NULL
UNION ALL
SELECT order_id, try_cast(modified AS TIMESTAMP) FROM sync.orders_not_stored WHERE list_contains($ids, order_id)
