SELECT external_id AS "external id", solteq_id AS "Solteq's id", array_to_string(notes, '; ') AS remarks
FROM sync.sales, sought
WHERE order_id = sought.id
ORDER BY sent_at, version, type DESC
