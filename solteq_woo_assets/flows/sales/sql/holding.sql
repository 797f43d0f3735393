-- Orders that may hold pieces, and why: documents of theirs are due, pending, or were booked a short while ago; they
-- are held back; or they are no sale, and the store has not put their pieces back. Of older orders, which somebody
-- else booked when they were paid, those that never were a sale.
WITH due AS (SELECT DISTINCT woo_id FROM changes),

-- The pieces of an order that somebody else booked are off Solteq's balance, whatever its refunds wait for.
held AS (SELECT key, any_value(reason) AS reason FROM held_back WHERE code <> 'old-order-refunded' GROUP BY ALL),

refused AS (
    SELECT woo_id, any_value(quarantine.reason) AS reason
    FROM sync.quarantine
    JOIN changes USING (key)
    WHERE flow = 'sales' AND stage = 'delivery'
    GROUP BY ALL
),

sold AS (
    SELECT
        *,
        is_sale(status, gone, paid_at, total, id IN (FROM standing_sales), $sale_statuses) AS is_sale,
        is_sale(status, NULL, paid_at, total, FALSE, $sale_statuses) AS was_sale,  -- before it was gone, say
        id IN (SELECT woo_id FROM due) AS is_due,
        id IN (SELECT order_id FROM snapshot.woo_sales_lines WHERE refund_id IS NULL AND reduced_stock > 0) AS has_taken
    FROM orders_of_store
)

SELECT
    id AS order_id, created_at AS since,
    CASE
        WHEN held.key IS NOT NULL THEN 'held back: ' || held.reason
        WHEN refused.woo_id IS NOT NULL THEN 'Solteq refused it: ' || refused.reason
        WHEN gone IS NOT NULL THEN 'it was ' || gone || ' in the store, which put nothing back on the shelf'
        WHEN is_due THEN 'not booked in Solteq yet'
        WHEN is_sale THEN 'the balance does not show it yet'
        ELSE 'it is ' || status || ' in the store, which put nothing back on the shelf'
    END AS why
FROM sold
LEFT JOIN held ON held.key = 'order ' || sold.id
LEFT JOIN refused ON refused.woo_id = sold.id
WHERE
    is_due
    OR held.key IS NOT NULL
    OR id IN (SELECT order_id FROM sync.sales WHERE state = 'booked' AND booked_at > $shown_until)
    OR (has_taken AND is_ours AND NOT is_sale)
    OR (has_taken AND NOT is_ours AND NOT was_sale AND paid_at IS NULL AND NOT is_cash_on_delivery)
