-- Takes documents that Solteq has into the ledger, unless they are there as booked. Gives the orders of those.
INSERT INTO sync.sales BY NAME
SELECT *, 'booked' AS state, $run_id AS run_id, $now AS sent_at
FROM found
ON CONFLICT (external_id) DO UPDATE
SET
    document = excluded.document, content = excluded.content, notes = excluded.notes,
    state = 'booked', solteq_id = excluded.solteq_id, booked_at = excluded.booked_at
WHERE sync.sales.state <> 'booked'
RETURNING order_id
