"""Runs of one flow never overlap, whoever started them: the daemon, the UI or the command line."""

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Self

import duckdb
from filelock import FileLock, Timeout

from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.errors import FlowBusyError, StateError

WAIT_SECONDS = 300.0


class FlowLeases:
    """The leases of one run, held until it ends.

    Who holds a flow is a row in ``sync.leases``. That the holder is alive is a lock on a file beside the database,
    which the operating system lets go of when a process dies, however it dies. A lock on a file that was deleted keeps
    nobody out: the row says which file it was, and which process to look for.

    :param admit: raises when nobody may run on this database (engine/identity.py); asked before the first lease
    """

    def __init__(
        self, database: StateDatabase, *, wait_seconds: float = WAIT_SECONDS, admit: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self.admit = admit
        self._wait_seconds = wait_seconds
        self._held: dict[str, FileLock] = {}
        self._asking = threading.Lock()
        self._has_looked = False

    def take(self, flow: str, run_id: str) -> str | None:
        """Take the lease of a flow, unless this run has it already; wait for a run that is under way.

        :return: the id of a run that held it and crashed, if there is one
        :raises FlowBusyError: the other run goes on for longer than is worth waiting
        :raises ForeignDatabaseError: the database belongs to other systems
        """
        if flow in self._held:
            return None
        if not self._held:
            self.admit()
        lock = self._lock(flow)
        try:
            with self._lock(f"{flow}.next").acquire(timeout=self._wait_seconds):  # who holds the flow sees it there
                lock.acquire(timeout=self._wait_seconds)
        except Timeout:
            with self._database.transaction() as connection:
                holder = _holder(connection, flow)
            raise FlowBusyError(
                f"Another run of {flow} is under way ({holder or 'just beginning'}) and went on for "
                f"{self._wait_seconds:.0f} s more. Run again when it has ended."
            ) from None
        try:
            crashed = self._note(flow, run_id)
        except BaseException:
            lock.release()
            raise
        self._held[flow] = lock
        return crashed

    def _note(self, flow: str, run_id: str) -> str | None:
        """Write down who holds the flow; the run that held it and crashed, if there is one."""
        with self._database.transaction() as connection:
            crashed = _holder(connection, flow)
            if self._outlives_its_file(connection, flow):
                raise FlowBusyError(
                    f"Another run of {flow} is under way ({crashed}), though its lease file was deleted. "
                    "Run again when it has ended."
                )
            connection.execute(
                "INSERT OR REPLACE INTO sync.leases BY NAME "
                "SELECT $flow AS flow, $run_id AS run_id, $pid AS pid, $since AS since, $file AS file, "
                "$process AS process",
                {"flow": flow, "run_id": run_id, "pid": os.getpid(), "since": utc_now()}
                | {"file": self._file(flow), "process": _process(os.getpid())},
            )
        return crashed

    def finish_erasure(self) -> datetime | None:
        """Carry on an erasure that was cut short, once a run; since when it was unfinished, ``None`` if none was.

        :raises StateError: the file cannot be written anew
        """
        if self._has_looked:
            return None
        self._has_looked = True
        return self._database.finish_erasure()

    def crashed_run(self, flow: str) -> str | None:
        """The run that crashed while it held the flow and that nobody has followed yet."""
        if flow in self._held:
            return None
        try:
            with self._lock(flow).acquire(timeout=0), self._database.transaction() as connection:
                return None if self._outlives_its_file(connection, flow) else _holder(connection, flow)
        except Timeout:
            return None

    def is_taken(self, flow: str) -> bool:
        """Whether a run that is alive holds the flow, one of the command line too."""
        try:
            with self._lock(flow).acquire(timeout=0), self._database.transaction() as connection:
                return self._outlives_its_file(connection, flow)
        except Timeout:
            return True

    def is_wanted(self, flow: str) -> bool:
        """Whether another run waits for a lease that this one holds. Several threads may ask."""
        with self._asking:  # two that try the lock at once would take each other for that run
            try:
                with self._lock(f"{flow}.next").acquire(timeout=0):
                    return False
            except Timeout:
                return True

    def release(self) -> None:
        """Give all leases back."""
        with ExitStack() as stack:
            for lock in self._held.values():
                stack.callback(lock.release)
            if self._held:
                self._forget()
        self._held.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _lock(self, flow: str) -> FileLock:
        self._database.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self._path(flow), mode=0o600, thread_local=False)

    def _path(self, flow: str) -> str:
        return f"{self._database.path}.{flow}.lease"

    def _file(self, flow: str) -> int:
        return Path(self._path(flow)).stat().st_ino

    def _outlives_its_file(self, connection: duckdb.DuckDBPyConnection, flow: str) -> bool:
        """Whether the holder goes on with a lock on another file than the one that is there; asked with its lock."""
        rows = connection.execute("SELECT pid, file, process FROM sync.leases WHERE flow = ?", [flow]).fetchall()
        return any(file not in (None, self._file(flow)) and _process(pid) == process for pid, file, process in rows)

    def _forget(self) -> None:
        # A row that stays, on a full disk say, is taken for that of a crashed run; that is no reason to fail this one.
        with suppress(StateError), self._database.transaction() as connection:
            connection.execute("DELETE FROM sync.leases WHERE list_contains(?, flow)", [list(self._held)])


def _holder(connection: duckdb.DuckDBPyConnection, flow: str) -> str | None:
    rows = connection.execute("SELECT run_id FROM sync.leases WHERE flow = ?", [flow]).fetchall()
    return rows[0][0] if rows else None


def _process(pid: int) -> str | None:
    """Which process has this number, told from those that had it before; ``None`` if none has.

    Where the system does not tell when a process began, the number alone has to do.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:  # somebody else's
        pass
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        began = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return str(pid)
    return f"{boot} {began}"
