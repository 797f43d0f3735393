import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import simplejson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import catalogue
from solteq_woo_sandbox.solteq import CLIENT_ID, CLIENT_SECRET, FEEDS, create_app

SCOPES = "catalog-api stock-api customer-api discount-api"


class Client:
    """What a careful reader of the contract would write, over real HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def authorize(self, scope: str = SCOPES) -> requests.Response:
        form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "scope": scope}
        answer = self.token(form | {"grant_type": "client_credentials"})
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer

    def token(self, form: dict[str, str]) -> requests.Response:
        return requests.post(f"{self.url}/connect/token", data=form, timeout=10)

    def get(self, feed: str, **query: Any) -> requests.Response:
        return self.session.get(self.url + FEEDS[feed][0], params=query, timeout=10)

    def page(self, feed: str, **query: Any) -> dict[str, Any]:
        answer = self.get(feed, **query)
        assert answer.status_code == 200, answer.text
        return simplejson.loads(answer.content, use_decimal=True)

    def pages(self, feed: str, **query: Any) -> list[list[Any]]:
        found: list[list[Any]] = []
        while True:
            page = self.page(feed, **query)
            found.append(page["documents"])
            if not page["continuationToken"]:
                return found
            query["continuationToken"] = page["continuationToken"]

    def read(self, feed: str, **query: Any) -> list[Any]:
        return [document for page in self.pages(feed, **query) for document in page]

    def control(self, method: str, path: str, body: object = None) -> requests.Response:
        data = None if body is None else simplejson.dumps(body, use_decimal=True).encode()
        return self.session.request(method, f"{self.url}/_sandbox/{path}", data=data, timeout=30)

    def put(self, feed: str, *documents: Any) -> str:
        answer = self.control("PUT", feed, {"documents": documents})
        assert answer.status_code == 200, answer.text
        return answer.json()["modifiedAt"]

    def behave(self, **behaviour: Any) -> None:
        assert self.control("PUT", "behaviour", behaviour).status_code == 200


def serving(database: Path, **options: Any) -> Iterator[Client]:
    with running(create_app(database, **options)) as url:
        client = Client(url)
        with client.session:
            yield client


@pytest.fixture
def solteq(tmp_path: Path) -> Iterator[Client]:
    """Empty and tame."""
    for client in serving(tmp_path / "solteq.sqlite", seed=0):
        client.authorize()
        client.behave(unruly=False)
        yield client


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The demonstration's catalogue, unruly; tests leave it as it was."""
    for client in serving(tmp_path_factory.mktemp("shop") / "solteq.sqlite"):
        client.authorize()
        yield client


def codes(documents: list[Any]) -> list[str]:
    return sorted(each["code"] for each in documents)


# Tokens


def test_a_token(solteq: Client) -> None:
    answer = solteq.authorize("catalog-api stock-api").json()
    assert answer.keys() == {"access_token", "expires_in", "token_type", "scope"}
    assert (answer["expires_in"], answer["token_type"], answer["scope"]) == (
        600,
        "Bearer",
        "catalog-api stock-api",
    )


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 400, "invalid_client"),
        ({"client_id": ""}, 400, "invalid_client"),
        ({"scope": "catalog-api everything"}, 400, "invalid_scope"),
        ({"scope": ""}, 400, "invalid_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_refused_token(solteq: Client, changes: dict[str, str], status: int, error: str) -> None:
    form = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "grant_type": "client_credentials",
        "scope": SCOPES,
    }
    answer = solteq.token(form | changes)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer unknown", "Basic c2FuZGJveDpzYW5kYm94"])
def test_no_feed_without_a_token(solteq: Client, header: str) -> None:
    solteq.session.headers["Authorization"] = header
    assert solteq.get("products").status_code == 401


def test_an_expired_token(solteq: Client) -> None:
    solteq.behave(token_seconds=0)
    solteq.authorize()
    assert solteq.get("products").status_code == 401


def test_a_revoked_token_and_a_new_one(solteq: Client) -> None:
    assert solteq.control("POST", "tokens/revoke").status_code == 204
    assert solteq.get("products").status_code == 401
    solteq.authorize()
    assert solteq.get("products").status_code == 200


@pytest.mark.parametrize("feed", FEEDS)
def test_a_feed_needs_its_own_scope(solteq: Client, feed: str) -> None:
    own = FEEDS[feed][1]
    solteq.authorize(own)
    assert solteq.get(feed).status_code == 200
    solteq.authorize(SCOPES.replace(own, ""))
    assert solteq.get(feed).status_code == 403


# Feeds


def test_nothing_is_one_request(solteq: Client) -> None:
    solteq.behave(unruly=True)
    assert solteq.page("products") == {"documents": [], "continuationToken": None}


@pytest.mark.parametrize(
    ("feed", "make"),
    [
        ("products", catalogue.products),
        ("balances", catalogue.balances),
        ("customers", catalogue.customers),
        ("campaigns", catalogue.campaigns),
    ],
)
def test_the_catalogue_is_served_whole_and_to_the_digit(shop: Client, feed: str, make: Any) -> None:
    # As text, since Decimals are equal whatever their zeroes.
    served = {simplejson.dumps(each, use_decimal=True, sort_keys=True) for each in shop.read(feed)}
    assert served == {simplejson.dumps(each, use_decimal=True, sort_keys=True) for each in make(1)}


def test_money_keeps_its_digits(solteq: Client) -> None:
    text = '{"documents": [{"code": "A", "salesPrice": 10.10, "purchasePrice": 0.1000}]}'
    requests.put(f"{solteq.url}/_sandbox/products", data=text, timeout=5).raise_for_status()
    assert '"salesPrice":10.10,"purchasePrice":0.1000' in solteq.get("products").text


@given(page_size=st.integers(1, 300), unruly=st.booleans(), cap=st.integers(1, 300))
@example(page_size=1, unruly=True, cap=200)
@example(page_size=1000, unruly=True, cap=1000)
@settings(max_examples=25, deadline=None)
def test_any_page_size_leads_through_every_document(shop: Client, page_size: int, unruly: bool, cap: int) -> None:
    shop.behave(unruly=unruly, page_size_cap=cap)
    try:
        pages = shop.pages("products", pageSize=page_size, timezone="Europe/Helsinki")
    finally:
        shop.behave(unruly=True, page_size_cap=200)
    assert {each["code"] for page in pages for each in page} == {each["code"] for each in catalogue.products(1)}
    assert max(map(len, pages)) <= min(page_size, cap)
    if not unruly:
        assert sum(map(len, pages)) == 400


def test_unruly_pages_are_short_or_empty_with_repeats_and_always_the_same(shop: Client) -> None:
    pages = shop.pages("balances", pageSize=50)
    sizes = [len(page) for page in pages]
    assert 0 in sizes[:-1]
    assert len(set(sizes)) > 5
    documents = [(each["productCode"], each["storeId"]) for page in pages for each in page]
    assert len(set(documents)) < len(documents) < 1.1 * len(set(documents))
    assert shop.pages("balances", pageSize=50) == pages


def test_tokens_need_url_encoding_and_belong_to_one_call(shop: Client) -> None:
    token = shop.page("products", pageSize=10)["continuationToken"]
    assert {"+", "/", "="} <= set(token)
    assert shop.get("products", pageSize=10, continuationToken=token).status_code == 200
    path = shop.url + FEEDS["products"][0]
    for answer in (
        shop.session.get(f"{path}?continuationToken={token}", timeout=5),
        shop.get("balances", continuationToken=token),
        shop.get("products", continuationToken=token, modifiedSince="2026-01-01T00:00:00Z"),
        shop.get("products", continuationToken="rubbish"),
    ):
        assert answer.status_code == 400
        assert answer.json()["details"][0]["path"] == "continuationToken"


def test_modified_since_is_inclusive(solteq: Client) -> None:
    solteq.put("products", *(catalogue.product(code) for code in "ABC"))
    moment = solteq.put("products", {"code": "B", "name": "new"})
    assert codes(solteq.read("products", modifiedSince=moment)) == ["B"]
    later = solteq.put("products", {"code": "C"}, {"code": "A"})
    assert later > moment
    assert codes(solteq.read("products", modifiedSince=later)) == ["A", "C"]
    assert codes(solteq.read("products", modifiedSince=moment)) == ["A", "B", "C"]
    assert solteq.read("products", modifiedSince="2200-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "instant",
    [
        "2026-01-05T06:00:00Z",
        "2026-01-05T06:00:00.000Z",
        "2026-01-05T06:00:00.0000000Z",
        "2026-01-05T06:00:00+00:00",
    ],
)
def test_ways_to_write_an_instant(solteq: Client, instant: str) -> None:
    solteq.put("products", catalogue.product("A"), catalogue.product("B", modifiedAt="2026-01-05T05:59:59.999Z"))
    assert codes(solteq.read("products", modifiedSince=instant)) == ["A"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("modifiedSince", "2026-01-05"),
        ("modifiedSince", "2026-01-05T06:00:00"),
        ("modifiedSince", "2026-01-05T08:00:00+02:00"),
        ("modifiedSince", "2026-02-30T06:00:00Z"),
        ("modifiedSince", "yesterday"),
        ("pageSize", "0"),
        ("pageSize", "-1"),
        ("pageSize", "ten"),
        ("timezone", "Europe/Turku"),
        ("timezone", "../Helsinki"),
    ],
)
def test_a_senseless_parameter_is_named(solteq: Client, name: str, value: str) -> None:
    answer = solteq.get("products", **{name: value})
    assert answer.status_code == 400
    assert answer.json()["error"] == "validation"
    assert [each["path"] for each in answer.json()["details"]] == [name]


@pytest.mark.parametrize("page_size", [1, 2, 3, 100])
def test_an_older_version_after_a_newer_one(solteq: Client, page_size: int) -> None:
    solteq.behave(unruly=True)
    solteq.put("products", *(catalogue.product(str(code)) for code in range(10)))
    moment = solteq.put("products", {"code": "4", "salesPrice": Decimal("11.00")})
    prices = [
        (each["salesPrice"], each["modifiedAt"])
        for each in solteq.read("products", pageSize=page_size)
        if each["code"] == "4"
    ]
    older = (Decimal("10.00"), catalogue.wire_instant(catalogue.FIRST_IMPORT))
    assert prices == [(Decimal("11.00"), moment), older]
    assert [each["salesPrice"] for each in solteq.read("products", modifiedSince=moment)] in (
        [11, 10],
        [11, 10, 11],
        [11, 10, 10],
    )


def test_a_document_that_changes_while_it_is_read_is_not_skipped(solteq: Client) -> None:
    solteq.put("products", *(catalogue.product(str(code)) for code in range(20)))
    page = solteq.page("products", pageSize=5)
    solteq.put("products", *({"code": str(code), "name": "new"} for code in range(20)))
    rest = solteq.read("products", pageSize=5, continuationToken=page["continuationToken"])
    assert codes(page["documents"] + rest) == sorted(map(str, range(20)))
    assert {each["name"] for each in rest} == {"new"}


# Control


def test_a_document_is_merged_over_the_stored_one(solteq: Client) -> None:
    solteq.put("balances", catalogue.balance("A"), catalogue.balance("A", "oulu"))
    moment = solteq.put(
        "balances", {"productCode": "A", "storeId": "oulu", "freeBalance": Decimal("1.250"), "note": None}
    )
    changed = {"freeBalance": Decimal("1.250"), "modifiedAt": moment, "note": None}
    by_store = {each["storeId"]: each for each in solteq.read("balances")}
    assert by_store == {
        "verkko": catalogue.balance("A"),
        "oulu": catalogue.balance("A", "oulu") | changed,
    }


def test_products_are_known_by_id_and_found_by_code(solteq: Client) -> None:
    solteq.put("products", catalogue.product("A", id="1"))
    solteq.put("products", {"code": "A", "name": "by code"})
    solteq.put("products", {"id": "1", "code": "A2"})
    solteq.put("products", {"code": "A", "name": "another"})
    documents = {each["id"]: (each["code"], each["name"]) for each in solteq.read("products")}
    assert documents == {"1": ("A2", "by code"), "product-A": ("A", "another")}
    assert solteq.control("GET", "products?code=A2").json()["id"] == "1"
    assert solteq.control("GET", "products?id=1").json()["code"] == "A2"
    assert solteq.control("GET", "products").json() == {"count": 2}
    assert solteq.control("GET", "products?code=B").status_code == 404
    assert solteq.control("GET", "shoes").status_code == 404


def test_each_change_is_later_than_the_one_before(solteq: Client) -> None:
    instants = [solteq.put("campaigns", {"id": "1"}) for _ in range(50)]
    assert instants == sorted(set(instants))
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", each) for each in instants)
    solteq.put("campaigns", {"id": "1", "modifiedAt": "2100-01-01T00:00:00.000Z"})
    solteq.put("campaigns", {"id": "1"})
    assert solteq.read("campaigns")[0]["modifiedAt"] == "2100-01-01T00:00:00.001Z"


def test_rubbish_is_stored_as_it_stands(solteq: Client) -> None:
    solteq.put("products", catalogue.product("A"))
    rubbish = [
        '{"id": "product-A", "code": "A", "salesPrice": "12,50 €"}',
        '{"name": "no key at all"}',
        "[1, 2]",
        "null",
    ]
    moment = solteq.put("products", *({"raw": text} for text in rubbish))
    text = solteq.get("products", modifiedSince=moment).text
    assert all(each in text for each in rubbish)
    assert len(solteq.read("products")) == 4
    solteq.put("products", {"code": "A", "salesPrice": Decimal("12.50")})
    assert solteq.control("GET", "products?code=A").json()["salesPrice"] == 12.5


@pytest.mark.parametrize(
    "documents",
    [[{"name": "x"}], [{"code": 1}], ["x"], [{"raw": "{"}], [{"raw": {}}], "x", None],
)
def test_a_put_that_makes_no_sense_changes_nothing(solteq: Client, documents: Any) -> None:
    body = {"documents": [catalogue.product("A"), *documents] if isinstance(documents, list) else documents}
    answer = solteq.control("PUT", "products", body)
    assert answer.status_code == 400
    path = answer.json()["details"][0]["path"]
    assert path == ("documents[1]" if isinstance(documents, list) else "documents")
    assert solteq.read("products") == []


@pytest.mark.parametrize(
    "behaviour",
    [{"unruly": 1}, {"page_size_cap": 0}, {"page_size_cap": True}, {"token_seconds": -1}, {"speed": 1}, []],
)
def test_a_behaviour_that_makes_no_sense_is_refused(solteq: Client, behaviour: Any) -> None:
    before = solteq.control("PUT", "behaviour", {}).json()
    assert solteq.control("PUT", "behaviour", behaviour).status_code == 400
    assert solteq.control("PUT", "behaviour", {}).json() == before


def test_shuffle_changes_as_many_as_asked_and_the_same_for_a_seed(tmp_path: Path) -> None:
    answers = []
    for name in ("one", "other"):
        for client in serving(tmp_path / name):
            client.authorize()
            client.behave(unruly=False)
            before = {feed: client.read(feed) for feed in ("products", "balances")}
            answers.append(client.control("POST", "shuffle", {"prices": 5, "balances": 7, "seed": 3}).json())
            for feed, count in (("products", 5), ("balances", 7)):
                changed = [
                    (old, new)
                    for old, new in zip(before[feed], client.read(feed), strict=True)
                    if old["modifiedAt"] != new["modifiedAt"]
                ]
                field = "salesPrice" if feed == "products" else "freeBalance"
                assert len(changed) == count
                assert all(old[field] != new[field] for old, new in changed)
                assert all(new["salesPrice"] > 0 for _, new in changed if feed == "products")
    assert answers[0] == answers[1]


def test_faults_and_the_log_come_with_it(solteq: Client) -> None:
    solteq.control("POST", "faults", {"path": "/catalog/", "status": 503})
    assert solteq.get("products").status_code == 503
    assert solteq.get("products").status_code == 200
    paths = [each["path"] for each in solteq.control("GET", "requests").json()]
    assert paths == ["/connect/token", *[FEEDS["products"][0]] * 2]


def test_unknown_paths_and_methods_are_json(solteq: Client) -> None:
    assert requests.get(f"{solteq.url}/nowhere", timeout=5).json() == {"error": "not found"}
    answer = requests.delete(solteq.url + FEEDS["products"][0], timeout=5)
    assert (answer.status_code, answer.json()) == (405, {"error": "method not allowed"})


# The file


def test_a_restart_finds_everything_again(tmp_path: Path) -> None:
    header = ""
    for client in serving(tmp_path / "solteq.sqlite"):
        client.authorize()
        header = str(client.session.headers["Authorization"])
        client.put("products", {"code": "900001", "name": "changed"})
    for client in serving(tmp_path / "solteq.sqlite"):
        client.session.headers["Authorization"] = header
        names = {each["code"]: each["name"] for each in client.read("products")}
        assert len(names) == 400
        assert client.control("GET", "products?code=900001").json()["name"] == "changed"


def test_an_empty_stand_in_stays_empty(tmp_path: Path) -> None:
    create_app(tmp_path / "solteq.sqlite", seed=0)
    for client in serving(tmp_path / "solteq.sqlite", seed=1):
        assert client.control("GET", "products").json() == {"count": 0}


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    program = """
        import sys, threading
        from pathlib import Path
        from solteq_woo_sandbox.server import running
        from solteq_woo_sandbox.solteq import create_app
        with running(create_app(Path(sys.argv[1]), seed=0)) as url:
            print(url, flush=True)
            threading.Event().wait()
    """
    database = tmp_path / "solteq.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(database)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        client = Client(child.stdout.readline().strip())
        with client.session:
            client.put("products", *catalogue.bulk_products(500))
        child.send_signal(signal.SIGKILL)
    for again in serving(database, seed=0):
        assert again.control("GET", "products").json() == {"count": 500}


def test_four_clients_at_once(solteq: Client) -> None:
    def work(number: int) -> None:
        client = Client(solteq.url)
        with client.session:
            client.authorize()
            for turn in range(10):
                mine = [catalogue.product(f"{number}-{index}", turn=turn) for index in range(20)]
                client.put("products", *mine)
                read = [each for each in client.read("products", pageSize=7) if each["code"][0] == str(number)]
                assert codes(read) == codes(mine)
                assert {each["turn"] for each in read} == {turn}

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert solteq.control("GET", "products").json() == {"count": 80}
