"""The wire, in process: requests of the integration go straight to the stand-ins' apps, or meet a misfortune."""

import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from starlette.types import ASGIApp, Message, Scope
from urllib3 import HTTPResponse
from urllib3.exceptions import NewConnectionError, ProtocolError

from solteq_woo_assets_tests.simulation.clock import VirtualClock
from solteq_woo_assets_tests.simulation.scheduler import Scheduler

SOLTEQ_URL, WOO_URL = "https://solteq.test", "https://store.test"


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def call(app: ASGIApp, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """Ask an app, without an event loop: the stand-ins wait for nothing but the request itself."""
    parts = urlsplit(url)
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": parts.scheme,
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [
            (b"host", parts.netloc.encode()),
            *((k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()),
        ],
        "client": ("127.0.0.1", 1),
        "server": (parts.hostname, 443),
        "extensions": {},
    }
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    try:
        app(scope, receive, send).__await__().send(None)  # type: ignore[attr-defined]
    except StopIteration:
        start = said[0]
        named = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        return Answer(start["status"], named, b"".join(message.get("body", b"") for message in said[1:]))
    raise AssertionError(f"{method} {url} waits for something")


@dataclass
class Mishap:
    """What happens to the next requests that it fits, then to no other.

    ``side``: ``solteq`` or ``woo``. ``method`` and ``path``: of the request, any when empty; ``content``: a word in its
    body; ``longer_than``: so many bytes. ``lost``: no answer, ``before`` or ``after`` the work is done. ``status``,
    ``headers`` and ``body``: answered in place of the work. ``seconds``: the work is done, and the answer takes so
    long. ``times``: how often. ``until``: a time of the clock after which it happens no more.
    """

    side: str
    method: str = ""
    path: str = ""
    content: str = ""
    lost: Literal["", "before", "after"] = ""
    status: int = 0
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    body: str = '{"code": "mishap", "message": "something went wrong"}'
    seconds: float = 0.0
    times: float = 1
    until: float = math.inf
    longer_than: int = -1

    def fits(self, side: str, request: requests.PreparedRequest) -> bool:
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        return (
            self.side == side
            and self.method in ("", request.method)
            and self.path in (request.url or "")
            and self.content.encode() in body
            and len(body) > self.longer_than
        )


class Network:
    """What lies between the integration and both systems.

    ``down``: until when a side takes no connection. ``mishaps``: yet to happen.
    ``tell``: hears of each request and its answer.
    """

    def __init__(self, scheduler: Scheduler, clock: VirtualClock, apps: Mapping[str, ASGIApp]) -> None:
        self.scheduler = scheduler
        self.clock = clock
        self.apps = dict(apps)
        self.down: dict[str, float] = {}
        self.mishaps: list[Mishap] = []
        self.happened: list[Mishap] = []
        self.tell: Callable[[str, requests.PreparedRequest, str], None] = lambda _side, _request, _what: None
        self.latency: Callable[[], float] = lambda: 0.05

    def heal(self) -> None:
        """No more misfortune on the wire."""
        self.down.clear()
        self.mishaps.clear()

    def session(self, _in_flight: int) -> requests.Session:
        """In place of the product's own."""
        session = requests.Session()
        session.trust_env = False
        session.headers.update({"Accept": "application/json"})
        for side, url in (("solteq", SOLTEQ_URL), ("woo", WOO_URL)):
            session.mount(url, _Wire(self, side))
        return session

    def exchange(self, side: str, request: requests.PreparedRequest, read_seconds: float) -> Answer:
        """One request of the integration.

        :raises requests.RequestException: no answer
        """
        self.scheduler.step(f"{request.method} {request.path_url.partition('?')[0]}")
        self.clock.advance(self.latency())
        if self.clock.seconds < self.down.get(side, 0.0):
            self.tell(side, request, "no connection")
            refused = NewConnectionError(None, "down")  # type: ignore[arg-type]
            refused.__cause__ = ConnectionRefusedError(111, "Connection refused")
            raise requests.ConnectionError(refused)
        self.mishaps = [each for each in self.mishaps if self.clock.seconds < each.until]
        mishap = next((each for each in self.mishaps if each.fits(side, request)), None)
        answer = self._asked(side, request) if mishap is None else self._unlucky(mishap, side, request, read_seconds)
        self.tell(side, request, str(answer.status))
        self.scheduler.step("answer")
        return answer

    def _asked(self, side: str, request: requests.PreparedRequest) -> Answer:
        body = request.body or b""
        headers = {name: str(value) for name, value in request.headers.items()}
        content = body if isinstance(body, bytes) else str(body).encode()
        return call(self.apps[side], request.method or "GET", request.url or "", headers, content)

    def _unlucky(self, mishap: Mishap, side: str, request: requests.PreparedRequest, read_seconds: float) -> Answer:
        mishap.times -= 1
        if mishap.times <= 0:
            self.mishaps.remove(mishap)
        self.happened.append(mishap)
        if mishap.status:
            return Answer(mishap.status, list(mishap.headers), mishap.body.encode())
        answer = None if mishap.lost == "before" else self._asked(side, request)
        if mishap.lost:
            self.tell(side, request, f"lost {mishap.lost}")
            self.scheduler.step("answer lost")
            raise requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError(104, "reset")))
        self.clock.advance(min(mishap.seconds, read_seconds))
        if mishap.seconds >= read_seconds:
            self.tell(side, request, "too late")
            self.scheduler.step("answer too late")
            raise requests.ReadTimeout("Read timed out.")
        assert answer is not None
        return answer


class _Wire(BaseAdapter):
    """A transport of requests: see :class:`requests.adapters.BaseAdapter`."""

    def __init__(self, network: Network, side: str) -> None:
        super().__init__()
        self._network, self._side = network, side
        self._builder = HTTPAdapter()

    def send(self, request: requests.PreparedRequest, *_: Any, timeout: Any = None, **__: Any) -> requests.Response:
        answer = self._network.exchange(self._side, request, timeout[1])
        raw = HTTPResponse(
            body=io.BytesIO(answer.body), headers=dict(answer.headers), status=answer.status, preload_content=False
        )
        return self._builder.build_response(request, raw)  # type: ignore[arg-type]

    def close(self) -> None:
        self._builder.close()


class Deadline:
    """In place of the product's own, which counts in real time: an answer here is whole, or late by the clock."""

    def __init__(self, _seconds: float) -> None:
        self.passed = False

    def __enter__(self) -> "Deadline":
        return self

    def __exit__(self, *_: object) -> None:
        pass
