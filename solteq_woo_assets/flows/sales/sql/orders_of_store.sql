-- The store's orders. is_ours: it is to be booked here, since it was made since the first day or on a day that was
-- backfilled, or it is booked already (a refund of an older order is no sale, of version 0; its reversal is the end of
-- what others booked). Also an older order that is paid since then, say by an invoice: who booked before has nothing to
-- do with it any more. Not so with cash on delivery, which is a sale when it is made, and which the store calls paid
-- when it is completed.
WITH sold AS (
    SELECT
        *,
        id IN (SELECT order_id FROM snapshot.woo_sales_payments WHERE method = 'cod') AS is_cash_on_delivery
    FROM snapshot.woo_sales
)

SELECT
    *,
    coalesce(
        day >= (SELECT begins.day FROM begins)
        OR day IN (SELECT backfilled.day FROM sync.sales_days AS backfilled)
        OR id IN (SELECT order_id FROM sync.sales WHERE version > 0 OR refund_id IS NULL)
        OR (paid_at >= (SELECT begins.instant FROM begins) AND NOT is_cash_on_delivery),
        FALSE
    ) AS is_ours
FROM sold
