"""Customers of the stand-in beyond what was recorded: as WooCommerce's source and the contract say."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox.woo import CONSUMER_KEY, CONSUMER_SECRET, create_app
from solteq_woo_sandbox.woo_fields import is_email, sanitize_email


@dataclass
class Store:
    url: str
    session: requests.Session

    def ask(self, method: str, path: str = "", body: Any = None, **query: Any) -> requests.Response:
        url = f"{self.url}/wp-json/wc/v3/customers{path}"
        headers = {"X-Forwarded-Proto": "https"}
        return self.session.request(
            method, url, json=body, params=query, headers=headers, auth=(CONSUMER_KEY, CONSUMER_SECRET)
        )

    def control(self, method: str, path: str, body: Any) -> Any:
        answer = self.session.request(method, f"{self.url}/_sandbox/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def register(self, *accounts: dict[str, Any]) -> list[int]:
        return self.control("PUT", "customers", {"customers": list(accounts)})["ids"]

    def clock(self, moment: str) -> None:
        self.control("PUT", "settings", {"clock": moment})

    def get(self, identifier: int) -> Any:
        return self.ask("GET", f"/{identifier}").json()

    def update(self, identifier: int, **fields: Any) -> Any:
        """In a batch, where nothing is validated."""
        return self.ask("POST", "/batch", {"update": [{"id": identifier, **fields}]}).json()["update"][0]

    def create(self, **fields: Any) -> Any:
        return self.ask("POST", "/batch", {"create": [fields]}).json()["create"][0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, requests.Session]]:
    with running(create_app(tmp_path_factory.mktemp("woo") / "woo.sqlite")) as url, requests.Session() as session:
        yield url, session


@pytest.fixture
def store(served: tuple[str, requests.Session]) -> Store:
    store = Store(*served)
    for account in store.ask("GET", role="all", per_page=100).json():
        store.ask("POST", "/batch", {"delete": [account["id"]]}).raise_for_status()
    store.control("PUT", "settings", {"clock": None, "batch_limit": 100, "roles": []})
    return store


def code(answer: Any) -> tuple[int, str]:
    """Of a single answer, or of an item of a batch."""
    if isinstance(answer, requests.Response):
        return answer.status_code, answer.json()["code"]
    return answer["error"]["data"]["status"], answer["error"]["code"]


class TestAddresses:
    def test_one_belongs_to_one_account_of_any_role_in_any_case(self, store: Store) -> None:
        store.register({"email": "Aino@example.com", "role": "administrator"})
        assert code(store.ask("POST", body={"email": "aino@EXAMPLE.com"})) == (400, "registration-error-email-exists")

    def test_a_new_account_has_one(self, store: Store) -> None:
        assert code(store.ask("POST", body={})) == (400, "rest_missing_callback_param")
        assert code(store.create(first_name="Aino")) == (400, "registration-error-invalid-email")
        assert code(store.create(email=" aino@example.com")) == (400, "customer_invalid_email")

    def test_an_update_refuses_that_of_another_and_ones_own_in_other_capitals(self, store: Store) -> None:
        aino, _ = store.register({"email": "aino@example.com"}, {"email": "eero@example.com"})
        for email in ("Eero@example.com", "Aino@example.com"):
            assert code(store.update(aino, email=email)) == (400, "woocommerce_rest_customer_invalid_email")
        assert store.update(aino, email="aino@example.com")["email"] == "aino@example.com"

    @pytest.mark.parametrize(
        ("sent", "held"),
        [
            ("äiti@example.com", "iti@example.com"),
            ("aino,eero@example.com", "ainoeero@example.com"),
            ("aino@exämple.com", "aino@exmple.com"),
            ("not-an-email", ""),
            ("", ""),
            ("eero@example.com ", "aino@example.com"),  # somebody's once mended: WordPress refuses, unheard
        ],
    )
    def test_an_update_in_a_batch_mends_them_silently(self, store: Store, sent: str, held: str) -> None:
        aino, _ = store.register({"email": "aino@example.com"}, {"email": "eero@example.com"})
        assert store.update(aino, email=sent)["email"] == held
        assert store.get(aino)["email"] == held

    def test_a_single_update_refuses_them(self, store: Store) -> None:
        (aino,) = store.register({"email": "aino@example.com"})
        for body in ({"email": "not-an-email"}, {"billing": {"email": "not-an-email"}}):
            assert code(store.ask("PUT", f"/{aino}", body)) == (400, "rest_invalid_param")
        assert code(store.update(aino, billing={"email": "x"})) == (400, "customer_invalid_billing_email")

    @given(st.text(max_size=12), st.text(max_size=12))
    def test_what_is_one_stays_as_it_is(self, mailbox: str, domain: str) -> None:
        address = f"{mailbox}@{domain}.fi"
        if is_email(address):
            assert sanitize_email(address) == address


class TestUsernames:
    def test_they_come_from_the_address(self, store: Store) -> None:
        names = [store.create(email=f"{each}.example.com")["username"] for each in ("Aino+1@a", "info@b", "aino1@c")]
        assert names[:2] == ["aino1", "b.example.com"]
        assert names[2].startswith("aino1-")


class TestWrites:
    def test_parts_of_an_address_are_merged_and_every_write_counts(self, store: Store) -> None:
        store.clock("2026-11-23T10:00:00Z")
        (aino,) = store.register({"email": "aino@example.com", "billing": {"city": "Turku", "phone": "1"}})
        store.clock("2026-11-23T10:00:05Z")
        same = store.update(aino, billing={"phone": "1"})
        assert (same["billing"]["city"], same["billing"]["phone"]) == ("Turku", "1")
        assert (same["date_created_gmt"], same["date_modified_gmt"]) == ("2026-11-23T10:00:00", "2026-11-23T10:00:05")
        assert same["date_modified"] == "2026-11-23T12:00:05"

    def test_meta_is_kept_but_for_protected_keys(self, store: Store) -> None:
        meta = [{"key": key, "value": value} for key, value in (("solteq_customer_id", 7), ("_solteq", "x"))]
        made = store.create(email="aino@example.com", meta_data=meta)
        held = [(each["key"], each["value"]) for each in made["meta_data"]]
        assert held == [("default_password_nag", "1"), ("solteq_customer_id", "7")]
        removed = store.update(made["id"], meta_data=[{"key": "solteq_customer_id", "value": None}])
        assert [each["key"] for each in removed["meta_data"]] == ["default_password_nag"]

    def test_by_hand_any_role_is_given_and_changed(self, store: Store) -> None:
        store.clock("2026-11-23T10:00:00Z")
        aino, eero = store.register(
            {"email": "aino@example.com"}, {"email": "eero@example.com", "role": "shop_manager"}
        )
        assert (store.get(aino)["role"], store.get(eero)["role"]) == ("customer", "shop_manager")
        assert store.get(aino)["meta_data"] == []
        store.clock("2026-11-23T11:00:00Z")
        edited = store.control("PATCH", f"customers/{aino}", {"role": "subscriber", "billing": {"city": "Turku"}})
        assert (edited["role"], edited["billing"]["city"]) == ("subscriber", "Turku")
        assert edited["date_modified_gmt"] == "2026-11-23T11:00:00"
        assert store.update(aino, role="administrator")["role"] == "subscriber", "read-only over REST"

    def test_registering_is_one_transaction(self, store: Store) -> None:
        same = [{"email": "aino@example.com"}] * 2
        answer = store.session.put(f"{store.url}/_sandbox/customers", json={"customers": same})
        assert code(answer) == (400, "registration-error-email-exists")
        assert store.ask("GET", role="all").json() == []

    def test_many_share_a_mailbox_and_take_seconds(self, store: Store, tmp_path: Path) -> None:
        with running(create_app(tmp_path / "other.sqlite")) as url:
            began = time.monotonic()
            people = [{"email": f"aino@shop{number}.example.com"} for number in range(20_000)]
            assert len(Store(url, store.session).register(*people)) == 20_000
        assert time.monotonic() - began < 20


class TestBatches:
    def test_one_id_may_stand_in_it_twice_so_addresses_can_be_swapped(self, store: Store) -> None:
        aino, eero = store.register({"email": "aino@example.com"}, {"email": "eero@example.com"})
        swap = [{"id": aino, "email": "eero@example.com"}, {"id": eero, "email": "aino@example.com"}]
        done = store.ask("POST", "/batch", {"update": swap}).json()["update"]
        assert [code(each)[1] for each in done] == ["woocommerce_rest_customer_invalid_email"] * 2
        between = {"id": aino, "email": "between@example.com"}
        done = store.ask("POST", "/batch", {"update": [between, *reversed(swap)]}).json()["update"]
        assert [each["email"] for each in done] == ["between@example.com", "aino@example.com", "eero@example.com"]
        assert [store.get(each)["email"] for each in (aino, eero)] == ["eero@example.com", "aino@example.com"]

    def test_failures_are_inside_and_in_order(self, store: Store) -> None:
        (aino,) = store.register({"email": "aino@example.com"})
        body = {
            "create": [{"email": "aino@example.com"}, {"email": "eero@example.com"}],
            "update": [{"id": 9999, "first_name": "X"}, {"id": aino, "first_name": "Aino"}],
            "delete": [9999, aino],
        }
        answer = store.ask("POST", "/batch", body)
        done = answer.json()
        assert answer.status_code == 200
        assert (done["create"][0]["id"], done["create"][1]["email"]) == (0, "eero@example.com")
        assert code(done["update"][0]) == (400, "woocommerce_rest_invalid_id")
        assert (done["update"][0]["id"], done["update"][1]["first_name"]) == (9999, "Aino")
        assert code(done["delete"][0]) == (404, "wc_user_invalid_id")
        assert done["delete"][1]["id"] == aino

    def test_more_than_the_limit_are_refused_whole(self, store: Store) -> None:
        store.control("PUT", "settings", {"batch_limit": 2})
        answer = store.ask("POST", "/batch", {"create": [{"email": f"a{n}@example.com"} for n in range(3)]})
        assert code(answer) == (413, "woocommerce_rest_request_entity_too_large")
        assert store.ask("GET", role="all").json() == []


class TestOneAccount:
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_who_is_missing_is_not_found(self, store: Store, method: str) -> None:
        answer = store.ask(method, "/9999", {"first_name": "X"} if method == "PUT" else None)
        assert code(answer) == (404, "wc_user_invalid_id")

    def test_those_who_run_the_store_are_guarded(self, store: Store) -> None:
        (boss,) = store.register({"email": "boss@example.com", "role": "administrator"})
        assert code(store.ask("PUT", f"/{boss}", {"email": "x@example.com"})) == (403, "woocommerce_rest_cannot_edit")
        assert code(store.ask("DELETE", f"/{boss}", force="true")) == (403, "woocommerce_rest_cannot_delete")
        named = store.ask("PUT", f"/{boss}", {"first_name": "X", "email": "boss@example.com"})
        assert (named.status_code, named.headers["Allow"]) == (200, "GET, POST, PUT, PATCH")
        assert code(store.update(boss, email="x@example.com")) == (403, "woocommerce_rest_cannot_edit")

    def test_the_first_role_alone_is_shown_and_guarded(self, store: Store) -> None:
        both, boss = store.register(
            {"email": "both@example.com", "roles": ["customer", "administrator"]},
            {"email": "boss@example.com", "roles": ["administrator", "customer"]},
        )
        assert store.get(both)["role"] == "customer"
        assert store.update(both, email="x@example.com")["email"] == "x@example.com"
        assert store.get(boss)["role"] == "administrator"
        assert code(store.update(boss, email="y@example.com")) == (403, "woocommerce_rest_cannot_edit")

    def test_the_users_of_wordpress_are_closed(self, store: Store) -> None:
        headers = {"X-Forwarded-Proto": "https"}
        key = (CONSUMER_KEY, CONSUMER_SECRET)
        url = f"{store.url}/wp-json/wp/v2/users"
        answer = store.session.get(url, params={"context": "edit"}, headers=headers, auth=key)
        assert code(answer) == (401, "rest_forbidden_context")


class TestLists:
    @pytest.fixture
    def ids(self, store: Store) -> list[int]:
        people = [("c", "customer"), ("a", "customer"), ("b", "subscriber"), ("d", "customer")]
        found = []
        for minute, (name, role) in enumerate(people):
            store.clock(f"2026-11-23T10:{minute:02}:00Z")
            found += store.register({"email": f"{name}@example.com", "first_name": name, "role": role})
        return found

    @pytest.mark.parametrize(
        ("query", "places"),
        [
            ({}, [1, 0, 3]),
            ({"role": "all"}, [1, 2, 0, 3]),
            ({"role": "subscriber"}, [2]),
            ({"role": "all", "email": "B@Example.com"}, [2]),
            ({"role": "customer", "email": "b@example.com"}, []),
            ({"role": "all", "orderby": "id", "order": "desc"}, [3, 2, 1, 0]),
            ({"role": "all", "orderby": "registered_date", "order": "desc", "per_page": 2}, [3, 2]),
            ({"orderby": "id", "page": 2, "per_page": 2}, [3]),
            ({"orderby": "id", "offset": 1}, [1, 3]),
            ({"orderby": "id", "offset": 0, "page": 2, "per_page": 1}, [1]),
            ({"orderby": "id", "modified_after": "2099-01-01T00:00:00"}, [0, 1, 3]),
        ],
    )
    def test_filters_and_orders(self, store: Store, ids: list[int], query: dict[str, Any], places: list[int]) -> None:
        answer = store.ask("GET", _fields="id", **query)
        assert answer.json() == [{"id": ids[place]} for place in places]

    def test_named_ones(self, store: Store, ids: list[int]) -> None:
        wanted = f"{ids[3]},{ids[0]}"
        listed = store.ask("GET", include=wanted, orderby="include", _fields="id").json()
        assert [each["id"] for each in listed] == [ids[3], ids[0]]
        assert [each["id"] for each in store.ask("GET", exclude=wanted).json()] == [ids[1]]

    def test_whoever_has_a_role_is_found_by_it(self, store: Store) -> None:
        (both,) = store.register({"email": "x@example.com", "roles": ["customer", "administrator"]})
        for role in ("customer", "administrator", "all"):
            assert [each["id"] for each in store.ask("GET", role=role).json()] == [both]
        assert store.ask("GET", role="editor").json() == []
        store.control("PATCH", f"customers/{both}", {"roles": ["subscriber", "editor"]})
        assert store.ask("GET", role="administrator").json() == []
        assert [each["role"] for each in store.ask("GET", role="editor").json()] == ["subscriber"]

    def test_a_store_has_further_roles(self, store: Store) -> None:
        assert code(store.ask("GET", role="till")) == (400, "rest_invalid_param")
        store.control("PUT", "settings", {"roles": ["till"]})
        (clerk,) = store.register({"email": "x@example.com", "roles": ["customer", "till"]})
        assert [each["id"] for each in store.ask("GET", role="till").json()] == [clerk]

    @pytest.mark.parametrize("query", [{"per_page": 101}, {"role": "king"}, {"orderby": "email"}, {"email": "x"}])
    def test_what_is_no_query(self, store: Store, query: dict[str, Any]) -> None:
        assert code(store.ask("GET", **query)) == (400, "rest_invalid_param")
