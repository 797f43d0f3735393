"""What the database forgets in time, and what it never does."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from solteq_woo_assets.flows.reconciliation.pruning import prune
from solteq_woo_assets.settings import Settings
from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_assets_tests.databases import make_database

NOW = datetime(2026, 11, 23, 10)  # noqa: DTZ001  UTC, as the database keeps it
SETTINGS = Settings.model_construct(keep_history_days=90, keep_price_history_days=396, keep_sales_days=3653)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with make_database(tmp_path / "state.duckdb").transaction() as connection:
        yield connection


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def wrote(connection: duckdb.DuckDBPyConnection, number: int, days: float, *fields: str, **values: Any) -> None:
    """A write of these fields, so many days ago."""
    row = {"flow": "products", "key": "A1", "action": "update", "state": "delivered"} | values
    changes = [{"field": field, "old": "1", "new": "2"} for field in fields]
    connection.execute(
        "INSERT INTO sync.deliveries (delivery_id, run_id, flow, key, action, kind, changes, state, created_at) "
        "VALUES (?, 'run', ?, ?, ?, 'simple', ?, ?, ?)",
        [str(number), row["flow"], row["key"], row["action"], changes, row["state"], ago(days)],
    )


def left(connection: duckdb.DuckDBPyConnection) -> list[int]:
    prune(connection, SETTINGS, NOW)
    return [int(row[0]) for row in connection.execute("SELECT delivery_id FROM sync.deliveries").fetchall()]


def test_an_old_write_goes_when_each_of_its_fields_was_written_since(connection: duckdb.DuckDBPyConnection) -> None:
    wrote(connection, 1, 100, "regular_price", "sku")
    wrote(connection, 2, 99, "regular_price")
    wrote(connection, 3, 98, "sku")
    assert sorted(left(connection)) == [2, 3]


@pytest.mark.parametrize("since", [{"state": "refused"}, {"key": "B1"}, {"flow": "campaigns"}], ids=str)
def test_the_newest_write_that_arrived_stays(connection: duckdb.DuckDBPyConnection, since: dict[str, str]) -> None:
    """It tells an edit in the store from a change in Solteq, and explains what the store holds."""
    wrote(connection, 1, 1000, "regular_price")
    wrote(connection, 2, 1, "regular_price", **since)
    assert sorted(left(connection)) == [1, 2]


@pytest.mark.parametrize("state", ["pending", "retry", "unsent", "waiting"])
def test_what_is_not_settled_stays(connection: duckdb.DuckDBPyConnection, state: str) -> None:
    wrote(connection, 1, 10_000, "regular_price", state=state)
    wrote(connection, 2, 1, "regular_price")
    assert sorted(left(connection)) == [1, 2]


@pytest.mark.parametrize("state", ["refused", "interrupted", "superseded"])
def test_what_did_not_arrive_goes(connection: duckdb.DuckDBPyConnection, state: str) -> None:
    wrote(connection, 1, 91, "regular_price", state=state)
    wrote(connection, 2, 89, "regular_price", state=state)
    assert left(connection) == [2]


def test_what_made_something_stays(connection: duckdb.DuckDBPyConnection) -> None:
    """Whether a guest was made a customer is known by it alone."""
    wrote(connection, 1, 5000, "email", flow="customers_to_solteq", action="create", key="order 7")
    wrote(connection, 2, 1, "email", flow="customers_to_solteq", key="order 7")
    assert sorted(left(connection)) == [1, 2]


def test_the_ledger_of_sales_is_kept_for_ten_years(connection: duckdb.DuckDBPyConnection) -> None:
    wrote(connection, 1, 3654, "document", flow="sales", action="create")
    wrote(connection, 2, 3652, "document", flow="sales", action="create")
    assert left(connection) == [2]


def test_past_prices_are_kept_for_thirteen_months(connection: duckdb.DuckDBPyConnection) -> None:
    """One that holds stays, however long ago it began."""
    connection.execute(
        "INSERT INTO sync.price_history VALUES ('a', 1, 1, $old, $gone), ('b', 2, 2, $old, $kept), "
        "('c', 3, 3, $old, NULL)",
        {"old": ago(1000), "gone": ago(397), "kept": ago(395)},
    )
    prune(connection, SETTINGS, NOW)
    assert connection.execute("SELECT sku FROM sync.price_history ORDER BY sku").fetchall() == [("b",), ("c",)]


def test_conflicts_and_reconciliations_are_kept_for_ninety_days(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "INSERT INTO sync.customer_conflicts VALUES ('C-1', 1, 'phone', 'a', 'b', $gone), "
        "('C-2', 2, 'phone', 'a', 'b', $kept)",
        {"gone": ago(91), "kept": ago(89)},
    )
    connection.execute(
        "INSERT INTO sync.reconciliation SELECT day, 'run', 'products', 'A', 'sku', 'a', 'b', 'edited', 'w', day "
        "FROM unnest([$gone, $newest]) AS unnested(day)",
        {"gone": ago(200), "newest": ago(100)},
    )
    prune(connection, SETTINGS, NOW)
    assert connection.execute("SELECT solteq_id FROM sync.customer_conflicts").fetchall() == [("C-2",)]
    kept = connection.execute("SELECT reconciled_at FROM sync.reconciliation").fetchall()
    assert kept == [(ago(100),)], "the newest stays: the next one is compared with it"


def booked(connection: duckdb.DuckDBPyConnection, external_id: str, order: int, days: float, state: str) -> None:
    connection.execute(
        "INSERT INTO sync.sales VALUES (?, ?, NULL, 1, 'Sale', '{}', 'c', [], ?, 's', 'run', ?, ?)",
        [external_id, order, state, ago(days), ago(days)],
    )


def test_documents_go_by_whole_orders_with_what_was_read_of_them(connection: duckdb.DuckDBPyConnection) -> None:
    """An order that is known and has no document would be booked anew."""
    for order in (1, 2, 3):
        connection.execute(
            "INSERT INTO snapshot.woo_sales (id, day, status, created_at, modified_at, content, read_at) "
            "VALUES ($id, DATE '2016-01-01', 'completed', $read, $read, 'c', $read)",
            {"id": order, "read": ago(4000)},
        )
        booked(connection, f"sale {order}", order, 4000, "booked")
    booked(connection, "refund of 2", 2, 3000, "booked")
    booked(connection, "refund of 3", 3, 3999, "pending")
    assert prune(connection, SETTINGS, NOW) == 2
    assert connection.execute("SELECT id FROM snapshot.woo_sales ORDER BY id").fetchall() == [(2,), (3,)]
    assert connection.execute("SELECT count(*) FROM sync.sales WHERE order_id = 2").fetchall() == [(2,)]


def test_the_reconciliation_prunes(shop: Shop) -> None:
    shop.product("A1")
    shop.sync("products_to_woo")
    with shop.database.transaction() as connection:
        connection.execute("INSERT INTO sync.price_history VALUES ('gone', 1, 1, $at, $at)", {"at": ago(1000)})
    shop.sync("reconcile_all")
    assert shop.rows("SELECT count(*) FROM sync.price_history WHERE sku = 'gone'") == [(0,)]
    assert shop.rows("SELECT count(*) FROM sync.deliveries WHERE key = 'A1' AND action = 'create'") == [(1,)]
