-- Pairs that were linked before one of them was gone, and that are both there again, with the fields that differ.
SELECT
    links.solteq_id, links.woo_id,
    list_transform(
        list_filter(
            list_zip(
                person_fields(), person(customers, customers.phone, customers, NULL),
                person(accounts, accounts.phone, accounts, NULL)
            ),
            lambda each: contradict(each[1], each[2], each[3])
        ),
        lambda each: each[1]
    ) AS differing
FROM links
SEMI JOIN free_customers USING (solteq_id)
SEMI JOIN free_accounts USING (woo_id)
JOIN customers ON customers.id = links.solteq_id
JOIN accounts ON accounts.id = links.woo_id
WHERE state = 'unlinked'
