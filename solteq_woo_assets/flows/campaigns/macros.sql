-- Words of campaigns. A comparison defines them for itself: see engine/sql.py.

-- What a campaign means for the store. held: 'off' is nobody's business, 'skip' sets no price, 'quarantine' is to be
-- mended in Solteq. NULL instead: it sets prices.
CREATE OR REPLACE TEMP MACRO campaign_verdict(held, field, reason, problem) AS
    {'held': held, 'field': field, 'reason': reason, 'problem': problem};

-- A price less so many percent. In 28 digits: DuckDB would multiply two DECIMAL(18,4) in 18 and stop at a price of a
-- hundred million.
CREATE OR REPLACE TEMP MACRO less_percent(price, percent) AS
    price::DECIMAL(28, 4) * ((100 - percent)::DECIMAL(7, 4) * 0.01);

-- What a campaign makes of a price, before rounding.
CREATE OR REPLACE TEMP MACRO reduced_price(sales_price, discount_type, value) AS
    CASE discount_type
        WHEN 'percentage' THEN less_percent(sales_price, value)
        WHEN 'amount' THEN sales_price::DECIMAL(28, 4) - value
        ELSE value
    END;

-- A price while it is a discount, else NULL. A price at or above the sales price is none; WooCommerce would drop it
-- without a word (recorded). Nothing is free.
CREATE OR REPLACE TEMP MACRO real_discount(price, sales_price) AS
    CASE WHEN price > 0 AND price < round(sales_price, 2) THEN price::DECIMAL(18, 4) END;

-- The price under a campaign at the cent while it is a discount, else NULL. A product's maximum discount caps the
-- reduction (Solteq manual, Categories): with 0 there is none.
CREATE OR REPLACE TEMP MACRO campaign_price(sales_price, discount_type, value, max_discount_percent) AS
    real_discount(
        round(
            greatest(
                reduced_price(sales_price, discount_type, value),
                less_percent(sales_price, coalesce(max_discount_percent, 100))
            ),
            2
        ),
        sales_price
    );

-- What sets a price, in words. Without a campaign it is the product's own discounted price.
CREATE OR REPLACE TEMP MACRO set_by(name, id) AS coalesce(name || ' (' || id || ')', 'its discounted price');

-- Whether a step of a reduction begins where the one before ended. Between two steps the store shows the full price
-- until our write has come; that begins no new reduction.
CREATE OR REPLACE TEMP MACRO follows(begins, ended) AS begins < ended + INTERVAL 1 HOUR;

-- The fields that make what a shopper pays.
CREATE OR REPLACE TEMP MACRO price_fields() AS
    ['regular_price', 'sale_price', 'date_on_sale_from_gmt', 'date_on_sale_to_gmt'];

-- Whether one of these changes is of a price.
CREATE OR REPLACE TEMP MACRO has_prices(changes) AS
    list_has_any(list_transform(changes, lambda c: c.field), price_fields());

-- Whether one of them sets a price, and not its time alone.
CREATE OR REPLACE TEMP MACRO sets_price(changes) AS
    list_has_any(list_transform(changes, lambda c: c.field), ['regular_price', 'sale_price']);

-- A field's value in a map of texts, where an empty one means none; or what is held.
CREATE OR REPLACE TEMP MACRO money_or(texts, field, held) AS
    CASE WHEN map_contains(texts, field) THEN nullif(texts[field], '')::DECIMAL(18, 4) ELSE held END;

CREATE OR REPLACE TEMP MACRO time_or(texts, field, held) AS
    CASE WHEN map_contains(texts, field) THEN nullif(texts[field], '')::TIMESTAMP ELSE held END;
