"""Whom to tell what when: never too often, never a lie, and nobody is left believing what is over."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.automation.alert_rules import UNCERTAIN, Alert, due

START = datetime.fromisoformat("2026-11-23T03:00")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def alert_of(**changes: object) -> Alert:
    """A run that failed at the start, of which nobody was told."""
    return Alert("run:products_to_woo", "email", "why", "run-0", START, **changes)  # type: ignore[arg-type]


class Reader:
    """Somebody who gets the messages of one cause, whatever happens, a step a time."""

    def __init__(self) -> None:
        self.now = START
        self.alert: Alert | None = None
        self.runs = 0
        self.is_failing = False
        self.told: list[tuple[str, datetime]] = []

    def fail(self) -> None:
        self.is_failing = True
        self.runs += 1
        run = f"run-{self.runs}"
        self.alert = (
            self.alert.failed("why", run, self.now)
            if self.alert
            else Alert("run:products_to_woo", "email", "why", run, self.now)
        )

    def succeed(self) -> None:
        self.is_failing = False
        self.alert = self.alert.ended(self.now) if self.alert else None

    def look(self, outcome: str) -> None:
        """A tick: what is due leaves, is turned down, or leaves without an answer."""
        what = due(self.alert, self.now, HOUR) if self.alert else None
        if what is None or not self.alert:
            return
        if what == "forget":
            self.alert = None
        elif outcome != "refused":
            self.told.append((what, self.now))
            self.alert = self.alert.told(self.now, may_have_arrived=outcome == "unanswered")


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
        match step:
            case "fail":
                reader.fail()
            case "succeed":
                reader.succeed()
            case outcome:
                reader.look(outcome)
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
        reader.look("look")
        reader.now += HOUR
    last = reader.told[-1][0] if reader.told else "over"
    assert last == ("failing" if reader.is_failing else "over")
    assert (reader.alert is None) == (not reader.is_failing)


def test_a_failure_that_lasts_is_told_again_when_it_has_failed_again() -> None:
    """Once a pause; a state that nobody looked at since is no news."""
    alert = alert_of().told(START)
    assert due(alert, START + 2 * HOUR, HOUR) is None
    again = alert.failed("why", "run-1", START + 5 * MINUTE)
    assert due(again, START + 59 * MINUTE, HOUR) is None
    assert due(again, START + HOUR, HOUR) == "failing"
    assert again.since == START


def test_flapping_is_told_once() -> None:
    """Failed, over, failed and over within the hour: one failure and one over; then it is quiet."""
    told = alert_of().told(START).ended(START + MINUTE)
    assert due(told, START + MINUTE, HOUR) == "over"
    flapped = told.told(START + MINUTE).failed("why", "run-1", START + 2 * MINUTE)
    assert due(flapped, START + 3 * MINUTE, HOUR) is None
    assert flapped.since == START + 2 * MINUTE
    assert due(flapped.ended(START + 4 * MINUTE), START + 4 * MINUTE, HOUR) is None
    assert due(flapped.ended(START + 4 * MINUTE), START + HOUR, HOUR) == "forget"


def test_a_message_without_an_answer_is_sent_again_after_the_pause() -> None:
    """It may be lost, and then it must come; it may have arrived, and then its end must be told."""
    alert = alert_of().told(START, may_have_arrived=True)
    assert alert.told_run_id == UNCERTAIN
    assert due(alert, START + 59 * MINUTE, HOUR) is None
    assert due(alert, START + HOUR, HOUR) == "failing"
    assert due(alert.ended(START + MINUTE), START + MINUTE, HOUR) == "over"


def test_a_clock_that_was_ahead_silences_nobody() -> None:
    """A pause that began in the future has not begun."""
    alert = alert_of().told(START + timedelta(days=365)).failed("why", "run-1", START)
    assert due(alert, START, HOUR) == "failing"
