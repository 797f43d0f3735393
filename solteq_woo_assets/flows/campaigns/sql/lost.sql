-- The SKUs that a product gave up.
SELECT DISTINCT sku FROM public_before ANTI JOIN public_after USING (id, sku)
