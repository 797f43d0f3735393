-- The codes whose GTIN another store product has and keeps.
-- Who wants a GTIN that another store product has gets it when that one takes another in the same delivery; unless that
-- one cannot, nor those that it waits for. A product without a GTIN in Solteq keeps the store's.
WITH RECURSIVE leaving AS (
    SELECT items.woo_id
    FROM items
    JOIN held ON held.id = items.woo_id
    WHERE
        for_sale
        AND (verdict IS NULL OR page = 'goes on')
        AND gtin_claimants <= 1
        AND items.gtin <> held.global_unique_id
        AND held.status <> 'trash'
        AND held.type NOT IN ('variable', 'grouped')
),

wanting AS (
    SELECT items.sku_key, items.woo_id, other.id AS holder_id
    FROM items
    JOIN held AS other ON other.global_unique_id = items.gtin AND other.id IS DISTINCT FROM items.woo_id
    WHERE gtin_is_taken AND gtin_claimants <= 1
),

blocked AS (
    SELECT * FROM wanting WHERE holder_id NOT IN (SELECT woo_id FROM leaving)
    UNION
    SELECT wanting.* FROM wanting JOIN blocked ON blocked.woo_id = wanting.holder_id
)

SELECT sku_key FROM blocked
