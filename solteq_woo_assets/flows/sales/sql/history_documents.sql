SELECT
    external_id AS "external id", shown_money(document_total(document, 'gross')) AS gross,
    document ->> '$.businessDate' AS "business date", state, shown_time(booked_at, zone) AS booked
FROM sync.sales, sought
WHERE order_id = sought.id
ORDER BY sent_at, version, type DESC
