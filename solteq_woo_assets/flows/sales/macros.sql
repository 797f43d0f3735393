-- Words of sales.

-- Whether an order of the store is a sale: rules.is_sale, for queries. A test holds the two together.
CREATE OR REPLACE TEMP MACRO is_sale(status, gone, paid_at, total, is_booked, sale_statuses) AS
    gone IS NULL AND CASE
        WHEN list_contains(sale_statuses, status) THEN TRUE
        WHEN status IN ('cancelled', 'failed') OR (status = 'refunded' AND total = 0) THEN FALSE
        ELSE is_booked OR (status = 'refunded' AND paid_at IS NOT NULL)
    END;

-- Whether a sale of an order stands in Solteq: one that no reversal has ended.
CREATE OR REPLACE TEMP MACRO has_standing_sale(sold_id) AS sold_id IN (
    SELECT sales.order_id FROM sync.sales
    GROUP BY sales.order_id
    HAVING max(sales.version) FILTER (sales.type = 'Sale')
        > coalesce(max(sales.version) FILTER (sales.type = 'Refund' AND sales.refund_id IS NULL), 0)
);

CREATE OR REPLACE TEMP MACRO is_cash_on_delivery(sold_id) AS
    sold_id IN (SELECT payments.order_id FROM snapshot.woo_sales_payments AS payments WHERE payments.method = 'cod');

-- Whether an order is to be booked here: it was made since the first day or on a day that was backfilled, or it is
-- booked already (a refund of an older order is no sale, of version 0; its reversal is the end of what others booked).
-- Also an older order that is paid since then, say by an invoice: who booked before has nothing to do with it any
-- more. Not so with cash on delivery, which is a sale when it is made, and which the store calls paid when it is
-- completed.
CREATE OR REPLACE TEMP MACRO is_booked_here(sold_id, sold_on, paid_at, begins, begins_at) AS coalesce(
    sold_on >= begins
    OR sold_on IN (SELECT sales_days.day FROM sync.sales_days)
    OR sold_id IN (SELECT sales.order_id FROM sync.sales WHERE sales.version > 0 OR sales.refund_id IS NULL)
    OR (paid_at >= begins_at AND NOT is_cash_on_delivery(sold_id)),
    FALSE
);

-- What an order is like, and the settings that decide which documents it makes.
CREATE OR REPLACE TEMP MACRO order_mark(content, gone, ways) AS concat_ws(' ', content, gone, ways);

-- Whether an order is of somebody who was erased.
CREATE OR REPLACE TEMP MACRO is_erased(sold_id, account) AS
    sold_id IN (SELECT erased_orders.order_id FROM sync.erased_orders)
    OR coalesce(account IN (SELECT customers.woo_id FROM sync.customers WHERE customers.state = 'erased'), FALSE);

-- A number of a document's totals.
CREATE OR REPLACE TEMP MACRO document_total(document, name) AS
    json_extract_string(document, '$.totals.' || name)::DECIMAL(18, 4);

-- An instant as the shop's clock shows it, to the second.
CREATE OR REPLACE TEMP MACRO shown_time(instant, zone) AS
    strftime(instant AT TIME ZONE 'UTC' AT TIME ZONE zone, '%-d.%-m.%Y %H:%M:%S');

CREATE OR REPLACE TEMP MACRO shown_money(amount) AS amount::DECIMAL(18, 2)::VARCHAR;
