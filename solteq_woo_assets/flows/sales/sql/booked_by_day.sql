-- Numbers of what Solteq has of the orders of these days: documents, gross, VAT, refunds; what waits, is held.
WITH sold AS (SELECT id, day FROM snapshot.woo_sales WHERE day IN (SELECT unnest($days))),

booked AS (
    SELECT
        day, count(*) AS booked, sum(document_total(document, 'gross')) AS gross,
        sum(document_total(document, 'vat')) AS vat,
        -sum(document_total(document, 'gross')) FILTER (type = 'Refund') AS refunds
    FROM sync.sales
    JOIN sold ON sold.id = order_id
    WHERE state = 'booked'
    GROUP BY day
),

due AS (
    SELECT delta.day, count(*) AS waiting
    FROM delta.sales_delta AS delta
    LEFT JOIN sync.sales AS sent ON sent.external_id = delta.key
    WHERE sent.state IS DISTINCT FROM 'booked'
    GROUP BY ALL
),

held AS (
    SELECT day, count(DISTINCT id) AS quarantined
    FROM sync.quarantine
    JOIN sold ON key = 'order ' || id OR list_contains(string_split(key, ':'), id::VARCHAR)
    WHERE flow = 'sales'
    GROUP BY day
)

SELECT
    day,
    coalesce(booked, 0) AS booked,
    coalesce(gross, 0)::DOUBLE AS gross,
    coalesce(vat, 0)::DOUBLE AS vat,
    coalesce(refunds, 0)::DOUBLE AS refunds,
    coalesce(waiting, 0) AS waiting_documents,
    coalesce(quarantined, 0) AS quarantined_orders
FROM (SELECT DISTINCT day FROM sold) AS days
LEFT JOIN booked USING (day)
LEFT JOIN due USING (day)
LEFT JOIN held USING (day)
