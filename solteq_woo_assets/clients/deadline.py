"""A deadline for a whole answer: one that comes byte by byte keeps every read time-out, and never ends."""

import socket
import threading
from contextlib import suppress
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_here = threading.local()


class Deadline:
    """Ends the connection that this thread uses inside the block, when the block takes longer.

    ``passed`` tells it: whatever was received then is cut short, even if it looks whole.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._is_over = False
        self._lock = threading.Lock()
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        _here.deadline = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_over = True
        self._timer.cancel()
        _here.deadline = None

    def watch(self, connection: HTTPConnection) -> None:
        """Remember the connection, and its socket, which it lets go of when the answer is the last one."""
        with self._lock:
            self._connection = connection
            self._socket = connection.sock or self._socket

    def _end(self) -> None:
        with self._lock:
            if self._is_over:
                return
            self.passed = True
            held = self._socket or (self._connection.sock if self._connection else None)
            if held is not None:
                with suppress(OSError):  # it ended by itself
                    socket.socket.shutdown(held, socket.SHUT_RDWR)  # of TLS, too: no good-bye is waited for


class _Watched(HTTPConnection):
    def connect(self) -> None:
        _watch(self)
        super().connect()

    def getresponse(self) -> Any:
        _watch(self)
        return super().getresponse()


class _WatchedTls(HTTPSConnection):
    def connect(self) -> None:
        _watch(self)
        super().connect()

    def getresponse(self) -> Any:
        _watch(self)
        return super().getresponse()


def _watch(connection: HTTPConnection) -> None:
    deadline: Deadline | None = getattr(_here, "deadline", None)
    if deadline is not None:
        deadline.watch(connection)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched  # pyright: ignore[reportAssignmentType] - as in urllib3 itself


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls  # pyright: ignore[reportAssignmentType]


class DeadlineAdapter(HTTPAdapter):
    """The transport of a session whose requests can have a deadline."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager
