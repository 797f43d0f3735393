"""How codes and SKUs are compared."""


def sku_key(column: str) -> str:
    """SQL for the form in which WooCommerce compares SKUs: case and outer spaces do not count (recorded)."""
    return f"lower(trim({column}))"
