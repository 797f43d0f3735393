"""The recordings of a fresh real store with decimal comma: orders' lives, payments, stock, products as kept, people."""

import contextlib
import itertools
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from solteq_woo_assets_tests.sandbox.woo_recordings import ABSENT, RECORDINGS, Replay, Step, steps_of
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox.woo import create_app

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason=ABSENT)

FIRST_ID = 12  # of what a fresh store counts as posts; order items begin at 1
FIRST_IDS = {"attributes": 87}  # of scenarios that were recorded after others
SETTINGS = {
    "tax_classes": {"ten": 10, "zero-rate": 0},
    "decimal_comma": True,
    "shown_with_tax": True,
    "cron": False,
}
_TIME = re.compile(r'"date_(?:created|modified)_gmt": "(2026[^"]+)"')

# What does not concern this project, by scenario: why, and the notes of those steps. They are asked all the same, and
# their answers are not compared.
_NOTES = "notes of orders: the real store writes them of its own accord, and this project never reads them"
_FILTER = "this project has no use for the filter, and the stand-in answers 501 rather than ignore it"
_FULFILMENTS = "fulfilments: off in a store as it comes, and this project never asks for them; the stand-in has none"
LEFT_OUT: dict[str, dict[str, tuple[str, ...]]] = {
    "orders_lifecycle": {_NOTES: ("notes of order 1", "a note on order 1")},
    "meta_payment": {_FILTER: ("orders by created_via", "orders by customer note text")},
    "stock_delta": {},
    "attributes": {},
    "more_products": {
        "attributes of the whole store: the stand-in has a product's own alone": (
            "a global attribute",
            "the same slug again",
            "a name without slug",
            "a slug that is too long",
            "a term",
            "another",
            "the same term again",
            "terms in a batch",
            "terms",
            "attributes",
            "a variable product with the global attribute",
            "an option that is no term yet",
            "terms: was it made",
            "variations: by term name, by slug, an unknown term, by attribute name, none",
            "one variation",
            "the parent",
            "the attribute deleted",
            "with force",
            "a variation without it",
            "all variations, full, one",
        ),
        "brands: this project reads and writes none": (
            "brands",
            "a brand",
            "the same brand again",
            "a product of the brand",
            "the brand again",
            "brands emptied",
        ),
        _FILTER: ("on_sale=true while it runs", "on_sale=true afterwards"),
        "what an order's goods cost: this project does not read it": ("an order with costs",),
    },
    "fulfillments": {
        _FULFILMENTS: (
            "FEATURE ON: list, none yet",
            "the index of the routes",
            "list of a missing order",
            "create: one piece of the first line, not fulfilled",
            "list",
            "one",
            "update: fulfilled with tracking, notify_customer false",
            "metadata",
            "metadata: change the tracking number",
            "update without _items in meta_data",
            "create: the rest, fulfilled at once with tracking, notify_customer false",
            "create: more pieces than the order has",
            "create: a line of no order",
            "create: no items",
            "create: no meta_data",
            "create: quantity zero",
            "create: quantity as text",
            "create: quantity with decimals",
            "create: item id as text",
            "create: unknown status",
            "create: is_fulfilled false with status fulfilled",
            "create on a missing order",
            "update a missing fulfilment",
            "read a missing fulfilment",
            "a fulfilment under another order",
            "tracking number lookup",
            "tracking number lookup without a number",
            "delete the second one",
            "it is gone",
            "delete it again",
            "delete metadata",
            "the second order: everything fulfilled",
            "back to not fulfilled",
            "its fulfilments",
        ),
        "meta of an order that fulfilments leave, and when: as any other meta of others": (
            "the order",
            "the order: is its status changed",
            "a second paid order",
            "the second order, all fulfilled",
            "the second order",
            "the second order: completed by hand",
            "orders by modification: does a fulfilment move date_modified",
        ),
        _NOTES: ("notes of the order",),
    },
    "people": {},
}
# Of these, status and code alone are compared, and why.
BY_CODE = {"quantity zero": "the rest is an error of PHP, with its paths and its stack"}
SCENARIOS = tuple(LEFT_OUT)


ROLES = {1: ["administrator"], 5: ["customer", "administrator"]}
"""Of the accounts that `people` finds; the recording shows the first one alone."""


@contextlib.contextmanager
def fresh_store(directory: Path, first_id: int, accounts: Sequence[dict[str, Any]] = ()) -> Iterator[str]:
    """
    :param accounts: which the store has at the beginning, as it shows them
    """
    database = directory / "woo.sqlite"
    app = create_app(database, **SETTINGS)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO counters VALUES ('post', ?)", (first_id - 1,))
        connection.execute("INSERT INTO counters VALUES ('order item', 0)")
        for account in accounts:
            _store(connection, account)
    with running(app) as url:
        yield url


def _store(connection: sqlite3.Connection, shown: dict[str, Any]) -> None:
    """Some are made where no request of the recording was: they have a history that no request can give them."""
    names = ("id", "email", "username", "first_name", "last_name", "billing", "shipping")
    kept = {name: shown[name] for name in names}
    kept |= {"created": shown["date_created_gmt"], "modified": shown["date_modified_gmt"], "meta": shown["meta_data"]}
    roles = ROLES.get(shown["id"], ["customer"])
    name = f"{shown['first_name']} {shown['last_name']}".strip() or shown["username"]
    row = (shown["id"], shown["email"], roles[0], name, shown["username"], kept["created"])
    connection.execute(
        "INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, json.dumps(kept | {"roles": roles}))
    )
    connection.executemany("INSERT INTO customer_roles VALUES (?, ?)", [(role, shown["id"]) for role in roles])
    connection.execute("INSERT OR REPLACE INTO counters VALUES ('user', ?)", (shown["id"],))


def moment(steps: list[Step]) -> str | None:
    """When the first of these was done: the newest time in its answer, and in what was read until the next write.

    An answer without times was cut by ``_fields``; when what it made is shown in full, that tells.
    """
    reads = itertools.takewhile(lambda step: step["request"]["method"] == "GET", steps[1:])
    texts = [json.dumps(step["response"]["body"]) for step in (steps[0], *reads)]
    if not (found := _TIME.findall(" ".join(texts))) and steps[0]["response"]["status"] == 201:
        collection, identifier = steps[0]["request"]["path"], steps[0]["response"]["body"]["id"]
        later = [json.dumps(s["response"]["body"]) for s in steps if s["request"]["path"].startswith(collection)]
        found = re.findall(rf'"id": {identifier}, (?:(?!"id": ).)*?"date_created_gmt": "(2026[^"]+)"', " ".join(later))
    return max(found, default=None)


def differences_in(scenario: str, directory: Path) -> Iterator[str]:
    steps, left_out = steps_of(scenario), {note for notes in LEFT_OUT[scenario].values() for note in notes}
    accounts = steps[0]["response"]["body"] if scenario == "people" else ()
    first_id = FIRST_IDS.get(scenario, FIRST_ID)
    with fresh_store(directory, first_id, accounts) as url, requests.Session() as session:
        replay = Replay(session, url, late=1)  # some requests crossed a second; here the clock stands at their end
        for number, step in enumerate(steps):
            note = step["note"]
            if note.startswith(("COGS O", "COGS o")):
                replay.settings(cost_of_goods_sold=note.startswith("COGS ON"))
            if step["request"]["method"] != "GET" and (now := moment(steps[number:])):
                replay.settings(clock=now)
            got = replay.ask(step)
            if note in BY_CODE:
                shown = [got.status_code, got.json()["code"]]
                assert shown == [step["response"]["status"], step["response"]["body"]["code"]]
            elif note not in left_out:
                yield from (f"{number} ({note}) {line}" for line in replay.compare(step, got, got.json()))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_answers_as_the_real_store_did(scenario: str, tmp_path: Path) -> None:
    assert "\n".join(differences_in(scenario, tmp_path)) == ""


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_is_left_out_is_in_the_recording(scenario: str) -> None:
    """Protects the lists: a note that no step has would leave nothing out, and nobody would see it."""
    left_out = {note for notes in LEFT_OUT[scenario].values() for note in notes}
    assert left_out <= {step["note"] for step in steps_of(scenario)}
