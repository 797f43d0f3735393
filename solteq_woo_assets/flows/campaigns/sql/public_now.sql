-- Those of the products and variations that are looked at.
FROM public_prices WHERE id IN (FROM looked_at) OR parent_id IN (FROM looked_at)
