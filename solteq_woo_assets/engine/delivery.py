"""Sends a delta to either side: each write in the ledger before it leaves, settled as answers come, none lost.

The order of things is what makes it safe to be killed at any point:

1. Writes that an earlier run left pending are settled. Both sides were read since: a write that is not due any more
   counts as done, and one that still is goes out again. Sales ask Solteq for a document before they send it again.
2. Writes go into the ledger as pending, in one transaction: all of them, or a portion right before it leaves.
3. Lots leave side by side, who gives up a unique value before who takes it. A lot that fails as a whole is halved until
   the bad write stands alone. An answer is stored in the transaction that settles it in the ledger.
4. Writes that never left are marked unsent.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Generic

import duckdb
import polars as pl

from solteq_woo_assets.engine import failures, ledger
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.ledger import DeliveryCounts, changes_hash
from solteq_woo_assets.engine.outbox import Outbox
from solteq_woo_assets.engine.quarantine import RECORDS, hold, release
from solteq_woo_assets.engine.sender import Sender, Sent
from solteq_woo_assets.engine.turns import Turns
from solteq_woo_assets.engine.writes import M, Outcome, R, Write
from solteq_woo_assets.errors import IntegrationError

LOTS_AHEAD = 16
"""Lots handed out at once. Sending goes on while answers are stored, and those that came meanwhile are stored
together: to open and close the database takes as long as a quick store needs for a batch."""


def deliver(
    database: StateDatabase,
    outbox: Outbox[M, R],
    run_id: str,
    *,
    in_flight: int,
    tell: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> DeliveryCounts:
    """Send the due writes, and settle them.

    :param tell: called with the number of writes settled and of all
    :param stop: asked before each lot; once it says so, no more lots leave, and what is left is marked unsent
    :raises IntegrationError: the other side went away, or the database; what was delivered is settled by then
    """
    with database.transaction() as connection:
        writes = outbox.due(connection)
        interrupted = ledger.close_earlier(connection, outbox.flow, run_id, [write.key for write in writes])
    delivery = _Delivery(database, outbox, run_id, writes, tell, stop)
    delivery.counts.interrupted = interrupted
    delivery.run(in_flight)
    return delivery.counts


class _Delivery(Generic[M, R]):
    """One delivery. Its sender has threads, the rest is in one."""

    def __init__(
        self,
        database: StateDatabase,
        outbox: Outbox[M, R],
        run_id: str,
        writes: Sequence[Write[M]],
        tell: Callable[[int, int], None],
        stop: Callable[[], bool],
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._run_id = run_id
        self._tell = tell
        self._due = len(writes)
        self._settled = 0
        self._open: dict[str, Write[M]] = {}
        """Writes in the ledger that are not settled, by delivery id."""
        self._turns = Turns(writes, outbox.claims(writes), outbox.batch_size)
        self._sender = Sender(outbox, self._turns, stop)
        self.counts = DeliveryCounts()
        if outbox.portion is None:
            self._enter(writes)

    def run(self, in_flight: int) -> None:
        """Send everything.

        :raises IntegrationError: the other side went away, or the database; what was delivered is settled by then
        """
        try:
            with ThreadPoolExecutor(in_flight, thread_name_prefix=self._outbox.flow) as pool:
                for of_round in self._turns.rounds:
                    for portion in self._portions(of_round):
                        self._send_all(pool, portion)
            outcomes, error = self._sender.blame.verdict()
            self._settle(outcomes)
            if error:
                raise error
            in_vain = [left.write.key for left in self._turns.left_over() if not self._outbox.give_back(left)]
        except IntegrationError:
            suspects = [write for write, _ in self._sender.blame.alone if write.delivery_id in self._open]
            self._settle_unsent()
            with self._database.transaction() as connection:
                failures.suspect(connection, self._outbox.flow, suspects, utc_now())
            raise
        self._settle_unsent()
        self.counts.unsent += self._due - self._settled - len(self._open)  # those that were not entered
        if in_vain:  # none of them rests with an intermediate value
            with self._database.transaction() as connection:
                release(connection, self._outbox.flow, "delivery", _keys(in_vain))

    # In what order

    def _portions(self, writes: Sequence[Write[M]]) -> Iterator[Sequence[Write[M]]]:
        """Writes that may leave once they are in the ledger."""
        size = self._outbox.portion
        if size is None:
            yield writes
            return
        while writes and not self._sender.is_over():
            still_due = self._outbox.look_again(self._database, writes)
            self._due -= len(writes) - len(still_due)
            end = min(size, len(still_due))
            while 0 < end < len(still_due) and still_due[end].woo_id == still_due[end - 1].woo_id:
                end += 1  # all that is due of a record goes together
            portion, writes = still_due[:end], still_due[end:]
            if portion:
                self._enter(portion)
                yield portion

    def _lots(self, place: Sequence[Write[M]]) -> Iterator[Sequence[Write[M]]]:
        """Lots of the size that the host takes; bound writes are in the first."""
        if self._outbox.is_in_order:
            yield place
            return
        lot = [write for write in place if self._turns.is_bound(write)]
        free = [write for write in place if not self._turns.is_bound(write)]
        start = 0
        while lot or start < len(free):
            end = start + max(self._sender.batch_size - sum(map(self._turns.size, lot)), 0)
            yield [*lot, *free[start:end]]
            lot, start = [], end

    # In the ledger

    def _enter(self, writes: Sequence[Write[M]]) -> None:
        with self._database.transaction() as connection:
            keep_values = self._outbox.keeps_values
            ledger.enter(connection, self._outbox.flow, self._run_id, writes, keep_values=keep_values)
            self._outbox.enter(connection, self._run_id, writes)
        self._open |= {write.delivery_id: write for write in writes}

    def _settle(self, outcomes: Sequence[Outcome[M, R]]) -> None:
        if not outcomes:
            return
        with self._database.transaction() as connection:
            outcomes = self._outbox.keep(connection, outcomes)
            outcomes = failures.note(connection, self._outbox.flow, outcomes, utc_now())
            ledger.settle(connection, outcomes)
            _hold(connection, self._outbox, outcomes)
        self._turns.note_outcomes(outcomes)
        self.counts.add(outcomes)
        for outcome in outcomes:
            del self._open[outcome.write.delivery_id]
        self._settled += len(outcomes)
        self._tell(self._settled, self._due)

    def _settle_unsent(self) -> None:
        """Writes that left without an answer stay pending: the next run reads them back."""
        unsent: list[Outcome[M, R]] = [
            Outcome(write, "unsent", error="the delivery ended before its turn")
            for write in self._open.values()
            if not self._sender.may_be_done(write)
        ]
        self._settle(unsent)

    # Side by side

    def _send_all(self, pool: ThreadPoolExecutor, writes: Sequence[Write[M]]) -> None:
        """Send lots side by side. Answers that came while the last were stored are stored together."""
        places, cannot_go = self._outbox.places(self._database, writes)
        self._settle(cannot_go)
        lots = (lot for place in places for lot in self._lots(place))
        running: set[Future[Sent[M, R]]] = set()
        answered: list[Outcome[M, R]] = []
        try:
            while True:
                while (
                    len(running) < LOTS_AHEAD and not self._sender.is_over() and (lot := next(lots, None)) is not None
                ):
                    running.add(pool.submit(self._sender.send, lot))
                if not running:
                    break
                done, running = wait(running, return_when=FIRST_COMPLETED)
                sent = [future.result() for future in done]
                answered += [outcome for each in sent for outcome in each.outcomes]
                if failed := next((each.error for each in sent if each.error), None):
                    raise failed
                if len(answered) >= self._outbox.settled_together:
                    answered, ready = [], answered
                    self._settle(ready)
        except BaseException:
            for future in running:
                future.cancel()
            late = [each.result() for each in wait(running).done if not each.cancelled() and not each.exception()]
            self._settle([*answered, *(outcome for each in late for outcome in each.outcomes)])
            raise
        self._settle(answered)


def _hold(
    connection: duckdb.DuckDBPyConnection, outbox: Outbox[Any, Any], outcomes: Iterable[Outcome[Any, Any]]
) -> None:
    """Hold refused writes, whole or field by field, and let go of those that arrived."""
    settled = [outcome for outcome in outcomes if outcome.state in ("delivered", "refused")]
    rows: list[tuple[str, ...]] = []
    for outcome in settled:
        key, changes = outcome.write.key, outcome.write.changes
        rows += [(key, h.change["field"], h.reason, outcome.code, changes_hash([h.change])) for h in outcome.held]
        if outcome.state == "refused" and not outcome.held:
            at_fault = outcome.error_field or outbox.whole
            rows.append((key, at_fault, outcome.error, outcome.code, changes_hash(changes)))
    if outbox.holds_fields:  # a field that was held before and was not sent stays held
        sent = {o.write.key: {outbox.whole, *(change["field"] for change in o.write.changes)} for o in settled}
        held = connection.execute(
            "SELECT key, field, reason, code, raw FROM sync.quarantine "
            "WHERE flow = ? AND stage = 'delivery' AND list_contains(?, key)",
            [outbox.flow, list(sent)],
        ).fetchall()
        rows += [row for row in held if row[1] not in sent[row[0]]]
    held_keys = {row[0] for row in rows}
    arrived = [outcome.write.key for outcome in settled if outcome.write.key not in held_keys]
    release(connection, outbox.flow, "delivery", _keys(arrived))
    hold(connection, outbox.flow, "delivery", pl.DataFrame(rows, schema=RECORDS, orient="row"))


def _keys(keys: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"key": keys}, schema={"key": pl.String})
