SELECT refund_id::VARCHAR AS refund, shown_time(created_at, zone) AS made, shown_money(amount) AS amount
FROM snapshot.woo_sales_refunds, sought
WHERE order_id = sought.id
ORDER BY refund_id
