-- The codes that cannot be sold online by themselves: the first thing that keeps each from it.
WITH judged AS (
    SELECT
        sku_key,
        CASE
            WHEN claimants > 1
                THEN quarantined(
                    'code', 'stays', 'code-duplicate', 'the code is on ' || claimants || ' active products'
                )
            WHEN contradicted_id IS NOT NULL
                THEN quarantined(
                    'gtin', 'stays', 'sku-of-other-gtin',
                    'the store''s product ' || contradicted_id || ' has this SKU and another GTIN than '
                    || trim(gtin_given)
                )
            WHEN is_never_sold_online(product_type)
                THEN {
                    'held': 'skip', 'field': 'productType', 'fate': 'off', 'problem': '',
                    'reason': CASE plain_word(product_type)
                        WHEN 'giftcard' THEN 'gift cards'
                        WHEN 'deposit' THEN 'deposits'
                        ELSE 'custom products'
                    END || ' are not sold online'
                }
            WHEN is_goods(product_type) IS NOT TRUE
                THEN quarantined('productType', 'off', 'product-type-unknown', 'the product type is not known')
            WHEN sales_price < 0
                THEN quarantined('salesPrice', 'off', 'price-negative', 'the price is negative')
            WHEN NOT is_sold_online(product_type, sales_price)
                THEN quarantined('salesPrice', 'off', 'price-missing', 'there is no price')
            WHEN tax_class IS NULL AND vat_rate IS NOT NULL
                THEN quarantined(
                    'vatRate', 'goes on', 'vat-rate-without-class', 'VAT ' || vat_rate || ' % has no tax class'
                )
            WHEN NOT tax_class_is_known
                THEN quarantined('vatRate', 'goes on', 'tax-class-missing', 'the store has no tax class ' || tax_class)
            WHEN length(sku) > 100
                THEN quarantined(
                    'code', 'stays', 'code-too-long', 'the code is longer than the 100 characters that a SKU may have'
                )
        END AS fault
    FROM codes
    WHERE on_sale
)

SELECT sku_key, fault.* FROM judged WHERE fault IS NOT NULL
