SELECT
    CASE WHEN refund_id IS NULL THEN '' ELSE 'refund ' || refund_id || ', ' END || line_id AS line,
    kind, sku AS "SKU", quantity::DOUBLE::VARCHAR AS quantity, shown_money(total) AS total,
    shown_money(total_tax) AS "VAT"
FROM snapshot.woo_sales_lines, sought
WHERE order_id = sought.id
ORDER BY refund_id NULLS FIRST, line_id
