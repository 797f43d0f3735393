-- Orders of which nothing is sent until somebody has decided whose they are, as the quarantine tells it.
SELECT
    'order ' || order_id AS key,
    CASE WHEN external_id IS NULL THEN 'date_created' ELSE 'externalId' END AS field,
    reason,
    CASE WHEN external_id IS NULL THEN 'order-replaced' ELSE 'sale-conflict' END AS code
FROM sync.sales_conflicts
