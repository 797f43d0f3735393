-- Orders of which something may be due. old_since: when the first day began, where somebody else booked the sale.
WITH sold AS (
    SELECT *, order_mark(content, gone, $ways) AS mark FROM orders_of_store
)

SELECT
    * EXCLUDE (is_ours, is_cash_on_delivery),
    CASE WHEN NOT is_ours THEN (SELECT begins.instant FROM begins) END AS old_since
FROM sold
WHERE
    (is_ours OR (paid_at IS NOT NULL AND (
        id IN (SELECT order_id FROM snapshot.woo_sales_refunds WHERE created_at >= (SELECT begins.instant FROM begins))
        OR (modified_at >= (SELECT begins.instant FROM begins) AND status IN ('cancelled', 'failed', 'refunded'))
    )))
    AND id NOT IN (SELECT order_id FROM sync.sales_conflicts)
    AND (
        NOT EXISTS (
            FROM sync.settled_orders AS settled WHERE settled.order_id = sold.id AND settled.content = sold.mark
        )
        OR id IN (SELECT order_id FROM sync.sales WHERE state = 'pending')
    )
