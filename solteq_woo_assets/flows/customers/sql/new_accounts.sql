-- Accounts to make in the store.
SELECT
    id AS key, 'create' AS action, 'customer' AS kind, NULL AS woo_id, NULL AS parent_key, NULL AS parent_id,
    new_person(wanted) || [change('solteq_customer_id', NULL, id)] AS changes,
    'a customer without an account' AS reason, id AS solteq_id, [] AS conflicts
FROM wanted
WHERE len(customer_ids) = 1 AND account_ids IS NULL AND id NOT IN (SELECT solteq_id FROM doubts)
