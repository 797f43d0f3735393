"""Who is who, and whose change counts: matching and the three-way merge, on rows of both sides."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from solteq_woo_assets.engine.sql import define_macros
from solteq_woo_assets.flows.customers import links as customer_links
from solteq_woo_assets.flows.customers.rules import CustomerRules, Merge
from solteq_woo_assets.flows.customers.tables import PERSON_FIELDS
from solteq_woo_assets_tests.databases import make_database
from solteq_woo_assets_tests.flows.conftest import NOW

RULES = CustomerRules(shop="shop")


class People:
    """Both sides' snapshots, and the links between them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def customer(self, number: int, *, external_ids: tuple[str, ...] = (), **fields: Any) -> None:
        """A customer in Solteq; what is not told is empty there."""
        person = dict.fromkeys(PERSON_FIELDS, "") | {"email": f"a{number}@example.com"} | fields
        row = {"type": "Private", "customer_groups": [], "deleted": False, "phone_text": person["phone"]} | person
        self._put("snapshot.solteq_customers", f"C{number}", row | {"external_ids": [*external_ids]}, "modified_at")

    def account(self, number: int, **fields: Any) -> None:
        """An account in the store."""
        person = dict.fromkeys(PERSON_FIELDS, "") | {"email": f"a{number}@example.com"} | fields
        copies = dict.fromkeys(("billing_first_name", "billing_last_name", "billing_email"), "")
        copies |= dict.fromkeys(("shipping_first_name", "shipping_last_name"), "")
        row = {"role": "customer", "held_solteq_id": f"C{number}", "phone_text": person["phone"]} | copies | person
        self._put("snapshot.woo_customer_accounts", number, row, "date_modified_gmt")

    def pair(self, number: int = 1, **fields: Any) -> None:
        """The same person on both sides, agreed on."""
        self.customer(number, **fields)
        self.account(number, **fields)
        assert self.merge().to_woo.is_empty()

    def _put(self, table: str, key: Any, row: dict[str, Any], version: str) -> None:
        row = {"id": key, version: NOW} | row
        self.connection.execute(f"DELETE FROM {table} WHERE id = ?", [key])
        self.connection.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
        )

    def remove(self, number: int) -> None:
        """The account leaves the store."""
        self.connection.execute("DELETE FROM snapshot.woo_customer_accounts WHERE id = ?", [number])

    def merge(self, **rules: Any) -> Merge:
        people = customer_links.look(self.connection, replace(RULES, **rules))
        people.apply(self.connection)
        return people.merge

    def links(self) -> list[tuple[Any, ...]]:
        return self.connection.execute("SELECT solteq_id, woo_id, state FROM sync.customers ORDER BY ALL").fetchall()


@pytest.fixture
def people(connection: duckdb.DuckDBPyConnection) -> People:
    return People(connection)


@pytest.fixture
def connection(tmp_path: Any) -> Iterator[duckdb.DuckDBPyConnection]:
    with make_database(tmp_path / "state.duckdb").transaction() as connection:
        yield connection


def told(rows: Any) -> dict[str, dict[str, tuple[Any, Any]]]:
    """Changes by key and field, old and new, of what is sent."""
    return {
        row["key"]: {change["field"]: (change["old"], change["new"]) for change in row["changes"]}
        for row in rows.to_dicts()
        if row["action"] != "part"
    }


def test_the_same_e_mail_links_and_nothing_is_written(people: People) -> None:
    people.customer(1, email="Aino@Example.com", first_name="Aino")
    people.account(1, email="aino@example.com", first_name="Aino")
    merge = people.merge()
    assert people.links() == [("C1", 1, "linked")]
    assert (told(merge.to_woo), told(merge.to_solteq), merge.in_step) == ({}, {}, 1)


def test_what_only_one_side_knows_goes_to_the_other_when_they_meet(people: People) -> None:
    people.customer(1, first_name="Aino", phone="+358401234567")
    people.account(1, first_name="Aino", billing_city="Tampere")
    merge = people.merge()
    assert told(merge.to_woo) == {"C1": {"phone": ("", "+358401234567")}}
    assert told(merge.to_solteq) == {"1": {"billing_city": ("", "Tampere")}}


NAMED: dict[str, Any] = {"external_ids": ("woo:shop:customer:7",)}
AINO: dict[str, Any] = {"first_name": "Aino", "last_name": "Virtanen"}


@pytest.mark.parametrize(
    ("customer", "account"),
    [
        ({"email": "aino@example.com"}, {"email": "Aino@Example.com"}),
        ({"email": ""}, {"email": "aino@example.com"}),
        ({"email": None}, {"email": "aino@example.com"}),
        (AINO | {"email": "old@example.com"}, AINO | {"email": "new@example.com", "first_name": "aino"}),
        (
            AINO | {"email": "old@example.com"},
            {"email": "new@example.com", "billing_first_name": "Aino", "billing_last_name": "Virtanen"},
        ),
    ],
    ids=["same e-mail", "no e-mail", "e-mail not told", "same name", "name on the invoice"],
)
def test_an_external_id_links_whom_nothing_contradicts(
    people: People, customer: dict[str, Any], account: dict[str, Any]
) -> None:
    people.customer(1, **NAMED, **customer)
    people.account(7, **account)
    merge = people.merge()
    assert people.links() == [("C1", 7, "linked")]
    assert merge.to_woo_held.is_empty()
    assert merge.to_solteq_held.is_empty()


def contradictions(merge: Merge) -> tuple[list[str], list[str]]:
    """Whose ExternalID and e-mail address say different people, on either side."""
    for held in (merge.to_woo_held, merge.to_solteq_held):
        assert set(held["code"]) <= {"id-contradicts-email"}
    return sorted(merge.to_woo_held["key"]), sorted(merge.to_solteq_held["key"])


def test_a_store_installed_again_gives_nobody_another_s_account(people: People) -> None:
    """Aino's account was 7 there; now 7 is Eino's, and hers is 9."""
    people.customer(1, **NAMED, **AINO, email="aino@example.com")
    people.account(7, email="eino@example.com", first_name="Eino")
    people.account(9, email="aino@example.com", first_name="Aino", last_name="Virtanen")
    merge = people.merge(accounts="all")
    assert people.links() == []
    assert told(merge.to_woo) == told(merge.to_solteq) == {}
    assert contradictions(merge) == (["C1"], ["7", "9"])
    reasons = dict(merge.to_solteq_held.select("key", "reason").iter_rows())
    assert "customer C1 has its ExternalID" in reasons["7"]
    assert "its e-mail address is that of customer C1" in reasons["9"]
    (reason,) = merge.to_woo_held["reason"]
    assert "account 7" in reason
    assert "account 9" in reason
    assert "example.com" not in reason


def test_an_account_with_the_e_mail_address_of_another_customer_is_not_its_external_id_s(people: People) -> None:
    people.customer(1, **NAMED, email="old@example.com")
    people.customer(2, email="new@example.com", external_ids=("woo:other:customer:8",))
    people.account(7, email="new@example.com")
    merge = people.merge(accounts="all")
    assert people.links() == []
    assert told(merge.to_woo) == told(merge.to_solteq) == {}
    assert contradictions(merge) == (["C1", "C2"], ["7"])


@pytest.mark.parametrize("name", [{}, AINO | {"first_name": "Eino"}, {"last_name": "Virtanen"}])
def test_another_e_mail_address_and_name_is_somebody_else(people: People, name: dict[str, str]) -> None:
    """Nobody else has either address: a changed address, or another person."""
    people.customer(1, **NAMED, **AINO, email="old@example.com")
    people.account(7, email="new@example.com", **name)
    merge = people.merge(accounts="all")
    assert people.links() == []
    assert told(merge.to_woo) == told(merge.to_solteq) == {}
    assert contradictions(merge) == (["C1"], ["7"])


@pytest.mark.parametrize("email", ["", None])
def test_of_a_customer_without_an_e_mail_address_no_name_may_differ(people: People, email: str | None) -> None:
    people.customer(1, **NAMED, **AINO, email=email)
    people.account(7, email="eino@example.com", first_name="Eino")
    merge = people.merge(accounts="all")
    assert people.links() == []
    assert told(merge.to_woo) == told(merge.to_solteq) == {}
    assert contradictions(merge) == (["C1"], ["7"])


def test_two_without_a_name_do_not_have_the_same_name(people: People) -> None:
    people.customer(1, **NAMED, email="old@example.com")
    people.account(7, email="new@example.com")
    merge = people.merge()
    assert contradictions(merge) == (["C1"], ["7"])


def test_the_external_id_of_another_shop_is_nobody_s(people: People) -> None:
    people.customer(1, email="aino@example.com", external_ids=("woo:other:customer:7",))
    people.account(7, email="eino@example.com")
    people.account(9, email="aino@example.com")
    merge = people.merge()
    assert people.links() == [("C1", 9, "linked")]
    assert set(told(merge.to_solteq)) == {"7"}


def test_an_external_id_of_an_account_that_is_gone_is_nobody_s(people: People) -> None:
    people.customer(1, **NAMED, email="aino@example.com")
    people.account(9, email="aino@example.com")
    people.merge()
    assert people.links() == [("C1", 9, "linked")]


def test_a_link_stays_one_whatever_the_external_id_says(people: People) -> None:
    """A new account gets the number that a linked customer's ExternalID names: it is not created a second time."""
    people.pair(1, **AINO)
    people.customer(1, **NAMED, **AINO)
    people.account(7, email="eino@example.com")
    people.account(1, email="changed@example.com", **AINO)
    merge = people.merge(accounts="all")
    assert people.links() == [("C1", 1, "linked")]
    assert told(merge.to_solteq) == {"1": {"email": ("a1@example.com", "changed@example.com")}}
    assert contradictions(merge) == ([], ["7"])


def test_a_customer_with_the_external_id_of_somebody_s_account_gets_none(people: People) -> None:
    people.pair(7)
    people.customer(1, **NAMED, email="other@example.com")
    merge = people.merge(accounts="all")
    assert told(merge.to_woo) == {}
    assert contradictions(merge) == (["C1"], [])


def test_two_customers_with_one_external_id_are_told_apart_by_the_e_mail_address(people: People) -> None:
    people.customer(1, **NAMED, email="aino@example.com")
    people.customer(2, **NAMED, email="eino@example.com")
    people.account(7, email="eino@example.com")
    merge = people.merge()
    assert people.links() == [("C2", 7, "linked")]
    assert contradictions(merge) == (["C1"], [])


def test_a_name_never_links(people: People) -> None:
    people.customer(1, email="", first_name="Aino", last_name="Virtanen")
    people.account(1, first_name="Aino", last_name="Virtanen")
    people.merge()
    assert people.links() == []


def test_one_e_mail_on_two_customers_is_held_back_and_names_both(people: People) -> None:
    people.customer(1, email="x@example.com")
    people.customer(2, email="X@example.com")
    people.account(5, email="x@example.com")
    merge = people.merge(accounts="all")
    assert people.links() == []
    assert told(merge.to_woo) == told(merge.to_solteq) == {}
    assert merge.to_woo_held["key"].to_list() == ["C1", "C2"]
    assert merge.to_solteq_held["key"].to_list() == ["5"]
    for reason in [*merge.to_woo_held["reason"], *merge.to_solteq_held["reason"]]:
        assert "C1, C2" in reason
        assert "example.com" not in reason


def test_an_account_whose_e_mail_is_that_of_a_linked_customer_is_held_back(people: People) -> None:
    people.pair(1)
    people.account(1, email="moved@example.com")
    people.account(2, email="a1@example.com")
    merge = people.merge()
    (reason,) = merge.to_solteq_held["reason"]
    assert "customer C1, who is linked with account 1" in reason
    assert set(told(merge.to_solteq)) == {"1"}


@pytest.mark.parametrize("role", ["administrator", "shop_manager"])
def test_accounts_of_people_who_run_the_store_are_left_alone(people: People, role: str) -> None:
    people.customer(1)
    people.account(1, role=role)
    merge = people.merge(accounts="all")
    assert people.links() == []
    assert told(merge.to_woo) == told(merge.to_solteq) == {}
    assert merge.to_woo_held["key"].to_list() == ["C1"]


def test_a_new_account_becomes_a_private_customer_with_our_id(people: People) -> None:
    people.account(12, first_name="Aino", billing_city="Tampere")
    assert told(people.merge().to_solteq) == {
        "12": {
            "type": (None, "Private"),
            "external_id": (None, "woo:shop:customer:12"),
            "email": (None, "a12@example.com"),
            "first_name": (None, "Aino"),
            "billing_city": (None, "Tampere"),
        }
    }


def test_a_new_account_without_a_name_has_that_of_its_invoice(people: People) -> None:
    people.account(12, billing_first_name="Aino", billing_last_name="Esimerkki", last_name="Näyte")
    made = told(people.merge().to_solteq)["12"]
    assert (made["first_name"], made["last_name"]) == ((None, "Aino"), (None, "Näyte"))


@pytest.mark.parametrize(
    ("company_name", "tax_code", "kind"),
    [("Yritys Oy", "FI04904840", "Company"), ("Yritys Oy", None, "Private"), ("", "FI04904840", "Private")],
)
def test_a_company_has_a_name_and_a_tax_code(
    people: People, company_name: str, tax_code: str | None, kind: str
) -> None:
    people.account(1, company_name=company_name, tax_code=tax_code)
    assert told(people.merge().to_solteq)["1"]["type"] == (None, kind)


@pytest.mark.parametrize(
    ("accounts", "groups", "created"),
    [("existing", (), []), ("all", (), ["C1", "C2"]), ("groups", ("kanta-ASIAKKAAT ",), ["C2"]), ("groups", (), [])],
)
def test_who_gets_an_account_is_a_setting(
    people: People, accounts: str, groups: tuple[str, ...], created: list[str]
) -> None:
    people.customer(1)
    people.customer(2, customer_groups=["Kanta-asiakkaat"])
    people.customer(3, email="", customer_groups=["Kanta-asiakkaat"])
    people.customer(4, email=None)
    merge = people.merge(accounts=accounts, groups=groups)
    assert merge.to_woo["key"].to_list() == created
    assert merge.to_woo_held.is_empty()


@pytest.mark.parametrize(
    ("solteq", "woo", "to_woo", "to_solteq"),
    [
        ({"phone": "+358402222222"}, {}, {"phone": ("+358401111111", "+358402222222")}, None),
        ({}, {"phone": "+358402222222"}, None, {"phone": ("+358401111111", "+358402222222")}),
        ({"phone": ""}, {}, {"phone": ("+358401111111", "")}, None),
        ({}, {"phone": ""}, None, {"phone": ("+358401111111", "")}),
        ({"phone": None}, {}, None, None),
        ({"phone": "+358402222222"}, {"phone": "+358402222222"}, None, None),
        (
            {"first_name": "Eino"},
            {"phone": "+358402222222"},
            {"first_name": ("Aino", "Eino")},
            {"phone": ("+358401111111", "+358402222222")},
        ),
    ],
    ids=["solteq", "store", "cleared in solteq", "cleared in store", "missing", "the same", "different fields"],
)
def test_a_change_on_one_side_goes_to_the_other(
    people: People, solteq: dict[str, Any], woo: dict[str, Any], to_woo: Any, to_solteq: Any
) -> None:
    agreed: dict[str, Any] = {"first_name": "Aino", "phone": "+358401111111"}
    people.pair(**agreed)
    people.customer(1, **agreed | solteq)
    people.account(1, **agreed | woo)
    merge = people.merge()
    assert told(merge.to_woo) == ({"C1": to_woo} if to_woo else {})
    assert told(merge.to_solteq) == ({"1": to_solteq} if to_solteq else {})


@pytest.mark.parametrize(
    ("conflicts", "later", "kept", "lost"),
    [
        ("solteq", "woo", "Eino", "Oino"),
        ("woocommerce", "solteq", "Oino", "Eino"),
        ("newest", "solteq", "Eino", "Oino"),
        ("newest", "woo", "Oino", "Eino"),
    ],
)
def test_both_changed_it_and_the_losing_value_is_kept(
    people: People, conflicts: str, later: str, kept: str, lost: str
) -> None:
    people.pair(first_name="Aino")
    at: dict[str, Any] = {"modified_at": NOW + timedelta(hours=1)} if later == "solteq" else {}
    people.customer(1, first_name="Eino", **at)
    at = {"date_modified_gmt": NOW + timedelta(hours=1)} if later == "woo" else {}
    people.account(1, first_name="Oino", **at)
    merge = people.merge(conflicts=conflicts)
    (row,) = (merge.to_woo if kept == "Eino" else merge.to_solteq).to_dicts()
    assert row["changes"] == [{"field": "first_name", "old": lost, "new": kept}]
    assert row["conflicts"] == [{"field": "first_name", "kept": kept, "lost": lost}]
    assert "both sides have changed first_name" in row["reason"]
    assert (merge.to_solteq if kept == "Eino" else merge.to_woo).is_empty()


def test_when_they_meet_with_different_values_solteq_counts(people: People) -> None:
    people.customer(1, first_name="Aino")
    people.account(1, first_name="Aino-Maria")
    (row,) = people.merge().to_woo.to_dicts()
    assert row["conflicts"] == [{"field": "first_name", "kept": "Aino", "lost": "Aino-Maria"}]


def test_an_account_keeps_its_e_mail_when_solteq_clears_it(people: People) -> None:
    people.pair()
    people.customer(1, email="")
    merge = people.merge()
    assert told(merge.to_woo) == told(merge.to_solteq) == {}


def test_a_company_keeps_what_it_must_have(people: People) -> None:
    people.customer(1, type="Company", company_name="Yritys Oy", tax_code="FI04904840")
    people.account(1, company_name="Yritys Oy", tax_code="FI04904840")
    people.merge()
    people.account(1, company_name="", tax_code=None)
    merge = people.merge()
    assert told(merge.to_woo) == {"C1": {"company_name": ("", "Yritys Oy")}}
    assert told(merge.to_solteq) == {}


def test_ways_of_writing_are_no_changes(people: People) -> None:
    people.pair(billing_postal_code="123 45", email="Aino@example.com")
    people.account(1, billing_postal_code="12345", email="aino@example.com")
    merge = people.merge()
    assert told(merge.to_woo) == told(merge.to_solteq) == {}


def test_a_phone_number_means_the_same_while_its_text_does(people: People) -> None:
    """The person moves to Sweden; read by the new address, the old text would be a number there."""
    people.pair(phone="+358401234567", phone_text="040 1234567", billing_country="FI")
    people.customer(1, phone="+46401234567", phone_text="040 1234567", billing_country="SE")
    assert told(people.merge().to_woo) == {"C1": {"billing_country": ("FI", "SE")}}


def test_the_names_on_invoice_and_parcel_follow_unless_they_are_of_somebody_else(people: People) -> None:
    people.pair(first_name="Aino", last_name="Virtanen")
    copies = {"billing_first_name": "aino", "billing_email": "a1@example.com", "shipping_first_name": "Eero"}
    people.account(1, first_name="Aino", last_name="Virtanen", **copies)
    people.customer(1, first_name="Eino", last_name="Virtanen", email="eino@example.com")
    assert told(people.merge().to_woo) == {
        "C1": {
            "email": ("a1@example.com", "eino@example.com"),
            "first_name": ("Aino", "Eino"),
            "billing_email": ("a1@example.com", "eino@example.com"),
            "billing_first_name": ("aino", "Eino"),
        }
    }


@pytest.mark.parametrize("remove", [False, True])
def test_a_customer_deleted_in_solteq_is_unlinked_and_removed_if_so_set(people: People, remove: bool) -> None:
    people.pair()
    people.customer(1, deleted=True)
    merge = people.merge(remove_deleted=remove, accounts="all")
    assert people.links() == [("C1", 1, "unlinked")]
    assert merge.to_woo["action"].to_list() == (["remove", "part"] if remove else ["part"])
    assert set(merge.to_woo["woo_id"]) == {1}
    assert told(merge.to_solteq) == {}, "it does not come back"
    assert people.connection.execute("SELECT email, phone FROM sync.customers").fetchall() == [(None, None)]


def test_an_account_removed_from_the_store_is_unlinked_and_does_not_come_back(people: People) -> None:
    people.pair()
    people.remove(1)
    merge = people.merge(accounts="all")
    assert people.links() == [("C1", 1, "unlinked")]
    assert told(merge.to_woo) == told(merge.to_solteq) == {}


def test_who_registers_again_is_linked_again(people: People) -> None:
    people.pair()
    people.remove(1)
    people.merge()
    people.account(2, email="a1@example.com")
    people.merge()
    assert people.links() == [("C1", 2, "linked")]


def test_who_has_registered_again_by_the_next_run_is_linked_by_it(people: People) -> None:
    people.pair()
    people.remove(1)
    people.account(2, email="a1@example.com")
    merge = people.merge()
    assert people.links() == [("C1", 2, "linked")]
    assert merge.to_solteq_held.is_empty()


@pytest.mark.parametrize("gone", ["customer", "account"])
def test_who_is_back_as_they_were_are_linked_again(people: People, gone: str) -> None:
    person: dict[str, Any] = AINO | {"billing_postal_code": "123 45"}
    people.pair(**person)
    if gone == "customer":
        people.customer(1, deleted=True)
    else:
        people.remove(1)
    people.merge(accounts="all")
    assert people.links() == [("C1", 1, "unlinked")]
    people.customer(1, **person, email="A1@example.com")
    people.account(1, **person | {"billing_postal_code": "12345"}, billing_city="Turku")
    merge = people.merge(accounts="all")
    assert people.links() == [("C1", 1, "linked")]
    assert told(merge.to_woo) == {}
    assert told(merge.to_solteq) == {"1": {"billing_city": ("", "Turku")}}


@pytest.mark.parametrize(
    ("back", "field"),
    [
        ({"first_name": "Eino"}, "first_name"),
        ({"email": "other@example.com"}, "email"),
        ({"email": ""}, "email"),
        ({"email": "other@example.com", "first_name": "Eino"}, "email, first_name"),
    ],
)
def test_who_are_back_and_differ_are_held_back(people: People, back: dict[str, str], field: str) -> None:
    people.pair(**AINO)
    people.customer(1, deleted=True)
    people.merge()
    people.customer(1, **AINO | back, external_ids=("woo:shop:customer:1",))
    merge = people.merge(accounts="all")
    assert people.links() == [("C1", 1, "unlinked")]
    assert told(merge.to_woo) == told(merge.to_solteq) == {}
    held = ["key", "field", "code"]
    assert merge.to_woo_held.select(held).rows() == [("C1", field, "linked-before")]
    assert merge.to_solteq_held.select(held).rows() == [("1", field, "linked-before")]
    people.customer(1, **AINO)
    assert people.merge().to_woo_held.is_empty()
    assert people.links() == [("C1", 1, "linked")]


def test_who_is_back_and_somebody_else_by_the_e_mail_address_is_held_back(people: People) -> None:
    people.pair()
    people.customer(1, deleted=True)
    people.merge()
    people.customer(1, email="other@example.com")
    people.account(2, email="other@example.com")
    people.customer(3, email="a1@example.com")
    merge = people.merge(accounts="all")
    assert people.links() == [("C1", 1, "unlinked")]
    assert sorted(merge.to_woo_held["key"]) == ["C1", "C3"]
    assert sorted(merge.to_solteq_held["key"]) == ["1", "2"]
    assert told(merge.to_woo) == told(merge.to_solteq) == {}


def test_an_erased_person_is_never_linked_again(people: People) -> None:
    people.pair()
    people.connection.execute("UPDATE sync.customers SET state = 'erased'")
    merge = people.merge(accounts="all")
    assert people.links() == [("C1", 1, "erased")]
    assert told(merge.to_woo) == {}


def test_a_parting_is_a_row_of_the_store_s_delta(people: People) -> None:
    people.pair()
    people.customer(1, deleted=True)
    merge = people.merge()
    row = merge.to_woo.select("key", "action", "kind", "woo_id", "solteq_id", "reason").row(0)
    assert row == ("link C1", "part", "link", 1, "C1", "the customer was deleted in Solteq")


def test_a_stopped_parting_leaves_the_link_and_writes_nothing(people: People) -> None:
    """Though somebody has registered anew, and the account would be removed."""
    people.pair(**AINO)
    people.pair(2)
    people.customer(1, deleted=True)
    people.customer(3, email="a1@example.com")
    people.remove(2)
    people.account(4, email="a2@example.com")
    for number in (1, 2):
        people.connection.execute(
            "INSERT INTO delta.woo_customer_delta (key, action, kind, changes, reason, solteq_id, conflicts) "
            "VALUES ('x', 'stopped', 'link', [], '', ?, [])",
            [f"C{number}"],
        )
    merge = people.merge(accounts="all", remove_deleted=True)
    assert people.links() == [("C1", 1, "linked"), ("C2", 2, "linked")]
    assert merge.to_woo["action"].to_list() == ["part", "part"]
    assert told(merge.to_solteq) == {}
    assert people.connection.execute("SELECT first_name FROM sync.customers WHERE woo_id = 1").fetchall() == [("Aino",)]


def test_a_linked_account_that_has_a_role_of_staff_too_is_held_both_ways(people: People) -> None:
    """The store shows the role customer alone."""
    people.pair(**AINO)
    people.pair(2)
    people.connection.execute("INSERT INTO snapshot.woo_staff VALUES (1, 'administrator')")
    people.customer(1, first_name="Eino", last_name="Virtanen")
    people.account(1, first_name="Aino", last_name="Laine")
    merge = people.merge(accounts="all", remove_deleted=True)
    assert people.links() == [("C1", 1, "linked"), ("C2", 2, "linked")]
    assert told(merge.to_woo) == told(merge.to_solteq) == {}
    for held, key in ((merge.to_woo_held, "C1"), (merge.to_solteq_held, "1")):
        ((shown, field, reason, code),) = held.rows()
        assert (shown, field, code) == (key, "role", "account-of-staff")
        assert reason == "account 1 of customer C1 has the role administrator"
    people.customer(1, deleted=True)
    people.merge(remove_deleted=True)
    assert people.merge(remove_deleted=True).to_woo.is_empty()


def test_an_account_that_has_a_role_of_staff_too_is_nobody_s(people: People) -> None:
    people.connection.execute("INSERT INTO snapshot.woo_staff VALUES (1, 'editor')")
    people.account(1, **AINO)
    assert told(people.merge().to_solteq) == {}
    people.customer(1, **AINO, external_ids=("woo:shop:customer:1",))
    assert told(people.merge(accounts="all").to_woo) == {}
    assert people.links() == []


BAD = {
    "email": ("aino@exmaple", "email is no address", "email-invalid"),
    "tax_code": ("Y-123", "tax_code is not in international form", "tax-code-invalid"),
    "billing_country": ("Suomiland", "billing_country is no country", "country-unknown"),
}
GOOD = {"email": "a1@example.com", "tax_code": "FI04904840", "billing_country": "FI"}


@pytest.mark.parametrize("field", BAD)
@pytest.mark.parametrize("side", ["solteq", "woo"])
@pytest.mark.parametrize("is_agreed", [True, False])
def test_what_cannot_be_parsed_never_beats_what_can_and_is_held_alone(
    people: People, field: str, side: str, is_agreed: bool
) -> None:
    """The person's other fields go in the same write; of the one that is held nothing becomes agreed."""
    good: dict[str, Any] = GOOD
    external: dict[str, Any] = {"external_ids": ("woo:shop:customer:1",), "first_name": "Aino", "last_name": "Näyte"}
    if is_agreed:
        people.customer(1, **external, **good)
        people.account(1, first_name="Aino", last_name="Näyte", **good)
        people.merge()
    bad, remark, code = BAD[field]
    spoilt: dict[str, Any] = GOOD | {field: bad, "billing_city": "Turku", "remarks": [remark]}
    people.customer(1, **external, **dict[str, Any](spoilt if side == "solteq" else GOOD))
    people.account(1, first_name="Aino", last_name="Näyte", **(spoilt if side == "woo" else GOOD))
    if not is_agreed and field == "email":
        people.connection.execute("DELETE FROM sync.customers")
    merge = people.merge()
    ours, theirs = (merge.to_woo, merge.to_solteq) if side == "solteq" else (merge.to_solteq, merge.to_woo)
    assert field not in {name for changes in told(ours).values() for name in changes}
    if is_agreed or field != "email":  # else nothing says that they are one person
        assert [changes["billing_city"] for changes in told(ours).values()] == [("", "Turku")]
        mended = [changes[field][1] for changes in told(theirs).values() if field in changes]
        assert mended == ([] if is_agreed else [GOOD[field]]), "what can be parsed goes where nothing was agreed"
        held, key = (merge.to_woo_held, "C1") if side == "solteq" else (merge.to_solteq_held, "1")
        (row,) = held.to_dicts()
        assert (row["key"], row["field"], row["code"]) == (key, field, code)
        assert remark in row["reason"]
        (agreed,) = people.connection.execute(f"SELECT {field} FROM sync.customers").fetchall()
        assert agreed[0] in (GOOD[field], None)


def test_a_change_on_the_other_side_mends_what_cannot_be_parsed(people: People) -> None:
    people.pair(billing_country="FI")
    people.customer(1, billing_country="Suomiland", remarks=["billing_country is no country"])
    people.account(1, billing_country="SE")
    merge = people.merge()
    assert told(merge.to_woo) == {}
    assert told(merge.to_solteq) == {"1": {"billing_country": ("FI", "SE")}}


def test_a_customer_without_a_usable_e_mail_address_gets_no_account_and_is_held(people: People) -> None:
    people.customer(1, email="aino@exmaple", remarks=["email is no address that the store takes"])
    assert people.merge().to_woo_held.is_empty(), "nobody wants an account"
    merge = people.merge(accounts="all")
    assert told(merge.to_woo) == {}
    assert [(row["key"], row["field"], row["code"]) for row in merge.to_woo_held.to_dicts()] == [
        ("C1", "email", "email-invalid")
    ]


def test_a_new_record_goes_without_what_cannot_be_parsed(people: People) -> None:
    people.customer(1, billing_country="Suomiland", billing_city="Turku", remarks=["billing_country is no country"])
    people.account(2, tax_code="Y-123", company_name="Oy", remarks=["tax_code is not in international form"])
    merge = people.merge(accounts="all")
    assert set(told(merge.to_woo)["C1"]) == {"email", "billing_city", "solteq_customer_id"}
    assert set(told(merge.to_solteq)["2"]) == {"type", "external_id", "email", "company_name"}
    assert told(merge.to_solteq)["2"]["type"] == (None, "Private")
    assert merge.to_woo_held["code"].to_list() == ["country-unknown"]
    assert merge.to_solteq_held["code"].to_list() == ["tax-code-invalid"]


def test_a_phone_that_is_no_number_never_beats_one_that_is(people: People) -> None:
    people.pair(phone="+358401234567")
    people.customer(1, phone="kysy vaimolta", remarks=["phone is no number"])
    merge = people.merge()
    assert told(merge.to_woo) == told(merge.to_solteq) == {}
    assert merge.to_woo_held["code"].to_list() == ["phone-unreadable"]
    people.account(1, phone="+358407654321")
    assert told(people.merge().to_solteq) == {"1": {"phone": ("+358401234567", "+358407654321")}}


def test_a_phone_that_is_no_number_goes_where_there_is_none(people: People) -> None:
    people.customer(1, phone="+358401234567 ext. 5", remarks=["phone is no number"])
    people.account(1)
    merge = people.merge()
    assert told(merge.to_woo) == {"C1": {"phone": ("", "+358401234567 ext. 5")}}
    assert merge.to_woo_held.is_empty()


def test_a_country_that_the_store_has_as_a_name_is_written_as_a_code(people: People) -> None:
    """Both mean the same, and orders there have no VAT."""
    people.pair(billing_country="FI")
    people.account(1, billing_country="FI", country_names=["billing"])
    merge = people.merge()
    assert told(merge.to_woo) == {"C1": {"billing_country": ("FI", "FI")}}
    assert merge.in_step == 0


@pytest.mark.parametrize("field", ["company_name", "tax_code"])
@pytest.mark.parametrize("empty", ["solteq", "woo"])
@pytest.mark.parametrize("kind", ["Company", "Private"])
def test_a_company_is_never_without_name_and_tax_code_and_a_private_customer_may_be(
    people: People, field: str, empty: str, kind: str
) -> None:
    company: dict[str, Any] = {"company_name": "Yritys Oy", "tax_code": "FI04904840"}
    people.customer(1, type=kind, **company)
    people.account(1, **company)
    people.merge()
    without: dict[str, Any] = company | {field: ""}
    people.customer(1, type=kind, **(without if empty == "solteq" else company))
    people.account(1, **(without if empty == "woo" else company))
    merge = people.merge()
    is_put_back = kind == "Company"
    to_woo = is_put_back == (empty == "woo")
    assert bool(told(merge.to_woo)) == to_woo
    assert bool(told(merge.to_solteq)) != to_woo
    ((changes,),) = (told(side).values() for side in (merge.to_woo, merge.to_solteq) if told(side))
    assert changes == {field: ("", company[field]) if is_put_back else (company[field], "")}


@pytest.mark.parametrize("kinds", [("Private", "Company"), ("Company", "Private")])
def test_a_type_changed_in_solteq_alone_writes_nothing(people: People, kinds: tuple[str, str]) -> None:
    company: dict[str, Any] = {"company_name": "Yritys Oy", "tax_code": "FI04904840"}
    for kind in kinds:
        people.customer(1, type=kind, **company)
        people.account(1, **company)
        merge = people.merge()
        assert told(merge.to_woo) == told(merge.to_solteq) == {}


def test_the_queries_name_the_fields_of_a_person_in_one_order(people: People) -> None:
    define_macros(people.connection, "solteq_woo_assets.flows.customers")
    person = ", ".join(f"'{field}' AS {field}" for field in PERSON_FIELDS)
    query = f"SELECT person_fields(), person(side, phone, side, NULL) FROM (SELECT {person}) AS side"
    assert people.connection.execute(query).fetchall() == [(list(PERSON_FIELDS), list(PERSON_FIELDS))]
