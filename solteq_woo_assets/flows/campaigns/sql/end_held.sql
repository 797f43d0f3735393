-- What held until now has ended.
UPDATE sync.price_history AS held SET valid_to = since FROM moved
WHERE held.sku = moved.sku AND coalesce(held.valid_to > since, TRUE)
