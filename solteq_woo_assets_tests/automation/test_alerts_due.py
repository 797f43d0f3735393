"""Whom to tell what when, and what is remembered of it: never too often, and nobody is left believing what is over."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.automation.alerts import UNCERTAIN, Alert, Failure, due, fail, keep_told, remembered
from solteq_woo_assets.engine.database import StateDatabase

START = datetime.fromisoformat("2026-11-23T03:00")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Reader:
    """Somebody who gets the messages of one cause, whatever happens, a step a time."""

    def __init__(self) -> None:
        self.now = START
        self.known: dict[tuple[str, str], Alert] = {}
        self.runs = 0
        self.is_failing = False
        self.told: list[tuple[str, datetime]] = []

    def take(self, step: str) -> None:
        """A run fails or succeeds, or a tick: what is due leaves, is turned down, or leaves without an answer."""
        if step == "fail":
            self.is_failing = True
            self.runs += 1
            fail(self.known, ["email"], "run:products_to_woo", Failure("why", f"run-{self.runs}", self.now))
            return
        if step == "succeed":
            self.is_failing = False
        for key, alert in [*self.known.items()]:
            what = due(alert, self.now, HOUR)
            if step == "succeed":
                self.known[key] = replace(alert, over_at=alert.over_at or self.now)
            elif what == "forget":
                del self.known[key]
            elif what and step != "refused":
                self.told.append((what, self.now))
                self.known[key] = alert.told(self.now, may_have_arrived=step == "unanswered")


steps = st.lists(
    st.tuples(
        st.sampled_from(["fail", "succeed", "look", "refused", "unanswered"]),
        st.integers(0, 45).map(lambda minutes: minutes * MINUTE),
    ),
    max_size=40,
)


def lived(history: list[tuple[str, timedelta]]) -> Reader:
    """A reader after these steps."""
    reader = Reader()
    for step, later in history:
        reader.take(step)
        reader.now += later
    return reader


@given(steps)
def test_a_failure_is_told_once_an_hour_at_most(history: list[tuple[str, timedelta]]) -> None:
    """Whatever flaps, breaks off or goes unanswered."""
    times = [at for what, at in lived(history).told if what == "failing"]
    assert all(later - earlier >= HOUR for earlier, later in pairwise(times))


@given(steps)
def test_over_follows_a_failure_that_was_told(history: list[tuple[str, timedelta]]) -> None:
    """It is said once for each, and never to somebody who was told of no failure."""
    told = [what for what, _ in lived(history).told]
    assert told[:1] != ["over"]
    assert ("over", "over") not in list(pairwise(told))


@given(steps)
def test_in_the_end_everybody_knows_how_it_is(history: list[tuple[str, timedelta]]) -> None:
    """Once the wire works and the pause is over, the last word is the truth, and what is over is forgotten."""
    reader = lived(history)
    for _ in range(3):
        reader.take("look")
        reader.now += HOUR
    last = reader.told[-1][0] if reader.told else "over"
    assert last == ("failing" if reader.is_failing else "over")
    assert bool(reader.known) == reader.is_failing


FIRST = Alert("run:products_to_woo", "email", "why", "run-1", START)


def test_since_when_it_fails() -> None:
    """The first of the failures that nothing came between."""
    again = Failure("why", "run-2", START + 5 * MINUTE)
    assert FIRST.failed(again).since == START
    assert replace(FIRST, over_at=START + MINUTE).failed(again).since == START + 5 * MINUTE


def test_a_message_without_an_answer_is_sent_again_after_the_pause() -> None:
    """It may be lost, and then it must come; it may have arrived, and then its end must be told."""
    alert = FIRST.told(START, may_have_arrived=True)
    assert alert.told_run_id == UNCERTAIN
    assert due(alert, START + 59 * MINUTE, HOUR) is None
    assert due(alert, START + HOUR, HOUR) == "failing"
    assert due(replace(alert, over_at=START + MINUTE), START + MINUTE, HOUR) == "over"


def test_a_clock_that_was_ahead_silences_nobody() -> None:
    """A pause that began in the future has not begun."""
    alert = FIRST.told(START + timedelta(days=365)).failed(Failure("why", "run-2", START))
    assert due(alert, START, HOUR) == "failing"


# What is remembered


def known_after(database: StateDatabase, run_id: str, *channels: str, cause: str = FIRST.cause) -> list[Alert]:
    """What is known after a failure at the start."""
    with remembered(database) as known:
        fail(known, channels or ("email",), cause, Failure("why", run_id, START))
    with remembered(database) as known:
        return list(known.values())


def test_a_row_a_cause_and_channel(tmp_path: Path) -> None:
    """As they went in, and no more of what is taken away."""
    database = StateDatabase(tmp_path / "state.duckdb")
    known_after(database, "run-1", "email", "webhook")
    check = replace(FIRST, cause="check:product_delta:price_cuts", run_id="run-2")
    rows = known_after(database, "run-2", cause=check.cause)
    assert rows == [check, FIRST, replace(FIRST, channel="webhook")]
    with remembered(database) as known:
        del known[check.cause, "email"], known[FIRST.cause, "webhook"]
    with remembered(database) as known:
        assert list(known.values()) == [FIRST]


@pytest.mark.parametrize("over_at", [START, None])
def test_a_failure_while_a_message_is_under_way_is_not_lost(tmp_path: Path, over_at: datetime | None) -> None:
    """The mail server takes seconds. What was told is the run, or the end of it, that the message was about."""
    database = StateDatabase(tmp_path / "state.duckdb")
    (alert,) = known_after(database, "run-1")
    with remembered(database) as known:
        known[alert.cause, "email"] = alert = replace(alert.told(START) if over_at else alert, over_at=over_at)
    known_after(database, "run-2")
    keep_told(database, alert.told(START))
    with remembered(database) as known:
        (kept,) = known.values()
    assert (kept.run_id, kept.over_at, kept.told_run_id) == ("run-2", None, None if over_at else "run-1")
    assert due(kept, START, HOUR) is None
    assert due(kept, START + HOUR, HOUR) == "failing"
