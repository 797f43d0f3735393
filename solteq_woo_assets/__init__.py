"""Keeps Solteq Commerce Cloud and WooCommerce in step."""
