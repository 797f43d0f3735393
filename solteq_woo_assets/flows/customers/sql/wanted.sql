-- Customers who are to get an account, and who else has their e-mail address.
SELECT customers.*, emails.customer_ids, emails.account_ids
FROM customers
JOIN free_customers ON free_customers.solteq_id = customers.id
JOIN emails USING (email_key)
WHERE
    NOT EXISTS (FROM links WHERE links.solteq_id = customers.id)
    AND gets_account($accounts, $groups, customer_groups)
