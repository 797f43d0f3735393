"""Sends a lot: halves it when it fails as a whole, and again, until the bad write stands alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic

from solteq_woo_assets.engine.blame import TOO_LARGE, Blame
from solteq_woo_assets.engine.outbox import Outbox
from solteq_woo_assets.engine.turns import Turns
from solteq_woo_assets.engine.writes import M, Outcome, R, Write
from solteq_woo_assets.errors import IntegrationError, OutcomeUnknownError, RemoteError


@dataclass
class Sent(Generic[M, R]):
    """The outcomes of a lot, and the error that ended it, if one did."""

    outcomes: list[Outcome[M, R]] = field(default_factory=list)
    error: IntegrationError | None = None


class Sender(Generic[M, R]):
    """Sends lots, in several threads."""

    def __init__(self, outbox: Outbox[M, R], turns: Turns[M], stop: Callable[[], bool]) -> None:
        self._outbox = outbox
        self._turns = turns
        self._stop = stop
        self._left: set[str] = set()
        """Delivery ids of writes that left and may have been done."""
        self.batch_size = outbox.batch_size
        """Smaller once the host has said so."""
        self.blame = Blame(outbox)

    def is_over(self) -> bool:
        """Whether to send no more. Writes that go one by one cannot be tried apart from each other."""
        return self._stop() or (self._outbox.batch_size == 1 and self.blame.is_in_doubt)

    def may_be_done(self, write: Write[M]) -> bool:
        """Whether a write that has no answer may have been done, or given up a value."""
        return write.delivery_id in self._left or self._turns.has_released(write)

    def send(self, lot: Sequence[Write[M]]) -> Sent[M, R]:
        """Send a lot. An error means that the other side is away, or refuses us."""
        sent: Sent[M, R] = Sent()
        try:
            if self._outbox.is_in_order:
                self._send_in_order(lot, sent.outcomes)
            else:
                self._send(lot, sent.outcomes)
        except IntegrationError as error:
            sent.error = error
        return sent

    def _send_in_order(self, lot: Sequence[Write[M]], outcomes: list[Outcome[M, R]]) -> None:
        for place, write in enumerate(lot):
            if self.is_over():
                return
            before = len(outcomes)
            self._send([write], outcomes)
            if not any(outcome.state == "delivered" for outcome in outcomes[before:]):
                why = f"it waits for {write.key}"
                outcomes.extend(Outcome(each, "waiting", error=why) for each in lot[place + 1 :])
                return

    def _send(self, writes: Sequence[Write[M]], outcomes: list[Outcome[M, R]], tries: int = 1) -> None:
        if self.is_over():
            return
        if len(writes) > self.batch_size and not self.blame.is_in_doubt:  # handed out before the host refused as many
            self._send_halves(writes, outcomes)
            return
        bodies = self._outbox.bodies(writes, outcomes)
        if not bodies:
            return
        writes = list(bodies)
        first = [write for write in writes if write.delivery_id not in self._left]
        self._left.update(write.delivery_id for write in first)
        try:
            answers = self._outbox.post(bodies, self._turns)
        except OutcomeUnknownError as error:
            before = len(outcomes)
            rest = self._outbox.read_back(writes, outcomes)
            if any(outcome.state == "delivered" for outcome in outcomes[before:]):
                self.blame.passed()
            if len(rest) == 1 and tries < self._outbox.tries:
                self._send(rest, outcomes, tries + 1)
            else:
                self._send_apart(rest, outcomes, error)
        except RemoteError as error:
            self._left.difference_update(write.delivery_id for write in first)
            self._turns.forget_releases(first)
            self.blame.check(error)
            if error.status == TOO_LARGE and len(writes) > 1 and not self.blame.is_in_doubt:
                self.batch_size = min(self.batch_size, (len(writes) + 1) // 2)
            elif error.status == TOO_LARGE and not self.blame.is_in_doubt:
                self.batch_size = self._outbox.batch_size  # one large item does not tell the number
            self._send_apart(writes, outcomes, error)
        else:
            self.blame.passed()
            answered = [self._outbox.read(write, answer) for write, answer in answers]
            self._turns.note_outcomes(answered)
            outcomes += [self._in_turn(outcome) for outcome in answered]

    def _in_turn(self, outcome: Outcome[M, R]) -> Outcome[M, R]:
        """A write that was refused because another record still has its value is tried again with that other."""
        if self._turns.waits_for_another(outcome):
            return replace(outcome, state="retry", is_stale=True)
        return outcome

    def _send_apart(self, writes: Sequence[Write[M]], outcomes: list[Outcome[M, R]], error: IntegrationError) -> None:
        """After a lot that failed as a whole."""
        if len(writes) > 1:
            self._send_halves(writes, outcomes)
        elif writes:
            self.blame.failed(writes[0], error)

    def _send_halves(self, writes: Sequence[Write[M]], outcomes: list[Outcome[M, R]]) -> None:
        middle = len(writes) // 2
        for half in (writes[:middle], writes[middle:]):
            if self.blame.is_in_doubt:  # each lot is still tried whole, so that a few bad items keep no others waiting
                why = f"left to the next run: {self._outbox.side} fails"
                outcomes.extend(Outcome(each, "retry", error=why, code="") for each in half)
            else:
                self._send(half, outcomes)
