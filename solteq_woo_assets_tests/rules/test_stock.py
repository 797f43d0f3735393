"""The balance delta: a piece that is not free is never offered for sale."""

from datetime import datetime
from decimal import Decimal
from math import floor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solteq_woo_assets.rules.catalogue import STORE_BALANCES_META
from solteq_woo_assets.rules.stock import StockRules
from solteq_woo_assets_tests.rules.conftest import Sides, rows


def quantity(sides: Sides, rules: StockRules | None = None) -> str | None:
    return rows(sides.balance_delta(rules))["A1"]["changes"]["stock_quantity"][1]


@pytest.mark.parametrize(
    ("free", "rules", "expected"),
    [
        (["2.9"], StockRules(), "2"),
        (["1.5", "1.5"], StockRules(), "3"),
        (["-3"], StockRules(), "0"),
        (["5", "-2"], StockRules(), "3"),
        (["5", "7"], StockRules(stock_stores=["1"]), "5"),
        (["5", "7"], StockRules(stock_stores=["9"]), "0"),
        (["5"], StockRules(stock_buffer=2), "3"),
        (["1"], StockRules(stock_buffer=2), "0"),
    ],
)
def test_sellable_quantity(sides: Sides, free: list[str], rules: StockRules, expected: str) -> None:
    sides.held(10, "a1", stock_quantity=99)
    for store, balance in enumerate(free):
        sides.balance("A1", balance, store=str(store + 1))
    assert quantity(sides, rules) == expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    free=st.lists(st.decimals(-50, 50, places=4), min_size=1, max_size=5),
    buffer=st.integers(0, 20),
)
def test_never_more_than_what_is_free_never_negative(sides: Sides, free: list[Decimal], buffer: int) -> None:
    sides.clear()
    sides.held(10, "A1", stock_quantity=999)
    for store, balance in enumerate(free):
        sides.balance("A1", str(balance), store=str(store))
    expected = max(floor(sum(free, Decimal(0)) - buffer), 0)
    assert quantity(sides, StockRules(stock_buffer=buffer)) == str(expected)


def test_a_balance_that_agrees_is_not_sent_though_the_stores_moved_pieces(sides: Sides) -> None:
    sides.held(10, "A1", stock_quantity=3, store_balances="[]")
    sides.balance("A1", "1", store="1")
    sides.balance("A1", "2", store="2")
    assert sides.balance_delta().is_empty()
    changes = rows(sides.balance_delta(StockRules(stock_store_changes=True)))["A1"]["changes"]
    assert set(changes) == {STORE_BALANCES_META}


def test_quantity_travels_with_manage_stock_and_the_balances_of_the_stores(sides: Sides) -> None:
    """WooCommerce drops a quantity without manage_stock (contract, 18)."""
    sides.held(10, "A1", manage_stock=False, stock_quantity=2)
    sides.balance("A1", "2", reserved_balance=Decimal(1))
    assert rows(sides.balance_delta())["A1"]["changes"] == {
        "manage_stock": ("false", "true"),
        "stock_quantity": ("2", "2"),
        STORE_BALANCES_META: (None, '[{"store":"1","name":"Myymälä 1","free":2.0,"reserved":1.0}]'),
    }


def test_deleted_balance_counts_no_more(sides: Sides) -> None:
    sides.held(10, "A1", stock_quantity=3)
    sides.balance("A1", "3", deleted=True)
    assert quantity(sides) == "0"


def test_balance_of_a_product_that_is_not_there_yet_waits_visibly(sides: Sides) -> None:
    sides.product("A1")
    sides.balance("A1", "3")
    row = rows(sides.balance_delta())["A1"]
    assert (row["action"], row["reason"]) == ("wait", "not in the store yet")


@pytest.mark.parametrize("fields", [{"product_type": "GiftCard"}, {"active": False}])
def test_balance_of_what_never_comes_is_skipped(sides: Sides, fields: dict[str, object]) -> None:
    sides.product("A1", **fields)
    sides.balance("A1", "3")
    assert rows(sides.balance_delta())["A1"]["action"] == "skip"


def test_variation_is_updated_through_its_parent_and_the_parent_never(sides: Sides) -> None:
    sides.held(10, "M", type="variable")
    sides.held(11, "A1", type="variation", parent_id=10)
    sides.balance("A1", "3")
    sides.balance("M", "3")
    delta = rows(sides.balance_delta())
    assert (delta["A1"]["kind"], delta["A1"]["parent_id"]) == ("variation", 10)
    assert delta["M"]["action"] == "wait"


def test_binned_product_gets_no_stock(sides: Sides) -> None:
    sides.held(10, "A1", status="trash")
    sides.balance("A1", "3")
    sides.held(11, "M", type="variable", status="trash")
    sides.held(12, "M-S", type="variation", parent_id=11)
    sides.balance("M-S", "3")
    delta = rows(sides.balance_delta())
    assert {key: row["action"] for key, row in delta.items()} == {"A1": "wait", "M-S": "wait"}


def test_inactive_product_is_out_of_stock_when_the_setting_says_so(sides: Sides) -> None:
    sides.product("A1", active=False)
    sides.product("B1", active=False)
    sides.held(10, "A1", stock_quantity=3)
    sides.held(11, "B1", stock_quantity=3)  # Solteq has no balance of it
    sides.balance("A1", "3")
    assert sides.balance_delta().is_empty()
    assert set(rows(sides.balance_delta(StockRules(inactive_products="out_of_stock")))) == {"A1", "B1"}
    assert quantity(sides, StockRules(inactive_products="out_of_stock")) == "0"


def test_a_code_spelled_in_two_ways_is_counted_once(sides: Sides) -> None:
    sides.held(10, "A1", stock_quantity=5)
    sides.balance("A1", "5")
    sides.balance("a1", "9", modified_at=datetime(2025, 1, 1))  # noqa: DTZ001
    assert sides.balance_delta().is_empty()


@pytest.mark.parametrize("product_type", ["GiftCard", "Service"])
def test_what_keeps_no_stock_is_not_made_to(sides: Sides, product_type: str) -> None:
    sides.product("A1", product_type=product_type)
    sides.held(10, "A1", manage_stock=False, stock_quantity=None)
    sides.balance("A1", "0")
    assert rows(sides.balance_delta())["A1"]["action"] == "skip"
