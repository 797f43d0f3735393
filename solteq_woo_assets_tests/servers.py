"""Servers that outlive a test: a server takes a third of a second to stop, an app takes none."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.lifespan.on import LifespanOn


class KeptServer:
    """An app for ``running``, behind which each test puts an app of its own."""

    url: str
    _app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":  # the apps' own come and go with them
            await self._app(scope, receive, send)

    @contextmanager
    def serving(self, app: ASGIApp) -> Iterator[None]:
        """Answer with this app while the block lasts."""
        lifespan = LifespanOn(uvicorn.Config(app, log_config=None))
        with asyncio.Runner() as runner:
            runner.run(lifespan.startup())
            self._app = app
            yield
            runner.run(lifespan.shutdown())
