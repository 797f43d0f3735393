-- By the order itself: the store takes the account off its orders when it is deleted there.
INSERT OR IGNORE INTO sync.erased_orders SELECT id, $now FROM fresh WHERE customer_id IN (FROM erased_accounts)
