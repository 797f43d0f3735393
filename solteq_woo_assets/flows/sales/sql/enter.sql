-- Documents that are about to leave. One that left before leaves again.
INSERT INTO sync.sales BY NAME
SELECT *, 'pending' AS state, $run_id AS run_id, $now AS sent_at
FROM documents
ON CONFLICT (external_id) DO UPDATE SET run_id = excluded.run_id, sent_at = excluded.sent_at
