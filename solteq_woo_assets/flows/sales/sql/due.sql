-- Documents on their way, those of an order one after the other. Orders at which Solteq failed go last.
SELECT
    key, action, kind, woo_id, changes, delta.refund_id, delta.version,
    delta.document, delta.content, delta.notes, settles, sent.external_id IS NOT NULL AS was_sent
FROM delta.sales_delta AS delta
LEFT JOIN sync.sales AS sent ON sent.external_id = delta.key
WHERE action = 'create' AND sent.state IS DISTINCT FROM 'booked'
ORDER BY
    woo_id IN (
        SELECT failing.woo_id
        FROM delta.sales_delta AS failing
        JOIN sync.failures AS failure ON failure.key = failing.key AND failure.flow = 'sales'
    ),
    day, woo_id, delta.version, kind <> 'sale', delta.refund_id NULLS LAST
