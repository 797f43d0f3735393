"""What may be sold online at all, as SQL: by its type and its price."""


def plain_type(product_type: str) -> str:
    """A product type without regard to case and separators."""
    return f"regexp_replace(lower({product_type}), '[ _-]', '', 'g')"


def keeps_no_stock(product_type: str) -> str:
    """Whether a product of this type is never out of stock, for nobody counts it. NULL without a type."""
    return f"{plain_type(product_type)} IN ('giftcard', 'deposit', 'custom', 'service')"


def is_sold_online(product_type: str, sales_price: str) -> str:
    """Never NULL. Nothing is given away, and what is no goods (a gift card, a deposit) is not sold online."""
    is_goods = f"{plain_type(product_type)} IN ('basic', 'variant', 'service')"
    return f"coalesce({is_goods} AND round({sales_price}, 2) > 0, FALSE)"
