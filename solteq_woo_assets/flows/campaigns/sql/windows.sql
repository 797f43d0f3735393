-- When each campaign that sets prices runs: all its time, or its days and hours of the coming weeks.
SELECT position, starts, ends FROM campaigns_judged WHERE held IS NULL AND NOT recurs
UNION ALL
SELECT position, recurring.starts, recurring.ends
FROM campaigns_judged JOIN recurring USING (id)
WHERE held IS NULL AND recurs
