-- A SKU that one product gave up may be another's by now, also of one that nobody looked at.
INSERT INTO public_after
FROM public_prices WHERE sku IN (FROM lost) AND id NOT IN (SELECT id FROM public_after)
