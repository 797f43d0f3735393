-- The price now, from the window's beginning on, and after its end; what goes on as it was keeps its beginning.
WITH instants AS (
    SELECT
        *,
        unnest(list_distinct([
            since, greatest(since, date_on_sale_from_gmt), greatest(since, date_on_sale_to_gmt + INTERVAL 1 SECOND)
        ])) AS instant
    FROM moved WHERE regular_price IS NOT NULL
),

steps AS (
    SELECT sku, public_price(instants, instant) AS price, regular_price, since, instant
    FROM instants WHERE instant IS NOT NULL
    QUALIFY price IS DISTINCT FROM lag(price) OVER (PARTITION BY sku ORDER BY instant)
)

SELECT
    steps.sku, steps.price, steps.regular_price,
    CASE WHEN instant = since THEN coalesce(held.valid_from, instant) ELSE instant END AS valid_from,
    lead(instant) OVER (PARTITION BY steps.sku ORDER BY instant) AS valid_to
FROM steps LEFT JOIN sync.price_history AS held
    ON
        held.sku = steps.sku
        AND held.valid_from < since AND coalesce(held.valid_to >= since, TRUE)
        AND held.price = steps.price AND held.regular_price = steps.regular_price
