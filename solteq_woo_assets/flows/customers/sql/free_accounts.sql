-- Accounts that may be linked.
SELECT
    id AS woo_id, lower(email) AS email_key,
    coalesce(nullif(first_name, ''), billing_first_name) AS first_name,
    coalesce(nullif(last_name, ''), billing_last_name) AS last_name
FROM accounts
WHERE is_shopper(role) AND NOT EXISTS (
    FROM links WHERE links.woo_id = accounts.id AND state IN ('linked', 'erased')
)
