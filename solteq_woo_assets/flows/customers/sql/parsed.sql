-- A side's rows, silent on what cannot be parsed. unparsed: those fields, and others that go as they are.
SELECT
    * REPLACE (
        if_parsed('email', email, unparsed) AS email,
        if_parsed('tax_code', tax_code, unparsed) AS tax_code,
        if_parsed('billing_country', billing_country, unparsed) AS billing_country,
        if_parsed('delivery_country', delivery_country, unparsed) AS delivery_country
    )
FROM (
    SELECT
        *,
        list_transform(coalesce(remarks, []), lambda remark: split_part(remark, ' ', 1)) AS unparsed
    FROM side
) AS remarked
