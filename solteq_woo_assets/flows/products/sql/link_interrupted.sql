-- A status that is in the store as it was sent was taken, though nobody lived to hear the answer.
WITH sent AS (
    SELECT delivery.woo_id, sku_key(delivery.key) AS key, delivery.action, unnest(delivery.changes) AS change
    FROM sync.deliveries AS delivery
    WHERE delivery.state = 'pending' AND delivery.woo_id IS NOT NULL
),

done AS (
    SELECT
        sent.woo_id, sent.key,
        CASE sent.action WHEN 'withdraw' THEN sent.change.old END AS status_before
    FROM sent
    JOIN snapshot.woo_catalogue AS store ON store.id = sent.woo_id AND store.status = sent.change.new
    WHERE sent.change.field = 'status'
)

UPDATE sync.links AS held
SET status_before = done.status_before
FROM done
WHERE held.kind = 'product' AND held.key = done.key AND held.woo_id = done.woo_id
