-- Documents that are due, and those of orders that may hold pieces that are booked.
SELECT woo_id, key, document, NULL AS booked_at FROM changes
UNION ALL
SELECT order_id, external_id, document, booked_at
FROM sync.sales
WHERE state = 'booked' AND order_id IN (SELECT order_id FROM holding)
