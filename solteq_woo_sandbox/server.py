"""What both stand-ins share: a server on loopback, a log of the requests and faults on demand.

Any app wrapped in :class:`ControlMiddleware` also answers (no credentials asked):

- ``POST /_sandbox/faults`` adds a fault (the fields of :class:`Fault` as JSON), ``DELETE`` removes them all.
- ``GET /_sandbox/requests`` lists what was asked, oldest first, ``DELETE`` clears the list.
- ``PUT /_sandbox/clock`` ``{"ahead_seconds": 360}`` sets the stand-in's clock against this machine's, until it stops.

Other paths under ``/_sandbox/`` go to the app. Nothing under ``/_sandbox/`` is logged or faulted.
"""

import asyncio
import contextlib
import errno
import json
import random
import signal
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from solteq_woo_sandbox.clock import Clock

HOST = "127.0.0.1"
REQUESTS_KEPT = 10_000  # a demo runs for days
_TRANSPORT = "solteq_woo_sandbox.transport"


@dataclass
class Fault:
    """What goes wrong, and with which requests.

    Faults are tried in the order they were added; each request meets one at most.

    :param method: the HTTP method, ``None`` for any
    :param path: a part of the path with its query, as sent (``"/products?page=2"``); empty for any
    :param content: a part of the body, such as a word that a firewall minds; empty for any
    :param skip: how many matching requests pass unharmed first
    :param times: how many are hit after that, ``None`` for ever
    :param chance: how likely each of those is to be hit
    :param status: answer this without doing the work
    :param headers: of that answer; the content type is JSON unless given here
    :param body: of that answer
    :param delay_seconds: wait first; alone, the work is then done as usual, even if the client has gone
    :param drop: close the connection without an answer, ``"before"`` or ``"after"`` the work is done
    """

    method: str | None = None
    path: str = ""
    content: str = ""
    skip: int = 0
    times: int | None = 1
    chance: float = 1.0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"error": "sandbox", "message": "a fault asked for through /_sandbox/faults"}'
    delay_seconds: float = 0.0
    drop: Literal["before", "after"] | None = None

    def takes(self, method: str, target: str, body: bytes) -> bool:
        """Whether this request is hit; counts it."""
        if self.times == 0 or self.path not in target or self.method not in (None, method):
            return False
        if self.content.encode() not in body:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if random.random() >= self.chance:  # noqa: S311
            return False
        if self.times is not None:
            self.times -= 1
        return True


class ControlMiddleware:
    """Wraps an app: logs its requests, makes them fail on demand, says the time. For :func:`running` and :func:`serve`.

    :param clock: the app's own
    """

    def __init__(self, app: ASGIApp, clock: Clock | None = None) -> None:
        self.app = app
        self.clock = clock or Clock()
        self.faults: list[Fault] = []
        self.requests: deque[dict[str, Any]] = deque(maxlen=REQUESTS_KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] in ("/_sandbox/faults", "/_sandbox/requests", "/_sandbox/clock"):
            response = await self._control(Request(scope, receive))
            await response(scope, receive, send)
        elif scope["path"].startswith("/_sandbox/"):
            await self.app(scope, receive, send)
        else:
            await self._observed(scope, receive, self._dated(send))

    def _dated(self, send: Send) -> Send:
        """With the ``Date`` of the stand-in's clock, unless the answer brings one."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                if not any(name.lower() == b"date" for name, _ in headers):
                    headers.append((b"date", self.clock.date_header()))
                message = {**message, "headers": headers}
            await send(message)

        return dated

    async def _control(self, request: Request) -> Response:
        if request.url.path.endswith("/clock"):
            return await self._set_clock(request)
        faults = request.url.path.endswith("/faults")
        match request.method:
            case "POST" if faults:
                try:
                    self.faults.append(_fault(json.loads(await request.body())))
                except ValueError as error:
                    return JSONResponse({"error": "validation", "message": str(error)}, 400)
                return Response(status_code=204)
            case "DELETE":
                (self.faults if faults else self.requests).clear()
                return Response(status_code=204)
            case "GET" if not faults:
                return JSONResponse(list(self.requests))
        return JSONResponse({"error": "method not allowed"}, 405)

    async def _set_clock(self, request: Request) -> Response:
        try:
            asked = json.loads(await request.body()) if request.method == "PUT" else None
            self.clock.ahead_seconds = float(asked["ahead_seconds"])  # type: ignore[index]
        except (ValueError, TypeError, KeyError):
            return JSONResponse({"error": "validation", "message": 'PUT {"ahead_seconds": a number}'}, 400)
        return JSONResponse({"ahead_seconds": self.clock.ahead_seconds})

    async def _observed(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:  # the client went away while sending
            return
        method, path, query = scope["method"], scope["path"], scope["query_string"].decode("latin-1")
        items = _batch_items(body) if path.endswith("/batch") else None
        self.requests.append({"method": method, "path": path, "query": query, "items": items})
        target = f"{path}?{query}" if query else path
        fault = next((each for each in self.faults if each.takes(method, target, body)), None)
        if fault is None:
            await self.app(scope, _replayed(body, receive), send)
            return
        await asyncio.sleep(fault.delay_seconds)
        if fault.drop == "before":
            await _close(scope, receive)
        elif fault.drop == "after":
            await self.app(scope, _replayed(body, receive), _unheard)
            await _close(scope, receive)
        elif fault.status is not None:
            headers = {"content-type": "application/json"} | {
                name.lower(): value for name, value in fault.headers.items()
            }
            await Response(fault.body, fault.status, headers)(scope, receive, send)
        else:
            await self.app(scope, _replayed(body, receive), send)


def _fault(asked: Any) -> Fault:
    names = [each.name for each in fields(Fault)]
    if not isinstance(asked, dict) or not set(asked) <= set(names):
        raise ValueError(f"a fault is an object with any of: {', '.join(names)}")
    fault = Fault(**asked)
    if fault.drop not in (None, "before", "after"):
        raise ValueError('drop is null, "before" or "after"')
    if not isinstance(fault.body, str):
        raise ValueError("body is text")
    fault.headers = {str(name): str(value) for name, value in fault.headers.items()}
    fault.method = fault.method.upper() if fault.method else None
    return fault


def _batch_items(body: bytes) -> int | None:
    try:
        batch = json.loads(body)
    except ValueError:
        return None
    if not isinstance(batch, dict):
        return None
    lists = [batch.get(verb) for verb in ("create", "update", "delete")]
    return sum(len(each) for each in lists if isinstance(each, list))


async def _read(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    while (message := await receive())["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
    return None


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _unheard(message: Message) -> None:
    """A ``send`` for an answer that never reaches the client."""


async def _close(scope: Scope, receive: Receive) -> None:
    scope["extensions"][_TRANSPORT].close()
    # Returning before uvicorn knows that the connection is gone would be logged as an error of the app.
    while (await receive())["type"] != "http.disconnect":
        pass


class _Protocol(HttpToolsProtocol):
    """uvicorn's own, which also lets the app close the connection: ASGI has no word for that."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: self.transport}  # type: ignore[typeddict-item]


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                log_config=None,  # the caller's logging stays as it is
                log_level="warning",
                access_log=False,
                date_header=False,  # the app says what time it is there
                timeout_keep_alive=600,  # closing an idle connection races with the next request on it
                timeout_graceful_shutdown=1,
            )
        )
        self.ready = threading.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone: several servers share a process, and :func:`serve` stops them all."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextlib.contextmanager
def running(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """The app on loopback in a thread of its own while the block lasts; gives its URL.

    :param port: 0 for any free one, the choice for tests that run side by side
    """
    listener = _listen(port)
    server = _Server(app)
    thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
    thread.start()
    try:
        while not server.ready.wait(0.05):
            if not thread.is_alive():
                raise RuntimeError("the sandbox did not start: the reason is in the log of uvicorn.error")
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def serve(apps: Mapping[int, ASGIApp]) -> None:
    """Each app on its port on loopback, until SIGINT or SIGTERM; then returns. For the main thread.

    :raises OSError: when a port cannot be had; then none is served
    """
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(contextlib.closing(_listen(port))) for port in apps]
        servers = [_Server(app) for app in apps.values()]

        def stop(number: int, frame: object) -> None:
            for server in servers:
                server.should_exit = True

        # Set even where the shell has told us to ignore them, as it does for a job in the background.
        for number in (signal.SIGINT, signal.SIGTERM):
            stack.callback(signal.signal, number, signal.signal(number, stop))

        async def all_of_them() -> None:
            await asyncio.gather(
                *(server.serve([listener]) for server, listener in zip(servers, listeners, strict=True))
            )

        with asyncio.Runner(loop_factory=servers[0].config.get_loop_factory()) as runner:
            runner.run(all_of_them())


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # A restart need not wait for the last run's connections to leave TIME_WAIT.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(f"port {port} on {HOST} is taken: stop what listens there or choose another port") from error
        raise OSError(f"port {port} on {HOST} cannot be used ({error.strerror}): choose another port") from error
    return listener
