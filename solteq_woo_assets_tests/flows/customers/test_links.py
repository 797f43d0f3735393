"""A comparison of customers: whatever both sides hold, it only looks, and nobody becomes somebody else."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solteq_woo_assets.flows.customers import links as customer_links
from solteq_woo_assets.flows.customers.rules import CustomerRules
from solteq_woo_assets.flows.tables import TABLES, state_database
from solteq_woo_assets_tests.flows.conftest import NOW

RULES = CustomerRules(shop="shop", accounts="all", guests=True, remove_deleted=True)
EMAILS = [f"{name}@example.com" for name in "abcd"]
NAMES = ["Aino", "Eino", ""]

customers = st.fixed_dictionaries(
    {
        "email": st.sampled_from([*EMAILS, "A@example.com", "", None]),
        "first_name": st.sampled_from(NAMES),
        "last_name": st.sampled_from(NAMES),
        "phone": st.sampled_from(["+358401111111", "+358402222222", ""]),
        "external_ids": st.lists(st.sampled_from([f"woo:{s}:customer:{n}" for s in ("shop", "o") for n in range(4)])),
        "deleted": st.booleans(),
    }
)
accounts = st.fixed_dictionaries(
    {
        "first_name": st.sampled_from(NAMES),
        "last_name": st.sampled_from(NAMES),
        "phone": st.sampled_from(["+358401111111", "+358402222222", ""]),
        "role": st.sampled_from(["customer", "customer", "administrator"]),
    }
)
states = st.sampled_from(["linked", "unlinked", "erased"])


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Rows of each table. An e-mail address is on one account; a customer and an account have one link."""
    emails = draw(st.permutations(EMAILS))
    woo = [{"id": n, "email": emails[n]} | draw(accounts) for n in range(4) if draw(st.booleans())]
    solteq = [{"id": f"C{n}"} | draw(customers) for n in range(4) if draw(st.booleans())]
    linked = draw(st.permutations(range(4)))
    links = [
        {"solteq_id": f"C{n}", "woo_id": linked[n], "state": draw(states), "first_name": draw(st.sampled_from(NAMES))}
        for n in range(4)
        if draw(st.booleans())
    ]
    guests = [{"order_id": n, "email": email} for n, email in enumerate(draw(st.lists(st.sampled_from(EMAILS))))]
    stopped = [{"solteq_id": link["solteq_id"]} for link in links if draw(st.booleans())]
    return {
        "snapshot.solteq_customers": [{"type": "Private", "modified_at": NOW} | row for row in solteq],
        "snapshot.woo_customer_accounts": [{"date_modified_gmt": NOW} | row for row in woo],
        "snapshot.woo_guests": guests,
        "sync.customers": [{"why": "", "since": NOW} | row for row in links],
        "delta.woo_customer_delta": [
            {"key": "x", "action": "stopped", "kind": "link", "changes": [], "reason": "", "conflicts": []} | row
            for row in stopped
        ],
    }


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    database = state_database(tmp_path_factory.mktemp("links") / "state.duckdb")
    with database.transaction():
        pass
    with database.transaction() as connection:
        yield connection


def fill(connection: duckdb.DuckDBPyConnection, world: dict[str, list[dict[str, Any]]]) -> None:
    """Undo what was there, and enter these rows."""
    connection.rollback()
    connection.begin()
    for table, rows in world.items():
        for row in rows:
            connection.execute(
                f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
            )


def everything(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables; no other table is there, temporary ones neither."""
    tables = connection.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()
    assert {table for (table,) in tables} == {table.name for table in TABLES}
    return {table: connection.execute(f"FROM {table} ORDER BY ALL").fetchall() for (table,) in tables}


@settings(max_examples=15, deadline=None)
@given(world=worlds())
def test_what_is_applied_is_not_found_again_and_nobody_is_two(
    connection: duckdb.DuckDBPyConnection, world: dict[str, list[dict[str, Any]]]
) -> None:
    fill(connection, world)
    people = customer_links.look(connection, RULES)
    people.apply(connection)
    linked = connection.execute("SELECT solteq_id, woo_id FROM sync.customers WHERE state = 'linked'").fetchall()
    for side in zip(*linked, strict=True):
        assert len(set(side)) == len(side)
    again = customer_links.look(connection, RULES)
    assert again.parted.is_empty()
    assert again.linked.is_empty()
    held = {*again.merge.to_woo_held["key"], *again.merge.to_solteq_held["key"]}
    written = again.merge.to_woo.filter(again.merge.to_woo["kind"] == "customer")
    assert held.isdisjoint([*written["key"], *again.merge.to_solteq["key"]])


@settings(max_examples=15, deadline=None)
@given(world=worlds())
def test_nobody_is_linked_with_whom_an_e_mail_address_or_an_external_id_contradicts(
    connection: duckdb.DuckDBPyConnection, world: dict[str, list[dict[str, Any]]]
) -> None:
    fill(connection, world)
    linked = customer_links.look(connection, RULES).linked.select("solteq_id", "woo_id").rows()
    people = {row["id"]: row for row in world["snapshot.solteq_customers"]}
    held = {row["id"]: row for row in world["snapshot.woo_customer_accounts"]}
    for solteq_id, woo_id in linked:
        email, theirs = (people[solteq_id]["email"] or "").lower(), held[woo_id]["email"]
        if email != theirs:
            assert f"woo:shop:customer:{woo_id}" in people[solteq_id]["external_ids"]
            assert email not in [row["email"] for row in held.values()]
            assert theirs not in [(row["email"] or "").lower() for row in people.values() if not row["deleted"]]
            assert not email or people[solteq_id]["first_name"] == held[woo_id]["first_name"] != ""
