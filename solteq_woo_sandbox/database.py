"""The SQLite file of a stand-in."""

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Database:
    """One connection, used by one thread at a time: the server's event loop.

    Nothing is durable until :meth:`transaction` ends; then it survives ``kill -9``. Only a power cut could
    take back the last answers (``synchronous=NORMAL``), which nobody minds of made-up data.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, cached_statements=512)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(schema)
        # A server may stop and start again with the same app: only the app's own end closes the file.
        weakref.finalize(self, self._db.close)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is kept together when it ends well, and undone together when it raises."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
