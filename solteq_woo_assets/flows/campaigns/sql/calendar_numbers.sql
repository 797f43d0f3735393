-- The calendar to be drawn.
SELECT code, opens, closes, price::DOUBLE AS price, regular_price::DOUBLE AS regular_price
FROM calendar
