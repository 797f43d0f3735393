"""The WooCommerce stand-in's traps, each with what a client loses that does not know it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox.woo import CONSUMER_KEY, CONSUMER_SECRET, create_app
from solteq_woo_sandbox.woo_products import HAND_EDITS

MISSING = 99_999_999
BEFORE, DURING, AFTER = "2026-11-25T12:00:00", "2026-11-27T12:00:00", "2026-11-30T12:00:00"
WINDOW = {
    "regular_price": "10.00",
    "sale_price": "8.00",
    "date_on_sale_from_gmt": "2026-11-26T22:00:00",
    "date_on_sale_to_gmt": "2026-11-29T21:59:59Z",
}
KOKO = {"name": "Koko", "variation": True, "visible": True, "options": ["S", "M"]}


@dataclass
class Client:
    """The store as a client behind its TLS proxy sees it, and as its own people do."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        return self.session.request(
            method,
            f"{self.url}/wp-json/wc/v3{path}",
            params=query,
            json=body,
            headers={"X-Forwarded-Proto": "https"},
            auth=(CONSUMER_KEY, CONSUMER_SECRET),
        )

    def get(self, path: str = "/products", **query: Any) -> Any:
        answer = self.ask("GET", path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        answer = self.ask(method, path, body, **query)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def create(self, **fields: Any) -> int:
        return self.send("POST", "/products", {"name": "Tuote"} | fields)["id"]

    def put(self, identifier: int, **fields: Any) -> dict[str, Any]:
        return self.send("PUT", f"/products/{identifier}", fields)

    def batch(self, path: str = "/products", **verbs: list[Any]) -> dict[str, Any]:
        return self.send("POST", f"{path}/batch", verbs)

    def by_hand(self, identifier: int, **fields: Any) -> dict[str, Any]:
        answer = self.session.patch(f"{self.url}/_sandbox/products/{identifier}", json=fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def settings(self, **values: Any) -> None:
        self.session.put(f"{self.url}/_sandbox/settings", json=values).raise_for_status()

    def cron(self) -> dict[str, int]:
        answer = self.session.post(f"{self.url}/_sandbox/cron")
        answer.raise_for_status()
        return answer.json()

    def ids(self, **query: Any) -> list[int]:
        return [product["id"] for product in self.get(**query)]

    def shirt(self, **fields: Any) -> tuple[int, list[int]]:
        """A variable product with the variations S and M, 20.00 each."""
        parent = self.create(type="variable", attributes=[KOKO], **fields)
        made = [
            {
                "sku": f"{parent}-{size}",
                "regular_price": "20.00",
                "attributes": [{"name": "koko", "option": size}],
            }
            for size in ("S", "M")
        ]
        done = self.batch(f"/products/{parent}/variations", create=made)["create"]
        return parent, [variation["id"] for variation in done]


def seen(product: dict[str, Any]) -> tuple[str, bool, str]:
    """What the edges of a sale change."""
    return product["price"], product["on_sale"], product["date_modified_gmt"]


@pytest.fixture
def woo(tmp_path: Path) -> Iterator[Client]:
    with running(create_app(tmp_path / "woo.sqlite")) as url, requests.Session() as session:
        yield Client(url, session)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One store for the tests that look at their own products alone: starting and stopping takes time."""
    with (
        running(create_app(tmp_path_factory.mktemp("woo") / "woo.sqlite")) as url,
        requests.Session() as session,
    ):
        yield Client(url, session)


BAD_VALUES = [
    pytest.param({"regular_price": "1,5"}, "regular_price", "15", id="a decimal comma multiplies the price"),
    pytest.param({"regular_price": "1 234,50"}, "regular_price", "123450", id="spaces and comma fall out"),
    pytest.param({"regular_price": "1.234.50"}, "regular_price", "1234.50", id="only the last dot counts"),
    pytest.param({"regular_price": "12,34 €"}, "regular_price", "1234", id="the currency falls out"),
    pytest.param({"regular_price": "abc"}, "regular_price", "", id="words empty the price"),
    pytest.param({"regular_price": 12.340}, "regular_price", "12.34", id="a float loses its zeros"),
    pytest.param({"regular_price": 12}, "regular_price", "12", id="an integer is taken"),
    pytest.param({"regular_price": "-5"}, "regular_price", "-5", id="a negative price is stored"),
    pytest.param({"regular_price": None}, "regular_price", "10.00", id="null changes nothing"),
    pytest.param({"stock_quantity": "abc"}, "stock_quantity", 0, id="words empty the shelf"),
    pytest.param({"stock_quantity": 2.9}, "stock_quantity", 2, id="a fraction is cut"),
    pytest.param({"stock_quantity": "12 kpl"}, "stock_quantity", 12, id="leading digits count"),
    pytest.param({"stock_quantity": -3}, "stock_quantity", -3, id="negative stock is stored"),
    pytest.param({"stock_quantity": None}, "stock_quantity", 7, id="null leaves the stock"),
    pytest.param({"manage_stock": "perhaps"}, "manage_stock", False, id="an odd word turns stock off"),
    pytest.param({"status": "published"}, "status", "draft", id="an unknown status hides the product"),
    pytest.param({"type": "bogus"}, "type", "simple", id="an unknown type is simple"),
    pytest.param({"tax_class": "alv-14"}, "tax_class", "", id="an unknown tax class is the standard one"),
    pytest.param({"featured": "no"}, "featured", False, id="no is false"),
    pytest.param({"no_such_field": 1}, "name", "Tuote", id="unknown fields are ignored"),
    pytest.param({"stock_status": "outofstock"}, "stock_status", "instock", id="managed stock decides its status"),
]


@pytest.mark.parametrize(("change", "name", "expected"), BAD_VALUES)
def test_a_batch_takes_anything(shared: Client, change: dict, name: str, expected: Any) -> None:
    """Protects prices and stock: nothing in a batch is validated, so the client has to do it."""
    identifier = shared.create(regular_price="10.00", manage_stock=True, stock_quantity=7)
    [done] = shared.batch(update=[{"id": identifier} | change])["update"]
    assert done[name] == expected
    assert shared.get(f"/products/{identifier}")[name] == done[name]


@pytest.mark.parametrize("name", sorted(HAND_EDITS | {"cost_of_goods_sold", "inventory_delta", "id"}))
def test_no_value_breaks_a_batch(shared: Client, name: str) -> None:
    """Protects the tests built on the stand-in: a strange value is its item's affair, the others are done."""
    for value in (None, True, -1, 1.5, 10**30, "", "x", [], {}, [None], [1], [[]], [{}], {"a": 1}):
        done = shared.batch(create=[{name: value}, {"name": "Toinen"}])["create"]
        assert done[1]["name"] == "Toinen"
        if done[0]["id"]:
            shared.batch(update=[{"id": done[0]["id"], name: value}])


@pytest.mark.parametrize(
    ("change", "parameter", "code", "message"),
    [
        ({"regular_price": 1}, "regular_price", "rest_invalid_type", "regular_price is not of type string."),
        (
            {"stock_quantity": "1,5"},
            "stock_quantity",
            "rest_invalid_type",
            "stock_quantity is not of type integer.",
        ),
        (
            {"manage_stock": "yes"},
            "manage_stock",
            "rest_invalid_type",
            "manage_stock is not of type boolean.",
        ),
        ({"sku": 123}, "sku", "rest_invalid_type", "sku is not of type string."),
        (
            {"type": "bogus"},
            "type",
            "rest_not_in_enum",
            "type is not one of simple, grouped, external, and variable.",
        ),
        ({"meta_data": ["x"]}, "meta_data", "rest_invalid_type", "meta_data[0] is not of type object."),
        (
            {"attributes": [{"name": "Koko", "options": [42]}]},
            "attributes",
            "rest_invalid_type",
            "attributes[0][options][0] is not of type string.",
        ),
    ],
)
def test_the_single_route_refuses_wrong_types(
    shared: Client, change: dict, parameter: str, code: str, message: str
) -> None:
    """Protects error handling: the offender is named, and nothing is written."""
    identifier = shared.create(name="Tuote")
    answer = shared.ask("PUT", f"/products/{identifier}", {"name": "Muu"} | change)
    assert (answer.status_code, answer.json()["code"]) == (400, "rest_invalid_param")
    assert answer.json()["data"]["details"][parameter]["code"] == code
    assert answer.json()["data"]["params"] == {parameter: message}
    assert shared.get(f"/products/{identifier}")["name"] == "Tuote"


def test_a_batch_answers_per_item_in_the_order_sent(woo: Client) -> None:
    """Protects the ledger: HTTP 200 says nothing of the items, and a failed create has id 0."""
    one, two = woo.create(sku="ONE"), woo.create(sku="TWO")
    done = woo.batch(
        delete=[two, MISSING],
        update=[{"id": MISSING}, {"id": one, "name": "Yksi"}, {"sku": "ONE"}],
        create=[{"sku": "one"}, {"sku": "THREE"}],
    )
    assert list(done) == ["create", "update", "delete"]
    assert [item["id"] for item in done["create"]] == [0, two + 1]
    assert done["create"][0]["error"]["data"]["resource_id"] == one
    assert [item["id"] for item in done["update"]] == [MISSING, one, None]
    assert [item["id"] for item in done["delete"]] == [two, MISSING]
    assert woo.ask("GET", f"/products/{two}").status_code == 404, "a batch deletes for good, past the bin"


@pytest.mark.parametrize("limit", [100, 20])
def test_a_batch_over_the_limit_does_nothing(woo: Client, limit: int) -> None:
    """Protects delivery: a host may have lowered the limit, and says so only by refusing."""
    woo.settings(batch_limit=limit)
    items = [{"sku": f"S{number}"} for number in range(limit + 1)]
    answer = woo.ask("POST", "/products/batch", {"create": items[:2], "update": items[2:]})
    assert (answer.status_code, answer.json()["code"]) == (413, "woocommerce_rest_request_entity_too_large")
    assert woo.ids() == []
    assert len(woo.batch(create=items[:limit])["create"]) == limit


def test_fields_on_a_batch_hide_its_errors(woo: Client) -> None:
    """Protects the ledger: the writes run, the answer is empty."""
    answer = woo.ask("POST", "/products/batch", {"create": [{"sku": "A"}, {"sku": "A"}]}, _fields="id,sku")
    assert (answer.status_code, answer.json()) == (200, [])
    assert len(woo.ids()) == 1


def test_json_without_its_content_type_is_nothing(woo: Client) -> None:
    """Protects delivery: the answer is 200 all the same."""
    answer = woo.session.post(
        f"{woo.url}/wp-json/wc/v3/products/batch",
        data='{"create": [{"sku": "A"}]}',
        headers={"X-Forwarded-Proto": "https"},
        auth=(CONSUMER_KEY, CONSUMER_SECRET),
    )
    assert (answer.status_code, answer.json(), woo.ids()) == (200, [], [])


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        ("/products", {"per_page": 0}, "per_page"),
        ("/products", {"per_page": "all"}, "per_page"),
        ("/products", {"page": 0}, "page"),
        ("/products", {"orderby": "sku"}, "orderby"),
        ("/products", {"status": "published"}, "status"),
        ("/variations", {"modified_after": "yesterday"}, "modified_after"),
        ("/variations", {"modified_after": "2026-13-01T00:00:00"}, "modified_after"),
    ],
)
def test_a_list_refuses_parameters(shared: Client, path: str, query: dict, parameter: str) -> None:
    """Protects readers: a wrong parameter is 400, never a default."""
    answer = shared.ask("GET", path, **query)
    assert answer.status_code == 400
    assert list(answer.json()["data"]["params"]) == [parameter]


def test_filters_that_are_not_here_are_an_error(shared: Client) -> None:
    """Protects everyone who builds on the stand-in from an answer that ignored the question."""
    assert shared.ask("GET", "/products", category="12").status_code == 501
    assert shared.ask("GET", "/products", orderby="price").status_code == 501
    assert shared.ask("GET", "/orders", search="Aino").status_code == 501
    assert shared.ask("GET", "/refunds", modified_after=BEFORE).status_code == 501
    assert shared.ask("POST", "/coupons", {"code": "x", "minimum_amount": "10"}).status_code == 501
    assert shared.ask("POST", "/products", {"name": "Tuote", "weight": "1"}).status_code == 501
    assert shared.ask("GET", "/reports").status_code == 404


def test_reading_by_sku(woo: Client) -> None:
    """Protects look-ups: case and outer spaces do not matter, a space after a comma does."""
    a, b = woo.create(sku="Ab-1"), woo.create(sku="Ä-2", status="draft")
    assert woo.ids(sku=" AB-1 ") == [a]
    assert woo.ids(sku="ab-1,ä-2,none") == [b, a]
    assert woo.ids(sku="ab-1, ä-2") == [a]
    assert woo.ids(sku="none") == []
    assert woo.ids(sku="ab-1", status="publish") == [a]
    assert woo.ids(sku="ä-2", status="publish") == []


def test_a_sku_list_is_still_a_page_and_an_address(woo: Client) -> None:
    """Protects look-ups in bulk: a page holds 100, and an address has a length."""
    skus = [f"S{number:03}" for number in range(150)]
    woo.batch(create=[{"sku": sku} for sku in skus[:100]])
    woo.batch(create=[{"sku": sku} for sku in skus[100:]])
    answer = woo.ask("GET", "/products", sku=",".join(skus), per_page=100)
    assert (len(answer.json()), answer.headers["X-WP-Total"]) == (100, "150")
    assert woo.ask("GET", "/products", sku=",".join("x" * 100 for _ in range(110))).status_code == 414


def test_other_filters(woo: Client) -> None:
    """Protects the client's reads from a stand-in that answers the wrong products."""
    a = woo.create(name="Sukat", sku="A", stock_status="outofstock")
    b = woo.create(name="Lapaset", sku="B")
    c, (d, _) = woo.shirt(name="Paita", sku="C")
    everything = {
        "include": (f"{a},{c},{d}", [c, a]),
        "exclude": (str(a), [c, b]),
        "stock_status": ("outofstock", [a]),
        "search": ("lapa", [b]),
        "offset": ("1", [b, a]),
        "exclude_status": ("publish", []),
    }
    assert {name: woo.ids(**{name: value}) for name, (value, _) in everything.items()} == {
        name: expected for name, (_, expected) in everything.items()
    }
    assert woo.ids(orderby="title", order="asc") == [b, c, a]
    assert woo.ids(orderby="include", include=f"{b},{c},{a}") == [b, c, a]


def test_pages_and_their_links(woo: Client) -> None:
    """Protects full reads: totals in headers, links to both sides, an empty list past the end."""
    made = [item["id"] for item in woo.batch(create=[{}, {}, {}, {}, {}])["create"]]
    answer = woo.ask("GET", "/products", per_page=2, page=2, orderby="id", order="asc")
    assert [product["id"] for product in answer.json()] == made[2:4]
    assert (answer.headers["X-WP-Total"], answer.headers["X-WP-TotalPages"]) == ("5", "3")
    assert [(name, link["url"].partition("?")[2]) for name, link in answer.links.items()] == [
        ("prev", "per_page=2&page=1&orderby=id&order=asc"),
        ("next", "per_page=2&page=3&orderby=id&order=asc"),
    ]
    assert woo.get(page=9) == []


def test_paging_while_rows_change_skips_some(woo: Client) -> None:
    """Protects full reads: by number, a row that goes from page 1 pulls one of page 2 out of sight."""
    made = [item["id"] for item in woo.batch(create=[{} for _ in range(6)])["create"]]
    seen = set(woo.ids(per_page=3, orderby="modified"))
    woo.ask("DELETE", f"/products/{max(seen)}")
    seen |= set(woo.ids(per_page=3, page=2, orderby="modified"))
    assert set(made) - seen, "a row slipped from page 2 to page 1 between the two reads"


def test_modified_after_and_time_zones(woo: Client) -> None:
    """Protects incremental reads: only a naive GMT time with ``dates_are_gmt`` says what it means."""
    woo.settings(clock="2026-07-01T12:00:00Z")
    woo.create()
    found = {
        (value, gmt): len(woo.get(modified_after=value, **({"dates_are_gmt": "true"} if gmt else {})))
        for gmt in (True, False)
        for value in ("2026-07-01T11:59:59", "2026-07-01T11:59:59Z", "2026-07-01T14:59:59+03:00")
    }
    assert found == {
        ("2026-07-01T11:59:59", True): 1,
        ("2026-07-01T11:59:59Z", True): 0,  # taken for 14:59:59, three hours too late
        ("2026-07-01T14:59:59+03:00", True): 0,
        ("2026-07-01T11:59:59", False): 1,
        ("2026-07-01T11:59:59Z", False): 1,
        ("2026-07-01T14:59:59+03:00", False): 1,
    }
    assert woo.get(modified_after="2026-07-01T12:00:00", dates_are_gmt="true") == []
    assert len(woo.get(modified_before="2026-07-01T12:00:01", dates_are_gmt="true")) == 1
    assert woo.get(modified_before="2026-07-01T12:00:00", dates_are_gmt="true") == []
    assert woo.get(modified_after="2026-07-01T15:00:00") == [], "site time without the flag"


@pytest.mark.parametrize(
    "write",
    [
        lambda woo, one, child: woo.put(one, name="Tuote"),
        lambda woo, one, child: woo.batch(update=[{"id": one}]),
        lambda woo, one, child: woo.by_hand(one, description="Lämmin"),
        lambda woo, one, child: woo.put(one, meta_data=[{"key": "k", "value": 1}]),
    ],
    ids=["same name", "nothing at all", "by hand", "meta alone"],
)
def test_every_write_moves_the_time(woo: Client, write: Callable[[Client, int, int], Any]) -> None:
    """Protects incremental reads: what is written comes back as changed, whatever it was."""
    woo.settings(clock="2026-07-01T12:00:00Z")
    one, child = woo.create(), 0
    woo.settings(clock="2026-07-01T12:00:05Z")
    write(woo, one, child)
    assert woo.get(f"/products/{one}")["date_modified"] == "2026-07-01T15:00:05"


def test_a_variation_moves_its_parent(woo: Client) -> None:
    """Protects incremental reads: the parent is listed, though nothing of its own changed."""
    woo.settings(clock="2026-07-01T12:00:00Z")
    parent, (small, medium) = woo.shirt()
    for second, path in (
        (1, f"/products/{parent}/variations/{small}"),
        (2, f"/products/{parent}/variations/{medium}"),
    ):
        woo.settings(clock=f"2026-07-01T12:00:0{second}Z")
        woo.send("PUT" if second == 1 else "DELETE", path, {"regular_price": "5.00"} if second == 1 else None)
        after = f"2026-07-01T12:00:0{second - 1}"
        assert woo.ids(modified_after=after, dates_are_gmt="true") == [parent]
    touched = woo.get("/variations", modified_after="2026-07-01T12:00:00", dates_are_gmt="true")
    assert [variation["id"] for variation in touched] == [small], "the binned one has left the list"


def test_the_bin_keeps_a_sku(woo: Client) -> None:
    """Protects creation: the taken SKU is not found, its product has to be looked up in the bin."""
    one = woo.create(sku="A", global_unique_id="6400000000017")
    woo.send("DELETE", f"/products/{one}")
    assert (woo.ids(), woo.ids(sku="A"), woo.ids(modified_after="2020-01-01T00:00:00")) == ([], [], [])
    assert woo.ids(status="trash", sku="a") == [one]
    [refused] = woo.batch(create=[{"sku": "A"}])["create"]
    assert refused["error"]["code"] == "woocommerce_rest_product_not_created"
    assert refused["error"]["data"] == {"status": 400}
    assert woo.ask("DELETE", f"/products/{one}").status_code == 410
    [quiet] = woo.batch(update=[{"id": one, "regular_price": "5.00"}])["update"]
    assert (quiet["status"], quiet["regular_price"]) == ("trash", "5.00"), "an update works in the bin unseen"
    assert woo.create(global_unique_id="6400000000017"), "a GTIN in the bin is free"
    assert woo.put(one, status="publish")["slug"] == "tuote"
    woo.send("DELETE", f"/products/{one}", force=True)
    assert woo.create(sku="A"), "gone for good, the SKU is free"


def test_the_bin_takes_the_variations_along(woo: Client) -> None:
    """Protects stock and prices: a restored parent comes back without them."""
    parent, children = woo.shirt()
    woo.send("DELETE", f"/products/{parent}")
    assert woo.get("/variations") == []
    assert woo.put(parent, status="publish")["variations"] == []
    [taken] = woo.batch(f"/products/{parent}/variations", create=[{"sku": f"{parent}-S"}])["create"]
    assert taken["error"]["code"] == "woocommerce_rest_product_not_created"
    woo.send("DELETE", f"/products/{parent}", force=True)
    assert woo.get("/variations", status="trash") == []
    assert len(children) == 2


def test_a_sku_is_taken_whatever_its_case(shared: Client) -> None:
    """Protects adoption: the error names the holder, variations count too, an own SKU does not clash."""
    parent, (small, _) = shared.shirt()
    answer = shared.ask("POST", "/products", {"sku": f"{parent}-s"})
    assert (answer.status_code, answer.json()["data"]["resource_id"]) == (400, small)
    assert answer.json()["data"]["unique_sku"] == f"{parent}-s-1"
    path = f"/products/{parent}/variations/{small}"
    assert shared.send("PUT", path, {"sku": f"{parent}-S"})["sku"] == f"{parent}-S"
    gtin = shared.create(global_unique_id="6400000000017")
    answer = shared.ask("PUT", path, {"global_unique_id": "6400000000017"})
    assert (answer.json()["code"], answer.json()["data"]["resource_id"]) == (
        "product_invalid_global_unique_id",
        gtin,
    )
    assert [shared.create(sku="", global_unique_id="") for _ in range(2)], "empty ones do not clash"


@pytest.mark.parametrize(
    ("regular", "sale", "kept"),
    [
        ("10.00", "9.99", "9.99"),
        ("10.00", "10.00", ""),
        ("10", "10.00", ""),
        ("10.00", "11", ""),
        ("", "5", ""),
    ],
)
def test_a_sale_that_is_none_is_dropped(shared: Client, regular: str, sale: str, kept: str) -> None:
    """Protects campaigns: no error tells that the sale price did not stick."""
    identifier = shared.create(regular_price=regular, sale_price=sale)
    assert shared.get(f"/products/{identifier}")["sale_price"] == kept


def test_a_lower_regular_price_drops_the_sale(shared: Client) -> None:
    """Protects campaigns: a price change alone can end one."""
    identifier = shared.create(regular_price="10.00", sale_price="8.00")
    assert shared.put(identifier, regular_price="8.00")["sale_price"] == ""


def test_a_sale_runs_by_the_clock(woo: Client) -> None:
    """Protects campaigns: price and on_sale follow the window to the second, its last one included."""
    woo.settings(clock=BEFORE)
    identifier = woo.create(**WINDOW)
    prices = {}
    for instant in ("11-26T21:59:59", "11-26T22:00:00", "11-29T21:59:59", "11-29T22:00:00"):
        woo.settings(clock=f"2026-{instant}Z")
        product = woo.get(f"/products/{identifier}")
        prices[instant] = (product["price"], product["on_sale"])
    assert list(prices.values()) == [("10.00", False), ("8.00", True), ("8.00", True), ("10.00", False)]


def test_sale_dates_outlive_their_price(woo: Client) -> None:
    """Protects campaigns: an emptied sale price leaves its window, which a later one would fall into."""
    woo.settings(clock=BEFORE)
    identifier = woo.create(**WINDOW)
    assert woo.put(identifier, sale_price="")["date_on_sale_to"] == "2026-11-29T23:59:59"
    local = woo.put(identifier, date_on_sale_from="2026-07-01T00:00:00", date_on_sale_to="")
    assert (local["date_on_sale_from_gmt"], local["date_on_sale_to_gmt"]) == ("2026-06-30T21:00:00", None)


def test_a_price_is_stale_until_the_cron_runs(woo: Client) -> None:
    """Protects checks of campaigns: what the shopper pays lags behind on_sale at both edges."""
    woo.settings(cron=False, clock=BEFORE)
    identifier = woo.create(**WINDOW)
    woo.settings(clock=DURING)
    assert seen(woo.get(f"/products/{identifier}")) == ("10.00", True, BEFORE)
    assert woo.cron() == {"started": 1, "ended": 0}
    started = woo.get(f"/products/{identifier}")
    assert seen(started) == ("8.00", True, DURING)
    assert (started["date_on_sale_from"], started["date_on_sale_to"]) == (None, "2026-11-29T23:59:59")
    woo.settings(clock=AFTER)
    assert seen(woo.get(f"/products/{identifier}")) == ("8.00", False, DURING)
    assert woo.cron() == {"started": 0, "ended": 1}
    ended = woo.get(f"/products/{identifier}")
    assert seen(ended) == ("10.00", False, AFTER)
    assert (ended["sale_price"], ended["date_on_sale_from"], ended["date_on_sale_to"]) == ("", None, None)


@pytest.mark.parametrize(
    ("change", "price"),
    [
        pytest.param({"name": "Muu", "manage_stock": True, "stock_quantity": 5}, "10.00", id="another field"),
        pytest.param({name: WINDOW[name] for name in ("sale_price", "regular_price")}, "10.00", id="the same prices"),
        pytest.param({"date_on_sale_to_gmt": WINDOW["date_on_sale_to_gmt"]}, "10.00", id="the same date"),
        pytest.param({"date_on_sale_to_gmt": "2026-12-24T00:00:00"}, "8.00", id="another date"),
        pytest.param({"date_on_sale_from_gmt": ""}, "8.00", id="no date"),
        pytest.param({"sale_price": "7.00"}, "7.00", id="another sale price"),
        pytest.param({"sale_price": ""}, "10.00", id="no sale price"),
        pytest.param({"regular_price": "11.00"}, "8.00", id="another regular price"),
        pytest.param({"type": "external"}, "8.00", id="another type"),
    ],
)
def test_a_save_refreshes_a_stale_price_only_by_what_it_depends_on(woo: Client, change: dict, price: str) -> None:
    """Protects checks of campaigns: a late price is not cured by writing to the product, or not by any write."""
    woo.settings(cron=False, clock=BEFORE)
    identifier = woo.create(**WINDOW)
    woo.settings(clock=DURING)
    saved = woo.put(identifier, **change)
    assert seen(saved) == (price, change.get("sale_price") != "", DURING)
    assert seen(woo.get(f"/products/{identifier}")) == seen(saved)


def test_the_cron_starts_and_ends_the_sale_of_a_variation(woo: Client) -> None:
    """Protects variable products: the parent's price follows its variations' as written, and it moves with them."""
    woo.settings(cron=False, clock=BEFORE)
    parent, (small, medium) = woo.shirt()
    path = f"/products/{parent}/variations"
    woo.batch(path, update=[{"id": small, **WINDOW}])
    woo.settings(clock=DURING)
    assert seen(woo.get(f"/products/{parent}")) == ("10.00", True, BEFORE)
    assert woo.cron() == {"started": 1, "ended": 0}
    assert seen(woo.get(f"{path}/{small}")) == ("8.00", True, DURING)
    assert seen(woo.get(f"{path}/{medium}")) == ("20.00", False, BEFORE)
    assert seen(woo.get(f"/products/{parent}")) == ("8.00", True, DURING)
    woo.settings(clock=AFTER)
    assert seen(woo.get(f"/products/{parent}")) == ("8.00", False, DURING)
    assert woo.cron() == {"started": 0, "ended": 1}
    assert seen(woo.get(f"{path}/{small}")) == ("10.00", False, AFTER)
    assert seen(woo.get(f"/products/{parent}")) == ("10.00", False, AFTER)


def test_a_window_that_passed_unseen_leaves_nothing(woo: Client) -> None:
    """Protects checks of campaigns: a cron that comes after the end starts the sale and ends it at once."""
    woo.settings(cron=False, clock=BEFORE)
    identifier = woo.create(**WINDOW)
    woo.settings(clock=AFTER)
    assert woo.cron() == {"started": 1, "ended": 1}
    product = woo.get(f"/products/{identifier}")
    assert seen(product) == ("10.00", False, AFTER)
    assert (product["sale_price"], product["date_on_sale_from"], product["date_on_sale_to"]) == ("", None, None)


@pytest.mark.parametrize(
    ("sale_price", "emptied", "date_to"), [("", False, "2026-11-29T23:59:59"), ("10.00", True, None)]
)
def test_the_cron_empties_a_window_whose_price_was_dropped(
    woo: Client, sale_price: str, emptied: bool, date_to: str | None
) -> None:
    """Protects campaigns: the dates of a price that was emptied stay for good, those of one dropped for a time."""
    woo.settings(cron=False, clock=BEFORE)
    identifier = woo.create(**WINDOW)
    woo.put(identifier, sale_price=sale_price)
    woo.settings(clock=DURING)
    assert woo.cron() == {"started": 0, "ended": 0}
    product = woo.get(f"/products/{identifier}")
    assert seen(product) == ("10.00", False, DURING if emptied else BEFORE)
    assert (product["sale_price"], product["date_on_sale_to"]) == ("", date_to)


def test_the_cron_leaves_alone_what_is_not_due(woo: Client) -> None:
    """Protects incremental reads: only a sale that starts or ends comes back as changed, and only once."""
    woo.settings(cron=False, clock=BEFORE)
    coming = woo.create(**WINDOW)
    plain, open_ended = woo.create(regular_price="10.00"), woo.create(regular_price="10.00", sale_price="8.00")
    gone = woo.create(**WINDOW)
    woo.send("DELETE", f"/products/{gone}", force=True)
    assert woo.cron() == {"started": 0, "ended": 0}
    woo.settings(clock=DURING)
    running_already = woo.create(**WINDOW)
    assert woo.cron() == {"started": 1, "ended": 0}
    woo.settings(clock="2026-11-29T21:59:59")
    assert woo.cron() == {"started": 0, "ended": 0}, "at its last second it is still on sale"
    moved = {product["id"]: product["date_modified_gmt"] for product in woo.get()}
    assert moved == {coming: DURING, plain: BEFORE, open_ended: BEFORE, running_already: DURING}


def test_by_default_the_cron_is_never_late(woo: Client) -> None:
    """Protects all other tests, and incremental reads: a sale's edge alone comes back as changed."""
    woo.settings(clock=BEFORE)
    identifier = woo.create(**WINDOW)
    assert woo.session.put(f"{woo.url}/_sandbox/settings", json={}).json()["cron"] is True
    for instant, price in ((DURING, "8.00"), (AFTER, "10.00")):
        woo.settings(clock=instant)
        changed = woo.get(modified_after=BEFORE, dates_are_gmt="true")
        assert [seen(product) for product in changed] == [(price, price == "8.00", instant)]
    woo.settings(clock=BEFORE)
    woo.put(identifier, **WINDOW)
    woo.settings(clock=DURING)
    assert woo.cron() == {"started": 1, "ended": 0}, "asked for, it says what it did"


def test_stock_without_managing_it_is_dropped(shared: Client) -> None:
    """Protects stock: no error tells."""
    identifier = shared.create(stock_quantity=5)
    assert shared.get(f"/products/{identifier}")["stock_quantity"] is None
    assert shared.put(identifier, manage_stock=True, stock_quantity=5)["stock_quantity"] == 5
    assert shared.put(identifier, backorders="yes", stock_quantity=-1)["stock_status"] == "onbackorder"
    assert shared.put(identifier, manage_stock=False)["stock_quantity"] is None


def test_meta_is_kept_as_text(shared: Client) -> None:
    """Protects comparisons: numbers and booleans come back as PHP writes them, structures as they were."""
    values = {"number": 5, "price": 8.10, "yes": True, "no": False, "list": [1, {"a": None}], "empty": ""}
    identifier = shared.create(meta_data=[{"key": key, "value": value} for key, value in values.items()])
    before = shared.get(f"/products/{identifier}")["meta_data"]
    assert {meta["key"]: meta["value"] for meta in before} == values | {
        "number": "5",
        "price": "8.1",
        "yes": "1",
        "no": "",
    }
    after = shared.put(
        identifier,
        meta_data=[
            {"key": "price", "value": "8.20"},
            {"key": "number", "value": None},
            {"key": "new", "value": "x"},
            {"key": "never", "value": None},
            {"id": before[-1]["id"], "key": "renamed", "value": "y"},
        ],
    )["meta_data"]
    assert [meta["key"] for meta in after] == ["price", "yes", "no", "list", "renamed", "new"]
    assert after[0] == {"id": before[1]["id"], "key": "price", "value": "8.20"}


def test_cost_of_goods_sold_is_a_feature(woo: Client) -> None:
    """Protects purchase prices: without the feature they vanish unsaid, with it every product has one."""
    cost = {"values": [{"defined_value": 8.1}]}
    identifier = woo.create(cost_of_goods_sold=cost)
    assert "cost_of_goods_sold" not in woo.get(f"/products/{identifier}")
    woo.settings(cost_of_goods_sold=True)
    none = {"values": [{"defined_value": None, "effective_value": 0}], "total_value": 0}
    assert woo.get(f"/products/{identifier}")["cost_of_goods_sold"] == none
    written = woo.put(identifier, cost_of_goods_sold=cost)["cost_of_goods_sold"]
    assert (written["values"][0]["defined_value"], written["total_value"]) == (8.1, 8.1)


def test_a_variable_product_has_the_prices_of_its_variations(shared: Client) -> None:
    """Protects prices: those sent to the parent vanish, its own follow the variations that are on show."""
    parent, (small, medium) = shared.shirt(regular_price="1.00")
    assert shared.get(f"/products/{parent}")["price"] == "20.00"
    shared.batch(
        f"/products/{parent}/variations",
        update=[
            {
                "id": small,
                "regular_price": "30.00",
                "sale_price": "25.00",
                "manage_stock": True,
                "stock_quantity": 0,
            },
            {"id": medium, "status": "private"},
        ],
    )
    shown = shared.get(f"/products/{parent}")
    assert (shown["price"], shown["regular_price"], shown["on_sale"]) == ("25.00", "", True)
    assert (shown["stock_status"], shown["variations"]) == ("outofstock", [small, medium])


def test_simple_becomes_variable_and_back(woo: Client) -> None:
    """Protects identity: the id, the SKU and all that is no price stay; going back costs the variations."""
    identifier = woo.create(sku="M", regular_price="10.00", sale_price="9.00", description="Pitkä")
    woo.by_hand(identifier, images=[{"id": 5, "src": "https://x/y.jpg"}])
    [done] = woo.batch(update=[{"id": identifier, "type": "variable", "attributes": [KOKO]}])["update"]
    expected = {
        "id": identifier,
        "sku": "M",
        "description": "Pitkä",
        "regular_price": "",
        "sale_price": "",
        "price": "",
        "type": "variable",
    }
    assert {name: done[name] for name in expected} == expected
    assert done["images"] == [{"id": 5, "src": "https://x/y.jpg"}]
    woo.batch(f"/products/{identifier}/variations", create=[{"regular_price": "5.00"}])
    assert woo.put(identifier, regular_price="1.00")["price"] == "5.00"
    assert woo.put(identifier, type="simple", regular_price="1.00")["price"] == "1.00"
    assert woo.get("/variations") == []


def test_attributes_are_replaced_as_a_whole(shared: Client) -> None:
    """Protects variations: an attribute that is not sent again is gone, the variations' options with it."""
    color = {"name": "Väri", "variation": True, "options": ["Musta"]}
    parent = shared.create(type="variable", attributes=[KOKO, color])
    chosen = [
        {"name": "Koko", "option": "S"},
        {"name": "väri", "option": "Musta"},
        {"name": "Malli", "option": "X"},
    ]
    path = f"/products/{parent}/variations"
    [made] = shared.batch(path, create=[{"attributes": chosen}])["create"]
    assert made["name"] == "S, Musta", "what the parent does not vary by is dropped without a word"
    replaced = shared.put(parent, attributes=[{**color, "visible": True}, {"name": "Hihat"}])["attributes"]
    assert [attribute["name"] for attribute in replaced] == ["Väri"], "an attribute without options is none"
    assert shared.get(f"{path}/{made['id']}")["name"] == "Musta"


def test_variations_and_their_routes(shared: Client) -> None:
    """Protects delivery: a variation has one route, and the wrong one fails inside a 200."""
    parent, (small, _) = shared.shirt(tax_class="reduced-rate", manage_stock=True, stock_quantity=9)
    other = shared.create(type="variable", attributes=[KOKO])
    path = f"/products/{parent}/variations"
    assert shared.ask("GET", f"/products/{other}/variations/{small}").status_code == 404
    assert shared.ask("PUT", f"{path}/{other}", {}).json()["code"] == "woocommerce_rest_product_variation_invalid_id"
    done = shared.batch(path, update=[{"id": MISSING}, {"id": other}], delete=[MISSING])
    assert [item["error"]["data"]["status"] for item in done["update"] + done["delete"]] == [400, 400, 404]
    assert [item["error"]["code"][-15:] for item in shared.batch(delete=[small])["delete"]] == ["alid_product_id"]
    inherited = shared.get(f"{path}/{small}")
    assert (inherited["manage_stock"], inherited["stock_quantity"]) == ("parent", 9)
    assert inherited["tax_class"] == "reduced-rate", "read, it is the parent's"
    assert shared.get(f"{path}/{small}", context="edit")["tax_class"] == "parent", "as stored, it says so"
    [found] = shared.get(sku=f"{parent}-S")
    assert (found["type"], found["name"], found["parent_id"]) == ("variation", "Tuote - S", parent)
    answer = shared.ask("POST", f"/products/{MISSING}/variations", {})
    assert (answer.status_code, answer.json()["code"]) == (
        404,
        "woocommerce_rest_product_variation_invalid_parent",
    )


def test_the_stores_people_edit_by_hand(woo: Client) -> None:
    """Protects ownership tests: what the store owns can change beside us, and stays when we write."""
    identifier = woo.create(sku="A", regular_price="10.00")
    woo.by_hand(
        identifier,
        description="Uusi",
        sale_price="5.00",
        categories=[{"id": 20, "name": "Sukat", "slug": "sukat"}],
        images=[{"id": 9, "src": "https://x/y.jpg"}],
        status="draft",
    )
    product = woo.put(identifier, regular_price="11.00")
    assert (product["description"], product["sale_price"], product["status"]) == ("Uusi", "5.00", "draft")
    assert product["categories"][0]["name"] == "Sukat"
    woo.by_hand(identifier, status="trash")
    assert woo.ids(status="trash") == [identifier]
    url = f"{woo.url}/_sandbox/products"
    assert woo.session.patch(f"{url}/{identifier}", json={"colour": "red"}).status_code == 400
    assert woo.session.patch(f"{url}/{MISSING}", json={"name": "x"}).status_code == 404
    assert woo.session.put(f"{woo.url}/_sandbox/settings", json={"clock": "noon"}).status_code == 400
    assert woo.session.put(f"{woo.url}/_sandbox/settings", json={"clok": None}).status_code == 400


def test_settings_show(woo: Client) -> None:
    """Protects doctor: what it reads of the store is what the control switch set."""
    path = "/settings/tax/woocommerce_prices_include_tax"
    assert woo.get(path)["value"] == "yes"
    woo.settings(prices_include_tax=False)
    assert woo.get(path)["value"] == "no"
    assert woo.ask("GET", "/settings/tax/none").json()["code"] == "rest_setting_setting_invalid"
    assert woo.session.put(f"{woo.url}/_sandbox/settings", json={}).json()["prices_include_tax"] is False


def test_a_decimal_comma_is_one_where_the_store_says_so(woo: Client) -> None:
    """Trap 27: the same text is another price in another store, so send points."""
    identifier = woo.create(regular_price="1,5")
    assert woo.get(f"/products/{identifier}")["regular_price"] == "15"
    woo.settings(decimal_comma=True)
    for sent, kept in (("1,5", "1.5"), ("1.234,56", "1234.56"), ("1 234,50", "1234.50"), ("12.34", "12.34")):
        assert woo.put(identifier, regular_price=sent)["regular_price"] == kept


def test_texts_are_kept_as_html(woo: Client) -> None:
    """Trap 64: an ampersand comes back escaped, and what looks like a tag is lost."""
    for sent, kept in (
        ("Kuppi & muki", "Kuppi &amp; muki"),
        ("Kahvi &amp; pulla &euro;", "Kahvi &amp; pulla &euro;"),
        ("5 < 6 ja 7 > 3", "5  3"),
        ("3 > 2", "3 &gt; 2"),
        ("<b>Iso</b> <script>alert(1)</script>", "<b>Iso</b> alert(1)"),
        ("C:\\temp", "C:temp"),
    ):
        assert woo.get(f"/products/{woo.create(name=sent)}")["name"] == kept
    identifier = woo.create(description='<p onclick="x()" class="a">Hei<br /></p><!-- pois -->')
    assert woo.get(f"/products/{identifier}")["description"] == '<p class="a">Hei<br /></p>'


def test_a_product_of_the_future_says_so(woo: Client) -> None:
    """Trap 70: whatever status is asked for."""
    identifier = woo.create(date_created_gmt="2031-01-01T00:00:00")
    assert woo.get(f"/products/{identifier}")["status"] == "future"
    assert woo.put(identifier, date_created="2021-01-01T00:00:00")["status"] == "publish"


def test_names_share_no_slug(woo: Client) -> None:
    """Protects addresses: the second product of a name gets another one, a draft none yet."""
    made = [woo.create(name="Väri & Muoto 5 %") for _ in range(3)]
    assert [woo.get(f"/products/{one}")["slug"] for one in made] == [
        "vari-muoto-5",
        "vari-muoto-5-2",
        "vari-muoto-5-3",
    ]
    draft = woo.create(name="Väri", status="draft")
    assert woo.get(f"/products/{draft}")["slug"] == ""
    assert woo.put(draft, status="publish")["slug"] == "vari"


def test_work_is_done_though_the_answer_is_lost(woo: Client) -> None:
    """Protects the ledger: an interrupted write may have been done, so it is read back, not resent."""
    fault = {"method": "POST", "path": "/products/batch", "drop": "after"}
    woo.session.post(f"{woo.url}/_sandbox/faults", json=fault).raise_for_status()
    with pytest.raises(requests.ConnectionError):
        woo.batch(create=[{"sku": "A"}])
    assert len(woo.ids(sku="A")) == 1


def test_four_clients_at_once(woo: Client) -> None:
    """Protects parallel delivery: no write is lost, no id given twice, one SKU has one product."""
    with ThreadPoolExecutor(4) as pool:
        items = [{"sku": f"S{number % 150}"} for number in range(300)]
        batches = [items[start : start + 25] for start in range(0, 300, 25)]
        done = list(pool.map(lambda batch: Client(woo.url).batch(create=batch)["create"], batches))
    made = [item["id"] for batch in done for item in batch if item["id"]]
    assert (len(made), len(set(made))) == (150, 150)
    assert woo.ask("GET", "/products").headers["X-WP-Total"] == "150"


def test_kept_through_kill_and_restart(tmp_path: Path) -> None:
    """Protects crash tests: whatever was answered is there after ``kill -9``, ids and settings go on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Not a thread: only a process of its own can be killed.
    program = (
        "import sys, pathlib; from solteq_woo_sandbox import server, woo; "
        "server.serve({int(sys.argv[1]): woo.create_app(pathlib.Path(sys.argv[2]))})"
    )
    made = []
    for start in range(2):
        command = [sys.executable, "-c", program, str(port), str(tmp_path / "woo.sqlite")]
        with (
            subprocess.Popen(command) as process,
            requests.Session() as session,
        ):
            try:
                client = Client(f"http://127.0.0.1:{port}", session)
                _wait_for(client)
                assert [woo["sku"] for woo in client.get(orderby="id", order="asc")] == ["A"][:start]
                made.append(client.create(sku="AB"[start]))
                client.settings(batch_limit=7)
            finally:
                os.kill(process.pid, signal.SIGKILL)
    assert made[1] == made[0] + 1
    with running(create_app(tmp_path / "woo.sqlite")) as url, requests.Session() as session:
        assert len(Client(url, session).get()) == 2
        assert session.put(f"{url}/_sandbox/settings", json={}).json()["batch_limit"] == 7


def _wait_for(client: Client) -> None:
    for _ in range(200):
        try:
            client.get()
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the stand-in did not start within 10 seconds")


@pytest.mark.parametrize(
    ("given", "on_the_product", "on_the_variation"),
    [
        ("S|M", ["S", "M"], "S|M"),
        ("5 < 6", ["5 < 6"], "5 &lt; 6"),
        ("<b>L</b>", ["<b>L</b>"], "L"),
        ("a\\b", ["a\\b"], "ab"),
        ("50 %20", ["50 %20"], "50"),
        ("5 &amp; 6", ["5 & 6"], "5 &amp; 6"),
    ],
)
def test_an_option_is_kept_in_one_way_on_the_product_and_in_another_on_its_variations(
    woo: Client, given: str, on_the_product: list[str], on_the_variation: str
) -> None:
    """Protects choosing: a shopper sees the product's options, and a variation that says another cannot be chosen.

    The bar, the less-than sign and the backslash are recorded; the others are as WooCommerce's code has them.
    """
    parent = woo.create(name="P", type="variable", attributes=[KOKO | {"options": [given]}])
    choice = {"attributes": [{"name": "Koko", "option": given}]}
    variation = woo.send("POST", f"/products/{parent}/variations", choice)
    assert woo.get(f"/products/{parent}")["attributes"][0]["options"] == on_the_product
    assert variation["attributes"][0]["option"] == on_the_variation
