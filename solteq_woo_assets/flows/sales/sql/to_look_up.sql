-- Orders of which Solteq is asked what it has: those that the ledger has nothing of, or that are to be asked for again.
WITH sold AS (
    SELECT
        *, order_mark(content, gone, $ways) AS mark,
        id IN (SELECT order_id FROM sync.sales WHERE state = 'booked') AS is_known,
        id IN (SELECT order_id FROM sync.sales WHERE state = 'pending') AS is_pending,
        list_has_any($orders, [id::VARCHAR, number]) AS is_meant,
        -- Solteq cannot have anything of these, as long as nothing was refunded.
        (status = 'pending' OR ends_with(status, 'draft'))
        AND id NOT IN (SELECT order_id FROM snapshot.woo_sales_refunds) AS is_not_paid_yet
    FROM orders_of_store
    WHERE id > $last AND is_ours
)

SELECT sold.*
FROM sold
LEFT JOIN sync.sales_lookups AS asked ON asked.order_id = sold.id
LEFT JOIN sync.sales_conflicts AS disputed ON disputed.order_id = sold.id
WHERE
    CASE
        WHEN disputed.order_id IS NOT NULL THEN disputed.external_id IS NOT NULL AND ($conflicts OR is_meant)
        WHEN asked.order_id IS NOT NULL AND asked.content IS NULL THEN TRUE
        WHEN day >= $since OR is_meant THEN TRUE
        ELSE
            (is_pending OR NOT is_known)
            AND asked.content IS DISTINCT FROM mark
            AND id NOT IN (SELECT order_id FROM sync.settled_orders AS settled WHERE settled.content = mark)
            AND NOT is_not_paid_yet
    END
ORDER BY id
LIMIT $most
