-- The codes that cannot be sold online, with those whose SKU another product has in the store.
-- Who wants a SKU that another store product has waits until that one gives it away in the same delivery. Where it does
-- not, both stay as they are, and who waits for them, too.
WITH RECURSIVE placed AS (
    SELECT
        codes.sku_key, codes.on_sale AND (fate IS DISTINCT FROM 'off') AS on_sale, codes.replaced_by, matches.woo_id,
        page.own_sku
    FROM codes
    JOIN matches USING (sku_key)
    LEFT JOIN held AS page ON page.id = matches.woo_id
    LEFT JOIN faults ON faults.sku_key = codes.sku_key
    WHERE fate IS NULL OR fate = 'off' OR (fate = 'goes on' AND matches.woo_id IS NOT NULL)
),

wanted AS (
    SELECT sku_key FROM placed WHERE on_sale
),

moving AS (
    SELECT placed.*
    FROM placed
    WHERE
        own_sku IS DISTINCT FROM sku_key
        AND replaced_by IS NULL
        AND (on_sale OR (woo_id IS NOT NULL AND own_sku IN (SELECT sku_key FROM wanted)))
),

leaving AS (
    SELECT woo_id FROM moving WHERE woo_id IS NOT NULL
    UNION ALL
    SELECT woo_id FROM placed WHERE replaced_by IN (SELECT sku_key FROM wanted)
),

waiting AS (
    SELECT moving.sku_key, moving.woo_id, holder.id AS holder_id
    FROM moving
    JOIN held AS holder ON holder.own_sku = moving.sku_key AND holder.id IS DISTINCT FROM moving.woo_id
),

blocked AS (
    SELECT sku_key, woo_id, holder_id
    FROM waiting
    WHERE holder_id NOT IN (SELECT woo_id FROM leaving)
    UNION
    SELECT waiting.sku_key, waiting.woo_id, waiting.holder_id
    FROM waiting
    JOIN blocked ON blocked.woo_id = waiting.holder_id
),

taken AS (
    SELECT
        sku_key,
        quarantined(
            'code', 'stays', 'sku-taken',
            'the store''s product ' || min(holder_id) || ' has this SKU already'
            || coalesce('; it is product ' || any_value(woo_id) || ' there', '')
        ) AS fault
    FROM blocked
    GROUP BY sku_key
)

SELECT * FROM faults
UNION ALL
SELECT sku_key, fault.* FROM taken
