"""Prices as the store gets them, as SQL expressions over ``DECIMAL(18,4)`` columns.

DuckDB rounds decimals half away from zero, which for prices (never negative here) is half up.
"""


def regular_price(sales_price: str) -> str:
    """The sales price at the cent."""
    return f"round({sales_price}, 2)::DECIMAL(18,4)"


def sale_price(sales_price: str, discounted_price: str, max_discount_percent: str) -> str:
    """The discounted price at the cent while it is a discount, else NULL.

    A product's maximum discount caps the reduction (Solteq manual, Categories): with 0 there is none. A price at or
    above the sales price is no discount; WooCommerce would drop it without a word (recorded).
    """
    floor_price = f"{sales_price} * (100 - coalesce({max_discount_percent}, 100)) * 0.01"
    price = f"round(greatest({discounted_price}, {floor_price}), 2)::DECIMAL(18,4)"
    return (
        f"CASE WHEN {discounted_price} > 0 AND {price} > 0 AND {price} < {regular_price(sales_price)} THEN {price} END"
    )


def price_text(price: str) -> str:
    """A price as it goes on the wire, two decimals; one that the store holds with more keeps them all."""
    return f"CASE WHEN {price} = round({price}, 2) THEN {price}::DECIMAL(18,2)::VARCHAR ELSE {price}::VARCHAR END"


def purchase_price(price: str) -> str:
    """The purchase price at the cent; a negative one is nobody's price."""
    return f"CASE WHEN {price} >= 0 THEN round({price}, 2)::DECIMAL(18,4) END"
