-- New documents of Solteq with the code of a store product whose own document is not on sale any more.
WITH documents AS (
    SELECT sku_key(code) AS sku, any_value(id) AS id, any_value(trim(code)) AS code
    FROM snapshot.solteq_products
    WHERE active AND NOT deleted
    GROUP BY ALL
    HAVING count(*) = 1
)

SELECT links.key, documents.id, documents.code
FROM sync.links
JOIN documents ON documents.sku = links.sku
WHERE
    links.kind = 'product'
    AND links.solteq_id <> documents.id
    AND ($codes IS NULL OR list_contains($codes, documents.sku))
    AND documents.id NOT IN (SELECT solteq_id FROM sync.links WHERE solteq_id IS NOT NULL)
    AND links.solteq_id NOT IN (SELECT id FROM snapshot.solteq_products WHERE active AND NOT deleted)
