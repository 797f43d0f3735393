-- Accounts to remove from the store: their customers were deleted in Solteq.
SELECT
    solteq_id AS key, 'remove' AS action, 'customer' AS kind, woo_id, NULL AS parent_key, NULL AS parent_id,
    [] AS changes, 'the customer was deleted in Solteq' AS reason, solteq_id, [] AS conflicts
FROM links
JOIN customers ON customers.id = solteq_id
JOIN accounts ON accounts.id = woo_id
WHERE
    state = 'unlinked' AND customers.deleted AND is_shopper(role)
    AND woo_id NOT IN (SELECT woo_id FROM links WHERE state = 'linked')
