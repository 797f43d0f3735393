-- Orders with all that belongs to them, of a table `chosen` with the columns of snapshot.woo_sales.
WITH lines AS (
    SELECT order_id, list({
        'refund_id': refund_id, 'id': line_id, 'kind': kind, 'name': name, 'sku': sku, 'quantity': quantity,
        'subtotal': subtotal, 'subtotal_tax': subtotal_tax, 'total': total, 'total_tax': total_tax,
        'rate_ids': rate_ids, 'rate_taxes': rate_taxes, 'refunded_line': refunded_line,
        'reduced_stock': coalesce(reduced_stock, 0), 'restocked': restocked
    } ORDER BY refund_id NULLS FIRST, kind = 'Fee', kind = 'Shipping', line_id) AS lines
    FROM snapshot.woo_sales_lines
    WHERE order_id IN (SELECT id FROM chosen)
    GROUP BY ALL
),

taxes AS (
    SELECT order_id, list({'rate_id': rate_id, 'percent': percent, 'total': total} ORDER BY rate_id) AS taxes
    FROM snapshot.woo_sales_taxes
    WHERE order_id IN (SELECT id FROM chosen)
    GROUP BY ALL
),

refunds AS (
    SELECT
        order_id,
        list({'refund_id': refund_id, 'created_at': created_at, 'amount': amount} ORDER BY refund_id) AS refunds
    FROM snapshot.woo_sales_refunds
    WHERE order_id IN (SELECT id FROM chosen)
    GROUP BY ALL
)

SELECT chosen.*, lines.lines, taxes.taxes, refunds.refunds, CASE WHEN paid.order_id IS NOT NULL THEN {
    'payment_method': paid.method, 'payment_method_title': paid.title, 'transaction_id': paid.reference
} END AS payment
FROM chosen
LEFT JOIN lines ON lines.order_id = chosen.id
LEFT JOIN taxes ON taxes.order_id = chosen.id
LEFT JOIN refunds ON refunds.order_id = chosen.id
LEFT JOIN snapshot.woo_sales_payments AS paid ON paid.order_id = chosen.id
ORDER BY chosen.id
