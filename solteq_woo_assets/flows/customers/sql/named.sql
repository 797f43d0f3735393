-- Which customer has the ExternalID of which account, whether free or not, but for those that are linked.
WITH identified AS (
    SELECT id AS solteq_id, unnest(external_ids) AS external_id FROM customers WHERE NOT deleted
)

SELECT DISTINCT solteq_id, accounts.id AS woo_id
FROM identified
JOIN accounts ON external_id = external_id($shop, accounts.id)
WHERE NOT EXISTS (
    FROM links WHERE links.solteq_id = identified.solteq_id AND links.woo_id = accounts.id AND state = 'linked'
)
