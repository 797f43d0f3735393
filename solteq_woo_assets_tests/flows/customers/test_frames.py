"""A person's fields on the wire of both systems: what is read of a document, and what a write makes of it."""

from copy import deepcopy
from typing import Any

import duckdb
import pytest
import simplejson
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from solteq_woo_assets.clients.solteq_customers import CustomerDocument
from solteq_woo_assets.clients.woo_customers import StoreCustomer
from solteq_woo_assets.engine.snapshot import merge
from solteq_woo_assets.flow import Change
from solteq_woo_assets.flows.customers import links as customer_links
from solteq_woo_assets.flows.customers.frames import account_write, customer_document, customer_frame, field_of
from solteq_woo_assets.flows.customers.rules import CustomerRules, Merge
from solteq_woo_assets.flows.customers.snapshots import store_accounts
from solteq_woo_assets.flows.customers.tables import SOLTEQ_CUSTOMERS
from solteq_woo_assets.flows.tables import state_database

DATED = {"id": "C-1", "modifiedAt": "2026-01-05T06:00:00Z"}
FIRST = {"type": "Billing", "street": "Mallitie 1", "postalCode": "00100", "city": "Helsinki", "country": "FI"}
OTHERS: list[dict[str, Any]] = [
    {"type": "Pickup", "street": "Noutopiste 9", "boxNumber": 7},
    {"type": "BILLING", "street": "Toinen 2", "city": "Turku", "careOf": "Eino"},
    {"type": "Delivery", "street": "Kolmas 3", "gate": {"code": "1"}},
    {"type": "Billing", "street": "Neljäs 4"},
    {"street": "ilman tyyppiä"},
]
PARTS = ("street", "street2", "postal_code", "city", "country")


def change(field: str, new: str) -> Change:
    return {"field": field, "old": None, "new": new}


def read(document: dict[str, Any]) -> dict[str, Any]:
    return customer_frame([CustomerDocument.model_validate(DATED | document)]).to_dicts()[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"billing_city": "Tampere"},
        {f"billing_{part}": "" for part in PARTS},
        {"first_name": "Eino"},
    ],
    ids=["changed", "emptied", "left alone"],
)
def test_of_several_addresses_of_a_type_the_first_is_written_and_the_others_are_carried_along(
    changes: dict[str, str],
) -> None:
    held = {"addresses": [FIRST | {"floor": 3}, *OTHERS], "loyalty": {"level": 2}}
    written = customer_document(simplejson.dumps(held), [change(*each) for each in changes.items()])
    first, *others = written["addresses"]
    assert others == OTHERS
    assert (first["type"], first["floor"], written["loyalty"]) == ("Billing", 3, {"level": 2})
    after = read(written)
    assert {field: after[field] for field in changes} == changes
    again = customer_document(simplejson.dumps(written), [change("billing_street", "Uusi 5")])
    assert (again["addresses"][0]["street"], again["addresses"][1:]) == ("Uusi 5", OTHERS), "it is filled again"


def test_an_address_of_which_nothing_is_left_goes_where_nothing_could_be_taken_for_it() -> None:
    emptied = [change(f"billing_{part}", "") for part in PARTS]
    assert customer_document(simplejson.dumps({"addresses": [FIRST, OTHERS[2]]}), emptied)["addresses"] == [OTHERS[2]]
    kept = customer_document(simplejson.dumps({"addresses": [FIRST | {"isDefault": False}]}), emptied)["addresses"]
    assert [each["isDefault"] for each in kept] == [False]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("email", "email"),
        ("taxCode", "tax_code"),
        ("addresses[0].postalCode", "billing_postal_code"),
        ("addresses[1].street", None),
        ("addresses[2].street", None),
        ("addresses[3].street", "delivery_street"),
        ("addresses[9].street", None),
        ("addresses[0].boxNumber", None),
        ("type", None),
        ("customerGroups[0]", None),
    ],
)
def test_a_path_of_solteq_names_a_field_of_ours_or_none(path: str, field: str | None) -> None:
    assert field_of(path, {"addresses": [FIRST, *OTHERS]}) == field


def test_an_e_mail_address_that_the_store_would_refuse_is_remarked_on() -> None:
    assert read({"email": "aino@example.com"})["remarks"] == []
    for email in ("aino@exmaple", "aino.example.com", "ä@example.com", f"{'a' * 95}@example.com"):
        assert [remark.split()[0] for remark in read({"email": email})["remarks"]] == ["email"]


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        ({"companyName": "Yritys Oy", "taxCode": "FI04904840"}, "Company"),
        ({"companyName": "Yritys Oy"}, "Private"),
        ({"taxCode": "FI04904840"}, "Private"),
        ({"type": "Company", "companyName": "Yritys Oy"}, "Company"),
        ({"type": "Private", "companyName": "Yritys Oy", "taxCode": "FI04904840"}, "Private"),
        ({}, "Private"),
    ],
)
def test_a_write_says_the_type_that_solteq_says_or_means(held: dict[str, Any], kind: str) -> None:
    """A Company without name and tax code would be refused, whatever is written of it."""
    gained = [change("company_name", "Toinen Oy"), change("tax_code", "FI01120389")]
    for changes in ([], gained):
        assert customer_document(simplejson.dumps(held), changes)["type"] == kind


COUNTRIES = ["", "FI", "SUOMI ", "Sverige", "Suomiland", "fi"]
NAMES = ["", "Yritys Oy", "Toinen Oy"]
CODES = ["", "FI04904840", "fi 0490484-0", "SE123456789001", "Y-123"]
EMAILS = ["aino@example.com", "AINO@example.com", "uusi@example.com"]
NUMBERS = ["", "+358401234567", "+46 70 123 45 67", "kysy vaimolta"]
customers = st.fixed_dictionaries(
    {
        "type": st.sampled_from([None, "Private", "Company"]),
        "email": st.sampled_from([*EMAILS, "aino@exmaple", ""]),
        "companyName": st.sampled_from(NAMES),
        "taxCode": st.sampled_from(CODES),
        "phone": st.sampled_from(NUMBERS),
        "addresses": st.lists(
            st.fixed_dictionaries(
                {
                    "type": st.sampled_from(["Billing", "Delivery", "Other"]),
                    "city": st.sampled_from(["", "Turku", "Oulu"]),
                    "country": st.sampled_from(COUNTRIES),
                }
            ),
            max_size=4,
        ),
    }
)
addresses = {"city": st.sampled_from(["", "Turku", "Oulu"]), "country": st.sampled_from(COUNTRIES)}
accounts = st.fixed_dictionaries(
    {
        "email": st.sampled_from(EMAILS),
        "billing": st.fixed_dictionaries(
            {**addresses, "company": st.sampled_from(NAMES), "phone": st.sampled_from(NUMBERS)}
        ),
        "shipping": st.fixed_dictionaries(addresses),
        "meta": st.fixed_dictionaries({"vat_number": st.sampled_from(CODES)}),
    }
)


class Sides:
    """One person in both systems, each as its documents; what is written is what is held afterwards."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, rules: CustomerRules) -> None:
        self.connection = connection
        self.rules = rules
        self.customer: dict[str, Any] = {}
        self.account: dict[str, Any] = {}
        customer_links.link(connection, "C-1", 1, "they are one person")

    def hold(self, customer: dict[str, Any], account: dict[str, Any]) -> None:
        self.customer, self.account = deepcopy(DATED | customer), deepcopy(account)

    def compared(self) -> Merge:
        dates = dict.fromkeys(("date_created_gmt", "date_modified_gmt"), "2026-01-05T06:00:00")
        account = StoreCustomer.model_validate({"id": 1, "role": "customer", **dates, **self.account})
        document = CustomerDocument.model_validate(self.customer)
        merge(
            self.connection,
            SOLTEQ_CUSTOMERS,
            customer_frame([document]),
            version="modified_at",
        )
        store_accounts(self.connection, [account], "vat_number")
        people = customer_links.look(self.connection, self.rules)
        people.apply(self.connection)
        return people.merge

    def write(self, found: Merge) -> None:
        for row in found.to_solteq.to_dicts():
            self.customer = customer_document(simplejson.dumps(self.customer), row["changes"])
        for row in found.to_woo.to_dicts():
            body = account_write(1, row["changes"], "vat_number")
            self.account["email"] = body.email or self.account["email"]
            self.account["billing"] |= body.billing or {}
            self.account["shipping"] |= body.shipping or {}
            self.account["meta"] |= {key: value or "" for key, value in body.meta.items()}


@pytest.mark.slow
@given(
    first=st.tuples(customers, accounts),
    then=st.tuples(customers, accounts),
    conflicts=st.sampled_from(["solteq", "woocommerce", "newest"]),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_second_run_writes_nothing_whatever_the_two_sides_hold(
    tmp_path_factory: pytest.TempPathFactory,
    first: tuple[dict[str, Any], dict[str, Any]],
    then: tuple[dict[str, Any], dict[str, Any]],
    conflicts: Any,
) -> None:
    """Types, company names and tax codes come and go, and nothing that cannot be parsed is sent."""
    database = state_database(tmp_path_factory.mktemp("people") / "state.duckdb")
    with database.transaction() as connection:
        sides = Sides(connection, CustomerRules(shop="shop", conflicts=conflicts))
        for customer, account in (first, then):
            sides.hold(customer, account)
            found = sides.compared()
            event(f"{found.to_woo.height} writes to the store, {found.to_solteq.height} to Solteq")
            kind = sides.customer.get("type")
            sides.write(found)
            for row in (*found.to_woo.to_dicts(), *found.to_solteq.to_dicts()):
                for each in row["changes"]:
                    assert each["new"] not in ("Suomiland", "Y-123", "aino@exmaple"), each["field"]
            assert kind is None or sides.customer["type"] == kind, "it is Solteq's to say"
            again = sides.compared()
            assert (again.to_woo["changes"].to_list(), again.to_solteq["changes"].to_list()) == ([], [])
