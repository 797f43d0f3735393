"""Prices: the SQL agrees with the same rule written plainly in Python, for any prices."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.engine.sql import define_macros
from solteq_woo_assets.flows.tables import MACROS

CENT = Decimal("0.01")
money = st.decimals(Decimal("0.0001"), Decimal(99999), places=4)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        define_macros(opened, *MACROS, "solteq_woo_assets.flows.campaigns")
        yield opened


def evaluate(connection: duckdb.DuckDBPyConnection, expression: str, **columns: Decimal | None) -> object:
    selected = ", ".join(
        f"{'NULL' if value is None else value}::DECIMAL(18,4) AS {name}" for name, value in columns.items()
    )
    return connection.execute(f"SELECT {expression} FROM (SELECT {selected})").fetchall()[0][0]


@given(price=money)
def test_regular_price_is_rounded_half_up_once(connection: duckdb.DuckDBPyConnection, price: Decimal) -> None:
    assert evaluate(connection, "at_the_cent(sales)", sales=price) == price.quantize(CENT, ROUND_HALF_UP)


@given(
    sales=money,
    discounted=st.decimals(Decimal("0.0001"), 99999, places=4),
    percent=st.none() | st.decimals(0, 100, places=2),
)
def test_sale_price_is_a_real_discount_within_the_maximum(
    connection: duckdb.DuckDBPyConnection, sales: Decimal, discounted: Decimal, percent: Decimal | None
) -> None:
    floor_price = sales * (100 - (Decimal(100) if percent is None else percent)) / 100
    price = max(discounted, floor_price).quantize(CENT, ROUND_HALF_UP)
    expected = price if 0 < price < sales.quantize(CENT, ROUND_HALF_UP) else None
    actual = evaluate(
        connection,
        "campaign_price(sales, 'fixedprice', discounted, percent)",
        sales=sales,
        discounted=discounted,
        percent=percent,
    )
    assert actual == expected


@pytest.mark.parametrize(
    ("price", "text"), [("19.9", "19.90"), ("0", "0.00"), ("1234567.5", "1234567.50"), ("1.005", "1.0050")]
)
def test_price_text_has_two_decimals_and_hides_nothing(
    connection: duckdb.DuckDBPyConnection, price: str, text: str
) -> None:
    assert evaluate(connection, "price_text(price)", price=Decimal(price)) == text


def test_negative_purchase_price_is_none(connection: duckdb.DuckDBPyConnection) -> None:
    assert evaluate(connection, "purchase_price(price)", price=Decimal(-1)) is None
