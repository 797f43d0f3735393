-- Pairs of whom one thing says that they are one person, and another that they are not: nothing is written of either.
WITH id_says AS (
    SELECT
        solteq_id, woo_id,
        CASE
            WHEN
                woo_id IN (SELECT woo_id FROM free_accounts)
                OR woo_id IN (SELECT woo_id FROM links WHERE state = 'linked')
                THEN 'somebody else by the e-mail address or the name'
            ELSE 'somebody who runs the store'
        END AS who
    FROM named
    ANTI JOIN links USING (solteq_id, woo_id)
),

email_says AS (
    SELECT customer_ids[1] AS solteq_id, account_ids[1] AS woo_id
    FROM emails
    WHERE len(customer_ids) = 1 AND len(account_ids) = 1
)

SELECT
    solteq_id, woo_id, 'external_id' AS field, 'id-contradicts-email' AS code,
    'it has the ExternalID of account ' || woo_id || ', who is ' || who AS of_customer,
    'customer ' || solteq_id || ' has its ExternalID, and it is ' || who AS of_account
FROM id_says
UNION ALL
SELECT
    solteq_id, woo_id, 'external_id', 'id-contradicts-email',
    'its e-mail address is that of account ' || woo_id || ', who is somebody else by an ExternalID or an earlier link',
    'its e-mail address is that of customer ' || solteq_id
    || ', who is somebody else by an ExternalID or an earlier link'
FROM email_says
SEMI JOIN free_customers USING (solteq_id)
SEMI JOIN free_accounts USING (woo_id)
ANTI JOIN links USING (solteq_id, woo_id)
ANTI JOIN named USING (solteq_id, woo_id)
UNION ALL
SELECT
    solteq_id, woo_id, array_to_string(differing, ', '), 'linked-before',
    'it was linked with account ' || woo_id || ' until one of them was gone; both are back, and these differ',
    'it was linked with customer ' || solteq_id || ' until one of them was gone; both are back, and these differ'
FROM returned
WHERE len(differing) > 0
