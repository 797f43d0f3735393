-- Orders that were made on these days and are to be booked, or have documents of these business dates; in lots.
SELECT * EXCLUDE (is_cash_on_delivery)
FROM orders_of_store
WHERE id > $last AND ((is_ours AND day IN (SELECT unnest($days))) OR id IN (
    SELECT order_id FROM sync.sales
    -- None was sent before its business date.
    WHERE sent_at >= $sent_from AND (document ->> '$.businessDate')::DATE IN (SELECT unnest($days))
))
ORDER BY id
LIMIT $most
