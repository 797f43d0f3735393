"""What may not be sold online any more leaves the shelf, and comes back when it may be."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from solteq_woo_assets.flows.balances.rules import StockRules
from solteq_woo_assets_tests.flows.conftest import RULES, Sides, links_of, rows

NO_MORE = (
    ({"product_type": "GiftCard"}, "gift cards are not sold online", ""),
    ({"product_type": "Deposit"}, "deposits are not sold online", ""),
    ({"product_type": "Custom"}, "custom products are not sold online", ""),
    ({"product_type": "Mystery"}, "the product type is not known", "product-type-unknown"),
    ({"sales_price": Decimal(0)}, "there is no price", "price-missing"),
    ({"sales_price": Decimal("0.004")}, "there is no price", "price-missing"),
    ({"sales_price": Decimal(-1)}, "the price is negative", "price-negative"),
)


def sold(sides: Sides, *, product: Mapping[str, Any] | None = None, link: bool = True, **held: Any) -> None:
    """A product of Solteq, and its page in the store."""
    sides.product("A1", **(product or {}))
    sides.held(10, "A1", **held)
    if link:
        sides.link("a1", 10)


@pytest.mark.parametrize(("fields", "reason", "code"), NO_MORE)
def test_what_may_not_be_sold_any_more_is_taken_off_and_says_why(
    sides: Sides, fields: dict[str, object], reason: str, code: str
) -> None:
    sold(sides, product=fields)
    delta = sides.product_delta()
    assert delta.changes.select("action", "reason").rows() == [("withdraw", reason)]
    assert rows(delta.changes)["A1"]["changes"] == {"status": ("publish", "draft")}
    assert delta.held["code"].to_list() == ([code] if code else [])


@pytest.mark.parametrize(("fields", "reason", "code"), NO_MORE)
@pytest.mark.parametrize("fate", ["draft", "leave", "out_of_stock"])
def test_what_is_off_stays_off_without_another_write(
    sides: Sides, fields: dict[str, object], reason: str, code: str, fate: str
) -> None:
    sold(sides, product=fields, status="publish" if fate == "leave" else "draft")
    delta = sides.product_delta(replace(RULES, inactive_products=fate))
    assert delta.changes.select("action", "reason").rows() == ([] if code else [("skip", reason)])


@pytest.mark.parametrize(("fields", "reason", "code"), NO_MORE)
def test_out_of_stock_where_the_settings_say_so(
    sides: Sides, fields: dict[str, object], reason: str, code: str
) -> None:
    """What its type keeps no stock of cannot run out: it becomes a draft, and comes back as one does."""
    sold(sides, product=fields, stock_quantity=4)
    sides.balance("A1", "4")
    delta = rows(sides.product_delta(replace(RULES, inactive_products="out_of_stock")).changes)
    stock = rows(sides.balance_delta(StockRules(inactive_products="out_of_stock")))
    if code:
        assert stock["A1"]["changes"]["stock_quantity"] == ("4", "0")
        assert "A1" not in delta
    else:
        assert delta["A1"]["changes"] == {"status": ("publish", "draft")}


@pytest.mark.parametrize("fate", ["draft", "out_of_stock"])
@pytest.mark.parametrize(
    "product",
    [
        {"product_type": "Service", "active": False},
        {"product_type": "Service", "sales_price": Decimal(0)},
        {"code": "A1-OLD", "active": False},
        {"code": "A1-OLD", "sales_price": Decimal(0)},
    ],
)
def test_what_stock_does_not_count_leaves_the_shelf_all_the_same(
    sides: Sides, product: dict[str, Any], fate: str
) -> None:
    """A service, and a page whose document has another code by now."""
    sides.product(**{"code": "A1", "id": "d1", **product})
    sides.held(10, "A1")
    sides.link("a1", 10, solteq_id="d1")
    (row,) = sides.product_delta(replace(RULES, inactive_products=fate)).changes.to_dicts()
    assert row["action"] == "withdraw"
    assert {"field": "status", "old": "publish", "new": "draft"} in row["changes"]


def test_it_comes_back_when_it_may_be_sold_again(sides: Sides) -> None:
    sides.product("A1")
    sides.held(10, "A1", status="draft")
    sides.link("a1", 10, status_before="publish")
    row = rows(sides.product_delta().changes)["A1"]
    assert (row["action"], row["changes"]) == ("restore", {"status": ("draft", "publish")})


def test_the_status_to_go_back_to_is_kept_while_it_may_not_be_sold(sides: Sides) -> None:
    sides.product("A1", sales_price=Decimal(0))
    sides.held(10, "A1", status="draft")
    sides.link("a1", 10, status_before="publish")
    assert links_of(sides.product_delta())["status_is_ours"].to_list() == [False]


def test_a_gift_card_that_the_store_made_itself_is_none_of_ours(sides: Sides) -> None:
    sold(sides, product={"product_type": "GiftCard"}, link=False)
    assert sides.product_delta().changes["action"].to_list() == ["skip"]


def test_a_product_of_the_store_with_the_same_gtin_stays_on_sale(sides: Sides) -> None:
    sides.product("A1", gtin="6412345678907", sales_price=Decimal(0))
    sides.held(10, "STRANGER", global_unique_id="6412345678907")
    assert sides.product_delta().changes.is_empty()


def test_a_variant_without_a_price_goes_and_the_others_stay(sides: Sides) -> None:
    koko = [{"id": 0, "name": "Koko", "variation": True, "visible": True, "options": ["S", "L"]}]
    sides.variant("A-S", "A", "S", sales_price=Decimal(0))
    sides.variant("A-L", "A", "L")
    sides.held(1, "A", type="variable", attributes=koko, regular_price=None)
    for number, (code, size) in enumerate((("A-S", "S"), ("A-L", "L")), 2):
        chosen = [{"id": 0, "name": "Koko", "variation": True, "visible": True, "options": [size]}]
        sides.held(number, code, type="variation", parent_id=1, attributes=chosen, tax_class="parent")
        sides.link(code.lower(), number)
    delta = rows(sides.product_delta().changes)
    assert {key: row["changes"] for key, row in delta.items()} == {"A-S": {"status": ("publish", "private")}}


def test_a_model_whose_variants_may_none_be_sold_goes_too_and_comes_back(sides: Sides) -> None:
    koko = [{"id": 0, "name": "Koko", "variation": True, "visible": True, "options": ["S"]}]
    sides.variant("A-S", "A", "S", sales_price=Decimal(0))
    sides.held(1, "A", type="variable", attributes=koko, regular_price=None)
    sides.held(2, "A-S", type="variation", parent_id=1, attributes=koko, tax_class="parent")
    delta = rows(sides.product_delta().changes)
    assert delta["A"]["changes"] == {"status": ("publish", "draft")}
    assert delta["A"]["reason"] == "none of its variants may be sold online"
    assert delta["A-S"]["changes"] == {"status": ("publish", "private")}


@pytest.mark.parametrize("vat_rate", [Decimal(24), Decimal(10)])
def test_without_a_tax_class_the_page_goes_on_and_keeps_the_one_that_it_has(sides: Sides, vat_rate: Decimal) -> None:
    """The price is with VAT, so it is right whatever the rate; and an old price would be wrong."""
    sold(sides, product={"vat_rate": vat_rate, "sales_price": Decimal(12)}, tax_class="reduced-rate")
    delta = sides.product_delta()
    assert rows(delta.changes)["A1"]["changes"] == {"regular_price": ("10.00", "12.00")}
    assert delta.held["field"].to_list() == ["vatRate"]


@pytest.mark.parametrize(("price", "status"), [(Decimal(10), None), (Decimal(11), ("publish", "draft"))])
def test_of_a_code_on_two_products_the_page_stays_while_it_shows_the_price_of_one(
    sides: Sides, price: Decimal, status: tuple[str, str] | None
) -> None:
    sold(sides, product={"sales_price": price})
    sides.product("a1", id="other", sales_price=Decimal(99))
    delta = sides.product_delta()
    assert [row["changes"] for row in rows(delta.changes).values()] == ([{"status": status}] if status else [])
    assert delta.held["code"].to_list() == ["code-duplicate"]


@pytest.mark.parametrize(
    "fields", [{}, {"product_type": "service"}, {"product_type": "gift_card"}, *(f for f, _, _ in NO_MORE)]
)
def test_both_flows_mean_the_same_by_it(sides: Sides, fields: dict[str, object]) -> None:
    sold(sides, product=fields)
    query = "SELECT is_sold_online(product_type, sales_price) FROM snapshot.solteq_products"
    is_sold = sides.connection.execute(query).fetchall()
    actions = sides.product_delta().changes["action"].to_list()
    assert is_sold == [(actions != ["withdraw"],)]
