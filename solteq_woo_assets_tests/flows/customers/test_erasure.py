"""A person who is erased is in no table, no byte of a file and no log of ours, and does not come back."""

import stat
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from solteq_woo_assets.engine.identity import forget
from solteq_woo_assets.flows.customers.erasure import erase
from solteq_woo_assets.flows.tables import TABLES
from solteq_woo_assets_tests.conftest import CommandLine, Shop, order_line
from solteq_woo_assets_tests.engine.flows import run_flows

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


BILLING = {"email": "sipuliina@example.com", "last_name": "Purjonen", "address_1": "Kasvimaantie 1"}


def held(shop: Shop) -> list[tuple[str, str]]:
    """Who is told to be still there, or in the way, and at which stage."""
    query = "SELECT key, stage FROM sync.quarantine WHERE code = 'erased-still-there' ORDER BY key, stage"
    return [(key, stage) for key, stage in shop.rows(query)]


def test_somebody_erased_who_is_still_there_is_told(garden: Shop) -> None:
    """Until they are gone from there, too. Nothing of an unreadable document is kept either."""
    erase(garden.database, "C-1")
    erase(garden.database, "C-3")
    run_flows(garden.settings, "later", "customers_to_woo", full=True)
    assert held(garden) == [("C-1", "feed"), ("C-3", "feed"), ("account 2", "feed")]
    assert found(garden.folder, "sipuliina@example.com") == []
    garden.edit_customer(1, deleted=True)
    garden.edit_customer(3, deleted=True, phone=None)
    run_flows(garden.settings, "gone", "customers_to_woo")
    assert held(garden) == [("account 2", "feed")]


def test_the_sensor_does_not_wake_for_somebody_erased(garden: Shop) -> None:
    run_flows(garden.settings, "full", "customers_to_woo", full=True)
    erase(garden.database, "C-1")
    assert not garden.tick("customers_to_woo")[0]
    garden.edit_customer(1, phone="040 9998888")
    assert not garden.tick("customers_to_woo")[0], "there is nothing to be read"


def test_somebody_erased_who_registers_again_is_a_new_person(garden: Shop) -> None:
    """Erased everywhere: they are created anew."""
    erase(garden.database, "C-1")
    garden.edit_customer(1, deleted=True)
    garden.edit_customer(3, deleted=True, phone=None)
    garden.edit_account(2, email="anonymous@example.com", billing={"email": ""})
    account = garden.account("sipuliina@example.com", first_name="Sipuliina")
    run_flows(garden.settings, "again", "customers_to_solteq")
    ((solteq_id,),) = garden.rows("SELECT solteq_id FROM sync.customers WHERE state = 'linked' AND woo_id = ?", account)
    assert solteq_id not in ("C-1", "C-3")


def test_somebody_with_the_address_of_an_erased_one_is_held_with_a_word(garden: Shop) -> None:
    """Solteq still has C-1: no loop of creating, taking C-1 for the one that was created, and dropping C-1."""
    erase(garden.database, "C-1")
    erase(garden.database, "C-3")
    garden.edit_account(2, email="anonymous@example.com", billing={"email": ""})
    account = garden.account("sipuliina@example.com", first_name="Sipuliina")
    garden.solteq.asked()
    for number in range(4):
        run_flows(garden.settings, f"again {number}", "customers_to_solteq", "customers_to_woo")
    writes = [each for each in garden.solteq.writes() if "/customers" in each["path"]]
    assert len(writes) == 1
    assert (str(account), "delivery") in held(garden)
    assert garden.rows("SELECT id FROM snapshot.solteq_customers") == [("C-2",)]


def test_an_account_of_an_erased_person_is_in_the_way_in_the_store(garden: Shop) -> None:
    """The other way round: a new customer with the e-mail address of an account that was erased here alone."""
    garden.with_settings(customer_accounts="all")
    erase(garden.database, "woo:2")
    erase(garden.database, "C-3")
    garden.edit_customer(1, deleted=True)
    garden.edit_customer(3, deleted=True, phone=None)
    garden.customer(4, email="sipuliina@example.com")
    for number in range(3):
        run_flows(garden.settings, f"again {number}", "customers_to_woo")
    assert ("C-4", "delivery") in held(garden)
    assert garden.rows("SELECT id FROM snapshot.woo_customer_accounts WHERE id = 2") == []


def test_a_guest_who_was_erased_does_not_come_back_with_the_order(shop: Shop, tmp_path: Path) -> None:
    """Neither one whom Solteq has not taken, nor one who became a customer there."""
    shop.with_settings(guest_customers=True)
    shop.customer(2)
    run_flows(shop.settings, "first", "customers_to_solteq", "sales")
    order = shop.order(order_line("X", "10"), billing=BILLING)
    run_flows(shop.settings, "second", "sales", "customers_to_solteq")
    ((solteq_id,),) = shop.rows("SELECT id FROM snapshot.solteq_customers WHERE id <> 'C-2'")
    found_people = erase(shop.database, solteq_id)
    assert found_people.orders == [order]
    assert found(tmp_path, "sipuliina@example.com") == []
    shop.solteq.put("customers", {"documents": [{"id": solteq_id, "deleted": True}]})
    shop.solteq.asked()
    shop.edit_order(order, order_line("X", "10"), billing=BILLING, status="completed")
    run_flows(shop.settings, "third", "sales", "customers_to_solteq", full=True)
    for text in ("Purjonen", "sipuliina@example.com", "Kasvimaantie"):
        assert found(tmp_path, text) == []
    assert [each for each in shop.solteq.writes() if "/customers" in each["path"]] == []


def test_a_sale_of_somebody_erased_is_booked_without_the_customer(shop: Shop) -> None:
    shop.customer(2)
    account = shop.account("sipuliina@example.com", first_name="Sipuliina")
    run_flows(shop.settings, "first", "customers_to_solteq", "sales")
    erase(shop.database, f"woo:{account}")
    shop.product("X")
    shop.order(order_line("X", "10"), customer_id=account, billing=BILLING)
    run_flows(shop.settings, "second", "sales")
    (document,) = shop.booked()
    assert "sipuliina" not in str(document).lower()
    assert f":customer:{account}" not in str(document)


def test_the_ids_of_erased_people_stay_when_the_other_side_is_replaced(garden: Shop) -> None:
    erase(garden.database, "C-1")
    with garden.database.transaction() as connection:
        forget(connection, TABLES, {"solteq"})
    assert garden.rows("SELECT solteq_id, woo_id, state FROM sync.customers") == [(None, 2, "erased")]


def test_of_a_customers_document_that_cannot_be_read_nothing_is_kept(garden: Shop) -> None:
    ((raw,),) = garden.rows("SELECT raw FROM sync.quarantine WHERE key = 'C-3'")
    assert len(raw) == 64


def test_an_account_that_was_made_without_an_answer_is_erased_with_its_customer(shop: Shop) -> None:
    """It was read as a stranger's, and became a new customer of Solteq."""
    shop.with_settings(customer_accounts="all")
    shop.customer(1, email="sipuliina@example.com", lastName="Purjonen")
    shop.woo.fault(method="POST", path="customers/batch", times=1, drop="after")
    shop.run("customers_to_woo")
    shop.woo.heal()
    erase(shop.database, "C-1")
    shop.edit_customer(1, deleted=True)
    shop.sync_customers()
    shop.sync_customers()
    assert shop.solteq_customers("sipuliina@example.com") == []
    assert shop.rows("SELECT count(*) FROM snapshot.woo_customer_accounts") == [(0,)]
    assert ("erased-still-there",) in shop.rows("SELECT code FROM sync.quarantine")


def test_a_customer_that_was_made_without_an_answer_is_erased_with_the_account(shop: Shop) -> None:
    account = shop.account("sipuliina@example.com", first_name="Sipuliina")
    shop.sync_job("customers_to_woo", full=True)
    shop.solteq.fault(method="POST", path="/customer/v1-ext/customers", times=None, drop="after")
    shop.solteq.fault(method="GET", path="externalId=", times=None, status=503)
    shop.run("customers_to_solteq", run_config={"ops": {"woo_customer_accounts": {"config": {"full": True}}}})
    shop.solteq.heal()
    assert len(shop.solteq_customers("sipuliina@example.com")) == 1
    erase(shop.database, f"woo:{account}")
    shop.sync_customers()
    assert shop.rows("SELECT count(*) FROM snapshot.solteq_customers") == [(0,)]
    assert ("erased-still-there",) in shop.rows("SELECT code FROM sync.quarantine")


def test_erasing_who_was_removed_does_not_make_room_for_more_removals(shop: Shop) -> None:
    """The rail counts what was sent, whoever it was."""
    shop.with_settings(deleted_customers="remove")
    for number in range(8):
        shop.customer(number)
        shop.account(f"aino{number}@example.com", first_name="Aino")
    shop.sync_customers()
    for numbers in (range(3), range(3, 6)):
        for number in numbers:
            shop.edit_customer(number, deleted=True)
        shop.sync_customers()
        for number in range(3):
            erase(shop.database, f"C-{number}")
    assert len(shop.accounts()) == 5


def test_a_copy_that_a_killed_dry_run_left_goes_with_the_next_transaction(shop: Shop) -> None:
    """One in use stays."""
    private = shop.database.path.with_name(f"{shop.database.path.name}.tmp")
    with shop.database.transaction():
        pass
    left = private / "copy-left"
    left.mkdir()
    (left / "state.duckdb").write_bytes(b"sipuliina@example.com")
    with shop.database.copied() as copy:
        for database in (copy, shop.database, shop.database):
            with database.transaction():
                pass
        assert list(private.glob("copy-*")) == [copy.path.parent]
        with shop.database.transaction():
            pass
        assert copy.path.exists()
    assert list(private.iterdir()) == []


def test_nothing_is_kept_of_a_conflict_of_who_was_deleted(garden: Shop) -> None:
    garden.sync_customers()
    garden.edit_customer(1, phone="+358401111111")
    garden.edit_account(2, billing={"phone": "+358402222222"})
    garden.sync_customers()
    assert garden.rows("SELECT count(*) > 0 FROM sync.customer_conflicts") == [(True,)]
    garden.edit_customer(1, deleted=True)
    garden.sync_customers()
    assert garden.rows("FROM sync.customer_conflicts") == []
