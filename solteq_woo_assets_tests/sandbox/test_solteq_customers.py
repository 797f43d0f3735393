"""Customers of the stand-in, written and looked up over HTTP: as the contract says."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import simplejson

from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import catalogue
from solteq_woo_sandbox.solteq import CLIENT_ID, CLIENT_SECRET, FEEDS, create_app

PATH = FEEDS["customers"][0]


@dataclass
class Book:
    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def authorize(self, scope: str) -> None:
        form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "scope": scope}
        answer = requests.post(
            f"{self.url}/connect/token", data=form | {"grant_type": "client_credentials"}, timeout=10
        )
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def ask(self, method: str, identifier: str = "", body: Any = None, **options: Any) -> tuple[int, Any]:
        path = f"{PATH}/{identifier}" if identifier else PATH
        answer = self.session.request(method, self.url + path, json=body, **options)
        return answer.status_code, simplejson.loads(answer.content, use_decimal=True)

    def make(self, **fields: Any) -> dict[str, Any]:
        status, stored = self.ask("POST", body={"type": "Private"} | fields)
        assert status == 201, stored
        return stored

    def found(self, **query: str) -> list[str]:
        status, answer = self.ask("GET", params=query)
        assert (status, answer["continuationToken"]) == (200, None)
        return [each["id"] for each in answer["documents"]]

    def put(self, *documents: dict[str, Any]) -> None:
        answer = self.session.put(f"{self.url}/_sandbox/customers", json={"documents": documents})
        assert answer.status_code == 200, answer.text


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """Empty."""
    with running(create_app(tmp_path / "solteq.sqlite", seed=0)) as url:
        book = Book(url)
        with book.session:
            book.authorize("customer-api")
            yield book


def external(value: str) -> list[dict[str, str]]:
    return [{"type": "CustomerCard", "value": "7"}, {"type": "ExternalID", "value": value}]


# Making


def test_what_solteq_gives_a_customer_is_its_own(book: Book) -> None:
    given = {"id": "mine", "modifiedAt": "1999-01-01T00:00:00Z", "deleted": True, "loyalty": {"points": 1.25}}
    stored = book.make(**given)
    assert (stored["id"] != "mine", stored["modifiedAt"] > "2026", stored["deleted"]) == (True, True, False)
    assert (bool(stored["customerNumber"]), str(stored["loyalty"]["points"])) == (True, "1.25")
    assert book.make(customerNumber="K-7")["customerNumber"] == "K-7"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"email": "aino@example.com"}, {"email": " AINO@Example.com "}),
        ({"identifiers": external("woo:shop:customer:7")}, {"identifiers": external("woo:shop:customer:7")}),
    ],
)
def test_a_key_belongs_to_one(book: Book, first: dict[str, Any], second: dict[str, Any]) -> None:
    held = book.make(**first)
    duplicate = (409, {"error": "duplicate", "id": held["id"]})
    assert book.ask("POST", body={"type": "Private"} | second) == duplicate
    other = book.make()
    assert book.ask("PUT", other["id"], {"type": "Private"} | second) == duplicate
    assert book.ask("PUT", held["id"], {"type": "Private"} | second)[0] == 200, "its own key is no obstacle"
    book.put({"id": held["id"], "deleted": True})
    assert book.ask("POST", body={"type": "Private"} | second)[0] == 201


def test_other_identifiers_may_be_shared(book: Book) -> None:
    card = [{"type": "CustomerCard", "value": "7"}]
    assert book.make(identifiers=card)["id"] != book.make(identifiers=card)["id"]


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"type": "Robot"}, ["type"]),
        ({"type": ["Private"]}, ["type"]),
        ({"type": "Company"}, ["companyName", "taxCode"]),
        ({"type": "Company", "companyName": "Oy", "taxCode": "FI0490484"}, ["taxCode"]),
        ({"type": "Company", "companyName": "AB", "taxCode": "SE123456789002"}, ["taxCode"]),
        ({"type": "Company", "companyName": "ApS", "taxCode": "04904840"}, ["taxCode"]),
        ({"email": "aino"}, ["email"]),
        ({"email": 5, "firstName": []}, ["firstName", "email"]),
        ({"addresses": {}}, ["addresses"]),
        ({"addresses": [{"type": "Billing"}, 5]}, ["addresses[1]"]),
        ({"addresses": [{"city": 5}]}, ["addresses[0].type", "addresses[0].city"]),
        ({"identifiers": [{"type": "ExternalID"}]}, ["identifiers[0].value"]),
        ({"customerGroups": ["Kanta", 5]}, ["customerGroups[1]"]),
    ],
)
def test_a_refusal_says_where(book: Book, fields: dict[str, Any], paths: list[str]) -> None:
    held = book.make()
    for status, answer in (
        book.ask("POST", body={"type": "Private"} | fields),
        book.ask("PUT", held["id"], {"type": "Private"} | fields),
    ):
        assert (status, answer["error"]) == (400, "validation")
        assert [each["path"] for each in answer["details"]] == paths
        assert all(each["message"] for each in answer["details"])


@pytest.mark.parametrize("tax_code", ["FI04904840", "SE123456789001", "DK12345678"])
def test_tax_codes_of_three_countries(book: Book, tax_code: str) -> None:
    assert book.make(type="Company", companyName="Oy", taxCode=tax_code)["taxCode"] == tax_code


# Replacing


def test_what_is_not_sent_is_gone(book: Book) -> None:
    held = book.make(firstName="Aino", email="aino@example.com", customerNumber="K-7", loyalty=3)
    status, stored = book.ask("PUT", held["id"], {"type": "Private", "lastName": "Esimerkki", "id": "other"})
    assert status == 200
    assert stored == {
        "id": held["id"],
        "customerNumber": "K-7",
        "type": "Private",
        "lastName": "Esimerkki",
        "deleted": False,
        "modifiedAt": stored["modifiedAt"],
    }
    assert book.found(email="aino@example.com") == []


def test_equal_values_are_a_new_version_too(book: Book) -> None:
    versions = [book.make(firstName="Aino")]
    for _ in range(5):
        versions.append(book.ask("PUT", versions[-1]["id"], versions[-1])[1])
    instants = [each.pop("modifiedAt") for each in versions]
    assert instants == sorted(set(instants))
    assert all(each == versions[0] for each in versions)


def test_nobody_is_replaced_who_is_unknown_or_deleted(book: Book) -> None:
    held = book.make()
    book.put({"id": held["id"], "deleted": True})
    for identifier in (held["id"], "nobody"):
        assert book.ask("PUT", identifier, {"type": "Private"})[0] == 404


def test_if_match_means_an_instant(book: Book) -> None:
    instant = "2026-01-05T06:00:00.500Z"
    for form in (instant, f'"{instant}"', "2026-01-05T06:00:00.5Z", "2026-01-05T08:00:00.500+02:00"):
        book.put({"id": "C-1", "type": "Private", "modifiedAt": instant})
        assert book.ask("PUT", "C-1", {"type": "Private"}, headers={"If-Match": form})[0] == 200, form
    for form in (instant, "2026-01-05T06:00:00.500", "yesterday", "*"):
        assert book.ask("PUT", "C-1", {"type": "Private"}, headers={"If-Match": form})[0] == 412, form


# Looking up


def test_one_or_none_is_found(book: Book) -> None:
    held = book.make(email="Aino@example.com", identifiers=external("woo:shop:customer:7"))
    book.make(email="eero@example.com")
    assert book.found(email=" aino@EXAMPLE.com") == book.found(externalId="woo:shop:customer:7") == [held["id"]]
    for query in ({"email": "nobody@example.com"}, {"email": ""}, {"externalId": ""}, {"externalId": "7"}):
        assert book.found(**query) == []
    book.put({"id": held["id"], "deleted": True})
    assert book.found(email="aino@example.com") == book.found(externalId="woo:shop:customer:7") == []


def test_what_was_made_is_in_the_feed(book: Book) -> None:
    made = book.make(firstName="Aino")
    assert set(book.found()) == {made["id"]}


def test_look_ups_among_many_touch_few(book: Book) -> None:
    book.put(*catalogue.customers(1, 50_000))
    for number in range(1, 50_000, 500):
        assert book.found(email=f"asiakas{number}@example.com") == [f"customer-{number}"]


# Who may


@pytest.mark.parametrize(("scope", "status"), [("catalog-api", 403), (None, 401)])
def test_the_scope_is_required(book: Book, scope: str | None, status: int) -> None:
    held = book.make(email="aino@example.com")
    if scope:
        book.authorize(scope)
    else:
        del book.session.headers["Authorization"]
    assert book.ask("POST", body={"type": "Private"})[0] == status
    assert book.ask("PUT", held["id"], {"type": "Private"})[0] == status
    assert book.ask("GET", params={"email": "aino@example.com"})[0] == status
