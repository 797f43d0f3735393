"""A person is written wherever one can be, in every table of ours; erased, and killed meanwhile, no byte is left."""

import shutil
import signal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import simplejson

from solteq_woo_assets.doctor.records import examine_records
from solteq_woo_assets.engine.database import StateDatabase, rewrite_due, utc_now
from solteq_woo_assets.engine.lease import FlowLeases
from solteq_woo_assets.flows.customers.erasure import erase, find
from solteq_woo_assets.flows.tables import TABLES, state_database
from solteq_woo_assets.table import sql_type
from solteq_woo_assets_tests.conftest import CommandLine, Shop
from solteq_woo_assets_tests.engine.flows import erase_out_of_disk, erase_until, run_flows
from solteq_woo_assets_tests.engine.processes import exit_code, started

EMAIL, PHONE, STREET = "sipuliina@example.com", "+358409998887", "Kasvimaantie 1"
PERSONAL = ["Sipuliina", "Purjonen", EMAIL, "409998887", "Kasvimaantie"]
SENTENCE = f"Sipuliina Purjonen <{EMAIL}>, {PHONE}, {STREET}"
VALUES = {
    **{"email": EMAIL, "billing_email": EMAIL, "phone": PHONE, "phone_text": PHONE, "name": "Sipuliina Purjonen"},
    **{f"{kind}first_name": "Sipuliina" for kind in ("", "billing_", "shipping_")},
    **{f"{kind}last_name": "Purjonen" for kind in ("", "billing_", "shipping_")},
    **{"billing_street": STREET, "delivery_street": STREET},
    "payment_meta": simplejson.dumps({"_gift": [{"code": SENTENCE, "amount": "5.00"}], "_other": SENTENCE}),
}
"""What the columns of these names hold; others hold all of it in a sentence."""

IDS = {"solteq_id": "C-1", "woo_id": 2}
ROW = {"action": "update", "kind": "customer", "parent_key": None, "parent_id": None}
GOODS = {**ROW, "key": "A1", "kind": "simple", "woo_id": 9, "changes": [], "campaign": None, "beaten": []}
HELD = {"flow": "sales", "stage": "delivery", "key": "woo:shop:order:31", "field": "name", "mend": "m", "raw": None}
SOLD = {"number": "1", "status": "completed", "currency": "EUR", "gone": None, "content": "x"}
ROWS: list[tuple[str, dict[str, Any]]] = [
    ("snapshot.solteq_customers", {"id": "C-1", "type": "Private", "deleted": False}),
    ("snapshot.woo_customer_accounts", {"id": 2, "role": "customer"}),
    ("snapshot.woo_guests", {"order_id": 30}),
    ("snapshot.woo_sales", {**SOLD, "id": 31, "customer_id": 2}),
    ("snapshot.woo_sales", {**SOLD, "id": 32, "customer_id": 0}),
    ("snapshot.woo_sales", {**SOLD, "id": 33, "customer_id": 0, "email": ""}),
    ("delta.woo_customer_delta", {**ROW, **IDS, "key": "C-1"}),
    ("delta.solteq_customer_delta", {**ROW, **IDS, "key": "2"}),
    ("delta.solteq_customer_delta", {**ROW, "key": "order 30", "action": "create", "solteq_id": None, "woo_id": None}),
    ("sync.customers", {**IDS, "state": "linked"}),
    ("sync.customer_conflicts", {**IDS, "field": "email"}),
    ("sync.quarantine", {"flow": "customers_to_woo", "stage": "feed", "key": "C-1", "code": None}),
    ("sync.quarantine", {"flow": "customers_to_solteq", "stage": "feed", "key": "account 2", "code": None}),
    ("sync.quarantine", {**HELD, "code": None}),
    ("sync.deliveries", {**ROW, "delivery_id": "1", "flow": "customers_to_woo", "key": "C-1", "state": "refused"}),
    ("sync.deliveries", {**ROW, "delivery_id": "2", "flow": "customers_to_solteq", "key": "order 30", "state": "x"}),
    (
        "sync.deliveries",
        {**GOODS, "delivery_id": "3", "flow": "sales", "key": "woo:shop:order:31", "state": "refused", "run_id": "r"},
    ),
    ("sync.reconciliation", {"flow": "customers_to_woo", "key": "C-1", "why": "edited"}),
    ("sync.reconciliation", {"flow": "sales", "key": "woo:shop:order:31", "field": "f", "why": "quarantined"}),
    ("sync.alerts", {"cause": "run:customers_to_woo", "channel": "email", "run_id": "r", "told_run_id": None}),
    ("sync.sales_conflicts", {"order_id": 31, "external_id": None}),
    ("delta.product_delta", GOODS),
    ("delta.balance_delta", GOODS),
    ("delta.campaign_price_delta", GOODS),
    ("delta.sales_delta", {**GOODS, "refund_id": None, "document": "{}", "content": "", "notes": [], "settles": ""}),
]
"""Rows with a person in each text column that is not said here; numbers and times are made up."""
KEYS_OF = {"sync.deliveries": {"run_id": "r"}, "sync.reconciliation": {"run_id": "r"}}
NOBODY = {
    **dict.fromkeys(
        ["solteq_products", "solteq_balances", "solteq_campaigns", "woo_catalogue", "woo_store", "sales_under_way"],
        "goods, prices and pieces",
    ),
    **dict.fromkeys(
        [f"woo_sales_{part}" for part in ("lines", "taxes", "refunds", "payments")],
        "what was sold and paid, which the books need",
    ),
    **dict.fromkeys(["sales", "settled_orders", "booked_elsewhere", "sales_lookups"], "documents without the customer"),
    **dict.fromkeys(["sales_days", "orders_not_stored", "erased_orders"], "ids and times"),
    **dict.fromkeys(["price_history", "comparisons", "links", "failures", "stopped"], "goods, keys and fingerprints"),
    "woo_staff": "ids and roles",
    **dict.fromkeys(["version", "watermarks", "leases", "identity", "rewrite_due"], "times and settings"),
}
"""Tables that hold no person, and why: one that is in neither list fails the test."""


def value(column: str, kind: str) -> Any:
    """A person, in the form of a column."""
    if kind.startswith("STRUCT"):
        names = ("field", "kept", "lost") if "kept" in kind else ("field", "old", "new")
        return [dict(zip(names, ("email", EMAIL, SENTENCE), strict=True))]
    if kind == "VARCHAR[]":
        return [SENTENCE]
    if kind == "VARCHAR":
        return VALUES.get(column, SENTENCE)
    if "TIMESTAMP" in kind or kind == "DATE":
        return utc_now()
    return {"BOOLEAN": False}.get(kind, 1)


def write_everywhere(database: StateDatabase) -> None:
    """The person in every table and column that can hold one."""
    columns = {table.name: table.columns.items() for table in TABLES}
    with database.transaction() as connection:
        for table, said in ROWS:
            given = KEYS_OF.get(table, {}) | said
            row = {
                name: given[name] if name in given else value(name, sql_type(column.type))
                for name, column in columns[table]
            }
            names = ", ".join(f'"{name}"' for name in row)
            places = ", ".join("?" for _ in row)
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", list(row.values()))


def left(folder: Path) -> dict[str, list[str]]:
    """Which files hold what of the person."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    held = {path.name: [text for text in PERSONAL if text.encode() in path.read_bytes()] for path in files}
    return {name: texts for name, texts in held.items() if texts}


@pytest.fixture
def full(shop: Shop, tmp_path: Path) -> Shop:
    """A database in a folder of its own, with the person everywhere in it."""
    shop.with_settings(database=tmp_path / "full" / "state.duckdb")
    write_everywhere(shop.database)
    return shop


def test_a_new_table_says_whether_a_person_can_be_in_it() -> None:
    held = {table for table, _ in ROWS}
    tables = {table.name for table in TABLES}
    nobody = {table for table in tables if table.split(".")[1] in NOBODY}
    assert held | nobody == tables, "add it to ROWS, and to the erasure, or to NOBODY with the reason"
    assert not held & nobody


@pytest.mark.parametrize("who", [EMAIL.upper(), "C-1", "woo:2"])
def test_a_person_who_is_everywhere_is_erased_from_everywhere(full: Shop, who: str) -> None:
    folder = full.settings.database.parent
    private = folder / "state.duckdb.tmp"
    for name in ("fresh", "fresh.wal", "new", "duckdb_temp_storage_DEFAULT-0.tmp"):
        (private / name).write_text(SENTENCE)
    assert left(folder).keys() >= {"state.duckdb", "new"}
    found = erase(full.database, who)
    assert left(folder) == {}
    assert (list(map(str, found.people)), set(found.orders)) == (["customer C-1 and account 2"], {30, 31, 32, 33})
    assert full.rows("SELECT count(*), count(email) FROM snapshot.woo_sales") == [(3, 0)], "the sales stay"
    assert full.rows("SELECT payment_meta FROM snapshot.woo_sales WHERE id = 31") == [
        ('{"_gift": [{"amount": "5.00"}], "_other": "?"}',)
    ]
    assert erase(full.database, "C-1").people, "asked again, it is known who that was"


@pytest.mark.parametrize("who", ["", "  ", "\t"])
def test_a_blank_name_erases_nobody(full: Shop, solteq_woo: CommandLine, who: str) -> None:
    """Everybody without an e-mail address went."""
    with full.database.transaction() as connection:
        connection.execute("UPDATE snapshot.woo_sales SET email = '', name = 'Aino' WHERE id = 33")
        connection.execute("UPDATE snapshot.woo_customer_accounts SET email = ''")
    assert not erase(full.database, who)
    assert full.rows("SELECT name FROM snapshot.woo_sales WHERE id = 33") == [("Aino",)]
    result = solteq_woo("erase", "--customer", who, "--yes")
    assert (result.exit_code, "--customer is empty" in result.stderr) == (1, True)
    assert not full.run("erase_customer", run_config=erasing(who)).success
    assert full.rows("SELECT id FROM snapshot.woo_customer_accounts") == [(2,)]


def erasing(who: str) -> dict[str, Any]:
    return {"ops": {"erase_from_database": {"config": {"customer": who}}}}


def test_an_e_mail_address_is_not_taken_where_dagster_keeps_it(full: Shop) -> None:
    result = full.run("erase_customer", run_config=erasing(EMAIL))
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "Delete this run" in str(failure.step_failure_data.user_failure_data)
    assert full.rows("SELECT id FROM snapshot.solteq_customers") == [("C-1",)]


def test_who_only_may_be_the_same_stays_and_is_told(full: Shop) -> None:
    with full.database.transaction() as connection:
        connection.execute("UPDATE snapshot.woo_sales SET email = 'other@example.com' WHERE id = 33")
    found = erase(full.database, "C-1")
    assert found.others == ["the guest of order 33 has the name and another e-mail address: order:33"]
    assert full.rows("SELECT name FROM snapshot.woo_sales WHERE id = 33") == [("Sipuliina Purjonen",)]
    erase(full.database, "order:33")
    assert left(full.settings.database.parent) == {}


@pytest.mark.slow
def test_killed_at_each_step_an_erasure_is_carried_on(full: Shop, tmp_path: Path) -> None:
    """By the same call, or by the next run of any flow; nobody is unknown while bytes are left."""
    full.rows("SELECT 1")
    for number in count(1):
        folder = tmp_path / f"killed {number}"
        shutil.copytree(full.settings.database.parent, folder)
        settings = full.settings.model_copy(update={"database": folder / "state.duckdb"})
        code = exit_code(started(erase_until, settings, EMAIL, number))
        assert code in (0, -signal.SIGKILL)
        database = state_database(settings.database)
        is_stored = not find(database, EMAIL)
        if number % 2 and is_stored:
            with FlowLeases(database) as leases:
                leases.take("balances", "next")
                leases.finish_erasure()
        else:
            found = erase(database, EMAIL)
            assert bool(found) != is_stored
        assert (number, left(folder)) == (number, {})
        with database.transaction() as connection:
            assert connection.execute("SELECT count(*) FROM snapshot.woo_sales").fetchall() == [(3,)]
            assert rewrite_due(connection) is None
        shutil.rmtree(folder)
        if code == 0:
            assert number > 15, "it was killed too seldom for this to mean anything"
            return


def test_a_disk_that_is_full_is_told_until_the_erasure_is_finished(full: Shop, solteq_woo: CommandLine) -> None:
    assert exit_code(started(erase_out_of_disk, full.settings, EMAIL)) == 0
    assert left(full.settings.database.parent) != {}
    (finding,) = [each for each in examine_records(full.database, full.settings, utc_now()) if each.check == "erasure"]
    assert finding.level == "red"
    result = solteq_woo("erase", "--customer", EMAIL, "--yes")
    assert (result.exit_code, "Finished the erasure that was cut short" in result.stderr) == (0, True)
    assert left(full.settings.database.parent) == {}
    (finding,) = [each for each in examine_records(full.database, full.settings, utc_now()) if each.check == "erasure"]
    assert finding.level == "green"


def test_the_next_run_of_any_flow_carries_an_erasure_on(full: Shop) -> None:
    assert exit_code(started(erase_out_of_disk, full.settings, EMAIL)) == 0
    run_flows(full.settings, "next", "balances")
    assert left(full.settings.database.parent) == {}


def test_the_command_line_says_who_goes_and_asks(full: Shop, solteq_woo: CommandLine) -> None:
    result = solteq_woo("erase", "--customer", EMAIL, input="n\n")
    assert result.exit_code == 1
    assert "1 people: customer C-1 and account 2" in result.stderr
    assert "who bought, of 4 orders: 30, 31, 32, 33" in result.stderr
    assert full.rows("SELECT id FROM snapshot.solteq_customers") == [("C-1",)]
    assert solteq_woo("erase", "--customer", EMAIL, input="y\n").exit_code == 0
    assert left(full.settings.database.parent) == {}
