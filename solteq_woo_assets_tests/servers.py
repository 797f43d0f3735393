"""Servers that outlive a test: a server takes a third of a second to stop, to put another app behind it takes none."""

import atexit
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from solteq_woo_sandbox import server

_all = ExitStack()
atexit.register(_all.close)


class _KeptServer:
    """An app behind which each test puts its own. None of those needs to hear of the server's start and end."""

    app: ASGIApp

    def __init__(self) -> None:
        self.url = _all.enter_context(server.running(self))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)


_free: list[_KeptServer] = []


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """The app on loopback while the block lasts; gives its URL."""
    kept = _free.pop() if _free else _KeptServer()
    kept.app = app
    try:
        yield kept.url
    finally:
        _free.append(kept)
