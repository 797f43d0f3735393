-- Accounts of the store that were of people who were erased.
SELECT woo_id FROM sync.customers WHERE state = 'erased' AND woo_id IS NOT NULL
