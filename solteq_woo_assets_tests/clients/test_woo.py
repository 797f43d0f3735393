import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
import requests
import requests.auth
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from requests_oauthlib import OAuth1

from solteq_woo_assets.clients import woo as module
from solteq_woo_assets.clients import woo_pages
from solteq_woo_assets.clients.http import JsonResponse
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_batches import ItemRefused
from solteq_woo_assets.clients.woo_documents import ProductBatch, ProductWrite, StoreFacts, StoreProduct
from solteq_woo_assets.errors import ConfigurationError, OutcomeUnknownError, WooError
from solteq_woo_assets_tests.clients.wire import Answer, json_answer, serving
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox.woo import CONSUMER_KEY, CONSUMER_SECRET, create_app

SECRET = "cs_not/to+be&shown"
PAGE = 4


def client(url: str, **options: Any) -> WooClient:
    told: dict[str, Any] = {"attempts": 2, **options}
    return WooClient(url, "ck_key", SecretStr(SECRET), **told)


def raw(identifier: int, **fields: Any) -> dict[str, Any]:
    """A product as the wire has it."""
    return {
        "id": identifier,
        "type": "simple",
        "status": "publish",
        "name": "x",
        "sku": f"S{identifier}",
        "date_modified_gmt": "2026-11-23T03:20:38",
    } | fields


def new(sku: str, **fields: Any) -> ProductWrite:
    """A product to create."""
    return ProductWrite(**{"name": sku, "type": "simple", "status": "draft", "sku": sku, **fields})


def change(identifier: int, **fields: Any) -> ProductWrite:
    return ProductWrite(id=identifier, **fields)


class List:
    """A list of the store that changes before each look at it. Stands in for the session of a client."""

    def __init__(self, ids: Sequence[int], changes: Sequence[Callable[[set[int]], object]], total: bool) -> None:
        self.ids = set(ids)
        self.changes = list(changes)
        self.has_total = total
        self.ever = set(ids)
        self.always = set(ids)
        self.looks = 0

    def get(self, path: str, params: Mapping[str, Any]) -> JsonResponse:
        self.looks += 1
        assert (params["orderby"], params["order"], params["per_page"]) == ("id", "asc", PAGE)
        if self.changes:
            self.changes.pop(0)(self.ids)
        self.ever |= self.ids
        self.always &= self.ids
        rows = [raw(each) for each in sorted(self.ids)[params["offset"] :][:PAGE]]
        return JsonResponse(200, {"X-WP-Total": str(len(self.ids))} if self.has_total else {}, rows)


IDS = st.sets(st.integers(1, 60), max_size=40)
CHANGES = st.lists(
    st.one_of(
        IDS.map(lambda ids: lambda held: held.difference_update(ids)),
        st.sets(st.integers(1, 120), max_size=8).map(lambda ids: lambda held: held.update(ids)),
        st.just(lambda held: None),
    ),
    max_size=30,
)


class TestPages:
    @given(ids=IDS, changes=CHANGES, total=st.booleans())
    def test_nothing_that_stays_is_lost_and_nothing_comes_twice(
        self, ids: set[int], changes: list[Callable[[set[int]], object]], total: bool
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(woo_pages, "PAGE_ROWS", PAGE)
            woo = client("http://shop.example")
            rows = List(sorted(ids), changes, total)
            patch.setattr(woo, "_session", rows)
            pages = list(woo.read_products())
        read = [product.id for page in pages for product in page.rows]
        assert len(read) == len(set(read))
        assert rows.always <= set(read) <= rows.ever
        assert all(page.rows for page in pages)

    @pytest.mark.parametrize(("rows", "looks"), [(0, 1), (3, 1), (4, 1), (5, 2), (7, 2), (8, 3)])
    def test_a_list_at_rest_takes_few_looks(self, rows: int, looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(woo_pages, "PAGE_ROWS", PAGE)
        woo = client("http://shop.example")
        held = List(range(1, rows + 1), [], total=True)
        monkeypatch.setattr(woo, "_session", held)
        assert [product.id for page in woo.read_products() for product in page.rows] == sorted(held.ids)
        assert held.looks == looks

    def test_the_query_says_what_is_wanted(self) -> None:
        with serving(json_answer([])) as wire:
            woo = client(wire.url)
            since = datetime(2026, 11, 23, 7, 20, 38, 999999, timezone(timedelta(hours=2)))
            assert list(woo.read_products(modified_after=since, status="trash")) == []
            assert list(woo.read_variations(modified_after=since.astimezone(UTC).replace(tzinfo=None))) == []
            assert list(woo.read_variations_of(9)) == []
            assert woo.read_by_id([5, 3], parent_id=9) == []
            assert woo.read_by_id([]) == []
        assert [asked.path.removeprefix("/wp-json/wc/v3/") for asked in wire.asked] == [
            "products",
            "variations",
            "products/9/variations",
            "products/9/variations",
        ]
        first, second, third, fourth = [asked.query for asked in wire.asked]
        assert first["modified_after"] == second["modified_after"] == ["2026-11-23T05:20:38"]
        assert first["dates_are_gmt"] == ["true"]
        assert (first["status"], second.get("status"), third.get("status")) == (["trash"], None, None)
        assert fourth["include"] == ["5,3"]
        assert "meta_data" in first["_fields"][0]

    def test_what_cannot_be_read_is_named_and_stops_no_other(self) -> None:
        rows = [raw(7, date_modified_gmt="soon"), raw(8, status=None), "x", raw(9), raw(10**30), raw(11, id="12")]
        with serving(json_answer(rows)) as wire:
            (page,) = client(wire.url).read_products()
        assert [product.id for product in page.rows] == [9, 12]
        assert [(row.id, row.field, row.problem) for row in page.unreadable] == [
            (7, "date_modified_gmt", "must be a time in ISO 8601"),
            (8, "status", "Input should be a valid string"),
            (0, "id", "Field required"),
            (0, "id", "must be an id: a whole number above 0 that fits 63 bits"),
        ]

    def test_a_list_is_due(self) -> None:
        with serving(json_answer({})) as wire, pytest.raises(WooError, match="the answer is no list"):
            list(client(wire.url).read_products())


class TestSkus:
    @given(st.lists(st.text(min_size=1, max_size=40), max_size=300))
    def test_every_sku_is_asked_for_in_lists_that_fit(self, skus: list[str]) -> None:
        chunks = list(module._sku_chunks(skus))
        asked = [sku for chunk in chunks for sku in chunk]
        assert {sku.lower() for sku in asked} == {sku.strip().lower() for sku in skus} - {""}
        assert len(asked) == len({sku.lower() for sku in asked})
        for chunk in chunks:
            assert len(chunk) == 1 or (
                len(chunk) <= 100 and len(quote(",".join(chunk))) <= 1600 and not any("," in sku for sku in chunk)
            )


class TestAccess:
    def test_over_https_it_is_basic(self) -> None:
        auth = client("https://shop.example/")._session._auth
        assert isinstance(auth, requests.auth.HTTPBasicAuth)
        assert (auth.username, auth.password) == ("ck_key", SECRET)

    def test_over_http_the_secret_is_not_sent(self) -> None:
        with serving(json_answer([])) as wire:
            woo = client(wire.url)
            assert isinstance(woo._session._auth, OAuth1)
            woo.find_by_sku(["a b", "å,&"])
        for asked in wire.asked:
            assert asked.headers["authorization"].startswith("OAuth oauth_nonce=")
            assert 'oauth_signature_method="HMAC-SHA256"' in asked.headers["authorization"]
            assert not any(SECRET in text or quote(SECRET, "") in text for text in asked.headers.values())

    def test_each_try_is_signed_anew(self) -> None:
        with serving(json_answer({}, 503), json_answer([])) as wire:
            assert client(wire.url).find_by_sku(["a"]) == []
        first, second = [asked.headers["authorization"] for asked in wire.asked]
        assert first != second

    @pytest.mark.parametrize("url", ["", "shop.example", "ftp://shop.example", "https://"])
    def test_it_needs_an_address(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="WOO_URL"):
            client(url)

    @pytest.mark.parametrize("tail", ["", "/", "/wp-json", "/wp-json/"])
    def test_the_address_may_end_in_any_way(self, tail: str) -> None:
        with serving(json_answer([])) as wire:
            client(wire.url + "/fi" + tail).find_by_sku(["a"])
        assert wire.asked[0].path == "/fi/wp-json/wc/v3/products"

    @pytest.mark.parametrize(
        ("answer", "mend"),
        [
            (json_answer({"code": "woocommerce_rest_cannot_view", "message": "Sorry"}, 401), "OAuth 1.0a"),
            (json_answer({"code": "woocommerce_rest_cannot_view", "message": "Sorry"}, 401), "WOO_CONSUMER_SECRET"),
            (Answer(403, "<html>Blocked", {"content-type": "text/html"}), "firewall"),
            (Answer(404, "<html>Not found", {"content-type": "text/html"}), "permalinks"),
            (json_answer({"code": "rest_no_route", "message": "No route"}, 404), "release"),
            (Answer(301, "", {"location": "https://shop.example/"}), "Use the https address"),
            (Answer(200, "<html>Back soon", {"content-type": "text/html"}), "maintenance"),
        ],
    )
    def test_an_error_says_what_to_mend_and_no_secret(self, answer: Answer, mend: str) -> None:
        with serving(answer) as wire:
            woo = client(wire.url)
            with pytest.raises(WooError, match=mend) as caught:
                list(woo.read_variations())
        shown = repr(caught.value) + "".join(traceback.format_exception(caught.value)) + repr(woo)
        shown += str(vars(woo)) + repr(vars(woo._session._auth))
        assert SECRET not in shown
        assert "oauth_signature=" not in shown


class TestBatches:
    def test_nothing_is_not_sent(self) -> None:
        with serving() as wire:
            assert client(wire.url).write(ProductBatch([], [])) == []
            assert wire.asked == []

    @pytest.mark.parametrize(
        "body",
        [
            [],
            {},
            {"create": [raw(1)]},
            {"create": [raw(1)], "update": []},
            {"create": [raw(1)], "update": [raw(8)]},
            {"create": [raw(1)], "update": [raw(7), raw(7)]},
            {"create": [raw(1)], "update": [{"id": None, "error": {"code": "x"}}]},
            {"create": [raw(0)], "update": [raw(7)]},
            {"create": [{}], "update": [raw(7)]},
            {"create": [None], "update": [raw(7)]},
            {"create": [raw(1, status=3)], "update": [raw(7)]},
        ],
    )
    def test_an_answer_that_does_not_fit_leaves_the_outcome_unknown(self, body: object) -> None:
        with serving(json_answer(body)) as wire:
            with pytest.raises(OutcomeUnknownError, match="read back before sending it again") as caught:
                client(wire.url).write(ProductBatch([new("a")], [change(7, regular_price="1.00")]))
            assert len(wire.asked) == 1
        assert isinstance(caught.value.__cause__, WooError)

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (
                {"code": "c", "message": "a &amp; b", "data": {"status": 400, "resource_id": 9}},
                ItemRefused("c", "a & b", 9, 400),
            ),
            ({"code": "c", "message": "m", "data": 500}, ItemRefused("c", "m", None, None)),
            ({"code": "c", "message": "m", "data": {"resource_id": 0}}, ItemRefused("c", "m", None, None)),
            ("broken", ItemRefused("", "broken", None, None)),
        ],
    )
    def test_a_refused_item_is_told_apart(self, error: object, expected: ItemRefused) -> None:
        with serving(json_answer({"update": [raw(7), {"id": 8, "error": error}]})) as wire:
            outcomes = client(wire.url).write(ProductBatch([], [change(7, sku="a"), change(8, sku="b")]))
        assert isinstance(outcomes[0], StoreProduct)
        assert outcomes[1] == expected

    def test_a_batch_has_no_query(self) -> None:
        with serving(json_answer({"update": [raw(7)]})) as wire:
            client(wire.url).write(ProductBatch([], [change(7, regular_price="1.00")], parent_id=3))
        asked = wire.asked[0]
        assert (asked.path, asked.query) == ("/wp-json/wc/v3/products/3/variations/batch", {})
        assert asked.body == b'{"update": [{"id": 7, "regular_price": "1.00"}]}'
        assert asked.headers["content-type"] == "application/json"


class Store:
    """The store's stand-in and a client of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = WooClient(url, CONSUMER_KEY, SecretStr(CONSUMER_SECRET), attempts=3)

    def control(self, method: str, path: str, body: object = None) -> Any:
        answer = requests.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def delete(self, identifier: int, *, force: bool = True) -> None:
        auth = OAuth1(CONSUMER_KEY, CONSUMER_SECRET, signature_method="HMAC-SHA256")
        url = f"{self.url}/wp-json/wc/v3/products/{identifier}"
        requests.delete(url, params={"force": str(force).lower()}, auth=auth, timeout=60).raise_for_status()

    def create(self, *writes: ProductWrite, parent_id: int | None = None) -> list[StoreProduct]:
        outcomes = self.client.write(ProductBatch(writes, [], parent_id))
        assert all(isinstance(outcome, StoreProduct) for outcome in outcomes), outcomes
        return [outcome for outcome in outcomes if isinstance(outcome, StoreProduct)]

    def fault(self, **fault: object) -> None:
        self.control("POST", "faults", fault)

    def ids(self) -> list[int]:
        return [product.id for page in self.client.read_products() for product in page.rows]


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with running(create_app(tmp_path_factory.mktemp("woo") / "woo.sqlite")) as url:
        made = Store(url)
        yield made
        made.client.close()


class TestStandIn:
    def test_what_is_written_is_read(self, store: Store) -> None:
        (created,) = store.create(new("Ä 1+2&3", regular_price="19.90", manage_stock=True, stock_quantity=3))
        assert [created] == store.client.find_by_sku([" ä 1+2&3 "])
        assert [created] == store.client.read_by_id([created.id, 999])
        assert store.ids() == [created.id]
        later = change(created.id, sale_price="9.90", meta_data=[{"key": "_solteq_a", "value": "1"}])
        (changed,) = store.client.write(ProductBatch([], [later]))
        assert isinstance(changed, StoreProduct)
        assert (str(changed.sale_price), changed.meta) == ("9.90", {"_solteq_a": "1"})

    def test_a_batch_answers_item_by_item(self, store: Store) -> None:
        (held,) = store.create(new("held"))
        outcomes = store.client.write(
            ProductBatch([new("fresh"), new("HELD")], [change(held.id, regular_price="2.00"), change(99, sku="x")])
        )
        assert isinstance(outcomes[0], StoreProduct)
        assert isinstance(outcomes[2], StoreProduct)
        assert outcomes[1] == ItemRefused("product_invalid_sku", "Invalid or duplicated SKU.", held.id, 400)
        assert outcomes[3] == ItemRefused("woocommerce_rest_product_invalid_id", "Invalid ID.", None, 400)

    def test_variations_go_through_their_parent(self, store: Store) -> None:
        attributes = [{"name": "Koko", "variation": True, "visible": True, "options": ["S", "M"]}]
        (parent,) = store.create(new("M", type="variable", attributes=attributes))
        sizes = [
            ProductWrite.model_validate(
                {"sku": f"M-{size}", "regular_price": "5.00", "attributes": [{"name": "Koko", "option": size}]}
            )
            for size in "SM"
        ]
        small, medium = store.create(*sizes, parent_id=parent.id)
        assert {small.parent_id, medium.parent_id, small.type} == {parent.id, parent.id, "variation"}
        whole = [product.sku for page in store.client.read_variations() for product in page.rows]
        own = [product.sku for page in store.client.read_variations_of(parent.id) for product in page.rows]
        assert whole == own == ["M-S", "M-M"]
        assert [found.sku for found in store.client.find_by_sku(["M", "m-s", "none"])] == ["M", "M-S"]
        assert [read.id for read in store.client.read_by_id([medium.id], parent_id=parent.id)] == [medium.id]
        assert store.client.read_by_id([medium.id]) == []
        (refused,) = store.client.write(ProductBatch([], [change(small.id, regular_price="1.00")]))
        assert isinstance(refused, ItemRefused)
        assert "<product_id>" in refused.message

    def test_skus_with_commas_are_found_alone(self, store: Store) -> None:
        both, *_ = store.create(new("a,b"), new("a"), new("b"))
        assert [found.id for found in store.client.find_by_sku(["A,B"])] == [both.id]
        assert [found.sku for found in store.client.find_by_sku(["a", "a,b"])] == ["a,b", "a"]

    def test_the_bin_is_looked_into_when_asked(self, store: Store) -> None:
        (binned,) = store.create(new("binned"))
        store.delete(binned.id, force=False)
        assert store.client.find_by_sku(["binned"]) == []
        assert [found.id for found in store.client.find_by_sku(["binned"], status="trash")] == [binned.id]
        assert [each.id for page in store.client.read_products(status="trash") for each in page.rows] == [binned.id]

    def test_rows_deleted_between_pages_hide_none(self, store: Store) -> None:
        many = [
            product.id for start in range(3) for product in store.create(*[new(f"{start}-{n}") for n in range(100)])
        ]
        pages = store.client.read_products()
        read = [product.id for product in next(pages).rows]
        for identifier in many[:60]:
            store.delete(identifier)
        read += [product.id for page in pages for product in page.rows]
        assert read == many
        found = store.client.find_by_sku([f"{start}-{n}" for start in range(3) for n in range(100)])
        assert sorted(product.id for product in found) == many[60:]
        assert [product.id for product in store.client.read_by_id(many)] == many[60:]

    def test_only_what_changed_is_read(self, store: Store) -> None:
        (created,) = store.create(new("a"))
        before = created.date_modified_gmt - timedelta(seconds=1)
        assert [len(page.rows) for page in store.client.read_products(modified_after=before)] == [1]
        assert list(store.client.read_products(modified_after=created.date_modified_gmt)) == []
        assert list(store.client.read_products(modified_after=before.replace(tzinfo=UTC), status="trash")) == []

    def test_a_host_may_take_fewer_items(self, store: Store) -> None:
        store.control("PUT", "settings", {"batch_limit": 10})
        with pytest.raises(WooError) as caught:
            store.client.write(ProductBatch([new(str(number)) for number in range(11)], []))
        assert caught.value.status == 413
        assert store.ids() == []
        assert len(store.create(*[new(str(number)) for number in range(10)])) == 10

    @pytest.mark.parametrize(
        "fault", [{"drop": "after"}, {"drop": "before"}, {"status": 502}, {"status": 200, "body": ""}]
    )
    def test_an_unknown_outcome_is_read_back(self, store: Store, fault: dict[str, object]) -> None:
        store.fault(method="POST", path="/batch", times=None, **fault)
        with pytest.raises(OutcomeUnknownError):
            store.client.write(ProductBatch([new("a")], []))
        assert len(store.client.find_by_sku(["a"])) == (fault.get("drop") == "after")
        assert sum(each["method"] == "POST" for each in store.control("GET", "requests")) == 1

    def test_a_busy_store_is_sent_it_again(self, store: Store) -> None:
        store.fault(method="POST", path="/batch", status=429, headers={"Retry-After": "1"})
        assert len(store.create(new("a"))) == 1

    def test_an_old_release_has_no_list_of_all_variations(self, store: Store) -> None:
        store.fault(path="/wc/v3/variations", status=404, body='{"code": "rest_no_route", "message": "No route"}')
        with pytest.raises(WooError, match="release") as caught:
            list(store.client.read_variations())
        assert (caught.value.status, caught.value.code) == (404, "rest_no_route")

    def test_the_stores_facts(self, store: Store) -> None:
        facts = store.client.store_facts()
        assert facts == StoreFacts("EUR", True, True, "Europe/Helsinki", facts.tax_classes)
        assert set(facts.tax_classes) >= {"standard", "reduced-rate", "zero-rate"}
        store.control("PUT", "settings", {"currency": "SEK", "prices_include_tax": False})
        changed = store.client.store_facts()
        assert (changed.currency, changed.prices_include_tax) == ("SEK", False)

    def test_cost_of_goods_is_read_where_the_feature_is_on(self, store: Store) -> None:
        (created,) = store.create(new("a"))
        assert not created.has_cost_of_goods
        store.control("PUT", "settings", {"cost_of_goods_sold": True})
        (changed,) = store.client.write(ProductBatch([], [change(created.id, cost_of_goods_sold=Decimal("8.10"))]))
        assert isinstance(changed, StoreProduct)
        assert (changed.cost_of_goods_sold, changed.has_cost_of_goods) == (Decimal("8.1"), True)

    @pytest.mark.parametrize(("key", "secret"), [("ck_wrong", CONSUMER_SECRET), (CONSUMER_KEY, "cs_wrong")])
    def test_a_wrong_key_is_an_error(self, store: Store, key: str, secret: str) -> None:
        stranger = WooClient(store.url, key, SecretStr(secret))
        with pytest.raises(WooError, match="Check WOO_CONSUMER_KEY and WOO_CONSUMER_SECRET") as caught:
            stranger.find_by_sku(["a"])
        assert caught.value.status == 401


@pytest.mark.parametrize(
    ("hours", "zone"),
    [
        (2, "+02:00"),
        (Decimal("-3.5"), "-03:30"),
        (Decimal("5.75"), "+05:45"),
        (0, "+00:00"),
        (None, "+00:00"),
        ("", "+00:00"),
    ],
)
def test_a_store_may_have_an_offset_for_a_zone(hours: object, zone: str) -> None:
    assert module._timezone({"timezone_string": "", "gmt_offset": hours}) == zone


@pytest.mark.parametrize("hours", [["2"], "north", 10**400, Decimal("1e9999999"), 25])
def test_an_odd_offset_is_an_error_in_words(hours: object) -> None:
    with pytest.raises(WooError, match="its time zone cannot be read"):
        module._timezone({"timezone_string": ["Europe/Helsinki"], "gmt_offset": hours})
