"""A real HTTP server on loopback that answers as it is told, and remembers what it was asked."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from solteq_woo_assets_tests.servers import running

_TRANSPORT = "solteq_woo_sandbox.transport"


@dataclass(frozen=True)
class Answer:
    """What to answer; ``hang`` and ``drop`` never answer at all."""

    status: int = 200
    body: str | bytes = "{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    drop: bool = False


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Wire:
    """Answers in turn, the last one for ever.

    :param meet: every answer waits until so many requests have been under way at once
    """

    def __init__(self, *answers: Answer, meet: int = 0) -> None:
        self.answers = list(answers) or [Answer()]
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self._at_once = 0
        self._meet = meet
        self._met = asyncio.Event()
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
        self.asked.append(Asked(scope["method"], scope["path"], query, headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if self._meet:
            if self._at_once >= self._meet:
                self._met.set()
            await self._met.wait()
        if answer.drop:
            scope["extensions"][_TRANSPORT].close()
        if answer.drop or answer.hang:
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await _send(answer, send)
        self._at_once -= 1


async def _send(answer: Answer, send: Send) -> None:
    headers = {"content-type": "application/json", **answer.headers}
    content = answer.body.encode() if isinstance(answer.body, str) else answer.body
    start = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": start})
    await send({"type": "http.response.body", "body": content})


def json_answer(body: object, status: int = 200, **headers: str) -> Answer:
    """An answer with this body as JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(body), named)


@contextmanager
def serving(*answers: Answer, meet: int = 0) -> Iterator[Wire]:
    """A server that answers so while the block lasts."""
    wire = Wire(*answers, meet=meet)
    with running(wire) as url:
        wire.url = url
        yield wire
