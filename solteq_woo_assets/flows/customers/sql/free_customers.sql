-- Customers who may be linked. An erased person is nobody's candidate; one whose counterpart was removed may be linked
-- with another.
SELECT id AS solteq_id, lower(email) AS email_key, first_name, last_name, external_ids
FROM customers
WHERE NOT deleted AND NOT EXISTS (
    FROM links WHERE links.solteq_id = customers.id AND state IN ('linked', 'erased')
)
