-- Who is who: by an earlier link, then by ExternalID, then by e-mail address; never by name alone.
WITH again AS (
    SELECT solteq_id, woo_id, 'they were linked before, and nothing has changed since' AS why
    FROM returned
    WHERE len(differing) = 0
),

candidates AS (
    SELECT
        solteq_id, woo_id, customer.email_key = account.email_key AS has_same_email,
        of_customer.account_ids IS NULL AND of_account.customer_ids IS NULL AS has_email_alone,
        coalesce(customer.email_key, '') = '' AS has_no_email,
        lower(customer.first_name) = lower(account.first_name) AS has_same_first_name,
        lower(customer.last_name) = lower(account.last_name) AS has_same_last_name,
        customer.first_name <> '' AND account.first_name <> '' AS has_first_names,
        customer.last_name <> '' AND account.last_name <> '' AS has_last_names
    FROM named
    JOIN free_customers AS customer USING (solteq_id)
    JOIN free_accounts AS account USING (woo_id)
    LEFT JOIN emails AS of_customer ON of_customer.email_key = customer.email_key
    LEFT JOIN emails AS of_account ON of_account.email_key = account.email_key
    WHERE
        solteq_id NOT IN (SELECT solteq_id FROM returned)
        AND woo_id NOT IN (SELECT woo_id FROM returned)
),

-- The e-mail addresses are the same, or they are nobody else's and the names agree. For a customer without an
-- e-mail address it is enough that no name differs.
by_id AS (
    SELECT solteq_id, woo_id, 'the customer has the account''s ExternalID' AS why
    FROM candidates
    WHERE
        has_same_email
        OR has_email_alone AND has_first_names AND has_same_first_name AND has_last_names AND has_same_last_name
        OR has_email_alone AND has_no_email
        AND (has_first_names AND NOT has_same_first_name OR has_last_names AND NOT has_same_last_name) IS NOT TRUE
    QUALIFY count(*) OVER (PARTITION BY solteq_id) = 1 AND count(*) OVER (PARTITION BY woo_id) = 1
),

by_email AS (
    SELECT customer_ids[1] AS solteq_id, account_ids[1] AS woo_id, 'they have the same e-mail address' AS why
    FROM emails
    WHERE len(customer_ids) = 1 AND len(account_ids) = 1
)

SELECT * FROM again
UNION ALL
SELECT * FROM by_id
UNION ALL
SELECT by_email.*
FROM by_email
SEMI JOIN free_customers USING (solteq_id)
SEMI JOIN free_accounts USING (woo_id)
WHERE
    solteq_id NOT IN (SELECT solteq_id FROM named)
    AND solteq_id NOT IN (SELECT solteq_id FROM returned)
    AND woo_id NOT IN (SELECT woo_id FROM named)
    AND woo_id NOT IN (SELECT woo_id FROM returned)
