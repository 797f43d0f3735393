"""A person who is erased is in no table, no byte of a file and no log of ours, and does not come back."""

import stat
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from solteq_woo_assets.sync.erasure import erase
from solteq_woo_assets_tests.conftest import CommandLine, Shop
from solteq_woo_assets_tests.sync.flows import run_flows

PERSONAL = ["Sipuliina", "Purjonen", "sipuliina@example.com", "+358409998887", "409998887", "Kasvimaantie"]


@pytest.fixture
def garden(shop: Shop) -> Shop:
    """Sipuliina in both systems, and somebody else."""
    person = {"firstName": "Sipuliina", "lastName": "Purjonen", "email": "sipuliina@example.com"}
    shop.customer(1, **person, phone="040 9998887")
    shop.customer(2)
    shop.customer(3, **person, phone={"not": "text"})
    address = {"address_1": "Kasvimaantie 1", "postcode": "00100", "city": "Helsinki", "country": "FI"}
    shop.account("sipuliina@example.com", first_name="Sipuliina", billing=address)
    run_flows(shop.settings, "first", "customers_to_woo")
    return shop


@pytest.fixture
def busy_garden(garden: Shop, tmp_path: Path) -> Iterator[Shop]:
    """The same, with changes, a conflict and a failed run behind her, all kept by Dagster on disk."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        garden.instance = instance
        garden.run("customers_to_solteq")
        garden.edit_account(2, first_name="Sipuliina Maria")
        garden.edit_customer(1, firstName="Sipuliina Anna")
        garden.solteq.fault(method="PUT", path="/customers/", times=1, drop="after")
        garden.run("customers_to_solteq", run_config={"ops": {"woo_customer_accounts": {"config": {"full": True}}}})
        garden.run("customers_to_woo")
        yield garden


def found(folder: Path, text: str) -> list[str]:
    """The files of ours that hold a text. The stand-ins for the two systems do, of course."""
    ours = (path for path in folder.rglob("*") if path.is_file() and ".sqlite" not in path.name)
    dagsters = folder / "dagster"
    files = {*ours, *(path for path in dagsters.rglob("*") if path.is_file())}
    return [str(path.relative_to(folder)) for path in files if text.encode() in path.read_bytes()]


def test_no_byte_of_an_erased_person_is_left(busy_garden: Shop, tmp_path: Path) -> None:
    garden = busy_garden
    before = {text: found(tmp_path, text) for text in PERSONAL}
    assert all(before.values()), "that there is something to erase"
    assert all(files == ["state.duckdb"] for files in before.values()), "Dagster never had any of it"
    found_people = erase(garden.database, "Sipuliina@example.com")
    assert [str(person) for person in found_people.people] == ["customer C-1 and account 2"]
    erase(garden.database, "C-3")
    assert {text: found(tmp_path, text) for text in PERSONAL} == {text: [] for text in PERSONAL}
    assert garden.rows("SELECT id FROM snapshot.solteq_customers") == [("C-2",)], "the others stay"
    assert stat.S_IMODE((tmp_path / "state.duckdb").stat().st_mode) == 0o600


def test_no_later_run_brings_an_erased_person_back(garden: Shop) -> None:
    erase(garden.database, "C-1")
    erase(garden.database, "C-3")
    garden.edit_customer(1, phone="040 9998887")
    garden.woo.asked()
    garden.solteq.asked()
    run_flows(garden.settings, "later", "customers_to_woo", "customers_to_solteq", full=True)
    run_flows(garden.settings, "later still", "customers_to_woo", "customers_to_solteq")
    assert garden.rows("SELECT id FROM snapshot.solteq_customers ORDER BY id") == [("C-2",)]
    assert garden.rows("FROM snapshot.woo_customer_accounts") == []
    assert garden.woo.writes() == []
    assert [request for request in garden.solteq.writes() if "token" not in request["path"]] == []


def test_the_job_in_the_ui_erases_by_id(garden: Shop) -> None:
    config = {"ops": {"erase_from_database": {"config": {"customer": "woo:2"}}}}
    assert garden.run("erase_customer", run_config=config).success
    assert garden.rows("SELECT solteq_id, woo_id, state FROM sync.customers WHERE state = 'erased'") == [
        ("C-1", 2, "erased")
    ]
    config["ops"]["erase_from_database"]["config"]["customer"] = "nobody"
    assert not garden.run("erase_customer", run_config=config).success


def test_the_history_of_reconciliations_forgets_an_erased_person(garden: Shop) -> None:
    """Its rows are kept for a year, and their reasons are words about a person."""
    with garden.database.transaction() as connection:
        connection.execute(
            "INSERT INTO sync.reconciliation BY NAME SELECT now()::TIMESTAMP AS reconciled_at, 'r' AS run_id, "
            "unnest(['customers_to_woo', 'products']) AS flow, 'C-1' AS key, 'email' AS field, 'quarantined' AS why, "
            "'customer C-7 has this e-mail address too' AS reason, now()::TIMESTAMP AS first_seen"
        )
    erase(garden.database, "C-1")
    assert garden.rows("SELECT flow FROM sync.reconciliation") == [("products",)]


def test_the_command_line_erases_by_e_mail(garden: Shop, solteq_woo: CommandLine) -> None:
    result = solteq_woo("erase", "--customer", "aino2@example.com", "--yes")
    assert (result.exit_code, "Erased: customer C-2." in result.stderr) == (0, True)
    assert solteq_woo("erase", "--customer", "aino2@example.com", "--yes").exit_code == 1


def test_a_guest_is_erased_by_e_mail(shop: Shop, tmp_path: Path) -> None:
    """Somebody who ordered without an account, and whom Solteq has not taken yet."""
    shop.with_settings(guest_customers=True)
    shop.customer(2)
    run_flows(shop.settings, "first", "customers_to_solteq")
    billing = {"email": "sipuliina@example.com", "last_name": "Purjonen", "address_1": "Kasvimaantie 1"}
    shop.woo.put("orders", {"orders": [{"billing": billing}]})
    shop.solteq.fault(method="POST", path="/customer/v1-ext/customers", times=None, drop="before")
    run_flows(shop.settings, "second", "customers_to_solteq")
    assert found(tmp_path, "Kasvimaantie") == ["state.duckdb"]
    erased = erase(shop.database, "Sipuliina@example.com")
    assert (erased.people, len(erased.guests)) == ([], 1)
    for text in ("Purjonen", "sipuliina@example.com", "Kasvimaantie"):
        assert found(tmp_path, text) == []
