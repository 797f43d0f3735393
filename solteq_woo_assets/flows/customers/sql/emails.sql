-- Everybody who has the e-mail address of someone free, whether free or not.
WITH wanted AS (
    SELECT email_key FROM free_customers WHERE email_key <> ''
    UNION
    SELECT email_key FROM free_accounts WHERE email_key <> ''
),

everybody AS (
    SELECT lower(email) AS email_key, id AS solteq_id, NULL AS woo_id
    FROM customers WHERE NOT deleted
    UNION ALL
    SELECT lower(email), NULL, id FROM accounts
)

SELECT
    email_key,
    list(solteq_id ORDER BY solteq_id) FILTER (solteq_id IS NOT NULL) AS customer_ids,
    list(woo_id ORDER BY woo_id) FILTER (woo_id IS NOT NULL) AS account_ids
FROM everybody
WHERE email_key IN (SELECT email_key FROM wanted)
GROUP BY email_key
