-- Products whose sale in the store is not the offer that it should be.
-- A code on two active products is nobody's price: the product delta holds it back. What is not sold online is left
-- alone; what is not active any more has no offer. Of store products that share a SKU the one that is not in the bin,
-- then the older one.
WITH coded AS (
    SELECT *, active AND NOT deleted AS is_active FROM products WHERE trim(code) <> ''
),

single AS (
    SELECT
        sku_key(code) AS sku, any_value(id) FILTER (is_active) AS id, bool_or(is_active) AS is_active,
        coalesce(any_value(trim(code)) FILTER (is_active), any_value(trim(code))) AS code,
        any_value(at_the_cent(sales_price)) FILTER (is_active) AS regular_price
    FROM coded
    GROUP BY ALL
    HAVING count(*) FILTER (is_active) = 0 OR count(*) FILTER (is_active) = 1
        AND NOT is_never_sold_online(any_value(product_type) FILTER (is_active))
        AND any_value(sales_price) FILTER (is_active) > 0
),

held AS (
    SELECT sku_key(item.sku) AS sku, item.* EXCLUDE (sku)
    FROM catalogue AS item
    LEFT JOIN catalogue AS parent ON parent.id = item.parent_id
    WHERE
        item.status <> 'trash' AND parent.status IS DISTINCT FROM 'trash'
        AND item.type NOT IN ('variable', 'grouped')
    QUALIFY counts_for_sku(sku_key(item.sku), item.status, item.id)
)

SELECT
    single.code, single.sku, single.is_active, held.* EXCLUDE (sku),
    CASE WHEN single.is_active THEN single.regular_price ELSE held.regular_price END AS wanted_regular_price,
    offers.sale_price AS wanted_sale_price, offers.product, offers.opens, offers.closes, offers.position,
    sale_changes(held, offers) AS fields
FROM single JOIN held USING (sku) LEFT JOIN offers ON offers.id = single.id
WHERE NOT (sale_agrees(held, offers))
