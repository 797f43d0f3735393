-- What was planned is no more.
DELETE FROM sync.price_history AS held USING (
    SELECT sku, least(since, min(valid_from)) AS since
    FROM moved LEFT JOIN planned USING (sku) GROUP BY sku, since
) AS cut
WHERE held.sku = cut.sku AND held.valid_from >= cut.since
