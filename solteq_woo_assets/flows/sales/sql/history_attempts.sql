SELECT shown_time(created_at, zone) AS "when", left(run_id, 8) AS run, key AS "external id", state, error AS answer
FROM sync.deliveries, sought
WHERE flow = 'sales' AND woo_id = sought.id
ORDER BY created_at DESC
LIMIT 20
