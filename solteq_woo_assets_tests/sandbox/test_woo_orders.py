"""The stand-in's orders: money to the cent, stock that is taken and given back, refunds and the bin.

``test_woo_replay.py`` holds it against a real store; here is what a recording of 23 steps does not reach.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests_oauthlib import OAuth1

from solteq_woo_assets.sandbox.server import running
from solteq_woo_assets.sandbox.woo import CONSUMER_KEY, CONSUMER_SECRET, create_app

CLASSES = ("", "reduced-rate", "zero-rate")


@dataclass
class Store:
    """The API of a store, over HTTP."""

    url: str

    def ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        auth = OAuth1(CONSUMER_KEY, CONSUMER_SECRET, signature_method="HMAC-SHA256")
        return requests.request(method, f"{self.url}/wp-json/wc/v3/{path}", auth=auth, timeout=60, **arguments)

    def get(self, path: str, **params: Any) -> Any:
        return self.ask("GET", path, params=params).json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self.ask("POST", path, json=body)
        answer.raise_for_status()
        return answer.json()

    def put(self, path: str, **body: Any) -> Any:
        answer = self.ask("PUT", path, json=body)
        answer.raise_for_status()
        return answer.json()

    def product(self, price: str, **fields: Any) -> int:
        stock = {"manage_stock": True, "stock_quantity": 10}
        return self.post("products", name="Tuote", regular_price=price, **stock, **fields)["id"]

    def stock(self, product: int) -> int:
        return self.get(f"products/{product}")["stock_quantity"]

    def settings(self, **values: Any) -> None:
        requests.put(f"{self.url}/_sandbox/settings", json=values, timeout=60).raise_for_status()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with running(create_app(tmp_path_factory.mktemp("woo") / "woo.sqlite")) as url:
        yield Store(url)


def line_of(product: int, quantity: int = 1) -> list[dict[str, Any]]:
    return [{"product_id": product, "quantity": quantity}]


def lines_and_taxes(order: dict[str, Any]) -> Decimal:
    lines = [line for part in ("line_items", "shipping_lines", "fee_lines") for line in order[part]]
    return sum((Decimal(line["total"]) + Decimal(line["total_tax"]) for line in lines), Decimal(0))


@pytest.mark.parametrize("status", ["processing", "completed", "on-hold"])
def test_stock_is_taken_once_and_given_back(store: Store, status: str) -> None:
    product = store.product("5.00")
    order = store.post("orders", line_items=line_of(product, 3))
    assert (order["status"], store.stock(product)) == ("pending", 10)
    store.put(f"orders/{order['id']}", status=status)
    store.put(f"orders/{order['id']}", status="processing")
    assert store.stock(product) == 7
    edited = store.put(f"orders/{order['id']}", line_items=[{"id": order["line_items"][0]["id"], "quantity": 4}])
    assert (store.stock(product), edited["line_items"][0]["quantity"]) == (6, 4)
    cancelled = store.put(f"orders/{order['id']}", status="cancelled")
    assert (store.stock(product), cancelled["line_items"][0]["meta_data"]) == (10, [])


def test_a_rest_order_does_not_check_stock(store: Store) -> None:
    product = store.product("5.00")
    store.post("orders", status="processing", line_items=line_of(product, 12))
    assert store.stock(product) == -2


def test_a_refund_over_all_that_is_left_ends_the_order_and_restocks(store: Store) -> None:
    product = store.product("10.00")
    order = store.post("orders", set_paid=True, status="processing", line_items=line_of(product, 2))
    (line,) = order["line_items"]
    half = {"id": line["id"], "quantity": 1, "refund_total": 7.968127, "refund_tax": [{"id": 1, "refund_total": 2.03}]}
    refund = store.post(f"orders/{order['id']}/refunds", line_items=[half])
    assert (refund["amount"], store.stock(product)) == ("10.00", 9)
    store.post(f"orders/{order['id']}/refunds", amount="10.00")
    after = store.get(f"orders/{order['id']}")
    assert (after["status"], after["total"], len(after["refunds"])) == ("refunded", "20.00", 2)
    assert store.ask("POST", f"orders/{order['id']}/refunds", json={"amount": "0.01"}).status_code == 500
    store.ask("DELETE", f"orders/{order['id']}/refunds/{refund['id']}", params={"force": "true"}).raise_for_status()
    assert [each["total"] for each in store.get(f"orders/{order['id']}")["refunds"]] == ["-10.00"]


def test_refunds_of_the_whole_store_are_found_by_id_and_time(store: Store) -> None:
    order = store.post("orders", set_paid=True, status="processing", line_items=line_of(store.product("10.00")))
    refund = store.post(f"orders/{order['id']}/refunds", amount="1.00")
    (found,) = store.get("refunds", include=refund["id"])
    assert (found["id"], found["parent_id"]) == (refund["id"], order["id"])
    assert store.get("refunds", after="2999-01-01T00:00:00", dates_are_gmt="true") == []


def test_the_bin(store: Store) -> None:
    order = store.post("orders", status="processing", line_items=line_of(store.product("5.00")))["id"]
    store.ask("DELETE", f"orders/{order}").raise_for_status()
    assert store.get("orders", include=order) == []
    assert [each["id"] for each in store.get("orders", status="trash", include=order)] == [order]
    store.put(f"orders/{order}", status="processing")
    assert [each["id"] for each in store.get("orders", include=order)] == [order]
    store.ask("DELETE", f"orders/{order}", params={"force": "true"}).raise_for_status()
    assert store.ask("GET", f"orders/{order}").status_code == 404


def test_every_write_moves_the_time(store: Store) -> None:
    store.settings(clock="2026-11-23T10:00:00Z")
    order = store.post("orders", status="processing", line_items=line_of(store.product("5.00")))
    store.settings(clock="2026-11-23T10:00:05Z")
    again = store.put(f"orders/{order['id']}", meta_data=[])
    store.settings(clock=None)
    assert (order["date_modified_gmt"], again["date_modified_gmt"]) == ("2026-11-23T10:00:00", "2026-11-23T10:00:05")


@pytest.mark.parametrize(
    ("kind", "amount", "total"), [("fixed_cart", "7.00", "23.00"), ("fixed_product", "2", "24.00")]
)
def test_coupons_of_a_sum(store: Store, kind: str, amount: str, total: str) -> None:
    code = f"{kind}-{amount}"
    store.post("coupons", code=code, discount_type=kind, amount=amount)
    order = store.post("orders", line_items=line_of(store.product("10.00"), 3), coupon_lines=[{"code": code}])
    assert order["total"] == total
    assert store.ask("POST", "orders", json={"coupon_lines": [{"code": "none"}]}).status_code == 400


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(
        st.tuples(st.integers(1, 20_000), st.integers(1, 9), st.sampled_from(CLASSES)), min_size=1, max_size=6
    ),
    with_vat=st.booleans(),
    at_subtotal=st.booleans(),
)
def test_lines_and_taxes_make_the_total(
    store: Store, lines: list[tuple[int, int, str]], with_vat: bool, at_subtotal: bool
) -> None:
    """To the cent where VAT is rounded by line and prices have it in them or not; else within a cent a line."""
    store.settings(prices_include_tax=with_vat, round_at_subtotal=at_subtotal)
    items = []
    for cents, quantity, tax_class in lines:
        product = store.product(f"{cents / 100:.2f}", tax_class=tax_class)
        items.append({"product_id": product, "quantity": quantity})
    order = store.post("orders", status="processing", line_items=items)
    store.settings(prices_include_tax=True, round_at_subtotal=False)
    difference = abs(lines_and_taxes(order) - Decimal(order["total"]))
    assert difference <= Decimal("0.01") * len(lines)
    taxes = sum((Decimal(tax["tax_total"]) for tax in order["tax_lines"]), Decimal(0))
    assert taxes == Decimal(order["total_tax"])
    if not with_vat and not at_subtotal:
        assert difference == 0
