-- Whom a name means: each customer or account with whom it is linked, also those that were erased before.
WITH named AS (
    SELECT id AS solteq_id, NULL::BIGINT AS woo_id
    FROM snapshot.solteq_customers WHERE id = $who OR lower(email) = lower($who)
    UNION
    SELECT NULL, id
    FROM snapshot.woo_customer_accounts WHERE id::VARCHAR = $account OR lower(email) = lower($who)
    UNION
    SELECT solteq_id, woo_id
    FROM sync.customers WHERE solteq_id = $who OR woo_id::VARCHAR = $account OR lower(email) = lower($who)
    UNION
    SELECT solteq_id, woo_id
    FROM sync.customer_conflicts
    WHERE solteq_id = $who OR woo_id::VARCHAR = $account OR lower($who) IN (lower(kept), lower(lost))
    UNION
    SELECT solteq_id, woo_id FROM delta.woo_customer_delta WHERE says(changes, $who)
    UNION
    SELECT solteq_id, woo_id FROM delta.solteq_customer_delta WHERE says(changes, $who)
    UNION
    SELECT key, NULL FROM sync.quarantine WHERE flow = 'customers_to_woo' AND key = $who
    UNION
    SELECT NULL, $account::BIGINT
    FROM sync.quarantine WHERE flow = 'customers_to_solteq' AND key IN ($account, 'account ' || $account)
),

linked AS (
    SELECT solteq_id, woo_id FROM sync.customers
    UNION
    -- Made by a write without an answer, and not linked yet.
    SELECT held_solteq_id, id
    FROM snapshot.woo_customer_accounts
    WHERE id NOT IN (SELECT woo_id FROM sync.customers WHERE woo_id IS NOT NULL)
)

SELECT DISTINCT
    coalesce(named.solteq_id, linked.solteq_id) AS solteq_id,
    coalesce(named.woo_id, linked.woo_id) AS woo_id
FROM named LEFT JOIN linked ON linked.solteq_id = named.solteq_id OR linked.woo_id = named.woo_id
WHERE coalesce(named.solteq_id, linked.solteq_id) IS NOT NULL OR coalesce(named.woo_id, linked.woo_id) IS NOT NULL
ORDER BY ALL
