-- Words of the flows. Each connection of their database knows them: see engine/sql.py.

-- Whether no product of this type is ever sold online. NULL without a type.
CREATE OR REPLACE MACRO is_never_sold_online(product_type) AS
    plain_word(product_type) IN ('giftcard', 'deposit', 'custom');

-- Whether a product of this type may be sold online. NULL without a type.
CREATE OR REPLACE MACRO is_goods(product_type) AS plain_word(product_type) IN ('basic', 'variant', 'service');

-- Whether a product of this type is never out of stock, for nobody counts it. NULL without a type.
CREATE OR REPLACE MACRO keeps_no_stock(product_type) AS
    is_never_sold_online(product_type) OR plain_word(product_type) = 'service';

-- Whether a product may be sold online. Never NULL. Nothing is given away.
CREATE OR REPLACE MACRO is_sold_online(product_type, sales_price) AS
    coalesce(is_goods(product_type) AND round(sales_price, 2) > 0, FALSE);

-- One of the store products that share a SKU (imports can make them) counts: the one that is not in the bin, then the
-- older one. For QUALIFY, or as a column.
CREATE OR REPLACE MACRO counts_for_sku(sku, status, id) AS
    row_number() OVER (PARTITION BY sku ORDER BY status = 'trash', id) = 1;

-- GTINs: the numbers that name one product all over the world (GS1 General Specifications, 1.4 and 7.9).

-- A number of up to 14 digits, with the zeroes that a spreadsheet took from it: 8, 12, 13 or 14 digits, else NULL.
-- Fewer than 8 digits are no GTIN: one that begins with a zero is nobody's.
CREATE OR REPLACE MACRO padded_gtin(given) AS
    CASE WHEN regexp_full_match(trim(given), '[0-9]{8,14}') THEN
        lpad(
            trim(given),
            CASE length(trim(given)) WHEN 8 THEN 8 ELSE greatest(length(trim(given)), 12) END::INTEGER,
            '0'
        )
    END;

-- The sum of its digits as 14, every other one three times. It ends in 0 where the check digit is right.
CREATE OR REPLACE MACRO weighted_sum(padded) AS
    list_dot_product(
        string_split(lpad(padded, 14, '0'), '')::DOUBLE[], [3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]::DOUBLE[]
    )::INTEGER;

-- The fault of a number that a company gives within itself, as to goods that it weighs, or prints on coupons.
CREATE OR REPLACE MACRO fault_of_company_number() AS 'is not given to products worldwide';

-- Why a padded number names no product of the world, else NULL. 02, 04 and 20 to 29 are a company's own numbers; 05, 98
-- and 99 are on coupons; a GTIN-8 (six zeroes before it) with 0 or 2 is a company's own, too.
CREATE OR REPLACE MACRO gtin_fault(padded) AS CASE
    WHEN padded IS NULL THEN 'is not 8, 12, 13 or 14 digits'
    WHEN replace(padded, padded[1], '') = '' THEN 'is one digit over and over'
    WHEN regexp_matches(lpad(padded, 14, '0'), '^0{6}[02]|^.(02|04|05|2|98[0-4]|99)') THEN fault_of_company_number()
    WHEN weighted_sum(padded) % 10 <> 0 THEN 'has a wrong check digit'
END;

-- A GTIN without its leading zeroes, in which its forms are the same, else NULL.
CREATE OR REPLACE MACRO gtin_key(given) AS
    CASE
        WHEN padded_gtin(given) IS NOT NULL AND gtin_fault(padded_gtin(given)) IS NULL
            THEN ltrim(padded_gtin(given), '0')
    END;

-- Prices.

-- The purchase price at the cent. A negative one is nobody's price.
CREATE OR REPLACE MACRO purchase_price(price) AS CASE WHEN price >= 0 THEN at_the_cent(price) END;

-- Whether the store holds the offer, or no sale where there is none. Both are names of tables in the query.
CREATE OR REPLACE MACRO sale_agrees(store, offer) AS
    store.sale_price IS NOT DISTINCT FROM offer.sale_price
    AND store.date_on_sale_from_gmt IS NOT DISTINCT FROM offer.date_on_sale_from_gmt
    AND store.date_on_sale_to_gmt IS NOT DISTINCT FROM offer.date_on_sale_to_gmt
    AND store.lowest_price_30d IS NOT DISTINCT FROM offer.lowest_price_30d;

-- The changes that make the store hold the offer, also those that change nothing. An emptied sale takes its dates
-- along.
CREATE OR REPLACE MACRO sale_changes(store, offer) AS [
    change('sale_price', coalesce(price_text(store.sale_price), ''), coalesce(price_text(offer.sale_price), '')),
    change('date_on_sale_from_gmt', time_text(store.date_on_sale_from_gmt), time_text(offer.date_on_sale_from_gmt)),
    change('date_on_sale_to_gmt', time_text(store.date_on_sale_to_gmt), time_text(offer.date_on_sale_to_gmt)),
    change('_solteq_lowest_price_30d', store.lowest_price_30d, offer.lowest_price_30d)
];

-- Why a product is not sold online. fate: what becomes of its page in the store. It goes off (as that of an inactive
-- product), stays as it is, or goes on without the field.
CREATE OR REPLACE MACRO quarantined(field, fate, problem, reason) AS
    {'held': 'quarantine', 'field': field, 'fate': fate, 'problem': problem, 'reason': reason};
