-- One row for each field that differs; one for each record that is missing or surplus.
-- The last delivery of a field tells an edit in the other system from a change that was not delivered yet.
WITH delivered AS (
    SELECT key, settled_at, unnest(changes) AS change
    FROM deliveries
    WHERE flow = $flow AND state = 'delivered' AND key IN (SELECT key FROM rows)
),

last_delivered AS (
    SELECT key, change.field AS field, arg_max(change.new, settled_at) AS new
    FROM delivered
    GROUP BY ALL
),

changed_rows AS (
    SELECT key, reason, unnest(changes) AS change
    FROM rows
    WHERE action NOT IN ('skip', 'create', 'withdraw', 'remove', 'wait')
),

fields AS (
    SELECT *, change.field AS field FROM changed_rows
)

SELECT
    $flow AS flow, key, field,
    CASE WHEN NOT $is_personal THEN change.new END AS expected,
    CASE WHEN NOT $is_personal THEN change.old END AS held,
    CASE WHEN last_delivered.new = change.new THEN 'edited' ELSE 'changed' END AS why,
    reason
FROM fields
LEFT JOIN last_delivered USING (key, field)
UNION ALL
SELECT
    $flow, key, '(all)', NULL, NULL,
    CASE action WHEN 'create' THEN 'missing' WHEN 'wait' THEN 'waiting' ELSE 'surplus' END,
    reason
FROM rows
WHERE action IN ('create', 'withdraw', 'remove', 'wait')
ORDER BY ALL
