"""The engine of all deliveries, without servers: whatever the other side does, nothing is done twice, nothing lost."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solteq_woo_assets.engine.blame import DOUBT_AFTER
from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.engine.delivery import deliver
from solteq_woo_assets.engine.ledger import DeliveryCounts
from solteq_woo_assets.engine.outbox import Outbox
from solteq_woo_assets.engine.turns import Turns
from solteq_woo_assets.engine.writes import Outcome, Write
from solteq_woo_assets.errors import OutcomeUnknownError, RemoteError


@dataclass(frozen=True)
class Thing:
    """What the other side holds."""

    id: str
    value: str


@dataclass
class OtherSide:
    """Keeps a value by key. It takes a request as a whole, but for ``bad`` things, which it refuses one by one.

    :param blocked: a request with one of them is refused
    :param crashing: a request with one of them is not done, and not answered
    :param lost: of the next requests, those that are done and not answered
    :param away_after: so many requests are heard, and no more
    :param most: of the things that a request may have
    """

    bad: set[str] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)
    crashing: set[str] = field(default_factory=set)
    lost: list[bool] = field(default_factory=list)
    away_after: int = 10**6
    most: int = 10**6
    held: dict[str, Thing] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    asked: list[list[str]] = field(default_factory=list)

    def write(self, things: Mapping[str, str]) -> list[Thing | str]:
        self.find([])
        self.asked.append(list(things))
        if len(things) > self.most:
            raise RemoteError("413: too large", status=413)
        if self.blocked.intersection(things):
            raise RemoteError("403: blocked", status=403)
        if self.crashing.intersection(things):
            raise OutcomeUnknownError("500: there has been a critical error")
        taken = {key: Thing(key, value) for key, value in things.items() if key not in self.bad}
        self.held |= taken
        self.done.update(list(taken))
        if self.lost and self.lost.pop(0):
            raise OutcomeUnknownError("the connection broke off")
        return [taken.get(key, "it is bad") for key in things]

    def find(self, keys: Sequence[str]) -> dict[str, Thing]:
        if len(self.asked) >= self.away_after:
            raise RemoteError("no connection")
        return {key: self.held[key] for key in keys if key in self.held}

    def heal(self) -> None:
        """All is well again, but for what is bad."""
        self.blocked, self.crashing, self.lost, self.away_after, self.most = set(), set(), [], 10**6, 10**6
        self.asked = []


class Things(Outbox[None, Thing]):
    """Things on their way. The key of a thing begins with its family's letter."""

    flow = "products"
    side = "the other side"
    error = RemoteError
    whole = "(the thing)"

    def __init__(self, other: OtherSide, wanted: Mapping[str, str], **attributes: Any) -> None:
        self.other, self.wanted = other, wanted
        vars(self).update(attributes)

    def due(self, connection: duckdb.DuckDBPyConnection) -> list[Write[None]]:
        """A comparison: what the other side lacks, but for what it refused."""
        refused = {key for (key,) in connection.execute("SELECT key FROM sync.quarantine").fetchall()}
        lacking = [key for key in self.wanted if key not in self.other.held and key not in refused]
        return [
            Write(
                f"{key} {len(self.other.asked)} {id(self)}",
                key,
                "create",
                "simple",
                ord(key[0]),
                [{"field": "value", "old": None, "new": self.wanted[key]}],
                None,
            )
            for key in lacking
        ]

    def places(self, database: StateDatabase, writes: Sequence[Write[None]]) -> tuple[Iterator[list[Write[None]]], Any]:
        del database
        return (list(family) for _, family in groupby(writes, lambda write: write.key[0])), []

    def post(self, bodies: Mapping[Write[None], None], turns: Turns[None]) -> list[tuple[Write[None], Any]]:
        del turns
        answers = self.other.write({write.key: str(write.changes[0]["new"]) for write in bodies})
        return list(zip(bodies, answers, strict=True))

    def read(self, write: Write[None], answer: Thing | str) -> Outcome[None, Thing]:
        if isinstance(answer, Thing):
            return Outcome(write, "delivered", answer)
        return Outcome(write, "refused", error=answer)

    def read_back(self, writes: Sequence[Write[None]], outcomes: list[Outcome[None, Thing]]) -> Sequence[Write[None]]:
        held = self.other.find([write.key for write in writes])
        outcomes.extend(Outcome(write, "delivered", held[write.key]) for write in writes if write.key in held)
        return [write for write in writes if write.key not in held]

    def takes_writes(self) -> bool:
        return self.other.find([]) == {}

    def keep(
        self, connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome[None, Thing]]
    ) -> Sequence[Outcome[None, Thing]]:
        del connection
        return outcomes


def numbered(count: int, family: str = "A") -> dict[str, str]:
    return {f"{family}{number:03}": str(number) for number in range(count)}


@dataclass
class Shop:
    """A database, and what is sent from it."""

    database: StateDatabase
    other: OtherSide = field(default_factory=OtherSide)

    def send(self, wanted: Mapping[str, str], run_id: str = "run", *, in_flight: int = 1, **how: Any) -> DeliveryCounts:
        stop = {"stop": how.pop("stop")} if "stop" in how else {}
        outbox = Things(self.other, wanted, **how)
        return deliver(self.database, outbox, run_id, in_flight=in_flight, **stop)

    def states(self, run_id: str = "run") -> dict[str, str]:
        """The ledger: the state of each key. No key has two rows in a run."""
        rows = self.rows("SELECT key, state FROM sync.deliveries WHERE run_id = ?", run_id)
        assert len(dict(rows)) == len(rows)
        return dict(rows)

    def counted(self, run_id: str = "run") -> Counter[str]:
        return Counter(self.states(run_id).values())

    def rows(self, query: str, *values: Any) -> list[Any]:
        with self.database.transaction() as connection:
            return connection.execute(query, list(values)).fetchall()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(StateDatabase(tmp_path / "state.duckdb"))


def test_a_lot_that_is_refused_as_a_whole_is_halved_until_the_bad_one_stands_alone(shop: Shop) -> None:
    shop.other.blocked = {"A005"}
    counts = shop.send(numbered(16), batch_size=8)
    assert (counts.delivered, counts.refused) == (15, 1)
    assert [len(asked) for asked in shop.other.asked] == [8, 4, 4, 2, 1, 1, 2, 8]
    assert shop.rows("SELECT key, field, code FROM sync.quarantine") == [("A005", "(the thing)", "write-blocked")]


def test_a_host_that_takes_less_gets_smaller_lots_from_then_on(shop: Shop) -> None:
    shop.other.most = 25
    assert shop.send(numbered(300), batch_size=100).delivered == 300
    assert max(len(asked) for asked in shop.other.asked[4:]) <= 25
    assert len(shop.other.asked) <= 3 + 300 / 25


def test_what_left_without_an_answer_is_pending_and_what_never_left_is_unsent(shop: Shop) -> None:
    """Nobody can say what was done; the next run finds out."""
    shop.other.lost = [False, True]
    shop.other.away_after = 2
    wanted = numbered(40)
    with pytest.raises(RemoteError, match="no connection"):
        shop.send(wanted, batch_size=10)
    assert shop.counted() == {"delivered": 10, "pending": 10, "unsent": 20}
    shop.other.heal()
    counts = shop.send(wanted, "next", batch_size=10)
    assert (counts.interrupted, counts.delivered) == (10, 20)
    assert shop.counted() == {"delivered": 20, "superseded": 20}
    assert set(shop.other.done.values()) == {1}


def test_what_follows_one_that_did_not_arrive_waits(shop: Shop) -> None:
    shop.other.bad = {"B001"}
    wanted = numbered(3, "A") | numbered(4, "B") | numbered(2, "C")
    counts = shop.send(wanted, is_in_order=True, portion=4)
    assert (counts.delivered, counts.refused, counts.waiting) == (6, 1, 2)
    assert {key for key, state in shop.states().items() if state == "waiting"} == {"B002", "B003"}
    assert ["B002"] not in shop.other.asked


def test_a_portion_is_entered_right_before_it_leaves_and_never_ends_within_a_family(shop: Shop) -> None:
    entered: list[int] = []

    class Watched(Things):
        def enter(self, connection: duckdb.DuckDBPyConnection, run_id: str, writes: Sequence[Write[None]]) -> None:
            super().enter(connection, run_id, writes)
            entered.append(len(writes))
            assert len(self.other.held) == sum(entered[:-1]), "the portion before has arrived"

    wanted = numbered(3, "A") | numbered(3, "B") | numbered(3, "C")
    outbox = Watched(shop.other, wanted, portion=4, settled_together=4, is_in_order=True)
    assert deliver(shop.database, outbox, "run", in_flight=2).delivered == 9
    assert entered == [6, 3]


def test_what_is_not_due_any_more_when_its_turn_comes_does_not_leave(shop: Shop) -> None:
    """And what is due by then is sent."""

    class News(Things):
        def look_again(self, database: StateDatabase, writes: Sequence[Write[None]]) -> Sequence[Write[None]]:
            del database
            return [write for write in writes if write.key != "A003" or not self.other.held]

    wanted = {f"{chr(65 + number)}00{number}": "x" for number in range(3)} | {"A003": "x"}
    told: list[tuple[int, int]] = []
    outbox = News(shop.other, wanted, portion=2)
    counts = deliver(shop.database, outbox, "run", in_flight=1, tell=lambda done, total: told.append((done, total)))
    assert (counts.delivered, counts.undelivered) == (3, 0)
    assert told[-1] == (3, 3)
    assert "A003" not in shop.states()


@pytest.mark.parametrize("portion", [None, 20])
def test_a_delivery_that_is_told_to_stop_marks_the_rest_as_unsent(shop: Shop, portion: int | None) -> None:
    wanted = {f"{chr(65 + number)}{number:03}": "x" for number in range(50)}
    how: dict[str, Any] = {"batch_size": 1, "portion": portion}
    counts = shop.send(wanted, stop=lambda: len(shop.other.asked) >= 5, **how)
    assert (counts.delivered, counts.unsent, counts.undelivered) == (5, 45, 45)
    assert shop.counted()["delivered"] == 5
    assert shop.counted().keys() == {"delivered", "unsent"}
    assert shop.send(wanted, "next", **how).delivered == 45
    assert set(shop.states().values()) == {"delivered", "superseded"}


@pytest.mark.parametrize("batch_size", [1, 100])
def test_a_side_that_fails_whatever_is_sent_is_to_blame_and_not_hammered(shop: Shop, batch_size: int) -> None:
    wanted = numbered(1_000)
    shop.other.crashing = set(wanted)
    with pytest.raises(RemoteError, match="The other side fails whatever is sent"):
        shop.send(wanted, batch_size=batch_size)
    assert len(shop.other.asked) <= 2 * DOUBT_AFTER + 30
    assert shop.rows("FROM sync.quarantine") == []
    shop.other.heal()
    assert shop.send(wanted, "next", batch_size=100).delivered == 1_000


SHAPES = [
    {"batch_size": 4},
    {"batch_size": 4, "portion": 5},
    {},
    {"tries": 3, "is_in_order": True, "portion": 6, "settled_together": 6},
]
KEYS = [f"{family}{number}" for family in "ABCD" for number in range(5)]
SOME = st.sets(st.sampled_from(KEYS), max_size=4)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    in_flight=st.sampled_from([1, 3]),
    bad=SOME,
    blocked=SOME,
    crashing=SOME,
    lost=st.lists(st.booleans(), max_size=10),
    away_after=st.integers(0, 30) | st.just(10**6),
    most=st.integers(1, 6),
    stop_after=st.integers(0, 30) | st.just(10**6),
)
def test_each_write_ends_in_one_state_and_takes_effect_at_most_once(
    shape: dict[str, Any],
    in_flight: int,
    bad: set[str],
    blocked: set[str],
    crashing: set[str],
    lost: list[bool],
    away_after: int,
    most: int,
    stop_after: int,
) -> None:
    """Whatever comes together; and once all is well the next run does the rest."""
    wanted = dict.fromkeys(KEYS, "x")
    other = OtherSide(bad, blocked, crashing, lost, away_after, most)
    with TemporaryDirectory() as folder:
        shop = Shop(StateDatabase(Path(folder) / "state.duckdb"), other)
        try:
            counts = shop.send(wanted, in_flight=in_flight, stop=lambda: len(other.asked) >= stop_after, **shape)
        except RemoteError:
            counts = None
        found = shop.counted()
        assert found.keys() <= {"delivered", "refused", "retry", "waiting", "unsent", "pending"}
        assert {key for key, state in shop.states().items() if state == "delivered"} <= other.held.keys()
        assert {key for (key,) in shop.rows("SELECT key FROM sync.quarantine")} == {
            key for key, state in shop.states().items() if state == "refused"
        }
        if counts is not None:
            assert (counts.delivered, counts.refused, counts.retry) == (
                *(found["delivered"], found["refused"], found["retry"]),
            )
            assert counts.delivered + counts.undelivered + found["pending"] == len(KEYS)
        certainly_not = {key for key, state in shop.states().items() if state in ("unsent", "waiting")}
        assert certainly_not.isdisjoint(other.held)
        other.heal()
        shop.rows("DELETE FROM sync.quarantine WHERE code = 'write-blocked' OR NOT list_contains(?, key)", list(bad))
        for run_id in ("next", "and the next"):
            shop.send(wanted, run_id, in_flight=in_flight, **shape)
        last = dict(shop.rows("SELECT key, arg_max(state, created_at) FROM sync.deliveries GROUP BY key"))
        following = bad if "is_in_order" in shape else set()
        for key, state in last.items():
            after_bad = any(each[0] == key[0] and each <= key for each in following)
            assert state in ({"refused", "waiting", "delivered"} if key in bad or after_bad else {"delivered"})
        good = set(KEYS) - bad
        assert other.done.keys() <= good
        assert set(other.done.values()) <= {1}, "nothing took effect twice"
        assert all(key in other.held for key in good if not any(each[0] == key[0] for each in following))
