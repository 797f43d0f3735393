-- The fields and people that are held back; told is the side that is not written.
WITH doubted AS (
    SELECT 'woo' AS told, solteq_id AS key, field, of_customer AS reason, code
    FROM doubts
    SEMI JOIN free_customers USING (solteq_id)
    UNION ALL
    SELECT 'solteq', woo_id::VARCHAR, field, of_account, code
    FROM doubts
    SEMI JOIN free_accounts USING (woo_id)
),

remarks AS (
    SELECT 'woo' AS told, solteq_id AS key, unnest(solteq_remarks) AS remark, solteq_is_beaten AS is_beaten
    FROM pairs
    UNION ALL
    SELECT 'woo', id, unnest(remarks), FALSE FROM wanted
    UNION ALL
    SELECT 'solteq', woo_id::VARCHAR, unnest(woo_remarks), woo_is_beaten FROM pairs
    UNION ALL
    SELECT 'solteq', id::VARCHAR, unnest(remarks), FALSE FROM strangers
),

unparsed AS (
    SELECT
        told, key, split_part(remark, ' ', 1) AS field,
        'in ' || CASE told WHEN 'woo' THEN 'Solteq' ELSE 'the store' END || ' its ' || remark AS reason,
        CASE field
            WHEN 'email' THEN 'email-invalid'
            WHEN 'tax_code' THEN 'tax-code-invalid'
            WHEN 'phone' THEN 'phone-unreadable'
            ELSE 'country-unknown'
        END AS code
    FROM remarks
    WHERE field IN ('email', 'tax_code', 'billing_country', 'delivery_country') OR field = 'phone' AND is_beaten
),

shared AS (
    SELECT
        'woo' AS told, id AS key,
        CASE
            WHEN len(customer_ids) > 1
                THEN 'its e-mail address is on several customers: ' || array_to_string(customer_ids, ', ')
            ELSE 'its e-mail address is that of account ' || account_ids[1]
                || ' in the store, which is somebody else''s'
        END AS reason,
        len(customer_ids) > 1 AS is_on_several
    FROM wanted
    WHERE (len(customer_ids) > 1 OR account_ids IS NOT NULL) AND id NOT IN (SELECT solteq_id FROM doubts)
    UNION ALL
    SELECT
        'solteq', id::VARCHAR,
        CASE
            WHEN len(customer_ids) > 1
                THEN 'the account''s e-mail address is on several customers in Solteq: '
                    || array_to_string(customer_ids, ', ')
            ELSE 'the account''s e-mail address is that of customer ' || customer_ids[1]
                || coalesce(', who is linked with account ' || links.woo_id, '')
        END,
        len(customer_ids) > 1
    FROM strangers
    LEFT JOIN links ON links.solteq_id = customer_ids[1] AND links.state = 'linked'
    WHERE customer_ids IS NOT NULL AND id NOT IN (SELECT woo_id FROM doubts)
),

-- An account cannot be made without an e-mail address.
without_email AS (
    SELECT
        id AS key,
        'in Solteq its ' || list_filter(remarks, lambda remark: starts_with(remark, 'email '))[1]
        || ', and an account cannot be without' AS reason
    FROM customers
    JOIN free_customers ON free_customers.solteq_id = customers.id
    WHERE
        list_contains(unparsed, 'email') AND NOT EXISTS (FROM links WHERE links.solteq_id = customers.id)
        AND gets_account($accounts, $groups, customer_groups)
)

SELECT told, key, min_by(field, code) AS field, string_agg(reason, '; ' ORDER BY reason) AS reason, min(code) AS code
FROM doubted
GROUP BY told, key
UNION ALL
SELECT told, key, field, reason, code FROM unparsed
UNION ALL
SELECT
    told, key, 'email', reason,
    CASE WHEN is_on_several THEN 'email-on-several-customers' ELSE 'email-taken' END
FROM shared
UNION ALL
SELECT 'woo', key, 'email', reason, 'email-invalid' FROM without_email
UNION ALL
SELECT 'woo', solteq_id, field, reason, code FROM staff
UNION ALL
SELECT 'solteq', woo_id::VARCHAR, field, reason, code FROM staff
