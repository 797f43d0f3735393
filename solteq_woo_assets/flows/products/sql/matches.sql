-- Which store product each code is, if any; and each document that lost its code and keeps its store product.

-- The documents that the store products are linked to.
WITH others AS (
    SELECT
        links.woo_id, links.solteq_id,
        coalesce(links.sku, links.key) AS linked_sku,
        sku_key(other.code) AS code_key, gtin_key(other.gtin) AS gtin_key
    FROM links
    JOIN held ON held.id = links.woo_id
    JOIN products AS other ON other.id = links.solteq_id
),

owners AS (
    SELECT others.*
    FROM others
    JOIN held ON held.id = others.woo_id
    QUALIFY row_number() OVER (
        PARTITION BY woo_id ORDER BY linked_sku = own_sku DESC, code_key = own_sku DESC, solteq_id
    ) = 1
),

claimed AS (
    SELECT DISTINCT sku_key(code) AS sku_key
    FROM products
    WHERE sku_key(code) IN (SELECT own_sku FROM held WHERE own_sku IS NOT NULL)
),

-- is_free: a store product with the code as its SKU may be this document's. It is no other document's, or a person put
-- the SKU there, or both have one GTIN.
seen AS (
    SELECT
        claims.*, page.id AS page_id, page.status AS page_status, linked_status <> 'trash' AS is_linked_alive,
        owners.solteq_id IS NULL
        OR owners.solteq_id = claims.id
        OR (owners.linked_sku IS DISTINCT FROM page.own_sku)
        OR coalesce(
            owners.code_key = claims.sku_key
            AND claims.gtin_key IN (owners.gtin_key, gtin_key(page.global_unique_id)),
            FALSE
        ) AS is_free,
        (claims.linked_sku IS NOT DISTINCT FROM claims.sku_key) AS code_is_as_it_was,
        linked_page_sku <> claims.sku_key
        AND EXISTS (FROM claimed WHERE claimed.sku_key = linked_page_sku) AS is_linked_claimed,
        EXISTS (
            FROM others
            WHERE
                others.woo_id = linked_id
                AND others.solteq_id <> claims.id
                AND others.code_key = linked_page_sku
        ) AS is_linked_to_another,
        coalesce(claims.gtin_key <> gtin_key(page.global_unique_id), FALSE) AS is_contradicted
    FROM claims
    LEFT JOIN held AS page ON page.sku_key = claims.sku_key
    LEFT JOIN owners ON owners.woo_id = page.id
    WHERE counts
),

chosen AS (
    SELECT
        *,
        CASE
            WHEN is_linked_alive AND linked_id = page_id THEN {'woo_id': linked_id, 'by': 'link'}
            WHEN is_linked_alive AND code_is_as_it_was AND is_free AND page_status <> 'trash'
                THEN {'woo_id': page_id, 'by': 'SKU'}
            WHEN is_linked_alive AND NOT is_linked_to_another AND NOT (code_is_as_it_was AND is_linked_claimed)
                THEN {'woo_id': linked_id, 'by': 'link'}
            WHEN is_free AND page_id IS NOT NULL THEN {'woo_id': page_id, 'by': 'SKU'}
            WHEN linked_id IS NOT NULL AND NOT is_linked_to_another AND NOT is_linked_claimed
                THEN {'woo_id': linked_id, 'by': 'link'}
        END AS choice
    FROM seen
),

single AS (
    SELECT
        id, sku_key, gtin_key, on_sale, claimants, choice.woo_id AS chosen_id, choice.by AS chosen_by,
        coalesce(choice.by = 'SKU' AND choice.woo_id IS DISTINCT FROM linked_id AND is_contradicted, FALSE) AS is_held,
        NOT is_held AND row_number() OVER (
            PARTITION BY choice.woo_id
            ORDER BY is_held, sku_key = linked_page_sku DESC, choice.by = 'SKU' DESC, sku_key
        ) = 1 AS is_first
    FROM chosen
),

found AS (
    SELECT
        id, sku_key, gtin_key, on_sale, claimants,
        CASE WHEN is_held AND on_sale THEN chosen_id END AS contradicted_id,
        CASE WHEN is_first THEN chosen_id END AS woo_id,
        CASE WHEN is_first THEN chosen_by END AS matched_by
    FROM single
),

by_gtin AS (
    SELECT found.sku_key, min(page.id) AS woo_id
    FROM found
    JOIN held AS page ON ltrim(page.global_unique_id, '0') = found.gtin_key
    WHERE
        found.on_sale
        AND found.woo_id IS NULL
        AND contradicted_id IS NULL
        AND page.type IN ('simple', 'variation', 'external')
        AND page.id NOT IN (SELECT woo_id FROM others)
        AND page.id NOT IN (SELECT woo_id FROM found WHERE woo_id IS NOT NULL)
        AND NOT EXISTS (FROM claimed WHERE claimed.sku_key = page.own_sku)
    GROUP BY found.sku_key
    HAVING count(*) = 1
),

unique_gtin AS (
    SELECT *
    FROM by_gtin
    WHERE woo_id IN (SELECT woo_id FROM by_gtin GROUP BY ALL HAVING count(*) = 1)
),

known AS (
    SELECT
        found.id, found.sku_key, NULL::VARCHAR AS replaced_by, claimants, contradicted_id,
        coalesce(found.woo_id, unique_gtin.woo_id) AS woo_id,
        coalesce(matched_by, CASE WHEN unique_gtin.woo_id IS NOT NULL THEN 'GTIN' END) AS matched_by
    FROM found
    LEFT JOIN unique_gtin USING (sku_key)
),

replaced AS (
    SELECT
        id, sku_key || ' (' || lower(id) || ')' AS sku_key, sku_key AS replaced_by, 0 AS claimants,
        NULL AS contradicted_id, linked_id AS woo_id, 'link' AS matched_by
    FROM claims
    WHERE
        NOT counts
        AND NOT on_sale
        AND is_linked_by_id
        AND linked_id IS NOT NULL
        AND linked_id NOT IN (SELECT woo_id FROM known WHERE woo_id IS NOT NULL)
    QUALIFY row_number() OVER (PARTITION BY linked_id ORDER BY id) = 1
),

matched AS (
    SELECT * FROM known
    UNION ALL
    SELECT * FROM replaced
),

before AS (
    SELECT woo_id, max(status_before) AS status_before FROM linked GROUP BY ALL
)

SELECT matched.*, before.status_before FROM matched LEFT JOIN before USING (woo_id)
