-- Who bought, by order, but for erased people. Solteq knows them by the id that the customers' flow linked, unless it
-- was deleted there.
SELECT
    sold.id AS order_id, link.solteq_id AS id,
    CASE WHEN sold.customer_id <> 0 THEN format('woo:{}:customer:{}', $shop, sold.customer_id) END AS "externalId",
    sold.email, sold.name
FROM snapshot.woo_sales AS sold
LEFT JOIN sync.customers AS link
    ON link.woo_id = sold.customer_id AND link.state = 'linked' AND sold.customer_id > 0
    AND link.solteq_id NOT IN (SELECT id FROM snapshot.solteq_customers WHERE deleted)
WHERE
    sold.id IN (SELECT order_id FROM documents)
    AND sold.id NOT IN (SELECT order_id FROM sync.erased_orders)
    AND coalesce(sold.customer_id NOT IN (FROM erased_accounts), TRUE)
