-- A document whose code changed keeps the history of its prices.
UPDATE sync.price_history
SET sku = told.key
FROM told
WHERE price_history.sku = told.old_key AND told.is_renamed
