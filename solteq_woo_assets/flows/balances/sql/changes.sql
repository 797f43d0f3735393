-- The delta: what the store should show, less what it shows.
WITH breakdowns AS (
    SELECT
        sku_key(product_code) AS sku_key,
        to_json(
            list({
                'store': store_id, 'name': store_name,
                'free': free_balance::DOUBLE, 'reserved': reserved_balance::DOUBLE
            } ORDER BY store_id) FILTER (NOT deleted)
        )::VARCHAR AS store_balances
    FROM balances
    WHERE sku_key(product_code) IN (SELECT sku_key FROM compared)
    GROUP BY ALL
),

fields AS (
    SELECT
        compared.*, strangers.why,
        id IS NOT NULL AND why IS NULL AND status <> 'trash' AND type NOT IN ('variable', 'grouped')
        AND keeps_no_stock IS NOT TRUE AS is_there,
        list_filter([
            change('manage_stock', coalesce(manage_stock, FALSE), 'true'),
            change('stock_quantity', stock_quantity, quantity),
            change('_solteq_store_balances', compared.store_balances, breakdowns.store_balances)
        ], lambda each:
            each.old IS DISTINCT FROM each.new
            -- WooCommerce drops a quantity without manage_stock beside it (contract, 18): they travel together.
            OR (each.field = 'stock_quantity' AND manage_stock IS NOT TRUE)) AS changes
    FROM compared
    LEFT JOIN breakdowns USING (sku_key)
    LEFT JOIN strangers USING (sku_key)
)

SELECT
    sku AS key,
    CASE WHEN is_there THEN 'update' WHEN keeps_no_stock OR on_sale IS FALSE THEN 'skip' ELSE 'wait' END AS action,
    CASE type WHEN 'variation' THEN 'variation' ELSE 'simple' END AS kind,
    -- With a stranger's id, so that the sensor does not take it for the product that is waited for.
    CASE WHEN is_there OR why IS NOT NULL THEN id END AS woo_id,
    NULL::VARCHAR AS parent_key,
    CASE WHEN is_there AND type = 'variation' THEN parent_id END AS parent_id,
    CASE WHEN is_there THEN changes ELSE [] END AS changes,
    CASE
        WHEN is_there AND (stock_quantity IS DISTINCT FROM quantity)
            THEN 'the free balance differs'
                || CASE WHEN under_way > 0 THEN ', and ' || round(under_way)::BIGINT || ' more are sold' ELSE '' END
        WHEN is_there AND manage_stock IS NOT TRUE THEN 'the store does not manage its stock'
        WHEN is_there THEN 'the balances of the stores differ'
        WHEN keeps_no_stock THEN 'its type keeps no stock online'
        WHEN on_sale IS FALSE THEN 'not on sale in Solteq'
        WHEN status = 'trash' THEN 'in the store''s bin'
        WHEN why IS NOT NULL THEN why
        WHEN type IN ('variable', 'grouped') THEN 'the store''s product has variations; stock is kept on those'
        ELSE 'not in the store yet'
    END AS reason
FROM fields
WHERE NOT is_there OR len(changes) > 0
ORDER BY action = 'wait', action, key
