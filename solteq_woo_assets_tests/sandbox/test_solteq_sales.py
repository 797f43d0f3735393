"""Solteq's stand-in takes sales as the contract says: sums, uniqueness, errors; and booking them moves balances."""

from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import simplejson

from solteq_woo_assets_tests.conftest import balance_document, product_document
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import solteq

SALE: dict[str, Any] = {
    "externalId": "woo:shop:order:1",
    "type": "Sale",
    "orderNumber": "1",
    "businessDate": "2026-11-23",
    "paidAt": "2026-11-23T10:00:00Z",
    "storeId": "verkko",
    "currency": "EUR",
    "pricesIncludeVat": True,
    "customer": {"email": "aino@example.com"},
    "lines": [
        {
            **{"lineId": "1", "kind": "Product", "productCode": "A1", "name": "Tuote", "quantity": 2},
            **{"unitPrice": 12.55, "discount": 0, "vatRate": 25.5, "vatAmount": 5.1, "total": 25.1},
        }
    ],
    "payments": [{"type": "Card", "amount": 25.1}],
    "totals": {"gross": 25.1, "net": 20, "vat": 5.1, "discount": 0},
}


class Book:
    """The endpoint, with a token."""

    def __init__(self, url: str) -> None:
        self.url = url
        form = {"client_id": solteq.CLIENT_ID, "client_secret": solteq.CLIENT_SECRET, "scope": "order-api"}
        form["grant_type"] = "client_credentials"
        token = requests.post(f"{url}/connect/token", data=form, timeout=60).json()["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def post(self, document: Any) -> requests.Response:
        return requests.post(f"{self.url}/order/v1-ext/sales", json=document, headers=self.headers, timeout=60)

    def find(self, external_id: str) -> list[Any]:
        params = {"externalId": external_id}
        answer = requests.get(f"{self.url}/order/v1-ext/sales", params, headers=self.headers, timeout=60)
        return simplejson.loads(answer.content, use_decimal=True)["documents"]

    def balance(self, store: str) -> Any:
        return requests.get(f"{self.url}/_sandbox/balances?productCode=A1&storeId={store}", timeout=60).json()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with running(solteq.create_app(tmp_path / "solteq.sqlite", seed=0)) as url:
        for feed, document in (("products", product_document("A1")), ("balances", balance_document("A1", 5, "verkko"))):
            requests.put(f"{url}/_sandbox/{feed}", json={"documents": [document]}, timeout=60).raise_for_status()
        yield Book(url)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The sale with one thing in it changed; ``None`` takes it away."""
    document = deepcopy(SALE)
    *above, last = path.split(".")
    part: Any = document
    for name in above:
        part = part[int(name)] if name.isdigit() else part[name]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return document


def test_a_sale_is_booked_once_found_again_and_lowers_the_balance(book: Book) -> None:
    answer = book.post(SALE)
    assert (answer.status_code, answer.json()["externalId"]) == (201, SALE["externalId"])
    again = book.post(SALE)
    assert (again.status_code, again.json()["id"]) == (409, answer.json()["id"])
    (found,) = book.find(SALE["externalId"])
    assert found["totals"]["gross"] == Decimal("25.1")
    assert book.find("woo:shop:order:2") == []
    assert book.balance("verkko")["freeBalance"] == 3


def test_a_balance_that_was_changed_before_it_shows_a_booking_shows_both_with_the_later_time(book: Book) -> None:
    def control(path: str, body: Any) -> None:
        requests.put(f"{book.url}/_sandbox/{path}", json=body, timeout=60).raise_for_status()

    control("behaviour", {"late_balances": True})
    book.post(SALE)
    assert book.balance("verkko")["freeBalance"] == 5
    control("balances", {"documents": [balance_document("A1", 4, "verkko")]})
    sold_at_the_till = book.balance("verkko")["modifiedAt"]
    control("behaviour", {"late_balances": False})
    assert book.balance("verkko")["freeBalance"] == 2
    assert book.balance("verkko")["modifiedAt"] > sold_at_the_till


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("totals.gross", 25.2, "totals.gross"),
        ("totals.vat", 5.2, "totals.vat"),
        ("totals.net", 19, "totals.net"),
        ("payments.0.amount", 25, "payments"),
        ("lines.0.total", 24.1, "lines[0].total"),
        ("lines.0.unitPrice", 12.55555, "lines[0].unitPrice"),
        ("lines.0.productCode", "NONE", "lines[0].productCode"),
        ("lines.0.quantity", -2, "lines[0].total"),
        ("lines.0.kind", "Gift", "lines[0].kind"),
        ("lines", [], "lines"),
        ("businessDate", "23.11.2026", "businessDate"),
        ("paidAt", "2026-11-23T12:00:00+02:00", "paidAt"),
        ("currency", "SEK", "currency"),
        ("storeId", None, "storeId"),
        ("type", "Gift", "type"),
        ("customer", ["aino"], "customer"),
    ],
)
def test_what_is_wrong_is_refused_by_name(book: Book, path: str, value: Any, named: str) -> None:
    answer = book.post(changed(path, value))
    assert answer.status_code == 400
    assert answer.json()["error"] == "validation"
    assert named in [each["path"] for each in answer.json()["details"]]
    assert book.find(SALE["externalId"]) == []


def refund_of(gross: float, number: int) -> dict[str, Any]:
    line = SALE["lines"][0] | {"quantity": -1, "unitPrice": gross, "vatAmount": 0, "vatRate": 0, "total": -gross}
    totals = {"gross": -gross, "net": -gross, "vat": 0, "discount": 0}
    more = {"type": "Refund", "refersTo": SALE["externalId"], "externalId": f"woo:shop:refund:{number}"}
    return SALE | more | {"lines": [line], "totals": totals, "payments": [{"type": "Card", "amount": -gross}]}


def test_no_more_is_refunded_than_was_sold(book: Book) -> None:
    assert book.post(refund_of(20, 1)).json()["details"] == [{"path": "refersTo", "message": "is no sale"}]
    book.post(SALE)
    assert book.post(refund_of(20, 1)).status_code == 201
    assert book.balance("verkko")["freeBalance"] == 4
    refused = book.post(refund_of(6, 2))
    assert refused.json()["details"] == [{"path": "totals.gross", "message": "more is refunded than was sold"}]


def test_a_token_for_something_else_is_not_enough(book: Book) -> None:
    book.headers = {"Authorization": "Bearer nothing"}
    assert book.post(SALE).status_code == 401
