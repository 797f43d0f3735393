-- By the order itself: the store takes the account off its orders when it is deleted there.
INSERT OR IGNORE INTO sync.erased_orders SELECT id, $now FROM fresh WHERE is_erased(id, customer_id)
