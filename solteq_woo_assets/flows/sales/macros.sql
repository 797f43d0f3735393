-- Words of sales.

-- Whether an order of the store is a sale: rules.is_sale, for queries. A test holds the two together.
CREATE OR REPLACE TEMP MACRO is_sale(status, gone, paid_at, total, is_booked, sale_statuses) AS
    gone IS NULL AND CASE
        WHEN list_contains(sale_statuses, status) THEN TRUE
        WHEN status IN ('cancelled', 'failed') OR (status = 'refunded' AND total = 0) THEN FALSE
        ELSE is_booked OR (status = 'refunded' AND paid_at IS NOT NULL)
    END;

-- What an order is like, and the settings that decide which documents it makes.
CREATE OR REPLACE TEMP MACRO order_mark(content, gone, ways) AS concat_ws(' ', content, gone, ways);

-- A number of a document's totals.
CREATE OR REPLACE TEMP MACRO document_total(document, name) AS
    json_extract_string(document, '$.totals.' || name)::DECIMAL(18, 4);

-- An instant as the shop's clock shows it, to the second.
CREATE OR REPLACE TEMP MACRO shown_time(instant, zone) AS
    strftime(instant AT TIME ZONE 'UTC' AT TIME ZONE zone, '%-d.%-m.%Y %H:%M:%S');

CREATE OR REPLACE TEMP MACRO shown_money(amount) AS amount::DECIMAL(18, 2)::VARCHAR;
