SELECT key AS what, field, reason AS because, mend AS "to mend"
FROM sync.quarantine, sought
WHERE flow = 'sales' AND (
    key = 'order ' || sought.id
    OR key IN (SELECT key FROM sync.deliveries WHERE flow = 'sales' AND woo_id = sought.id)
)
