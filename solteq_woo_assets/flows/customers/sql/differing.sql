-- The pairs that differ, and whose value of each field is to hold.
WITH judged AS (
    SELECT
        * EXCLUDE (solteq, woo, agreed),
        list_transform(list_zip(person_fields(), solteq, woo, agreed), lambda each: {
            'field': each[1], 'solteq': each[2], 'woo': each[3], 'agreed': each[4],
            'whose': whose(each[1], type, each[2], each[3], each[4])
        }) AS fields,
        CASE
            WHEN $conflicts = 'woocommerce' OR $conflicts = 'newest' AND is_newer_in_woo THEN 'woo'
            ELSE 'solteq'
        END AS winner
    FROM pairs
    WHERE solteq <> woo OR len(country_names) > 0
),

sorted AS (
    SELECT
        *,
        list_filter(fields, lambda each:
            each.whose = 'solteq' OR each.whose = 'both' AND winner = 'solteq') AS for_woo,
        list_filter(fields, lambda each:
            each.whose = 'woo' OR each.whose = 'both' AND winner = 'woo') AS for_solteq,
        -- The store counts VAT by the codes of countries alone.
        list_transform(
            list_filter(fields, lambda each:
                each.woo <> '' AND ends_with(each.field, '_country')
                AND list_contains(country_names, split_part(each.field, '_', 1))),
            lambda each: {'field': each.field, 'value': each.woo}
        ) AS named_countries
    FROM judged
)

SELECT * FROM sorted WHERE len(for_woo) + len(for_solteq) + len(named_countries) > 0
