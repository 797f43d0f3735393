-- How many pieces these orders have under way, before the balances are asked.
WITH lines AS (
    SELECT
        coalesce(sum(quantity) FILTER (document = ''), 0) AS held,
        coalesce(sum(quantity) FILTER (document <> '' AND NOT is_shown), 0) AS sold
    FROM snapshot.sales_under_way
    WHERE list_contains($ids, order_id)
    GROUP BY order_id, line_id
)

SELECT coalesce(sum(greatest(held, sold)), 0)::DOUBLE AS pieces FROM lines
