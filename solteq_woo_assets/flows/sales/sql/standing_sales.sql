-- The orders of which a sale stands in Solteq: one that no reversal has ended.
SELECT sale.order_id
FROM sync.sales AS sale
WHERE sale.type = 'Sale' AND NOT EXISTS (
    FROM sync.sales AS reversal
    WHERE
        reversal.order_id = sale.order_id
        AND reversal.type = 'Refund'
        AND reversal.refund_id IS NULL
        AND reversal.version >= sale.version
)
