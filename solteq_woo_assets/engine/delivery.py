"""Sending lots of writes to either side: in the ledger before they leave, settled as answers come, none lost.

A lot that fails as a whole is halved until the bad write stands alone. A write that fails alone is to blame only while
the other side takes others, or a write of nothing; else it is the other side that is away, or that refuses us.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, Generic, TypeVar

import duckdb
import polars as pl

from solteq_woo_assets.engine import failures, ledger
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.ledger import DeliveryCounts
from solteq_woo_assets.engine.quarantine import release
from solteq_woo_assets.engine.turns import Release, Turns
from solteq_woo_assets.errors import IntegrationError, OutcomeUnknownError, RemoteError

LOTS_AHEAD = 16
"""Lots handed out at once. Sending goes on while answers are stored, and those that came meanwhile are stored
together: to open and close the database takes as long as a quick store needs for a batch."""
DOUBT_AFTER = 5
"""So many writes that fail one by one and nothing that passes: it is the other side that fails, not they."""

TOO_LARGE = 413
_INVALID = {400, TOO_LARGE, 422}
_US = {401, 407, 408, 429}
"""Answers that are about who sends, or how much: another write would get the same."""
_SERVER_ERROR = 500

W = TypeVar("W", bound=ledger.Write)
O = TypeVar("O", bound=ledger.Outcome)  # noqa: E741  of a write


def is_away(error: RemoteError) -> bool:
    """Whether an error has nothing to do with what was sent: there is no connection, or no right to send."""
    return error.status is None or error.status in _US


def is_blocked(error: IntegrationError) -> bool:
    """Whether something in front of the other side, such as a firewall, may have refused what was sent.

    It answers 403, 406, 418 and the like, or a page of its own with 200 or 202 where JSON was due.
    """
    cause = error if isinstance(error, RemoteError) else error.__cause__
    status = cause.status if isinstance(cause, RemoteError) else None
    return status is not None and status < _SERVER_ERROR and status not in _INVALID


@dataclass
class Sent(Generic[O]):
    """What became of a lot, and the error that ended it, if one did."""

    outcomes: list[O] = field(default_factory=list)
    error: IntegrationError | None = None


class Judge(ABC, Generic[W, O]):
    """Tells what is to blame when writes fail: they, or the other side. Thread-safe.

    :param side: the other side's name, for sentences
    """

    error: type[RemoteError]
    """Of this side."""

    def __init__(self, side: str) -> None:
        self._side = side
        self._lock = threading.RLock()
        self._has_passed = False
        self._failed_in_a_row = 0
        self._alone: list[tuple[W, IntegrationError]] = []

    @abstractmethod
    def _outcome(self, write: W, state: str, error: str, code: str) -> O:
        """What became of a write that has no answer of its own."""

    @abstractmethod
    def _takes_writes(self, error: IntegrationError) -> bool:
        """Whether the other side works, and takes a write that cannot be like the one that met this error."""

    def judged(self) -> Sent[O]:
        """What is to blame for the writes that failed standing alone: they, or the other side, as an error."""
        if not self._alone:
            return Sent()
        signs = [self._has_passed, not self.is_in_doubt]
        last = self._alone[-1][1]
        if all(signs) or (any(signs) and self._takes_writes(last)):
            return Sent([self._blamed(*each) for each in self._alone])
        earlier = self._alone[: -self._failed_in_a_row] if self._has_passed else []
        words = f"{self._side[0].upper()}{self._side[1:]} fails whatever is sent; the next run tries again. {last}"
        return Sent([self._blamed(*each) for each in earlier], self.error(words))

    @property
    def alone(self) -> list[W]:
        """The writes that failed standing alone."""
        return [write for write, _ in self._alone]

    @property
    def is_in_doubt(self) -> bool:
        """Whether so many failed in a row that it may be the other side."""
        return self._failed_in_a_row >= DOUBT_AFTER

    def _blamed(self, write: W, error: IntegrationError) -> O:
        if is_blocked(error):
            reason = f"it is refused each time it is sent, while others are taken: {error}"
            return self._outcome(write, "refused", reason, "write-blocked")
        reason = f"{self._side} fails each time it is sent: {error}"
        if isinstance(error, RemoteError) and error.status in _INVALID:
            return self._outcome(write, "refused", reason, "write-refused")
        return self._outcome(write, "retry", reason, "write-fails")

    def _left(self, writes: Sequence[W], state: str = "retry") -> list[O]:
        return [self._outcome(write, state, f"left to the next run: {self._side} fails", "") for write in writes]

    def _passed(self) -> None:
        with self._lock:
            self._has_passed = True
            self._failed_in_a_row = 0

    def _failed(self, write: W, error: IntegrationError) -> None:
        with self._lock:
            self._failed_in_a_row += 1
            self._alone.append((write, error))


class LotSender(Judge[W, O]):
    """Sends lots to one side. Thread-safe.

    :param side: the other side's name, for sentences
    :param batch_size: the most writes that one request takes; smaller once the host has said so
    """

    def __init__(self, side: str, batch_size: int) -> None:
        super().__init__(side)
        self._most = self.batch_size = batch_size
        self.sent: set[str] = set()
        """Delivery ids of what left and may have been done."""
        self._has_rights = False
        self.turns: Turns[W] = Turns()
        self.stop: Callable[[], bool] = lambda: False

    @abstractmethod
    def _post(self, bodies: Mapping[W, Any]) -> list[tuple[W, Any]]:
        """Send writes in one request: the answer for each.

        :raises RemoteError: nothing was done
        :raises OutcomeUnknownError: any of it may have been done
        """

    @abstractmethod
    def _answered(self, write: W, answer: Any) -> O:
        """What an answer means."""

    @abstractmethod
    def _bodies(self, writes: Sequence[W], outcomes: list[O]) -> dict[W, Any]:
        """Each write as it goes on the wire; the outcomes of those that cannot go are added to ``outcomes``."""

    def _lacks_rights(self) -> bool:
        """Whether even a write of nothing is refused."""
        return False

    def _not_done(self, writes: Sequence[W], outcomes: list[O]) -> list[W]:
        """After no answer: those that can be sent again. What is found done is added to ``outcomes``."""
        del outcomes
        return list(writes)

    def send(self, writes: Sequence[W]) -> Sent[O]:
        """Send a lot. The error is that the other side is away, or refuses us."""
        sent: Sent[O] = Sent()
        try:
            if not self.stop():
                self._send(writes, sent.outcomes)
        except IntegrationError as error:
            sent.error = error
        return sent

    def _send(self, writes: Sequence[W], outcomes: list[O], *, is_last_try: bool = False) -> None:
        if self._most == 1 and self.is_in_doubt:  # nothing can be sent together to see what passes
            outcomes += self._left(writes)
            return
        if len(writes) > self.batch_size and not self.is_in_doubt:  # handed out before the host refused as many
            self._send_halves(writes, outcomes)
            return
        bodies = self._bodies(writes, outcomes)
        if not bodies:
            return
        writes = list(bodies)
        self.sent.update(write.delivery_id for write in writes)
        try:
            answers = self._post(bodies)
        except OutcomeUnknownError as error:
            before = len(outcomes)
            rest = self._not_done(writes, outcomes)
            if any(outcome.state == "delivered" for outcome in outcomes[before:]):
                self._passed()
            if len(rest) == 1 and not is_last_try:
                self._send(rest, outcomes, is_last_try=True)
            else:
                self._send_apart(rest, outcomes, error)
        except RemoteError as error:
            self.sent.difference_update(write.delivery_id for write in writes)
            self._mind(error, len(writes))
            self._send_apart(writes, outcomes, error)
        else:
            self._passed()
            answered = [self._answered(write, answer) for write, answer in answers]
            for outcome in answered:
                self.turns.note_outcome(outcome.write, self.state_of_values(outcome))
            outcomes += [self._in_turn(outcome) for outcome in answered]

    def _in_turn(self, outcome: O) -> O:
        """Who was refused because another has its value still is tried again with that other."""
        if self.state_of_values(outcome) == "refused" and self.turns.waits_for_another(outcome.write):
            outcome = self._waiting(outcome)
        return outcome

    def state_of_values(self, outcome: O) -> str:
        """What became of the unique values of a write."""
        return outcome.state

    def _waiting(self, outcome: O) -> O:
        return replace(outcome, state="retry")

    def _released(self, released: Release[W]) -> None:
        """A value is given up, or may be: the row of the ledger that it belongs to is under way."""
        self.sent.add(released.write.delivery_id)
        self.turns.note_release(released)

    def give_back(self, released: Release[W]) -> bool:
        """After a value was given up in vain: its own new one alone, or the old one back; whether there is one.

        :raises IntegrationError: the other side went away
        """
        del released
        return True

    def _mind(self, error: RemoteError, writes: int) -> None:
        """Give up when it is we who are refused, and send fewer when it was too much at once."""
        if is_away(error):
            raise error
        if is_blocked(error) and not self._has_passed and not self._has_rights:
            if self._lacks_rights():
                raise error
            self._has_rights = True
        if error.status == TOO_LARGE and not self.is_in_doubt:
            # A single item that is too large says nothing about how many may go.
            self.batch_size = min(self.batch_size, (writes + 1) // 2) if writes > 1 else self._most

    def _send_apart(self, writes: Sequence[W], outcomes: list[O], error: IntegrationError) -> None:
        """After a lot that failed as a whole."""
        if len(writes) > 1:
            self._send_halves(writes, outcomes)
        elif writes:
            self._failed(writes[0], error)

    def _send_halves(self, writes: Sequence[W], outcomes: list[O]) -> None:
        middle = len(writes) // 2
        for half in (writes[:middle], writes[middle:]):
            if self.is_in_doubt:  # each lot is still tried as a whole, lest a few bad items keep all others waiting
                outcomes += self._left(half)
            else:
                self._send(half, outcomes)


def lots_of(writes: Sequence[W], sender: LotSender[W, Any]) -> Iterator[list[W]]:
    """Writes in lots of as many as the host takes by then; those that are bound to go together are in the first."""
    lot = [write for write in writes if sender.turns.is_bound(write)]
    if lot:
        free = [write for write in writes if not sender.turns.is_bound(write)]
        room = max(sender.batch_size - sum(map(sender.turns.size, lot)), 0)
        writes = free[room:]
        yield [*lot, *free[:room]]
    start = 0
    while start < len(writes):
        lot = list(writes[start : start + sender.batch_size])
        yield lot
        start += len(lot)


Settle = Callable[[Sequence[O]], None]
Phase = Callable[[Settle[O]], Iterator[Sequence[W]]]
"""Gives the lots of a phase; what it finds that cannot go is settled at once. It begins when those of the phase before
are settled."""


def deliver_lots(
    database: StateDatabase,
    flow: str,
    run_id: str,
    writes: Sequence[W],
    sender: LotSender[W, O],
    phases: Sequence[Phase[O, W]],
    *,
    in_flight: int,
    keep: Callable[[duckdb.DuckDBPyConnection, Sequence[O]], Sequence[O]],
    tell: Callable[[int, int], None],
    keep_values: bool = True,
    stop: Callable[[], bool] = lambda: False,
) -> DeliveryCounts:
    """Enter every write in the ledger, send the lots of each phase side by side, and settle answers as they come.

    :param keep: stores what the answers tell and closes the rows of the ledger; gives outcomes as they were settled
    :param keep_values: whether the ledger keeps what was written, or only in which fields
    :param stop: asked before each lot; once it says so, no more lots leave, and what is left is marked unsent
    :raises IntegrationError: the other side went away, or the database; what was delivered is settled by then
    """
    counts = DeliveryCounts()
    with database.transaction() as connection:
        counts.interrupted = ledger.begin(connection, flow, run_id, writes, keep_values=keep_values)
    still_open = {write.delivery_id: write for write in writes}
    sender.stop = stop

    def settle(outcomes: Sequence[O]) -> None:
        if not outcomes:
            return
        with database.transaction() as connection:
            outcomes = keep(connection, outcomes)
        counts.add(outcomes)
        for outcome in outcomes:
            del still_open[outcome.write.delivery_id]
            sender.turns.note_outcome(outcome.write, sender.state_of_values(outcome))
        tell(len(writes) - len(still_open), len(writes))

    try:
        with ThreadPoolExecutor(in_flight, thread_name_prefix="delivery") as pool:
            for phase in phases:
                _send_all(pool, sender, takewhile(lambda _: not stop(), phase(settle)), settle)
        judged = sender.judged()
        settle(judged.outcomes)
        if judged.error:
            raise judged.error
        in_vain = [left.write.key for left in sender.turns.left_over() if not sender.give_back(left)]
    except IntegrationError:
        with database.transaction() as connection:
            ledger.settle_unsent(connection, still_open.values(), sender.sent)
            suspects = [write for write in sender.alone if write.delivery_id in still_open]
            failures.suspect(connection, flow, suspects, utc_now())
        raise
    if in_vain:  # none of them rests with an intermediate value
        with database.transaction() as connection:
            keys = pl.DataFrame({"key": in_vain}, schema={"key": pl.String})
            release(connection, flow, "delivery", keys)
    unsent = [write for write in still_open.values() if write.delivery_id not in sender.sent]
    if unsent:  # it was told to stop
        counts.unsent = len(unsent)
        with database.transaction() as connection:
            ledger.settle_unsent(connection, unsent, sender.sent)
    return counts


def _send_all(
    pool: ThreadPoolExecutor, sender: LotSender[W, O], lots: Iterator[Sequence[W]], settle: Settle[O]
) -> None:
    """Send lots side by side. Answers that came while the last were stored are stored together."""
    running: set[Future[Sent[O]]] = set()
    try:
        while True:
            while len(running) < LOTS_AHEAD and (lot := next(lots, None)) is not None:
                running.add(pool.submit(sender.send, lot))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            sent = [future.result() for future in done]
            settle([outcome for each in sent for outcome in each.outcomes])
            if failed := next((each.error for each in sent if each.error), None):
                raise failed
    except BaseException:
        for future in running:
            future.cancel()
        late = [future.result() for future in wait(running).done if not future.cancelled() and not future.exception()]
        settle([outcome for each in late for outcome in each.outcomes])
        raise
