-- Orders of which something may be due. old_since: when the first day began, where somebody else booked the sale.
WITH sold AS (
    SELECT
        *,
        order_mark(content, gone, $ways) AS mark,
        is_booked_here(id, day, paid_at, $begins, $begins_at) AS is_ours
    FROM snapshot.woo_sales
)

SELECT * EXCLUDE (is_ours), CASE WHEN NOT is_ours THEN $begins_at END AS old_since
FROM sold
WHERE
    (is_ours OR (paid_at IS NOT NULL AND (
        id IN (SELECT order_id FROM snapshot.woo_sales_refunds WHERE created_at >= $begins_at)
        OR (modified_at >= $begins_at AND status IN ('cancelled', 'failed', 'refunded'))
    )))
    AND id NOT IN (SELECT order_id FROM sync.sales_conflicts)
    AND (
        NOT EXISTS (
            FROM sync.settled_orders AS settled WHERE settled.order_id = sold.id AND settled.content = sold.mark
        )
        OR id IN (SELECT order_id FROM sync.sales WHERE state = 'pending')
    )
