-- How many pieces are off the shelf, before Solteq's balances are asked which of them they show.
WITH lines AS (
    SELECT
        coalesce(sum(quantity) FILTER (document = ''), 0) AS held,
        coalesce(sum(quantity) FILTER (document <> ''), 0) AS sold,
        coalesce(sum(quantity) FILTER (is_shown), 0) AS shown
    FROM snapshot.sales_under_way
    GROUP BY order_id, line_id
)

SELECT coalesce(sum(greatest(held, sold) - shown), 0)::BIGINT AS pieces
FROM lines
WHERE greatest(held, sold) > shown
