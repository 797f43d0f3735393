"""The database: taking turns, all or nothing, and words when it cannot be had."""

import os
import resource
import signal
from pathlib import Path

import duckdb
import pytest

from solteq_woo_assets.errors import StateError
from solteq_woo_assets.sync.state import VERSION, StateDatabase
from solteq_woo_assets_tests.sync.processes import exit_code, started

TABLES = ("snapshot.solteq_products", "delta.product_delta", "sync.deliveries", "sync.leases", "sync.quarantine")


def mode(path: Path) -> int:
    """Who may do what with it."""
    return path.stat().st_mode & 0o777


def count_up(path: Path, times: int) -> None:
    """Read a number, and write one more, again and again."""
    database = StateDatabase(path)
    for _ in range(times):
        with database.transaction() as connection:
            (number,) = connection.execute("SELECT number FROM sums").fetchall()[0]
            connection.execute("UPDATE sums SET number = ?", [number + 1])


def summed(path: Path) -> int:
    """The number."""
    with StateDatabase(path).transaction() as connection:
        return connection.execute("SELECT number FROM sums").fetchall()[0][0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a table of its own."""
    path = tmp_path / "state.duckdb"
    with StateDatabase(path).transaction() as connection:
        connection.execute("CREATE TABLE sums AS SELECT 0 AS number")
    return path


def test_eight_processes_take_turns_and_no_change_is_lost(path: Path) -> None:
    processes = [started(count_up, path, 10) for _ in range(8)]
    assert [exit_code(process) for process in processes] == [0] * 8
    assert summed(path) == 80


def test_eight_processes_may_create_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.duckdb"
    processes = [started(look, path) for _ in range(8)]
    assert [exit_code(process) for process in processes] == [0] * 8


def look(path: Path) -> None:
    """Read from every kind of table."""
    with StateDatabase(path).transaction() as connection:
        for table in TABLES:
            connection.execute(f"FROM {table}").fetchall()


def test_an_error_rolls_everything_back(path: Path) -> None:
    class Refused(Exception):
        pass

    with pytest.raises(Refused), StateDatabase(path).transaction() as connection:  # noqa: PT012
        connection.execute("UPDATE sums SET number = 5")
        connection.execute("CREATE TABLE half (a INTEGER)")
        raise Refused
    assert summed(path) == 0
    with StateDatabase(path).transaction() as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("FROM half")


def test_a_transaction_within_another_fails_in_words_instead_of_waiting_for_itself(path: Path) -> None:
    database = StateDatabase(path, lock_seconds=0)
    words = r"has been locked by another process.*fuser"
    with database.transaction(), pytest.raises(StateError, match=words), database.transaction():
        pytest.fail("two at once")


def hold_open(path: Path, opened: str, end: str) -> None:
    """Have the database open as somebody does who knows nothing of our lock file."""
    connection = duckdb.connect(str(path))
    os.close(os.open(opened, os.O_WRONLY))
    os.close(os.open(end, os.O_RDONLY))
    connection.close()


def test_a_database_that_another_program_has_open_is_named(path: Path, tmp_path: Path) -> None:
    """The DuckDB shell, say."""
    for pipe in ("opened", "end"):
        os.mkfifo(tmp_path / pipe)
    process = started(hold_open, path, str(tmp_path / "opened"), str(tmp_path / "end"))
    os.close(os.open(tmp_path / "opened", os.O_RDONLY))
    with pytest.raises(StateError, match=rf"{path} cannot be opened.*close what holds the file"):
        summed(path)
    os.close(os.open(tmp_path / "end", os.O_WRONLY))
    assert exit_code(process) == 0
    assert summed(path) == 0


def test_a_newer_database_is_refused_untouched(path: Path) -> None:
    with StateDatabase(path).transaction() as connection:
        connection.execute("UPDATE sync.version SET version = ?", [VERSION + 1])
    with pytest.raises(StateError, match=f"version {VERSION + 1}, this installation knows {VERSION}"):
        summed(path)


def columns(path: Path) -> set[tuple[str, ...]]:
    """Every column of every table of ours, with its type."""
    with StateDatabase(path).transaction() as connection:
        return set(
            connection.execute(
                "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
                "WHERE schema_name IN ('snapshot', 'delta', 'sync')"
            ).fetchall()
        )


def test_a_database_of_version_1_is_upgraded_and_keeps_its_ledger(path: Path, tmp_path: Path) -> None:
    """The store is read anew, so that the history of prices, which version 1 did not keep, has every product."""
    with StateDatabase(path).transaction() as connection:
        connection.execute(
            """
            DROP TABLE snapshot.solteq_customers; DROP TABLE snapshot.woo_customer_accounts;
            DROP TABLE snapshot.woo_guests;
            DROP TABLE delta.woo_customer_delta; DROP TABLE delta.solteq_customer_delta;
            DROP TABLE sync.customers; DROP TABLE sync.customer_conflicts;
            DROP TABLE snapshot.woo_sales; DROP TABLE snapshot.woo_sales_lines; DROP TABLE snapshot.woo_sales_taxes;
            DROP TABLE snapshot.woo_sales_coupons; DROP TABLE snapshot.woo_sales_refunds;
            DROP TABLE snapshot.woo_sales_payments; DROP TABLE snapshot.sales_under_way; DROP TABLE delta.sales_delta;
            DROP TABLE sync.alerts; DROP TABLE sync.reconciliation;
            ALTER TABLE sync.quarantine DROP COLUMN code; ALTER TABLE sync.quarantine DROP COLUMN dismissed_at;
            DROP TABLE sync.sales; DROP TABLE sync.settled_orders; DROP TABLE sync.sales_days;
            DROP TABLE snapshot.solteq_campaigns; DROP TABLE delta.campaign_price_delta;
            DROP TABLE sync.comparisons; DROP TABLE sync.price_history; DROP TABLE sums;
            ALTER TABLE snapshot.woo_catalogue DROP COLUMN lowest_price_30d;
            CREATE TABLE sync.price_history (
                sku VARCHAR NOT NULL, price DECIMAL(18,4) NOT NULL, valid_from TIMESTAMP NOT NULL, valid_to TIMESTAMP
            );
            ALTER TABLE sync.watermarks DROP COLUMN read_at;
            UPDATE sync.version SET version = 1;
            INSERT INTO sync.links VALUES ('product', 'a1', 1, NULL);
            INSERT INTO snapshot.woo_catalogue (id, type, status, date_modified_gmt)
            VALUES (1, 'simple', 'publish', TIMESTAMP '2026-01-01');
            INSERT INTO sync.watermarks VALUES ('snapshot.woo_catalogue', TIMESTAMP '2026-01-01', NULL, NULL),
                ('snapshot.solteq_products', TIMESTAMP '2026-01-01', NULL, NULL);
            """
        )
    new = tmp_path / "new.duckdb"
    assert columns(path) == columns(new)
    with StateDatabase(path).transaction() as connection:
        assert connection.execute("SELECT feed FROM sync.watermarks").fetchall() == [("snapshot.solteq_products",)]
        assert connection.execute("SELECT count(*) FROM snapshot.woo_catalogue").fetchall() == [(0,)]
        assert connection.execute("SELECT key FROM sync.links").fetchall() == [("a1",)]
        assert connection.execute("SELECT version FROM sync.version").fetchall() == [(VERSION,)]


def test_only_the_owner_may_read_it(path: Path) -> None:
    """It holds customers."""
    assert {file.name: mode(file) for file in path.parent.iterdir() if mode(file) != 0o600} == {}


def commit_and_die(path: Path) -> None:
    """Leave the change in DuckDB's log, as a crash between commit and close does."""
    with StateDatabase(path).transaction() as connection:
        connection.execute("UPDATE sums SET number = 7")
        connection.commit()
        os.kill(os.getpid(), signal.SIGKILL)


def test_the_log_that_a_crash_leaves_is_private_and_is_read_again(path: Path) -> None:
    assert exit_code(started(commit_and_die, path)) == -signal.SIGKILL
    log = path.with_name(f"{path.name}.wal")
    assert (log.stat().st_size > 0, mode(log)) == (True, 0o600)
    assert summed(path) == 7


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"file/state.duckdb.*check its folder"):
        summed(tmp_path / "file" / "state.duckdb")


@pytest.mark.parametrize("room", [0, 1, 4096, 8192, 12_288, 20_000, 100_000])
def test_no_room_to_create_it_leaves_nothing_that_could_not_be_opened(tmp_path: Path, room: int) -> None:
    path = tmp_path / "state.duckdb"
    assert exit_code(started(fill, path, room)) == 0
    look(path)


@pytest.mark.parametrize("room", [0, 4096, 100_000, 1_000_000])
def test_a_full_disk_fails_in_words_and_leaves_what_was_there(path: Path, room: int) -> None:
    assert exit_code(started(fill, path, room)) == 0
    assert summed(path) == 0
    count_up(path, 1)
    assert summed(path) == 1


def fill(path: Path, room: int) -> None:
    """Write megabytes where no file can grow beyond ``room`` bytes: the process ends well if that fails in words."""
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
    words = "Free some disk space"
    with pytest.raises(StateError, match=words), StateDatabase(path).transaction() as connection:  # noqa: PT012
        connection.execute("CREATE TABLE IF NOT EXISTS sums (number INTEGER)")
        connection.execute("UPDATE sums SET number = -1")
        connection.execute("CREATE TABLE big AS SELECT range AS i, uuid()::VARCHAR AS u FROM range(200000)")
