-- How many linked pairs have no difference.
WITH linked AS (
    SELECT count(*) AS number
    FROM links
    JOIN customers ON customers.id = links.solteq_id
    JOIN accounts ON accounts.id = links.woo_id
    WHERE links.state = 'linked' AND NOT customers.deleted AND is_shopper(accounts.role)
)

SELECT number - (SELECT count(*) FROM differing) FROM linked
