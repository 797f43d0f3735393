-- Linked accounts of people who run the store: nothing is written of them.
SELECT
    links.solteq_id, links.woo_id, 'role' AS field,
    'account ' || links.woo_id || ' of customer ' || links.solteq_id || ' has the role ' || accounts.role AS reason,
    'account-of-staff' AS code
FROM links
JOIN customers ON customers.id = links.solteq_id
JOIN accounts ON accounts.id = links.woo_id
WHERE links.state = 'linked' AND NOT customers.deleted AND NOT is_shopper(accounts.role)
