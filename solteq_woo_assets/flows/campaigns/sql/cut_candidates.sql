-- Let what is ahead of each product begin where the last segment of its calendar ended.
UPDATE candidates SET starts = greatest(starts, last.closes)
FROM (
    SELECT product, max(closes) AS closes FROM segments GROUP BY product
) AS last
WHERE candidates.product = last.product
