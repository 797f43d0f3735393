SELECT
    day::VARCHAR AS day, number, status, shown_time(created_at, zone) AS made, shown_time(paid_at, zone) AS paid,
    shown_money(total) AS total, shown_money(total_tax) AS "VAT", gone
FROM snapshot.woo_sales
JOIN sought USING (id)
