-- Words that any query may use. Each connection of the database knows them.

-- The form in which WooCommerce compares SKUs: case and outer spaces do not count (recorded).
CREATE OR REPLACE MACRO sku_key(sku) AS lower(trim(sku));

-- A word of a list, such as a product type: case, spaces, hyphens and underscores do not count.
CREATE OR REPLACE MACRO plain_word(word) AS regexp_replace(lower(word), '[ _-]', '', 'g');

-- One field of a delta row, as text.
CREATE OR REPLACE MACRO change(field, old, new) AS
    {'field': field::VARCHAR, 'old': old::VARCHAR, 'new': new::VARCHAR};

-- The changes that change something.
CREATE OR REPLACE MACRO changed(changes) AS list_filter(changes, lambda each: each.old IS DISTINCT FROM each.new);

-- A price at the cent, rounded half up once.
CREATE OR REPLACE MACRO at_the_cent(price) AS round(price, 2)::DECIMAL(18, 4);

-- A price as it goes on the wire, with two decimals. One that the store holds with more keeps them all.
CREATE OR REPLACE MACRO price_text(price) AS
    CASE WHEN price = round(price, 2) THEN price::DECIMAL(18, 2)::VARCHAR ELSE price::VARCHAR END;

-- An instant as WooCommerce takes it. Empty where there is none.
CREATE OR REPLACE MACRO time_text(instant) AS coalesce(strftime(instant, '%Y-%m-%dT%H:%M:%S'), '');

-- An instant as the shop's clock shows it. NULL where there is none.
CREATE OR REPLACE MACRO local_text(instant, zone) AS
    strftime((CASE WHEN isfinite(instant) THEN instant END) AT TIME ZONE 'UTC' AT TIME ZONE zone, '%-d.%-m.%Y %H:%M');

-- The price that a shopper pays for a row of snapshot.woo_catalogue at an instant.
-- A window's last second counts: WooCommerce compares with its end, not with the second after.
CREATE OR REPLACE MACRO public_price(item, instant) AS
    CASE
        WHEN
            item.sale_price < item.regular_price
            AND coalesce(item.date_on_sale_from_gmt <= instant, TRUE)
            AND coalesce(item.date_on_sale_to_gmt + INTERVAL 1 SECOND > instant, TRUE)
            THEN item.sale_price
        ELSE item.regular_price
    END;
