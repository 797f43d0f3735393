-- How many prices that are due are older than what the other flow wrote since.
-- Of a product that is yet to be made, nobody has written a price; it is made with the newest.
SELECT count(*)
FROM due JOIN sync.comparisons AS made ON made.flow = $flow
WHERE
    list_contains($sent, due.action) AND sets_price(due.changes)
    AND CASE
        WHEN due.woo_id IS NULL
            THEN EXISTS (
                FROM sync.comparisons AS other WHERE other.flow = $other AND other.computed_at > made.computed_at
            )
        ELSE EXISTS (
            FROM sync.deliveries AS written
            WHERE
                written.flow = $other AND written.woo_id = due.woo_id AND written.state = 'delivered'
                AND written.created_at >= made.computed_at AND sets_price(written.changes)
        )
    END
