-- The campaigns that hold on certain days or hours.
SELECT
    id,
    coalesce(valid_days, []) AS days,
    coalesce(valid_hours_from, TIME '00:00') AS hours_from,
    coalesce(valid_hours_to, TIME '00:00') AS hours_to,
    valid_from, valid_to
FROM campaigns WHERE len(valid_days) > 0 OR valid_hours_from IS NOT NULL
