-- The calendar in words.
SELECT
    code, local_text(opens, $zone) AS opens,
    coalesce(local_text(closes, $zone), 'without an end') AS closes,
    price_text(price) AS price, set_by(name, campaigns_judged.id) AS campaign
FROM calendar LEFT JOIN campaigns_judged USING (position)
ORDER BY code, calendar.opens
