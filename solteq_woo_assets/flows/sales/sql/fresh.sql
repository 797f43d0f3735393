-- Orders as the store gave them, unless a newer version is there. read_at moves when their content does.
SELECT
    new.*,
    CASE WHEN held.content = new.content AND held.gone IS NULL THEN held.read_at ELSE $now END AS read_at
FROM arrived AS new
LEFT JOIN snapshot.woo_sales AS held USING (id)
WHERE held.id IS NULL OR new.modified_at >= held.modified_at OR held.gone IS NOT NULL
