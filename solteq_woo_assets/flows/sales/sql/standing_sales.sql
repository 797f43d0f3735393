-- The orders of which a sale stands in Solteq: one that no reversal has ended.
SELECT order_id
FROM sync.sales
GROUP BY order_id
HAVING
    max(version) FILTER (type = 'Sale')
    > coalesce(max(version) FILTER (type = 'Refund' AND refund_id IS NULL), 0)
