-- The order that somebody asks for by its number or its id.
SELECT id, shown_time(read_at, $zone) AS read_at, $zone AS zone
FROM snapshot.woo_sales
WHERE number = $number OR id::VARCHAR = $number
ORDER BY number = $number DESC
LIMIT 1
