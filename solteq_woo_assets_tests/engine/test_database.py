"""The database: taking turns, all or nothing, and words when it cannot be had."""

import ctypes
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import polars as pl
import pytest

from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.engine.upgrades import VERSION
from solteq_woo_assets.errors import StateError
from solteq_woo_assets.flows.tables import TABLES, state_database
from solteq_woo_assets.table import ID, NOT_NULL, TEXT, Column, Table
from solteq_woo_assets_tests.engine.processes import exit_code, started


def mode(path: Path) -> int:
    """Who may do what with it."""
    return path.stat().st_mode & 0o777


def count_up(path: Path, times: int) -> None:
    """Read a number, and write one more, again and again."""
    database = state_database(path)
    for _ in range(times):
        with database.transaction() as connection:
            (number,) = connection.execute("SELECT number FROM sums").fetchall()[0]
            connection.execute("UPDATE sums SET number = ?", [number + 1])


def summed(path: Path) -> int:
    """The number."""
    with state_database(path).transaction() as connection:
        return connection.execute("SELECT number FROM sums").fetchall()[0][0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a table of its own."""
    path = tmp_path / "state.duckdb"
    with state_database(path).transaction() as connection:
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
    with state_database(path).transaction() as connection:
        for table in ("snapshot.solteq_products", "delta.product_delta", "sync.deliveries", "sync.leases"):
            connection.execute(f"FROM {table}").fetchall()


def test_an_error_rolls_everything_back(path: Path) -> None:
    class Refused(Exception):
        pass

    with pytest.raises(Refused), state_database(path).transaction() as connection:  # noqa: PT012
        connection.execute("UPDATE sums SET number = 5")
        connection.execute("CREATE TABLE half (a INTEGER)")
        raise Refused
    assert summed(path) == 0
    with state_database(path).transaction() as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("FROM half")


def test_a_transaction_within_another_fails_in_words_instead_of_waiting_for_itself(path: Path) -> None:
    database = state_database(path, lock_seconds=0)
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
    with state_database(path).transaction() as connection:
        connection.execute("UPDATE sync.version SET version = ?", [VERSION + 1])
    with pytest.raises(StateError, match=f"version {VERSION + 1}, this installation knows {VERSION}"):
        summed(path)


def definitions(path: Path) -> dict[str, str]:
    """Every table of ours as DuckDB has it: columns in their order, types, keys, what may be NULL, and defaults."""
    with state_database(path).transaction() as connection:
        return dict(
            connection.execute(
                "SELECT schema_name || '.' || table_name, sql FROM duckdb_tables() WHERE schema_name <> 'main'"
            ).fetchall()
        )


def test_the_tables_are_as_they_are_declared(path: Path) -> None:
    held = keys(path)
    with state_database(path).transaction() as connection:
        for table in TABLES:
            assert connection.table(table.name).pl().schema == table.schema, table
            assert held.get(table.name, []) == list(table.key), table
            rows = connection.execute(f"DESCRIBE {table}").fetchall()
            required = {name for name, column in table.columns.items() if column.constraint.startswith(NOT_NULL)}
            assert {name for name, _, null, *_ in rows if null == "NO"} == required | set(table.key), table
    assert definitions(path).keys() == {table.name for table in TABLES}


BRANDS = Table("snapshot.brands", "Brands", {"id": Column(ID, "Id"), "name": Column(TEXT, "Name", NOT_NULL)}, ("id",))


def test_a_flow_brings_a_table_of_its_own(path: Path) -> None:
    """Also to a database that is there already."""
    for database in (StateDatabase(path, [*TABLES, BRANDS]), state_database(path), StateDatabase(path, [BRANDS])):
        with database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO snapshot.brands VALUES (1, 'Aino')")
    assert keys(path)["snapshot.brands"] == ["id"]


def test_a_table_that_was_rolled_back_is_made_by_the_next_transaction(path: Path) -> None:
    database = StateDatabase(path, [BRANDS])
    with suppress(ZeroDivisionError), database.transaction():
        raise ZeroDivisionError
    with database.transaction() as connection:
        assert connection.execute("FROM snapshot.brands").fetchall() == []


def without_version_8(connection: duckdb.DuckDBPyConnection) -> None:
    """Give back what version 8 took away."""
    connection.execute(
        "CREATE TABLE snapshot.woo_sales_coupons (order_id BIGINT NOT NULL, code VARCHAR NOT NULL, "
        "discount DECIMAL(18,4), discount_tax DECIMAL(18,4), PRIMARY KEY (order_id, code))"
    )
    connection.execute("INSERT INTO snapshot.woo_sales_coupons VALUES (1, 'spring', 1, 0)")
    connection.execute("UPDATE sync.version SET version = 7")


def test_a_database_of_version_7_is_upgraded(path: Path, tmp_path: Path) -> None:
    with state_database(path).transaction() as connection:
        without_version_8(connection)
        connection.execute("ALTER TABLE sync.links DROP COLUMN sku; ALTER TABLE sync.links ADD COLUMN sku VARCHAR")
        connection.execute("INSERT INTO sync.links VALUES ('product', 'a', 1, 'draft', 'id-a', 'a-1')")
    assert definitions(path) == definitions(tmp_path / "new.duckdb")
    with state_database(path).transaction() as connection:
        assert connection.execute("FROM sync.links").fetchall() == [("product", "a", 1, "draft", "id-a", "a-1")]


def without_version_7(connection: duckdb.DuckDBPyConnection) -> None:
    """Take away what version 7 added."""
    without_version_8(connection)
    connection.execute("DROP TABLE sync.erased_orders; DROP TABLE sync.rewrite_due")
    connection.execute("ALTER TABLE sync.comparisons DROP COLUMN is_outdated")
    connection.execute("DROP TABLE snapshot.woo_staff")
    connection.execute("ALTER TABLE sync.leases DROP COLUMN file")
    connection.execute("ALTER TABLE sync.leases DROP COLUMN process")
    connection.execute("ALTER TABLE sync.links DROP COLUMN sku")
    connection.execute("ALTER TABLE snapshot.woo_customer_accounts DROP COLUMN country_names")
    connection.execute("DROP TABLE sync.stopped")
    connection.execute("UPDATE sync.version SET version = 6")


def test_a_database_of_version_6_is_upgraded(path: Path, tmp_path: Path) -> None:
    with state_database(path).transaction() as connection:
        without_version_7(connection)
    assert definitions(path) == definitions(tmp_path / "new.duckdb")
    assert state_database(path).version() == VERSION


def test_a_database_of_version_1_is_upgraded_and_keeps_its_ledger(path: Path, tmp_path: Path) -> None:
    """The store is read anew, so that the history of prices, which version 1 did not keep, has every product."""
    with state_database(path).transaction() as connection:
        without_version_7(connection)
        connection.execute(
            """
            DROP TABLE snapshot.solteq_customers; DROP TABLE snapshot.woo_customer_accounts;
            DROP TABLE snapshot.woo_guests;
            DROP TABLE delta.woo_customer_delta; DROP TABLE delta.solteq_customer_delta;
            DROP TABLE sync.customers; DROP TABLE sync.customer_conflicts;
            DROP TABLE snapshot.woo_sales; DROP TABLE snapshot.woo_sales_lines; DROP TABLE snapshot.woo_sales_taxes;
            DROP TABLE snapshot.woo_sales_coupons; DROP TABLE snapshot.woo_sales_refunds;
            DROP TABLE snapshot.woo_sales_payments; DROP TABLE snapshot.sales_under_way; DROP TABLE delta.sales_delta;
            DROP TABLE sync.alerts; DROP TABLE sync.reconciliation; DROP TABLE sync.identity; DROP TABLE sync.failures;
            DROP TABLE sync.sales_lookups; DROP TABLE sync.sales_conflicts; DROP TABLE sync.orders_not_stored;
            DROP TABLE sync.booked_elsewhere;
            ALTER TABLE sync.quarantine DROP COLUMN code; ALTER TABLE sync.quarantine DROP COLUMN dismissed_at;
            DROP TABLE sync.sales; DROP TABLE sync.settled_orders; DROP TABLE sync.sales_days;
            DROP TABLE snapshot.solteq_campaigns; DROP TABLE delta.campaign_price_delta;
            DROP TABLE sync.comparisons; DROP TABLE sync.price_history; DROP TABLE sums;
            ALTER TABLE snapshot.woo_catalogue DROP COLUMN lowest_price_30d;
            CREATE TABLE sync.price_history (
                sku VARCHAR NOT NULL, price DECIMAL(18,4) NOT NULL, valid_from TIMESTAMP NOT NULL, valid_to TIMESTAMP
            );
            ALTER TABLE sync.links DROP COLUMN solteq_id;
            ALTER TABLE sync.watermarks DROP COLUMN made_for;
            ALTER TABLE sync.watermarks DROP COLUMN read_at; ALTER TABLE sync.watermarks DROP COLUMN read_at_there;
            UPDATE sync.version SET version = 1;
            INSERT INTO sync.links VALUES ('product', 'a1', 1, NULL);
            INSERT INTO snapshot.woo_catalogue (id, type, status, date_modified_gmt)
            VALUES (1, 'simple', 'publish', TIMESTAMP '2026-01-01');
            INSERT INTO sync.watermarks VALUES ('snapshot.woo_catalogue', TIMESTAMP '2026-01-01', NULL, NULL),
                ('snapshot.solteq_products', TIMESTAMP '2026-01-01', NULL, NULL);
            """
        )
    assert definitions(path) == definitions(tmp_path / "new.duckdb")
    with state_database(path).transaction() as connection:
        assert connection.execute("SELECT feed FROM sync.watermarks").fetchall() == [("snapshot.solteq_products",)]
        assert connection.execute("SELECT count(*) FROM snapshot.woo_catalogue").fetchall() == [(0,)]
        assert connection.execute("SELECT key FROM sync.links").fetchall() == [("a1",)]
        assert connection.execute("SELECT version FROM sync.version").fetchall() == [(VERSION,)]


def keys(path: Path) -> dict[str, list[str]]:
    """The primary key of each table that has one."""
    with state_database(path).transaction() as connection:
        return dict(
            connection.execute(
                "SELECT schema_name || '.' || table_name, constraint_column_names FROM duckdb_constraints() "
                "WHERE constraint_type = 'PRIMARY KEY'"
            ).fetchall()
        )


def without_keys(path: Path) -> None:
    """Make the database one of version 5, whose tables had few keys and so may hold repeats."""
    with state_database(path).transaction() as connection:
        without_version_7(connection)
        for table in (
            "identity",
            "failures",
            "sales_lookups",
            "sales_conflicts",
            "orders_not_stored",
            "booked_elsewhere",
        ):
            connection.execute(f"DROP TABLE sync.{table}")
        connection.execute("ALTER TABLE sync.watermarks DROP COLUMN read_at_there")
        connection.execute("ALTER TABLE sync.links DROP COLUMN solteq_id")
        connection.execute("ALTER TABLE sync.watermarks DROP COLUMN made_for")
        for table in keys_of_version_6(connection):
            connection.execute(f"CREATE TEMP TABLE old AS FROM {table}; DROP TABLE {table}")
            connection.execute(f"CREATE TABLE {table} AS FROM old; DROP TABLE old")
        connection.execute("UPDATE sync.version SET version = 5")


def keys_of_version_6(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables whose key came with version 6."""
    rows = connection.execute(
        "SELECT DISTINCT schema_name || '.' || table_name FROM duckdb_constraints() "
        "WHERE constraint_type = 'PRIMARY KEY' AND (schema_name = 'snapshot' OR table_name IN "
        "('sales_delta', 'deliveries', 'links', 'quarantine'))"
    ).fetchall()
    return [row[0] for row in rows]


def test_every_table_of_what_a_side_has_has_a_key(path: Path) -> None:
    assert {table.name for table in TABLES if table.name.startswith("snapshot.")} - keys(path).keys() == set()


def test_repeats_in_a_database_of_version_5_heal_and_the_newest_row_stays(path: Path, tmp_path: Path) -> None:
    without_keys(path)
    raw = duckdb.connect(str(path))
    raw.execute(
        """
        INSERT INTO snapshot.woo_sales_refunds VALUES
            (1, 10, TIMESTAMP '2026-01-01', 5), (1, 10, TIMESTAMP '2026-01-01', 5), (1, 11, TIMESTAMP '2026-01-02', 7);
        INSERT INTO snapshot.woo_sales_lines (order_id, refund_id, line_id, kind, total) VALUES
            (1, NULL, 100, 'Product', 20), (1, 10, 101, 'Product', -4), (1, 10, 101, 'Product', -5);
        INSERT INTO snapshot.solteq_balances (product_code, store_id, free_balance, deleted, modified_at) VALUES
            ('A', '1', 2, FALSE, TIMESTAMP '2026-01-02'), ('A', '1', 1, FALSE, TIMESTAMP '2026-01-01'),
            ('A', '2', 3, FALSE, TIMESTAMP '2026-01-01');
        INSERT INTO snapshot.woo_sales_coupons VALUES (1, NULL, 1, 0), (1, NULL, 1, 0);
        INSERT INTO sync.links VALUES ('product', 'a', 1, NULL), ('product', 'a', 2, 'draft');
        INSERT INTO snapshot.solteq_products (id, code, active, deleted, modified_at) VALUES
            ('id-a', 'A', TRUE, FALSE, TIMESTAMP '2026-01-01');
        """
    )
    raw.close()
    assert definitions(path) == definitions(tmp_path / "new.duckdb")
    with state_database(path).transaction() as connection:
        for table, left in {
            "snapshot.woo_sales_refunds": [(1, 10), (1, 11)],
            "snapshot.woo_sales_lines": [(1, 100, 20), (1, 101, -5)],
            "snapshot.solteq_balances": [("A", "1", 2), ("A", "2", 3)],
            "sync.links": [("product", "a", 2, "draft", "id-a", "a")],
        }.items():
            shown = ", ".join(COLUMNS_SHOWN.get(table, ["*"]))
            assert connection.execute(f"SELECT {shown} FROM {table} ORDER BY ALL").fetchall() == left
        with pytest.raises(duckdb.ConstraintException):
            connection.execute("INSERT INTO snapshot.woo_sales_refunds VALUES (1, 10, TIMESTAMP '2026-01-01', 5)")


COLUMNS_SHOWN = {
    "snapshot.woo_sales_refunds": ["order_id", "refund_id"],
    "snapshot.woo_sales_lines": ["order_id", "line_id", "total"],
    "snapshot.solteq_balances": ["product_code", "store_id", "free_balance"],
}


def test_a_rewritten_database_keeps_its_keys(path: Path) -> None:
    """Erasing a customer rewrites the file."""
    before = keys(path)
    state_database(path).rewrite()
    assert keys(path) == before


def test_a_database_of_version_5_reads_anew_what_it_read_by_other_rules(path: Path) -> None:
    """Campaigns, for what restricts them, and the feeds of which a document could not be read."""
    without_keys(path)
    with duckdb.connect(str(path)) as raw:
        for column in ("valid_days", "valid_hours_from", "valid_hours_to", "unknown_fields"):
            raw.execute(f"ALTER TABLE snapshot.solteq_campaigns DROP COLUMN {column}")
        raw.execute(
            """
            INSERT INTO sync.watermarks (feed, position) SELECT unnest(
                ['snapshot.solteq_products', 'snapshot.solteq_balances', 'snapshot.solteq_campaigns']
            ), TIMESTAMP '2026-01-01';
            INSERT INTO sync.quarantine BY NAME SELECT unnest(['products', 'balances']) AS flow,
                unnest(['feed', 'delta']) AS stage, 'A' AS key, 'categories' AS field, 'Field required' AS reason,
                '' AS mend, TIMESTAMP '2026-01-01' AS first_seen, TIMESTAMP '2026-01-01' AS last_seen;
            """
        )
    with state_database(path).transaction() as connection:
        assert connection.execute("SELECT feed FROM sync.watermarks").fetchall() == [("snapshot.solteq_balances",)]
        added = "SELECT valid_days, valid_hours_from, valid_hours_to, unknown_fields FROM snapshot.solteq_campaigns"
        assert connection.execute(added).fetchall() == []


def test_only_the_owner_may_read_it(path: Path) -> None:
    """It holds customers."""
    private = path.with_name(f"{path.name}.tmp")
    assert mode(private) == 0o700
    assert {file.name: mode(file) for file in path.parent.iterdir() if mode(file) != 0o600} == {private.name: 0o700}


IN_CREATE = 0x100


@contextmanager
def created_in(folder: Path) -> Iterator[list[str]]:
    """The names of files that are made in a folder while the block lasts, as the kernel tells (inotify)."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(watch, str(folder).encode(), IN_CREATE) > 0
    names: list[str] = []
    try:
        yield names
        with suppress(BlockingIOError):
            events = os.read(watch, 1 << 20)
            while events:
                length = struct.unpack_from("iIII", events)[3]
                names.append(events[16 : 16 + length].rstrip(b"\0").decode())
                events = events[16 + length :]
    finally:
        os.close(watch)


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_nobody_may_read_a_file_while_it_is_made(tmp_path: Path) -> None:
    """DuckDB makes files that all may read. It makes them in a folder that only the owner may enter."""
    database = state_database(tmp_path / "state.duckdb")
    with created_in(tmp_path) as names:
        with database.transaction() as connection:
            connection.execute("CREATE TABLE sync.many AS SELECT range::VARCHAR AS name FROM range(100000)")
            spill = connection.sql("SELECT current_setting('temp_directory')").fetchall()[0][0]
        database.rewrite()
    ours = {"state.duckdb.lock", "state.duckdb.wal", "state.duckdb.tmp"}  # made with their modes before DuckDB comes
    assert set(names) <= ours
    assert names.count("state.duckdb.wal") == 1, "DuckDB has made none anew"
    private = tmp_path / "state.duckdb.tmp"
    assert (Path(spill), mode(private)) == (private, 0o700)
    assert list(private.iterdir()) == []


def test_a_folder_for_spilled_rows_that_all_may_enter_is_closed(tmp_path: Path) -> None:
    """DuckDB makes one of this name when somebody opens the file by hand."""
    private = tmp_path / "state.duckdb.tmp"
    private.mkdir(mode=0o755)
    with state_database(tmp_path / "state.duckdb").transaction():
        assert mode(private) == 0o700


def commit_and_die(path: Path) -> None:
    """Leave the change in DuckDB's log, as a crash between commit and close does."""
    with state_database(path).transaction() as connection:
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
    with pytest.raises(StateError, match=words), state_database(path).transaction() as connection:  # noqa: PT012
        connection.execute("CREATE TABLE IF NOT EXISTS sums (number INTEGER)")
        connection.execute("UPDATE sums SET number = -1")
        connection.execute("CREATE TABLE big AS SELECT range AS i, uuid()::VARCHAR AS u FROM range(200000)")


def open_files(path: Path) -> list[str]:
    """Which of the database's files this process has open."""
    links = [file for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    return [name for name in (os.readlink(link) for link in links) if name.startswith(str(path))]


def in_another_process(path: Path) -> int:
    """The number, asked by a program that knows nothing of our lock file."""
    asked = "import duckdb, sys; print(duckdb.connect(sys.argv[1]).execute('FROM sums').fetchall()[0][0])"
    answer = subprocess.run([sys.executable, "-c", asked, path], check=True, capture_output=True, text=True)
    return int(answer.stdout)


def test_nothing_of_a_transaction_is_left_to_the_next(path: Path) -> None:
    database = state_database(path)
    with database.transaction() as connection:
        connection.execute("CREATE TEMP TABLE passing AS SELECT 1 AS a")
        connection.execute("CREATE TEMP VIEW seen AS FROM passing")
        connection.execute("SET VARIABLE kept = 1")
        connection.register("given", pl.DataFrame({"a": [1]}))
        assert connection.sql("FROM passing NATURAL JOIN seen NATURAL JOIN given").fetchall() == [(1,)]
    with database.transaction() as connection:
        for table in ("passing", "seen", "given"):
            with pytest.raises(duckdb.CatalogException):
                connection.table(table)
        assert connection.execute("SELECT getvariable('kept')").fetchall() == [(None,)]
        connection.execute("CREATE TEMP TABLE passing (b INTEGER)")


@pytest.mark.parametrize("setting", ["threads = 1", "memory_limit = '1GB'", "TimeZone = 'UTC'"])
def test_a_setting_which_the_next_transaction_would_have_is_refused(path: Path, setting: str) -> None:
    with state_database(path).transaction() as connection, pytest.raises(duckdb.InvalidInputException):
        connection.execute(f"SET {setting}")


def test_it_has_the_settings_of_a_database_opened_by_itself(path: Path) -> None:
    names = ("memory_limit", "threads", "temp_directory", "max_temp_directory_size", "TimeZone", "checkpoint_threshold")
    settings = ", ".join(f"current_setting('{name}')" for name in names)
    query = f"SELECT {settings}, current_database()"
    with duckdb.connect(str(path)) as connection:
        wanted = connection.execute(query).fetchall()
    with state_database(path).transaction() as connection:
        assert connection.execute(query).fetchall() == wanted
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]


def test_frames_by_name_and_tables_by_relation(path: Path) -> None:
    with state_database(path).transaction() as connection:
        frame = pl.DataFrame({"number": [3]})
        connection.execute("INSERT INTO sums FROM frame")
        assert connection.table("sums").pl()["number"].to_list() == [0, 3]
        assert connection.table("sync.version").fetchall() == [(VERSION,)]
        assert frame.height == 1


def test_threads_may_have_different_files_open_at_once_and_take_turns_at_one(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.duckdb"
    with state_database(other).transaction() as connection:
        connection.execute("CREATE TABLE sums AS SELECT 100 AS number")
    both_open = threading.Barrier(2, timeout=30)

    def meet(at: Path) -> int:
        with state_database(at).transaction() as connection:
            both_open.wait()
            connection.execute("UPDATE sums SET number = number + 1")
            both_open.wait()
        count_up(at, 10)
        return summed(at)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(meet, (path, other))) == [11, 111]
        list(threads.map(lambda _: count_up(path, 10), range(4)))
    assert summed(path) == 51


def test_a_transaction_within_one_of_another_file(path: Path, tmp_path: Path) -> None:
    with state_database(path).transaction() as outer:
        with state_database(tmp_path / "other.duckdb").transaction() as inner:
            inner.execute("CREATE TABLE sums AS SELECT 100 AS number")
        outer.execute("UPDATE sums SET number = 2")
    assert (summed(path), summed(tmp_path / "other.duckdb")) == (2, 100)


def test_after_each_transaction_the_file_is_free_for_others(path: Path) -> None:
    for number in range(1, 3):
        count_up(path, 1)
        assert (open_files(path), in_another_process(path)) == ([], number)
    with pytest.raises(ZeroDivisionError), state_database(path).transaction() as connection:  # noqa: PT012
        connection.execute("UPDATE sums SET number = 9")
        raise ZeroDivisionError
    assert (open_files(path), in_another_process(path)) == ([], 2)


def test_a_result_that_somebody_keeps_does_not_keep_the_file(path: Path) -> None:
    with state_database(path).transaction() as connection:
        kept = connection.sql("FROM sums"), connection.cursor(), connection.execute("FROM sums, range(100_000)")
        kept[2].fetchone()
    assert (open_files(path), in_another_process(path), len(kept)) == ([], 0, 3)


def test_a_commit_that_fails_leaves_the_next_one_alone(path: Path) -> None:
    assert exit_code(started(fail_and_go_on, path)) == 0
    assert summed(path) == 2


def fail_and_go_on(path: Path) -> None:
    """Write, fail for want of room, and write once more, in one process; then let the log stay as it is."""
    count_up(path, 1)
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    with pytest.raises(StateError, match="Free some disk space"):
        count_up(path, 1)
    assert open_files(path) == []
    resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))
    count_up(path, 1)
    assert (open_files(path), in_another_process(path)) == ([], 2)


def test_no_room_to_fold_the_log_in_loses_nothing(path: Path) -> None:
    assert exit_code(started(commit_without_folding, path)) == 0
    assert summed(path) == 8


def commit_without_folding(path: Path) -> None:
    """Have room for the commit, and none for what follows it."""
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    with state_database(path).transaction() as connection:
        connection.execute("UPDATE sums SET number = 7")
        connection.commit()
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
        connection.begin()
    log = path.with_name(f"{path.name}.wal")
    assert (open_files(path), log.stat().st_size > 0, mode(log)) == ([], True, 0o600)
    resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))
    count_up(path, 1)
    assert open_files(path) == []


def test_a_forked_child_goes_on_by_itself(path: Path) -> None:
    assert exit_code(started(fork, path)) == 0
    assert summed(path) == 3


def fork(path: Path) -> None:
    """Write before a fork, in the child, and in the parent."""
    count_up(path, 1)
    child = os.fork()
    count_up(path, 1)
    if not child:
        sys.exit(0)  # as a program ends, which takes down what it inherited
    assert os.waitpid(child, 0)[1] == 0


def test_a_large_database_gives_its_memory_back(path: Path) -> None:
    assert exit_code(started(weigh, path)) == 0


def weigh(path: Path) -> None:
    """What is left of a transaction on a large file is no more than if DuckDB had been closed."""
    with state_database(path).transaction() as connection:
        connection.execute("CREATE TABLE big AS SELECT md5(range::VARCHAR) AS hash FROM range(2_500_000)")
    assert path.stat().st_size > 40 * 2**20
    before = resident()
    with state_database(path).transaction() as connection:
        connection.execute("SELECT count(DISTINCT hash) FROM big").fetchall()
        assert resident() > before + 100
    assert resident() < before + 50


def resident() -> int:
    """Memory of this process, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 2**20


def test_a_file_that_others_may_read_is_closed_to_them(path: Path) -> None:
    """It was copied back from a backup."""
    summed(path)
    path.chmod(0o644)
    summed(path)
    assert path.stat().st_mode & 0o777 == 0o600
