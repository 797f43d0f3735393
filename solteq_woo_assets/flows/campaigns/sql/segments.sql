-- Of each product the segment of its calendar that runs now, or else the next one to come. position: of the campaign;
-- NULL for the product's own price.
-- A segment lasts as long as its price is the best: until a better one starts, or until the last of the campaigns that
-- give this very price, one after the other without a gap, has ended.
WITH ahead AS (
    SELECT * FROM candidates WHERE price IS NOT NULL
),

opening AS (
    SELECT product, greatest(min(starts), $now::TIMESTAMP) AS opens FROM ahead GROUP BY product
),

best AS (
    SELECT product, any_value(opens) AS opens, min(row(-rank, price, coalesce(position, 0))) AS best
    FROM ahead JOIN opening USING (product) WHERE starts <= opens GROUP BY product
),

chosen AS (
    SELECT product, opens, -best[1] AS rank, best[2] AS price, nullif(best[3], 0) AS position
    FROM best
),

beaten AS (
    SELECT ahead.product, min(ahead.starts) AS at
    FROM ahead JOIN chosen USING (product)
    WHERE ahead.starts > opens AND (ahead.rank > chosen.rank OR ahead.rank = chosen.rank AND ahead.price < chosen.price)
    GROUP BY ahead.product
),

alike AS (
    SELECT
        product, starts, ends,
        max(ends) OVER (
            PARTITION BY product ORDER BY starts, ends ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS reached
    FROM ahead JOIN chosen USING (product, rank, price)
),

lasting AS (
    SELECT
        product,
        coalesce(min(reached) FILTER (starts > reached), max(ends)) AS until
    FROM alike GROUP BY product
)

SELECT
    chosen.product, opens,
    least(until, coalesce(beaten.at, 'infinity'::TIMESTAMP)) AS closes,
    price, chosen.position
FROM chosen JOIN lasting USING (product) LEFT JOIN beaten USING (product)
