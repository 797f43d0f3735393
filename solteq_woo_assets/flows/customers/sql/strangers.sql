-- Accounts that nobody in Solteq belongs to, and who else has their e-mail address. An intermediate address is
-- nobody's: a killed run leaves it behind in a database that is lost since.
SELECT accounts.*, emails.customer_ids
FROM accounts
JOIN free_accounts ON free_accounts.woo_id = accounts.id
LEFT JOIN emails USING (email_key)
WHERE
    NOT EXISTS (FROM links WHERE links.woo_id = accounts.id)
    AND NOT is_intermediate(coalesce(email, ''))
