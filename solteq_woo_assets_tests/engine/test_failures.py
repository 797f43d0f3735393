"""When a write at which the other side fails is tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from solteq_woo_assets.engine import failures
from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.engine.writes import Outcome, Write

NOW = datetime(2026, 11, 1)  # noqa: DTZ001
HOUR = timedelta(hours=1)


def write(price: str = "1") -> Write[None]:
    return Write("id", "A", "update", "simple", 1, [{"field": "regular_price", "old": None, "new": price}], None)


@dataclass
class Memory:
    """What is remembered of one flow."""

    database: StateDatabase

    def fail(self, now: datetime, price: str = "1") -> str:
        """The write fails; the state that the ledger gets."""
        outcome: Outcome[None, Any] = Outcome(write(price), "retry", error="500", code=failures.CODE)
        with self.database.transaction() as connection:
            (noted,) = failures.note(connection, "products", [outcome], now)
        return noted.state

    def answer(self, state: str) -> None:
        with self.database.transaction() as connection:
            failures.note(connection, "products", [Outcome(write(), state)], NOW)

    def action(self, now: datetime, price: str = "1", **arguments: list[str]) -> str:
        """What becomes of the delta's row."""
        row = {"key": "A", "action": "update", "reason": "why", "changes": write(price).changes}
        with self.database.transaction() as connection:
            return failures.waiting(connection, "products", pl.DataFrame([row]), now, **arguments)["action"][0]


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(StateDatabase(tmp_path / "state.duckdb"))


def test_it_is_tried_ever_more_rarely_but_once_a_day_and_shown_after_the_third_run(memory: Memory) -> None:
    now = NOW
    assert memory.fail(now) == "retry"
    assert memory.action(now) == "update", "the next run sends it: the other side may have gone away meanwhile"
    for hours, state in [
        (1, "retry"),
        (2, "refused"),
        (4, "refused"),
        (8, "refused"),
        (16, "refused"),
        *[(24, "refused")] * 20,
    ]:
        assert memory.fail(now) == state
        assert memory.action(now + hours * HOUR - timedelta(seconds=1)) == "wait"
        now += hours * HOUR
        assert memory.action(now) == "update"


def test_another_write_of_the_same_key_goes_at_once_and_begins_anew(memory: Memory) -> None:
    for _ in range(3):
        memory.fail(NOW)
    assert memory.action(NOW, "2") == "update"
    assert memory.fail(NOW, "2") == "retry"
    assert memory.action(NOW, "2") == "update"


def test_who_is_asked_for_does_not_wait(memory: Memory) -> None:
    memory.fail(NOW)
    memory.fail(NOW)
    assert memory.action(NOW, but=["A"]) == "update"


@pytest.mark.parametrize("state", ["delivered", "refused"])
def test_an_answer_ends_it(memory: Memory, state: str) -> None:
    memory.fail(NOW)
    memory.answer(state)
    assert memory.action(NOW) == "update"


def test_what_failed_while_nothing_passed_does_not_wait(memory: Memory) -> None:
    """It only goes last the next time, and its own failures are counted from there."""
    with memory.database.transaction() as connection:
        failures.suspect(connection, "products", [write()], NOW)
    assert memory.action(NOW) == "update"
    assert memory.fail(NOW) == "retry"
    assert memory.action(NOW) == "update"
    with memory.database.transaction() as connection:
        assert connection.execute("SELECT runs FROM sync.failures").fetchall() == [(1,)]


def test_what_is_not_due_any_more_is_forgotten(memory: Memory) -> None:
    memory.fail(NOW)
    with memory.database.transaction() as connection:
        failures.keep_only(connection, "products", pl.DataFrame({"key": ["B"]}))
    assert memory.action(NOW) == "update"
