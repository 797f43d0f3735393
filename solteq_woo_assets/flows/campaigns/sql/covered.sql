-- Which products each campaign covers: this decides prices and explains them. An explanation asks for all campaigns;
-- prices only for those that set one and are not over.
-- A product that a campaign names by its code and by its model number counts once.
WITH targets AS (
    SELECT position, level, unnest(target_keys) AS target
    FROM campaigns_judged WHERE $by_all OR held IS NULL AND ends > $now
)

SELECT product, position FROM sold JOIN targets ON level = 'product' AND target = sku_key(code)
UNION
SELECT product, position
FROM sold JOIN targets ON level = 'product' AND target = sku_key(model_number)
UNION ALL
SELECT product, position
FROM sold JOIN targets ON level = 'productgroup' AND target = sku_key(product_group)
UNION ALL
SELECT product, position FROM sold JOIN targets ON level = 'supplier' AND target = sku_key(supplier)
