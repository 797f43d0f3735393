SELECT id FROM fresh WHERE read_at = $now
