-- What the ledger has of the chosen orders, as it left.
SELECT
    external_id, order_id, type, version, document, content, refund_id, notes,
    state = 'booked' AS is_booked,
    version = max(version) OVER (PARTITION BY order_id) AS is_current
FROM sync.sales
WHERE order_id IN (SELECT id FROM chosen)
ORDER BY sent_at, external_id
