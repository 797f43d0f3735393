-- Of each product the sale that the store should hold: what runs now, or what comes next.
-- What runs has no beginning: that is how WooCommerce's own cron leaves it, and to take the beginning away is the write
-- that makes the store renew the price on the minute (contract, 17), whatever its cron does. It ends a second early,
-- because for WooCommerce a window's last second belongs to it.
SELECT
    product, id, sale_price, opens, closes, position,
    CASE WHEN opens > $now THEN opens END AS date_on_sale_from_gmt,
    CASE WHEN isfinite(closes) THEN closes - INTERVAL 1 SECOND END AS date_on_sale_to_gmt,
    price_text(round(lowest_prices.price, 2)) AS lowest_price_30d,
    -- Until then all stays as it is: the offer begins or ends, or tells another lowest price.
    CASE
        WHEN opens > $now THEN opens
        ELSE least(CASE WHEN isfinite(closes) THEN closes END, CASE WHEN lowest_price_30d <> '' THEN holds_until END)
    END AS next_edge
FROM offers_now LEFT JOIN lowest_prices USING (id)
