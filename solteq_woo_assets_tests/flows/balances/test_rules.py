"""The balance delta: a piece that is not free is never offered for sale."""

from datetime import datetime, timedelta
from decimal import Decimal
from math import floor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solteq_woo_assets.flows.balances.rules import StockRules, pieces_under_way, unknown_stores
from solteq_woo_assets.flows.products.rules import STORE_BALANCES_META
from solteq_woo_assets_tests.flows.conftest import Sides, rows


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


BOOKED = datetime(2026, 11, 23, 9, 30)  # noqa: DTZ001  UTC, as the database keeps it
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("booked_at", "balance_at", "expected"),
    [
        (None, BOOKED, "3"),  # not booked yet
        (BOOKED, BOOKED - MINUTE, "3"),  # booked after the balance was written
        (BOOKED, BOOKED, "5"),  # the balance has seen it
        (BOOKED, BOOKED + MINUTE, "5"),
    ],
)
def test_sold_pieces_are_not_put_back_on_the_shelf_until_the_balance_shows_them(
    sides: Sides, booked_at: datetime | None, balance_at: datetime, expected: str
) -> None:
    sides.held(10, "A1", stock_quantity=99)
    sides.balance("A1", "5", modified_at=balance_at)
    sides.sold(1, "a1", 2, booked_at=booked_at)
    assert quantity(sides) == expected


def test_the_web_stores_balance_is_the_one_that_shows_a_sale(sides: Sides) -> None:
    """A sale over the counter moves the balance of another store, and says nothing of ours."""
    sides.held(10, "A1", stock_quantity=99)
    sides.balance("A1", "5", store="verkko", modified_at=BOOKED - MINUTE)
    sides.balance("A1", "5", store="1", modified_at=BOOKED + MINUTE)
    sides.sold(1, "A1", 2, booked_at=BOOKED)
    assert quantity(sides, StockRules(web_store="verkko")) == "8"
    assert quantity(sides, StockRules(web_store="elsewhere")) == "10"


@pytest.mark.parametrize("reserved", ["0", "2", "9"])
def test_what_others_reserved_in_solteq_does_not_cancel_an_unpaid_order(sides: Sides, reserved: str) -> None:
    """Contract, second edition: reservations are not ours. A till's parked order gave the web order's pieces away."""
    sides.held(10, "A1", stock_quantity=99)
    sides.balance("A1", "5", store="verkko", reserved_balance=Decimal(reserved), modified_at=BOOKED)
    sides.sold(1, "A1", 2, document="")
    assert quantity(sides, StockRules(web_store="verkko")) == "3"


SALE, REFUND, STORE = "sale", "refund", ""


@pytest.mark.parametrize(
    ("pieces", "under_way"),
    [
        ([(STORE, 2, None)], 2),  # unpaid, held back, failed or binned: the store holds them
        ([(STORE, 2, None), (SALE, 2, None)], 2),  # and once, not twice, when a document is due
        ([(SALE, 2, None)], 2),  # the store does not manage this product's stock
        ([(STORE, 2, None), (SALE, 2, MINUTE)], 2),  # booked after the balance was written
        ([(STORE, 2, None), (SALE, 2, -MINUTE)], 0),  # before: it shows the sale
        ([(STORE, 1, None), (SALE, 2, -MINUTE), (REFUND, -1, None)], 0),  # one comes back, and nobody has booked it
        ([(STORE, 1, None), (SALE, 2, -MINUTE), (REFUND, -1, -MINUTE)], 0),
        ([(STORE, 2, None), (SALE, 2, None), (REFUND, 0, None)], 2),  # refunded and not restocked: none is added
        ([(STORE, 2, None), (SALE, 2, -MINUTE), (REFUND, -2, -MINUTE)], 2),  # Solteq has them back, the store not
        ([(STORE, 3, None), (SALE, 2, -MINUTE), (REFUND, -2, -MINUTE), ("version 2", 3, None)], 3),
        ([(STORE, 3, None), (SALE, 2, -MINUTE), (REFUND, -2, None), ("version 2", 3, None)], 1),
    ],
)
def test_what_the_store_holds_less_what_the_balance_has_seen_is_under_way(
    sides: Sides, pieces: list[tuple[str, int, timedelta | None]], under_way: int
) -> None:
    sides.held(10, "A1", stock_quantity=99)
    sides.balance("A1", "50", modified_at=BOOKED)
    for document, quantities, after in pieces:
        sides.sold(1, "A1", quantities, document=document, booked_at=None if after is None else BOOKED + after)
    assert quantity(sides) == str(50 - under_way)


def test_the_lines_and_orders_that_hold_pieces_are_told_with_their_reason(sides: Sides) -> None:
    sides.balance("A1", "5", modified_at=BOOKED)
    for line in ("1", "2"):
        sides.sold(7, "a1", 1, document="", line_id=line, since=BOOKED, why="it is on-hold")
    sides.sold(8, "A1", 2, booked_at=BOOKED)
    told = pieces_under_way(
        sides.connection,
        balances=sides.connection.table("snapshot.solteq_balances"),
        under_way=sides.connection.table("snapshot.sales_under_way"),
        rules=StockRules(),
    )
    assert told.rows() == [(7, "a1", Decimal(2), BOOKED, "it is on-hold")]


def test_a_store_that_no_balance_has_is_named(sides: Sides) -> None:
    def unknown(*stores: str) -> list[str]:
        balances = sides.connection.table("snapshot.solteq_balances")
        return unknown_stores(balances=balances, rules=StockRules(stock_stores=stores))

    assert unknown("1") == [], "nothing has been read yet"
    sides.balance("A1", "5", store="1")
    sides.balance("A1", "5", store="2", deleted=True)
    assert unknown() == unknown("1", "2") == []
    assert unknown("1", "9", "verkko") == ["9", "verkko"]


def test_a_return_that_solteq_has_not_seen_is_not_sold_again(sides: Sides) -> None:
    """Only what lowers stock is reckoned ahead: a piece on its way back is on no shelf."""
    sides.held(10, "A1", stock_quantity=99)
    sides.balance("A1", "5", modified_at=BOOKED - MINUTE)
    sides.sold(1, "A1", -2)
    assert quantity(sides) == "5"
    sides.sold(1, "A1", 3, document="again")
    assert quantity(sides) == "4"


def test_a_shop_without_products_of_solteq_is_matched_by_sku(sides: Sides) -> None:
    sides.held(10, "A1")
    sides.balance("A1", "3")
    assert rows(sides.balance_delta())["A1"]["woo_id"] == 10


def test_pieces_go_to_nobody_elses_page(sides: Sides) -> None:
    sides.product("A1", id="old", deleted=True)
    sides.product("A1", id="new")
    sides.held(10, "A1")
    sides.link("a1", 10, solteq_id="old")
    sides.product("B1", id="one")
    sides.product("B1", id="two")
    sides.held(11, "B1")
    for code in ("A1", "B1"):
        sides.balance(code, "3")
    assert {key: (row["action"], row["reason"]) for key, row in rows(sides.balance_delta()).items()} == {
        "A1": ("wait", "the store's product with this SKU is another product in Solteq"),
        "B1": ("wait", "the code is on 2 active products"),
    }
