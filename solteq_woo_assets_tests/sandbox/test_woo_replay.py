"""The recordings of a real store, replayed against the stand-in over real HTTP and compared in full."""

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from solteq_woo_assets_tests.sandbox.woo_recordings import ABSENT, KEY, RECORDINGS, Replay, differences, steps_of
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox.woo import CONSUMER_KEY, CONSUMER_SECRET, create_app

SCENARIOS = ("store", "products", "products_batch", "products_modified", "variable_products", "customers", "orders")

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason=ABSENT)

# What the real store held before its first recorded step: with it, ids and totals are the same unmapped.
FIRST_ID = 9357
PRODUCTS_BEFORE = 8210
CUSTOMERS_BEFORE = 301
FIRST_ORDER_ITEM = 3020
REFUNDS_BEFORE = 4
BEFORE = "2026-11-23T03:20:30"

# Times are the same because the stand-in's clock is set to each answer's own `date_modified_gmt` before its step is
# asked. One of them cannot be: a new order's request crossed a second in the real store, and the stand-in's clock
# stands still. An empty update one second later makes it the same, so that every later answer is compared as it stands.
CREDENTIALS = {
    "wrong secret": (CONSUMER_KEY, "cs_wrong"),
    "unknown key": ("ck_unknown", CONSUMER_SECRET),
    "no credentials": None,
}


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
        replay = Replay(session, url)
        replay.settings(cron=False)  # the real store's cron did not come between two steps
        return {name: list(_differences(replay, name)) for name in SCENARIOS}


def _differences(replay: Replay, scenario: str) -> Iterator[str]:
    for number, step in enumerate(steps_of(scenario)):
        asked, recorded, note = step["request"], step["response"], step["note"]
        moments = re.findall(r'"date_modified_gmt": "([^"]+)"', json.dumps(recorded["body"]))
        made, changed = _crossed_a_second(recorded) or (None, None)
        if moments:
            replay.settings(clock=made or max(moments))
        got = replay.ask(step, CREDENTIALS.get(note, KEY) if asked.get("auth") != "none" else None)
        answer = got.json()
        if changed:
            replay.settings(clock=changed)
            again = {"method": "PUT", "path": f"/wc/v3/orders/{answer['id']}", "query": {}, "json": {}}
            later = replay.ask({"request": again}).json()
            answer |= {name: later[name] for name in ("date_modified", "date_modified_gmt")}
        yield from (f"{scenario} {number} ({note}) {line}" for line in replay.compare(step, got, answer))


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
