-- Numbers of the store's days: orders, those that are sales, their gross and VAT, and what was refunded of them.
WITH sold AS (
    SELECT
        *,
        is_sale(status, gone, paid_at, total, id IN (FROM standing_sales), $sale_statuses) AS is_sale
    FROM snapshot.woo_sales
    WHERE day IN (SELECT unnest($days))
),

refunds AS (SELECT order_id, sum(amount) AS refunded FROM snapshot.woo_sales_refunds GROUP BY ALL)

SELECT
    day, count(*) FILTER (gone IS NULL) AS orders, count(*) FILTER (is_sale) AS sales,
    coalesce(sum(total) FILTER (is_sale), 0)::DOUBLE AS gross,
    coalesce(sum(total_tax) FILTER (is_sale), 0)::DOUBLE AS vat,
    coalesce(sum(refunded) FILTER (is_sale), 0)::DOUBLE AS refunds
FROM sold
LEFT JOIN refunds ON refunds.order_id = sold.id
GROUP BY day
