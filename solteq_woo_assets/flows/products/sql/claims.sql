-- Each document beside the store product that it is linked to. A code on several documents, because one was replaced,
-- is the one that is on sale, or else the one that is linked, or the newest: that one counts. A link without a
-- document, of a database of version 6 or earlier, is of the code.
WITH by_id AS (
    SELECT linked.*
    FROM linked
    JOIN documents ON documents.id = linked.solteq_id
    QUALIFY row_number() OVER (PARTITION BY solteq_id ORDER BY linked.key = documents.sku_key DESC, linked.woo_id) = 1
),

told AS (
    SELECT
        documents.id, documents.sku_key, documents.on_sale, documents.deleted, modified_at, gtin_key,
        by_id.woo_id IS NOT NULL AS is_linked_by_id, page.id AS linked_id, page.status AS linked_status,
        page.own_sku AS linked_page_sku,
        coalesce(by_id.sku, by_key.sku) AS linked_sku,
        coalesce(by_id.key, by_key.key) = documents.sku_key AND page.id IS NOT NULL AS is_linked
    FROM documents
    LEFT JOIN by_id ON by_id.solteq_id = documents.id
    LEFT JOIN linked AS by_key ON by_key.key = documents.sku_key AND by_key.solteq_id IS NULL
    LEFT JOIN held AS page
        ON page.id = coalesce(by_id.woo_id, by_key.woo_id) AND page.type IN ('simple', 'variation', 'external')
    WHERE documents.sku_key <> ''
)

SELECT
    * EXCLUDE (modified_at, is_linked),
    count(*) FILTER (on_sale) OVER (PARTITION BY sku_key) AS claimants,
    row_number() OVER (
        PARTITION BY sku_key ORDER BY on_sale DESC, is_linked DESC, deleted, modified_at DESC, id
    ) = 1 AS counts
FROM told
