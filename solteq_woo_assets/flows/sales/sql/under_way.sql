-- Of each line of these orders what the store holds, and what documents took from Solteq's balances.
WITH lines AS (
    SELECT order_id, line_id::VARCHAR AS line_id, sku, reduced_stock
    FROM snapshot.woo_sales_lines
    WHERE refund_id IS NULL AND kind = 'Product' AND order_id IN (SELECT order_id FROM holding)
),

pieces AS (
    SELECT order_id, line_id, '' AS document, sku, reduced_stock AS quantity, NULL AS booked_at, FALSE AS is_shown
    FROM lines
    WHERE reduced_stock > 0
    UNION ALL
    -- The SKU of today: that of the document is Solteq's of then.
    SELECT
        order_id, line_id, document, coalesce(nullif(lines.sku, ''), moved.sku), quantity, booked_at,
        coalesce(booked_at <= $shown_until, FALSE)
    FROM moved
    LEFT JOIN lines USING (order_id, line_id)
    UNION ALL
    SELECT order_id, taken.line_id, 'booked elsewhere', lines.sku, taken.quantity, NULL, TRUE
    FROM (SELECT order_id, unnest(lines) AS taken FROM sync.booked_elsewhere) AS elsewhere
    JOIN lines USING (order_id)
    WHERE lines.line_id = taken.line_id
)

SELECT pieces.*, since, why FROM pieces JOIN holding USING (order_id) WHERE sku <> ''
