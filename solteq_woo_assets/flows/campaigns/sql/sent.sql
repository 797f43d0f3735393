-- What was last sent of the sale that the store holds tells a hand's work from ours. One that is over by now was ended
-- by the store itself.
WITH delivered AS (
    SELECT woo_id, settled_at, unnest(changes) AS change
    FROM deliveries
    WHERE state = 'delivered' AND woo_id IN (SELECT id FROM compared)
)

SELECT
    woo_id,
    arg_max(change.new, settled_at) FILTER (change.field = 'sale_price') AS sale_price,
    try_cast(arg_max(change.new, settled_at) FILTER (change.field = 'date_on_sale_to_gmt') AS TIMESTAMP) < $now
        AS is_over
FROM delivered
WHERE change.field IN ('sale_price', 'date_on_sale_to_gmt')
GROUP BY ALL
