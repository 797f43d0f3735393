"""The recordings of a real store, and how an answer of the stand-in is compared with what was recorded."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from solteq_woo_sandbox.woo import CONSUMER_KEY, CONSUMER_SECRET

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "woo-recordings"
ABSENT = "no ../shared beside this clone"
RECORDED_AT = "https://127.0.0.1:8089"

# All that is not compared as it stands, and why. Everything else is, even the order of keys.
NORMALISED = {
    "host": "the real store was https://127.0.0.1:8089; the stand-in has any free port",
    "meta ids": "the real store spends them on hidden rows too; they are compared as 1, 2, 3 … of appearance",
    "related_ids": "the real store draws them by lot; that they are a list of ids is compared",
    "order_key": "drawn by lot; they are compared as 1, 2, 3 … of appearance",
}
FORWARDED = {"X-Forwarded-Proto": "https"}
HEADERS = ("Content-Type", "Link", "Allow", "X-WP-Total", "X-WP-TotalPages")
KEY = (CONSUMER_KEY, CONSUMER_SECRET)

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")

Step = dict[str, Any]
"""A note, the request (method, path, query, json) and the response (status, headers, body)."""


def steps_of(scenario: str) -> list[Step]:
    """The steps of a recording, in order."""
    steps = json.loads((RECORDINGS / f"{scenario}.json").read_text())["steps"]
    assert steps
    return steps


@dataclass
class Normal:
    """An answer without what differs by run; one for each side, through the whole run."""

    host: str
    meta_ids: dict[tuple[bool, int], int] = field(default_factory=dict)
    order_keys: dict[str, int] = field(default_factory=dict)

    def of(self, value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            for order_key in re.findall(r"wc_order_\w{13}", value):
                number = self.order_keys.setdefault(order_key, len(self.order_keys) + 1)
                value = value.replace(order_key, f"wc_order_{number}")
            return value.replace(self.host, "https://store")
        if isinstance(value, list):
            if key == "related_ids":
                return all(isinstance(each, int) for each in value)
            return [self.of(each, key) for each in value]
        if not isinstance(value, dict):
            return value
        if key == "meta_data" and "id" in value:
            row = ("display_key" in value, value["id"])  # those of order lines have a table of their own
            value = value | {"id": self.meta_ids.setdefault(row, len(self.meta_ids) + 1)}
        return {name: self.of(each, name) for name, each in value.items()}


def differences(expected: Any, found: Any, path: str = "", *, late: int = 0) -> Iterator[str]:
    """
    :param late: how many seconds later than expected a time may be
    """
    if isinstance(expected, dict) and isinstance(found, dict) and list(expected) == list(found):
        for key in expected:
            yield from differences(expected[key], found[key], f"{path}.{key}", late=late)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for place, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{path}[{place}]", late=late)
    elif not _same(expected, found) and not 0 <= _seconds_between(expected, found) <= late:
        yield f"{path}: the real store says {expected!r}, the stand-in {found!r}"


def _same(expected: Any, found: Any) -> bool:
    return type(expected) is type(found) and expected == found and not isinstance(expected, dict)


def _seconds_between(expected: Any, found: Any) -> float:
    """NaN if they are no times."""
    if not all(isinstance(each, str) and _TIME.fullmatch(each) for each in (expected, found)):
        return math.nan
    return (datetime.fromisoformat(found) - datetime.fromisoformat(expected)).total_seconds()


class Replay:
    """Asks the stand-in at ``url`` what the real store was asked, and compares the answers.

    :param late: how many seconds later than in the real store a time may be
    """

    def __init__(self, session: requests.Session, url: str, *, late: int = 0) -> None:
        self._session, self._url, self._late = session, url, late
        self._expected, self._answered = Normal(RECORDED_AT), Normal(url.replace("http:", "https:"))

    def settings(self, **values: Any) -> None:
        """The control endpoint of this name."""
        self._session.put(f"{self._url}/_sandbox/settings", json=values).raise_for_status()

    def ask(self, step: Step, auth: tuple[str, str] | None = KEY) -> requests.Response:
        asked = step["request"]
        body = asked.get("raw_body") or (None if asked["json"] is None else json.dumps(asked["json"]))
        return self._session.request(
            asked["method"],
            f"{self._url}/wp-json{asked['path']}",
            params=asked["query"],
            data=body,
            headers=FORWARDED | ({"Content-Type": "application/json"} if body else {}),
            auth=auth,
        )

    def compare(self, step: Step, got: requests.Response, answer: Any) -> Iterator[str]:
        """
        :param answer: the body of ``got``
        """
        recorded = step["response"]
        sides = [
            side.of({"status": status, "headers": {name: headers.get(name) for name in HEADERS}, "body": content})
            for side, status, headers, content in (
                (self._expected, recorded["status"], recorded["headers"], recorded["body"]),
                (self._answered, got.status_code, got.headers, answer),
            )
        ]
        yield from differences(*sides, late=self._late)
