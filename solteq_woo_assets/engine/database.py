"""The state of the integration: one DuckDB file, opened for one transaction at a time."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from filelock import FileLock, Timeout

from solteq_woo_assets.engine.sql import define_macros
from solteq_woo_assets.engine.tables import TABLES
from solteq_woo_assets.engine.upgrades import VERSION, bring_up
from solteq_woo_assets.errors import StateError
from solteq_woo_assets.table import Table

LOCK_SECONDS = 60.0
"""A transaction holds the database for milliseconds; eight processes waited 0.6 s at worst."""

_SMALL = 32 * 2**20
"""Size in bytes of a file, up to which its engine is kept: that of a larger one would keep hundreds of MB of memory."""

_STORAGE_ERRORS = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.TransactionException,  # a commit that the disk refused
    duckdb.OutOfMemoryException,  # a disk too full to help memory out
)

Clock = Callable[[], datetime]
"""Gives the present, in UTC without a zone. A test can set it."""


def utc_now() -> datetime:
    """Now, in UTC without a zone, as the database keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


_COPY, _IN_USE = "copy-", "lock"
"""The beginning of the name of a copy's folder, and the file in it that its user has locked."""

_idle: dict[str, duckdb.DuckDBPyConnection] = {}
"""The engine of the last transaction, for the next one of the same database. Threads take it out while they use it."""


def _stop_idle() -> None:
    while _idle:
        with suppress(KeyError):  # another thread was faster
            _idle.popitem()[1].close()


os.register_at_fork(before=_stop_idle)  # a child would have the engine without its threads, and crash


class StateDatabase:
    """The DuckDB file behind a lock file: lock, open, one transaction, close, whatever happens.

    DuckDB shuts out every other process while one has the file open, and fails at once instead of waiting; the
    lock file makes them take turns. Never hold a transaction across an HTTP call.

    The file is attached to an engine, a DuckDB instance without a file of its own, since starting one takes far
    longer than most transactions (14 of 16 ms). An engine serves one transaction at a time and is thrown away with
    one that fails, so that nothing of the failure stays. A setting would outlive its transaction: it is refused.

    :param tables: what is kept beside the tables that every flow stands on; made where they are missing
    :param macros: packages whose macros its connections know
    """

    def __init__(
        self,
        path: Path,
        tables: Iterable[Table] = (),
        macros: Iterable[str] = ("solteq_woo_assets.engine",),
        *,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        self.path = Path(path)
        self.macros = tuple(macros)
        self.tables = tuple(dict.fromkeys((*TABLES, *tables)))
        self._lock_seconds = lock_seconds
        self._is_whole = False

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction: committed at the end of the block, rolled back when it raises.

        :raises StateError: the file cannot be locked, opened or written, with what to do about it
        """
        with self._locked(), self._connected() as connection:
            version = _version(connection)
            connection.begin()
            try:
                if not self._is_whole or version != VERSION:
                    bring_up(connection, self.tables, version)
                yield connection
                connection.commit()
                self._is_whole = True
            except BaseException:
                with suppress(duckdb.Error):  # a failed commit has rolled back already
                    connection.rollback()
                raise

    def version(self) -> int | None:
        """The version of the tables, ``None`` without any; nothing is made or upgraded.

        :raises StateError: the file cannot be locked, opened or written, or is of a newer installation
        """
        if not self.path.exists():
            return None
        with self._locked(), self._connected() as connection:
            return _version(connection)

    def finish_erasure(self) -> datetime | None:
        """Write the file anew if erased data may still be in its bytes.

        :return: since when that was due; ``None`` when it was not
        :raises StateError: it could not be written; the next run tries again
        """
        with self.transaction() as connection:
            since = rewrite_due(connection)
        if since is not None:
            try:
                self.rewrite()
            except StateError as error:
                raise StateError(
                    "The erased data is out of the tables, but its bytes may still be in the file, which could not be "
                    f"written anew. The next run of any flow tries again, and so does solteq-woo erase. {error}"
                ) from error
        return since

    def rewrite(self) -> None:
        """Write the file anew: the old one keeps the bytes of deleted rows until they are used again.

        If it is cut short, the old file is whole, and ``sync.rewrite_due`` says that it is still due.

        :raises StateError: the file cannot be locked, opened or written; it is as it was
        """
        fresh, log = self._private / "fresh", Path(f"{self.path}.wal")
        with self._locked():
            try:
                self._clear()
                for copy in self._private.glob(f"{_COPY}*"):  # also one in use: it is to forget the person, too
                    shutil.rmtree(copy)
                with self._connected() as connection:
                    connection.execute("CHECKPOINT state")  # the log would be read into the new file
                    connection.execute(f"ATTACH '{_quoted(fresh)}' AS fresh")
                    connection.execute("COPY FROM DATABASE state TO fresh")
                    connection.execute("DELETE FROM fresh.sync.rewrite_due")
                    connection.execute("DETACH fresh")
                if log.exists() and log.stat().st_size:
                    raise StateError(f"{log} could not be emptied; free some disk space, then run again")
                log.unlink(missing_ok=True)
                fresh.chmod(0o600)
                fresh.replace(self.path)
            except OSError as error:
                raise StateError(f"{self.path} cannot be written anew ({error.strerror}); check its folder") from error

    @contextmanager
    def copied(self) -> Iterator["StateDatabase"]:
        """A copy to try something out on, gone at the end of the block; an empty one where there is no database yet.

        :raises StateError: the file cannot be locked or opened, or the disk is full
        """
        self._private.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as stack:
            with self._locked():
                folder = Path(stack.enter_context(TemporaryDirectory(prefix=_COPY, dir=self._private)))
                stack.enter_context(FileLock(folder / _IN_USE, mode=0o600))
                path = folder / self.path.name
                copy = StateDatabase(path, self.tables, self.macros, lock_seconds=self._lock_seconds)
                if self.path.exists():
                    self._copy_to(copy.path)
            stack.callback(_stop_idle)  # one may have the copy open
            yield copy

    def _copy_to(self, copy: Path) -> None:
        with self._connected() as connection:
            connection.execute("CHECKPOINT")  # so that the file is all of it
        try:
            shutil.copyfile(self.path, copy)
        except OSError as error:
            raise StateError(f"{self.path} cannot be copied ({error.strerror}); free some disk space") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(f"{self.path}.lock", timeout=self._lock_seconds, poll_interval=0.005, mode=0o600)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise StateError(
                f"{self.path} has been locked by another process for {self._lock_seconds:.0f} s. "
                f"Find it with: fuser {self.path}.lock"
            ) from None
        except OSError as error:
            raise StateError(f"{self.path}.lock cannot be written ({error.strerror}); check its folder") from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        engine = None
        try:
            engine = _idle.pop(str(self._private), None) or self._started()
            connection = self._open(engine)
            yield connection
            connection.close()
            with suppress(duckdb.Error, OSError):  # it is stored by now, if only in the log: closing never fails
                engine.execute("DETACH state")
                if self._may_stay():
                    _stop_idle()
                    _idle[str(self._private)], engine = engine, None
        except _STORAGE_ERRORS as error:
            raise StateError(
                f"{self.path} cannot be opened or written; nothing of this step was stored. "
                f"Free some disk space or close what holds the file, then run again. DuckDB says: {error}"
            ) from error
        finally:
            if engine is not None:
                engine.close()  # and with it the connection and the file

    @property
    def _private(self) -> Path:
        """A folder of the owner alone, for copies and for what does not fit into memory: DuckDB lets everybody read
        the files that it makes. It is where DuckDB spills when it opens the file itself."""
        return Path(f"{self.path.absolute()}.tmp")

    def _clear(self) -> None:
        """Remove copies and spilled rows that a crash left. The holder of the lock is alone."""
        for left in self._private.glob("*"):
            if left.is_file():
                left.unlink()
            elif left.name.startswith(_COPY):
                with suppress(Timeout), FileLock(left / _IN_USE, timeout=0, mode=0o600):
                    shutil.rmtree(left)

    def _started(self) -> duckdb.DuckDBPyConnection:
        self._clear()
        engine = duckdb.connect(":memory:", config={"temp_directory": str(self._private)})
        engine.execute("SET enable_progress_bar = false")  # it would print into the log and the terminal
        define_macros(engine, *self.macros)
        engine.execute("SET lock_configuration = true")
        return engine

    def _open(self, engine: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        """A connection of its own for each transaction: temporary tables and registered frames go with it."""
        try:
            self._private.mkdir(mode=0o700, exist_ok=True)
            self._private.chmod(0o700)  # DuckDB makes one of the same name for who opens the file by hand
            if not self.path.exists():
                self._create()
            elif self.path.stat().st_mode & 0o077:  # it was copied back, say
                self.path.chmod(0o600)
            engine.execute(f"ATTACH '{_quoted(self.path)}' AS state")
            connection = engine.cursor()
            connection.execute("SET search_path = 'state,memory'")  # the tables, and the engine's macros
            with suppress(FileExistsError):  # DuckDB would let everybody read its log, which a crash leaves behind
                os.close(os.open(f"{self.path}.wal", os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode=0o600))
        except OSError as error:
            raise StateError(f"{self.path} cannot be written ({error.strerror}); check its folder") from error
        return connection

    def _may_stay(self) -> bool:
        """Whether the engine has kept nothing: neither memory nor files."""
        return self.path.stat().st_size <= _SMALL and not any(self._private.iterdir())

    def _create(self) -> None:
        """Put an empty database in place when it is whole: one that was cut short could never be opened again."""
        unfinished = self._private / "new"
        unfinished.unlink(missing_ok=True)
        duckdb.connect(str(unfinished)).close()
        unfinished.chmod(0o600)  # it will hold customers
        unfinished.replace(self.path)


def rewrite_due(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """Since when bytes of an erasure are still in the file; ``None`` when there are none."""
    return connection.execute("SELECT min(since) FROM sync.rewrite_due").fetchall()[0][0]


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The version of the tables; ``None`` when they are yet to be created.

    Asked outside the transaction, which a failed statement would end; asking DuckDB for its list of tables takes
    longer than many a transaction.
    """
    try:
        version = connection.execute("SELECT version FROM sync.version").fetchall()[0][0]
    except duckdb.CatalogException:
        return None
    if version > VERSION:
        raise StateError(
            f"The database is of version {version}, this installation knows {VERSION}. "
            "Install the matching release, or move the file away to begin anew."
        )
    return version
