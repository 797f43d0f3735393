"""The recordings of a real store, replayed against the stand-in over real HTTP and compared in full."""

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from solteq_woo_assets.sandbox.server import running
from solteq_woo_assets.sandbox.woo import CONSUMER_KEY, CONSUMER_SECRET, create_app

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "woo-recordings"
SCENARIOS = ("store", "products", "products_batch", "products_modified", "variable_products", "customers", "orders")

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no ../shared beside this clone")

# What the real store held before its first recorded step: with it, ids and totals are the same unmapped.
FIRST_ID = 9357
PRODUCTS_BEFORE = 8210
CUSTOMERS_BEFORE = 301
FIRST_ORDER_ITEM = 3020
REFUNDS_BEFORE = 4
BEFORE = "2026-11-23T03:20:30"

# All that is not compared as it stands, and why. Everything else is, even the order of keys. Times are the
# same because the stand-in's clock is set to each answer's own `date_modified_gmt` before its step is asked.
NORMALISED = {
    "host": "the real store was https://127.0.0.1:8089; the stand-in has any free port",
    "meta ids": "the real store spends them on hidden rows too; they are compared as 1, 2, 3 … of appearance",
    "related_ids": "the real store draws them by lot; that they are a list of ids is compared",
    "order_key": "drawn by lot; they are compared as 1, 2, 3 … of appearance",
    "date_modified of one new order": "its request crossed a second in the real store, and the stand-in's clock stands "
    "still; an empty update one second later makes it the same, so that every later answer is compared as it stands",
}
CREDENTIALS = {
    "wrong secret": (CONSUMER_KEY, "cs_wrong"),
    "unknown key": ("ck_unknown", CONSUMER_SECRET),
    "no credentials": None,
}
FORWARDED = {"X-Forwarded-Proto": "https"}
HEADERS = ("Content-Type", "Link", "Allow", "X-WP-Total", "X-WP-TotalPages")


@dataclass
class Normal:
    """An answer without what differs by run; one for each side, through the whole run."""

    host: str
    meta_ids: dict[int, int] = field(default_factory=dict)
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
        if key == "meta_data":
            value = value | {"id": self.meta_ids.setdefault(value["id"], len(self.meta_ids) + 1)}
        return {name: self.of(each, name) for name, each in value.items()}


def differences(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(found, dict) and list(expected) == list(found):
        for key in expected:
            yield from differences(expected[key], found[key], f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for place, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{path}[{place}]")
    elif type(expected) is not type(found) or expected != found or isinstance(expected, dict):
        yield f"{path}: the real store says {expected!r}, the stand-in {found!r}"


@contextlib.contextmanager
def store_as_it_was(directory: Path) -> Iterator[str]:
    database = directory / "woo.sqlite"
    create_app(database)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO counters VALUES ('post', ?)", (FIRST_ID - 1,))
        connection.execute("INSERT INTO counters VALUES ('order item', ?)", (FIRST_ORDER_ITEM - 1,))
        connection.execute("INSERT INTO counters VALUES ('user meta', 100000)")  # no id of a product's meta
        rows = [_row(10 + number, f"SKU-{number:06}", f"product-{number}") for number in range(PRODUCTS_BEFORE)]
        connection.executemany("INSERT INTO products VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    with running(create_app(database)) as url, requests.Session() as session:
        accounts = [{"email": f"before{number}@example.com"} for number in range(CUSTOMERS_BEFORE)]
        for path, method, body in (
            ("settings", "PUT", {"clock": "2026-11-23T03:05:04"}),
            ("customers", "PUT", {"customers": accounts}),
            ("settings", "PUT", {"clock": "2026-11-23T03:05:05"}),
            (f"customers/{CUSTOMERS_BEFORE + 1}", "PATCH", {}),
        ):
            session.request(method, f"{url}/_sandbox/{path}", json=body).raise_for_status()
        refunds = [{"id": 9000 + number, "amount": "1.00"} for number in range(REFUNDS_BEFORE)]
        order = {"id": 8999, "date_created_gmt": BEFORE, "date_modified_gmt": BEFORE, "_refunds": refunds}
        session.put(f"{url}/_sandbox/orders", json={"orders": [order | {"status": "trash"}]}).raise_for_status()
        yield url


def _row(identifier: int, sku: str, slug: str) -> tuple:
    item = {
        "id": identifier,
        "type": "simple",
        "status": "publish",
        "sku": sku,
        "slug": slug,
        "created": BEFORE,
    }
    times = [BEFORE] * 4
    return (identifier, 0, "simple", "publish", sku.lower(), "", slug, "", *times, json.dumps(item))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The differences of every scenario. They build on each other, so all are replayed in one go."""
    with store_as_it_was(tmp_path_factory.mktemp("woo")) as url, requests.Session() as session:
        # The real store's cron did not come between two steps.
        session.put(f"{url}/_sandbox/settings", json={"cron": False}).raise_for_status()
        expected, answered = Normal("https://127.0.0.1:8089"), Normal(url.replace("http:", "https:"))
        return {name: list(_replay(session, url, name, expected, answered)) for name in SCENARIOS}


def _replay(session: requests.Session, url: str, scenario: str, expected: Normal, answered: Normal) -> Iterator[str]:
    steps = json.loads((RECORDINGS / f"{scenario}.json").read_text())["steps"]
    assert steps
    for number, step in enumerate(steps):
        asked, recorded, where = step["request"], step["response"], f"{scenario} {number} ({step['note']})"
        moments = re.findall(r'"date_modified_gmt": "([^"]+)"', json.dumps(recorded["body"]))
        made, changed = _crossed_a_second(recorded) or (None, None)
        if moments:
            session.put(f"{url}/_sandbox/settings", json={"clock": made or max(moments)}).raise_for_status()
        body = asked.get("raw_body") or (None if asked["json"] is None else json.dumps(asked["json"]))
        got = session.request(
            asked["method"],
            f"{url}/wp-json{asked['path']}",
            params=asked["query"],
            data=body,
            headers=FORWARDED | ({"Content-Type": "application/json"} if body else {}),
            auth=CREDENTIALS.get(step["note"], (CONSUMER_KEY, CONSUMER_SECRET))
            if asked.get("auth") != "none"
            else None,
        )
        answer = got.json()
        if changed:
            session.put(f"{url}/_sandbox/settings", json={"clock": changed}).raise_for_status()
            again = f"{url}/wp-json/wc/v3/orders/{answer['id']}"
            later = session.put(again, json={}, auth=(CONSUMER_KEY, CONSUMER_SECRET), headers=FORWARDED).json()
            answer |= {name: later[name] for name in ("date_modified", "date_modified_gmt")}
        sides = [
            side.of({"status": status, "headers": {name: headers.get(name) for name in HEADERS}, "body": content})
            for side, status, headers, content in (
                (expected, recorded["status"], recorded["headers"], recorded["body"]),
                (answered, got.status_code, got.headers, answer),
            )
        ]
        yield from (f"{where} {line}" for line in differences(*sides))


def _crossed_a_second(recorded: dict[str, Any]) -> tuple[str, str] | None:
    """When a new order was made and when its request was done with it, if those are two seconds."""
    body = recorded["body"]
    if recorded["status"] != 201 or body.get("date_modified_gmt", "") <= body["date_created_gmt"]:
        return None
    return body["date_created_gmt"], body["date_modified_gmt"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_answers_as_the_real_store_did(scenario: str, found: dict[str, list[str]]) -> None:
    assert "\n".join(found[scenario]) == ""


def test_the_comparison_sees_a_difference() -> None:
    """Protects the replay itself: one that compares nothing would pass for ever."""
    assert list(differences({"a": [1, {"b": "1"}]}, {"a": [1, {"b": 1}]}))
    assert list(differences({"a": 1, "b": 2}, {"b": 2, "a": 1}))
    assert list(differences([1], [1, 2]))
    assert not list(differences({"a": [1, None]}, {"a": [1, None]}))
