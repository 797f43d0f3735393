-- Products with an offer, and those of them without 30 days of history.
SELECT
    count(*) AS reductions,
    count(*) FILTER (lowest_price_30d IS NULL) AS without_30_days_of_history
FROM offers
