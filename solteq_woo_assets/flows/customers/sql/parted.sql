-- Linked pairs of which one is gone, as rows of the store's delta that are sent to nobody.
SELECT
    'link ' || solteq_id AS key, 'part' AS action, 'link' AS kind, woo_id, NULL AS parent_key, NULL AS parent_id,
    [] AS changes,
    CASE
        WHEN accounts.id IS NULL THEN 'the account was removed from the store'
        ELSE 'the customer was deleted in Solteq'
    END AS reason,
    solteq_id, [] AS conflicts
FROM links
LEFT JOIN customers ON customers.id = solteq_id
LEFT JOIN accounts ON accounts.id = woo_id
WHERE state = 'linked' AND (accounts.id IS NULL OR customers.deleted)
