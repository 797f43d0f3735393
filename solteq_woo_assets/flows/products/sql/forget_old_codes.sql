-- A store product is linked once.
DELETE FROM sync.links
USING told
WHERE links.kind = 'product' AND links.woo_id = told.woo_id AND links.key <> told.key
