-- A GTIN is free when the store product that has it gives it away in the same delivery.
UPDATE items
SET gtin_is_taken = gtin_claimants > 1 OR sku_key IN (SELECT sku_key FROM gtins_kept)
WHERE gtin_is_taken
