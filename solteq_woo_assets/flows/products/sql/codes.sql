-- One row a product code: its prices, tax class, GTIN and attributes.
WITH claimed AS (
    SELECT sku_key, list(sales_price) AS claimed_prices
    FROM documents
    WHERE on_sale
    GROUP BY ALL
    HAVING count(*) > 1
),

single AS (
    SELECT documents.* EXCLUDE (sku_key, gtin_key), matches.* EXCLUDE (id), claimed_prices
    FROM matches
    JOIN documents USING (id)
    LEFT JOIN claimed ON claimed.sku_key = matches.sku_key
),

padded AS (
    SELECT
        *, padded_gtin(gtin) AS gtin_padded,
        CASE WHEN trim(gtin) <> '' THEN gtin_fault(gtin_padded) END AS gtin_fault,
        CASE WHEN gtin_fault IS NULL THEN gtin_padded END AS gtin_used
    FROM single
),

spelled AS (
    SELECT id, unnest(attributes) AS attribute, generate_subscripts(attributes, 1) AS place
    FROM documents
),

-- The first spelling of an attribute in a document counts.
of_documents AS (
    SELECT id, place, names.text AS name, options.text AS option, names.name_key, options.option_key
    FROM spelled
    JOIN attribute_texts AS names ON names.given = attribute.name
    JOIN attribute_texts AS options ON options.given = attribute.option
    WHERE names.name_key <> '' AND options.text <> ''
    QUALIFY row_number() OVER (PARTITION BY id, names.name_key ORDER BY place) = 1
),

tidied AS (
    SELECT
        id,
        list(
            {'name': name, 'option': option, 'name_key': name_key, 'option_key': option_key} ORDER BY place
        ) AS attributes
    FROM of_documents
    GROUP BY id
),

cleaned AS (
    SELECT padded.* REPLACE (coalesce(tidied.attributes, []) AS attributes)
    FROM padded
    LEFT JOIN tidied ON tidied.id = padded.id
)

SELECT
    sku_key, model_key, id,
    trim(code) || CASE WHEN replaced_by IS NULL THEN '' ELSE ' (' || id || ')' END AS sku,
    trim(model_number) AS model_number, nullif(trim(name), '') AS name, on_sale, deleted, product_type, claimants,
    claimed_prices, replaced_by, contradicted_id, vat_rate, sales_price, discounted_price, gtin_fault, attributes,
    at_the_cent(sales_price) AS regular_price, sale_price, date_on_sale_from_gmt, date_on_sale_to_gmt, lowest_price_30d,
    purchase_price(purchase_price) AS purchase_price, gtin_used AS gtin, gtin AS gtin_given,
    count(*) FILTER (on_sale) OVER (PARTITION BY gtin_used) AS gtin_claimants,
    slug AS tax_class, known AS tax_class_is_known,
    len(cleaned.attributes) > 0
    AND 1 >= count(*) FILTER (on_sale) OVER (
        PARTITION BY
            model_key,
            list_sort(list_transform(cleaned.attributes, lambda each: each.name_key || '=' || each.option_key))
    ) AS is_told_apart
FROM cleaned
LEFT JOIN tax_classes USING (vat_rate)
LEFT JOIN offers USING (id)
