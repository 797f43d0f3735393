-- Linked pairs: the person as Solteq says, as the store says, and as was last agreed. Those of whom all is as agreed,
-- with nothing to remark on, are left out.
WITH sides AS (
    SELECT
        links.solteq_id, links.woo_id, customers.type,
        accounts.date_modified_gmt > customers.modified_at AS is_newer_in_woo,
        customers.remarks AS solteq_remarks, accounts.remarks AS woo_remarks,
        coalesce(accounts.country_names, []) AS country_names,
        accounts.held_solteq_id, accounts.billing_email, accounts.billing_first_name, accounts.billing_last_name,
        accounts.shipping_first_name, accounts.shipping_last_name,
        -- A phone that is no number gives way to one that is. Else any text goes, as an extension.
        list_contains(customers.unparsed, 'phone')
        AND NOT list_contains(accounts.unparsed, 'phone') AND coalesce(accounts.phone, '') <> '' AS solteq_is_beaten,
        list_contains(accounts.unparsed, 'phone')
        AND NOT list_contains(customers.unparsed, 'phone') AND coalesce(customers.phone, '') <> '' AS woo_is_beaten,
        links.solteq_phone_text AS agreed_solteq_phone_text, links.woo_phone_text AS agreed_woo_phone_text,
        CASE WHEN solteq_is_beaten THEN links.solteq_phone_text ELSE customers.phone_text END AS solteq_phone_text,
        CASE WHEN woo_is_beaten THEN links.woo_phone_text ELSE accounts.phone_text END AS woo_phone_text,
        -- A phone means what it meant while its text is the same, though the address it was read by moves abroad.
        solteq_is_beaten OR (
            links.phone IS NOT NULL AND (customers.phone_text IS NOT DISTINCT FROM links.solteq_phone_text)
        ) AS solteq_has_same_phone,
        woo_is_beaten OR (
            links.phone IS NOT NULL AND (accounts.phone_text IS NOT DISTINCT FROM links.woo_phone_text)
        ) AS woo_has_same_phone,
        person(links, links.phone, links, NULL) AS agreed,
        person(customers, CASE WHEN NOT solteq_has_same_phone THEN customers.phone END, links, '') AS solteq,
        person(accounts, CASE WHEN NOT woo_has_same_phone THEN accounts.phone END, links, '') AS woo
    FROM links
    JOIN customers ON customers.id = links.solteq_id
    JOIN accounts ON accounts.id = links.woo_id
    WHERE links.state = 'linked' AND NOT customers.deleted AND is_shopper(accounts.role)
)

SELECT *
FROM sides
WHERE
    solteq <> agreed
    OR woo <> agreed
    OR solteq_phone_text IS DISTINCT FROM agreed_solteq_phone_text
    OR woo_phone_text IS DISTINCT FROM agreed_woo_phone_text
    OR len(solteq_remarks) > 0
    OR len(woo_remarks) > 0
    OR len(country_names) > 0
