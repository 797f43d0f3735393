"""The judge finds what is spoiled in a finished world, and nothing in one that is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from solteq_woo_assets_tests.conftest import (
    balance_document,
    campaign_document,
    customer_document,
    product_document,
)
from solteq_woo_assets_tests.simulation.judge import Judge
from solteq_woo_assets_tests.simulation.world import FLOW_NAMES, World


class Shop:
    """A small world that came to rest: two products, and orders of all kinds."""

    def __init__(self, world: World) -> None:
        self.world, self.judge = world, Judge(world)
        world.set(new_product_status="publish")
        world.solteq.put("products", product_document("A1"), product_document("A2", salesPrice=20, vatRate=13.5))
        world.solteq.put("balances", balance_document("A1", 20), balance_document("A2", 5))
        world.solteq.put("campaigns", campaign_document("K1", "A2", value=10))
        world.solteq.put("customers", customer_document(1))
        account = {"email": "aino1@example.com", "first_name": "Aino", "last_name": "Esimerkki"}
        self.account = world.woo.control("PUT", "customers", {"customers": [account]})["ids"][0]
        self.rest()
        self.pages = {page["sku"]: page["id"] for page in world.woo.rest("GET", "products")}
        self.sold = self.order({"A1": 3, "A2": 1})
        self.refunded = self.order({"A1": 2})
        self.cancelled = self.order({"A2": 2})
        self.unpaid = self.order({"A1": 1}, set_paid=False)
        self.rest()
        world.woo.rest("POST", f"orders/{self.refunded}/refunds", {"amount": "5.00", "api_refund": False})
        world.woo.rest("PUT", f"orders/{self.cancelled}", {"status": "cancelled"})
        self.rest()

    def order(self, pieces: dict[str, int], **fields: Any) -> int:
        lines = [{"product_id": self.pages[code], "quantity": count} for code, count in pieces.items()]
        body = {"set_paid": True, "payment_method": "paytrail", "line_items": lines} | fields
        return self.world.woo.rest("POST", "orders", body)["id"]

    def rest(self) -> None:
        """Somebody did something; the flows run until nothing is left to do."""
        self.world.tell("somebody", "did something")
        for _ in range(3):
            self.world.clock.advance(600)
            for flow in FLOW_NAMES:
                self.world.run(Random(1), flow)
        self.world.is_calm = True


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder: Path = tmp_path_factory.mktemp("world") / "shop"
    folder.mkdir()
    world = World("judged", folder)
    with world.existing():
        yield Shop(world)


@contextmanager
def answering(shop: Shop, path: str, change: Any) -> Iterator[None]:
    """Solteq's people see something else there than what is stored."""
    control = shop.world.solteq.control
    shop.world.solteq.control = lambda method, at, body=None: (  # type: ignore[method-assign]
        change(control(method, at, body)) if at == path else control(method, at, body)
    )
    try:
        yield
    finally:
        shop.world.solteq.control = control  # type: ignore[method-assign]


def test_nothing_is_found_in_a_world_that_is_right(shop: Shop) -> None:
    assert shop.judge.verdict() == []


def test_a_sale_that_is_not_booked_is_found(shop: Shop) -> None:
    with answering(shop, "sales", lambda sales: sales[1:]):
        (broken,) = shop.judge.verdict()
    assert broken == f"books: order {shop.sold} (processing) of 48.00 is not booked"


def test_a_sale_that_is_booked_twice_is_found(shop: Shop) -> None:
    with answering(shop, "sales", lambda sales: [*sales, sales[0]]):
        broken = shop.judge.verdict()
    assert f"books: woo:shop:order:{shop.sold} is booked 2 times" in broken
    assert f"books: order {shop.sold} (processing) kept 48.00, and 96.00 is booked" in broken


def test_a_refund_or_a_reversal_that_is_missing_is_found(shop: Shop) -> None:
    with answering(shop, "sales", lambda sales: [each for each in sales if each["type"] == "Sale"]):
        broken = shop.judge.verdict()
    assert f"books: order {shop.refunded} (processing) kept 15.00, and 20.00 is booked" in broken
    assert f"books: order {shop.cancelled} (cancelled) is not sold, and 36.00 of it is booked" in broken


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"businessDate": "2026-03-28"}, "came on 2026-03-27"),
        ({"businessDate": "2026-03-26"}, "and is of 2026-03-27"),
        ({"payments": [{"type": "Card", "amount": "47.99"}]}, "and its payments 47.99"),
        ({"payments": [{"type": "Cash", "amount": "48.00"}]}, "is paid by Cash, and not by Card"),
        ({"orderNumber": "999"}, "is of no order: 999"),
        ({"storeId": "2"}, "is of 2 in EUR"),
    ],
)
def test_a_document_that_is_wrong_is_found(shop: Shop, changes: dict[str, Any], found: str) -> None:
    with answering(shop, "sales", lambda sales: [sales[0] | changes, *sales[1:]]):
        assert any(found in each for each in shop.judge.verdict())


def test_vat_at_another_rate_and_pieces_of_another_product_are_found(shop: Shop) -> None:
    def change(sales: list[dict[str, Any]]) -> list[dict[str, Any]]:
        first, second = sales[0]["lines"]
        lines = [first | {"productCode": "A2", "vatRate": second["vatRate"]}, second]
        return [sales[0] | {"lines": lines}, *sales[1:]]

    with answering(shop, "sales", change):
        broken = shop.judge.verdict()
    assert any("kept VAT" in each and "25.5 %" in each for each in broken)
    assert any("kept 3 pieces of a1, and 0 are booked" in each for each in broken)


def test_a_piece_too_many_on_the_shelf_is_found(shop: Shop) -> None:
    page = f"products/{shop.pages['A1']}"
    offered = shop.world.woo.rest("GET", page)["stock_quantity"]
    shop.world.woo.rest("PUT", page, {"stock_quantity": offered + 1})
    assert shop.judge.verdict() == [f"shelf: A1 offers {offered + 1} in the end, and {offered} are to be sold"]
    shop.world.woo.rest("PUT", page, {"stock_quantity": offered})


def test_a_flow_that_fails_and_one_that_still_writes_are_found(shop: Shop) -> None:
    shop.world.outcomes["sales"], shop.world.is_calm = "failed: no", False
    assert [each.split(":")[0] for each in shop.judge.verdict()] == ["liveness", "quiet"]
    shop.world.outcomes["sales"], shop.world.is_calm = None, True


@pytest.mark.parametrize(
    ("code", "fields", "found"),
    [
        ("A1", {"regular_price": "9.00"}, "prices: A1 has the regular price 9.00, and costs 10.00"),
        ("A1", {"sale_price": "8.00"}, "prices: A1 is sold at 8.00, and costs 10.00 now"),
        ("A2", {"sale_price": ""}, "prices: A2 is sold at 20.00, and costs 18.00 now"),
    ],
)
def test_a_price_that_somebody_set_by_hand_is_found(shop: Shop, code: str, fields: dict[str, str], found: str) -> None:
    page = f"products/{shop.pages[code]}"
    was = shop.world.woo.rest("GET", page)
    shop.world.woo.rest("PUT", page, fields)
    assert found in shop.judge.verdict()
    shop.world.woo.rest("PUT", page, {name: was[name] for name in ("regular_price", "sale_price")})


def test_a_campaign_that_is_not_in_the_store_is_found_and_so_is_an_end_that_the_store_does_not_know(shop: Shop) -> None:
    with answering(shop, "campaigns/all", lambda read: [*read, campaign_document("K2", "A1", value=50)]):
        assert "prices: A1 is sold at 10.00, and costs 5.00 now" in shop.judge.verdict()
    with answering(shop, "campaigns/all", lambda read: [read[0] | {"validTo": "2026-03-28T00:00:00"}]):
        assert shop.judge.verdict() == ["prices: A2 will be 18.00 at 27 22:15, and costs 20.00 then"]


def test_somebody_who_is_not_alike_on_both_sides_is_found(shop: Shop) -> None:
    shop.world.woo.control("PATCH", f"customers/{shop.account}", {"first_name": "Eero"})
    assert shop.judge.verdict() == [f"people: firstName of C-1 is 'Aino', of account {shop.account} 'Eero'"]
    shop.world.woo.control("PATCH", f"customers/{shop.account}", {"first_name": "Aino"})


def test_somebody_who_is_there_twice_is_found(shop: Shop) -> None:
    twice = [{"type": "ExternalID", "value": "woo:shop:customer:1"}]
    people = [customer_document(number) | {"identifiers": twice} for number in (8, 9)]
    with answering(shop, "customers/all", lambda read: [*read, *people]):
        assert "people: woo:shop:customer:1 is in Solteq as ['C-8', 'C-9']" in shop.judge.verdict()


def _held(key: str, field: str, code: str) -> list[dict[str, str]]:
    return [{"flow": "customers_to_woo", "key": key, "field": field, "code": code}]


def test_who_is_spelled_in_another_way_is_alike(shop: Shop) -> None:
    """A country by its name, a number without its country, blanks and case of an e-mail address."""
    place = customer_document(1)["addresses"][0] | {"country": "Suomi"}
    spelled = {"phone": "040 1234567", "email": " AINO1@example.com", "addresses": [place]}
    with answering(shop, "customers/all", lambda read: [read[0] | spelled, *read[1:]]):
        assert shop.judge.verdict() == []


def test_a_field_that_is_held_excuses_no_other_one_and_nobody_else(shop: Shop) -> None:
    slips = {"phone": "ei ole", "firstName": "Eero"}
    with answering(shop, "customers/all", lambda read: [read[0] | slips, *read[1:]]):
        alone = list(shop.judge.persons.verdict(_held("C-1", "phone", "phone-unreadable")))
        others = list(shop.judge.persons.verdict(_held("C-11", "phone", "phone-unreadable")))
        whole = list(shop.judge.persons.verdict(_held("C-1", "external_id", "id-contradicts-email")))
    assert alone == [f"people: firstName of C-1 is 'Eero', of account {shop.account} 'Aino'"]
    assert len(others) == 2
    assert whole == []


def test_a_second_account_of_a_customer_is_found_unless_it_is_held(shop: Shop) -> None:
    """As when clerks merge two customers, and an ExternalID goes over."""
    account = {"email": "eino@example.com", "first_name": "Aino", "last_name": "Esimerkki"}
    second = shop.world.woo.control("PUT", "customers", {"customers": [account]})["ids"][0]
    merged = {"identifiers": [{"type": "ExternalID", "value": f"woo:shop:customer:{second}"}]}
    with answering(shop, "customers/all", lambda read: [read[0] | merged, *read[1:]]):
        found = list(shop.judge.persons.verdict([]))
        held = list(shop.judge.persons.verdict(_held(str(second), "external_id", "id-contradicts-email")))
    shop.world.woo.rest("DELETE", f"customers/{second}?force=true")
    assert any("C-1 has the accounts" in each for each in found)
    assert held == []


def test_an_edit_that_nobody_opposed_and_that_is_undone_is_found(shop: Shop) -> None:
    shop.world.woo.control("PATCH", f"customers/{shop.account}", {"last_name": "Mallinen"})
    shop.world.tell("shopper", "has another name")
    shop.judge.persons.look(("customers_to_woo 1", "GET", "store.test/wp-json/wc/v3/customers?", "200"))
    shop.world.woo.control("PATCH", f"customers/{shop.account}", {"last_name": "Esimerkki"})
    shop.judge.persons.look(("customers_to_woo 1", "POST", "store.test/wp-json/wc/v3/customers/batch", "200"))
    (broken,) = shop.judge.verdict()
    assert broken.endswith("was set to 'Mallinen' in the store alone, and customers_to_woo 1 made it 'Esimerkki'")
    shop.judge.persons.broken.clear()


def test_an_offer_of_a_piece_that_is_sold_is_found(shop: Shop) -> None:
    """Not by the end alone: at the instant of the write."""
    page = f"products/{shop.pages['A1']}"
    offered = shop.world.woo.rest("GET", page)["stock_quantity"]
    shop.judge.seen.look(("balances 1", "GET", "solteq.test/stock/v1-ext/balances?pageSize=100", "200"))
    shop.judge.seen.look(("balances 1", "GET", "store.test/wp-json/wc/v3/orders?status=any", "200"))
    shop.world.woo.rest("PUT", page, {"stock_quantity": offered + 1})
    shop.judge.seen.look(("balances 1", "POST", "store.test/wp-json/wc/v3/products/batch", "200"))
    shop.world.woo.rest("PUT", page, {"stock_quantity": offered})
    (broken,) = shop.judge.verdict()
    assert broken.endswith(f"balances 1 offers {offered + 1} of A1, and {offered} are nobody's")
    shop.judge.seen.broken.clear()
