"""``solteq-woo doctor``: whether both systems, the settings and the database are fit to work together."""
