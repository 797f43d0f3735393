SELECT * FROM candidates WHERE id > $last ORDER BY id LIMIT $most
