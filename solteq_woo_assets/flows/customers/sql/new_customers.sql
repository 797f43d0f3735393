-- Customers to make in Solteq, of accounts. Who has never filled in a name may have one on an invoice.
WITH known AS (
    SELECT
        * REPLACE (
            coalesce(nullif(first_name, ''), billing_first_name) AS first_name,
            coalesce(nullif(last_name, ''), billing_last_name) AS last_name
        )
    FROM strangers
)

SELECT
    id::VARCHAR AS key, 'create' AS action, 'customer' AS kind, id AS woo_id, NULL AS parent_key, NULL AS parent_id,
    [
        change('type', NULL, CASE WHEN company_name <> '' AND tax_code <> '' THEN 'Company' ELSE 'Private' END),
        change('external_id', NULL, external_id($shop, id))
    ] || new_person(known) AS changes,
    'a new account in the store' AS reason, NULL AS solteq_id, [] AS conflicts
FROM known
WHERE customer_ids IS NULL AND id NOT IN (SELECT woo_id FROM doubts)
