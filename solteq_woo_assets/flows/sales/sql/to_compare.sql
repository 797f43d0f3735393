-- Orders that were made on these days and are to be booked, or have documents of these business dates; in lots.
WITH sold AS (
    SELECT *, is_booked_here(id, day, paid_at, $begins, $begins_at) AS is_ours FROM snapshot.woo_sales WHERE id > $last
)

SELECT * FROM sold
WHERE (is_ours AND day IN (SELECT unnest($days))) OR id IN (
    SELECT order_id FROM sync.sales
    -- None was sent before its business date.
    WHERE sent_at >= $sent_from AND (document ->> '$.businessDate')::DATE IN (SELECT unnest($days))
)
ORDER BY id
LIMIT $most
