"""Booking the sales delta in Solteq: every document in the ledger before it leaves, none booked twice.

Solteq keeps each ``externalId`` once, and that is what it rests on. A document that left and got no answer is looked
up by it, and sent again only if Solteq does not have it; if it arrives after all, the second one meets a 409. So each
document takes effect once, however often it is sent.

1. A lot of orders is entered in ``sync.sales`` and in the ledger as pending, in one transaction.
2. Orders are sent side by side, the documents of each one after the other: a sale before its refunds.
3. What became of them is settled in one transaction.

Killed at any point, the next run finds the pending documents, looks them up and carries on.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

import duckdb
import polars as pl
import simplejson

from solteq_woo_assets.clients.solteq import HeldSale, Refused, SolteqClient
from solteq_woo_assets.engine import failures, ledger
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.delivery import Judge, is_away, is_blocked
from solteq_woo_assets.engine.ledger import DeliveryCounts, changes_hash
from solteq_woo_assets.engine.quarantine import RECORDS, hold, release
from solteq_woo_assets.errors import IntegrationError, OutcomeUnknownError, SolteqError
from solteq_woo_assets.flow import Change
from solteq_woo_assets.flows.customers import erased
from solteq_woo_assets.flows.sales.adoption import differs
from solteq_woo_assets.flows.sales.plan import settle as settle_orders
from solteq_woo_assets.flows.sales.snapshots import FLOW, ORDERS

DOCUMENTS_AT_ONCE = 200
"""So many are entered and settled together: to open and close the database takes as long as to book a few."""
ATTEMPTS = 3
"""So often a document without an answer is sent in one run, each time after it was looked up."""


@dataclass(frozen=True, eq=False)
class Write:
    """A document on its way. ``was_sent``: an earlier run may have sent it."""

    delivery_id: str
    key: str
    action: str
    kind: str
    woo_id: int
    changes: Sequence[Change]
    refund_id: int | None
    version: int
    day: date
    document: str
    content: str
    notes: Sequence[str]
    settles: str
    was_sent: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a document: delivered, refused, retry (no answer, or Solteq went away), or waiting (for the one
    before it).

    :param knows_more: Solteq has something of the order that the ledger does not know: it is looked up by the next run
    """

    write: Write
    state: str
    held: HeldSale | None = None
    error: str = ""
    code: str = "sale-refused"
    knows_more: bool = False


def deliver_sales(
    database: StateDatabase,
    solteq: SolteqClient,
    *,
    run_id: str,
    shop: str,
    in_flight: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> DeliveryCounts:
    """Send ``delta.sales_delta`` to Solteq and settle it.

    :param shop: name in external ids, for customers
    :raises IntegrationError: Solteq went away; what was delivered is settled by then
    """
    counts = DeliveryCounts()
    with database.transaction() as connection:
        writes = _read_writes(connection)
        counts.interrupted = ledger.close_earlier(connection, FLOW, run_id, [write.key for write in writes])
    sender = _Sender(solteq)
    done = 0

    def settle(outcomes: Sequence[Outcome]) -> None:
        nonlocal done
        with database.transaction() as connection:
            outcomes = _settle(connection, outcomes)
        counts.add(outcomes)
        done += len(outcomes)
        on_progress(done, len(writes))

    with ThreadPoolExecutor(in_flight, thread_name_prefix=FLOW) as pool:
        for lot in _lots(writes):
            with database.transaction() as connection:
                customers = _customers(connection, lot, shop)
                _enter(connection, run_id, lot)
            orders = [list(of_order) for _, of_order in groupby(lot, lambda write: write.woo_id)]
            sent = pool.map(sender.send, orders, [customers.get(order[0].woo_id, {}) for order in orders])
            settle([outcome for of_order in sent for outcome in of_order])
            if sender.away:
                break
    _judge(database, sender, settle)
    return counts


def _judge(database: StateDatabase, sender: "_Sender", settle: Callable[[Sequence[Outcome]], None]) -> None:
    """Settle the documents that failed.

    :raises IntegrationError: Solteq is to blame for it, or went away
    """
    judged = sender.judged()
    error = sender.away or judged.error
    blamed = {outcome.write.key for outcome in judged.outcomes}
    others = [each for each in sender.unsettled() if each.write.key not in blamed]
    if judged.outcomes or others:
        settle([*judged.outcomes, *others])
    if error:
        with database.transaction() as connection:
            failures.suspect(connection, FLOW, [outcome.write for outcome in others], utc_now())
        raise error


def _read_writes(connection: duckdb.DuckDBPyConnection) -> list[Write]:
    rows = connection.sql(
        "SELECT replace(uuid()::VARCHAR, '-', '') AS delivery_id, key, action, kind, woo_id, changes, "
        "delta.refund_id, delta.version, day, delta.document, delta.content, delta.notes, settles, "
        "held.external_id IS NOT NULL AS was_sent "
        "FROM delta.sales_delta AS delta LEFT JOIN sync.sales AS held ON held.external_id = delta.key "
        "WHERE action = 'create' AND held.state IS DISTINCT FROM 'booked' "
        "ORDER BY woo_id IN (SELECT failing.woo_id FROM delta.sales_delta AS failing JOIN sync.failures AS failure "
        f"ON failure.key = failing.key AND failure.flow = '{FLOW}'), "  # what failed goes last
        "day, woo_id, delta.version, kind <> 'sale', delta.refund_id NULLS LAST"
    ).pl()
    return [Write(**row) for row in rows.to_dicts()]


def _lots(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """Whole orders, until they are worth a transaction."""
    lot: list[Write] = []
    for _, of_order in groupby(writes, lambda write: write.woo_id):
        lot += of_order
        if len(lot) >= DOCUMENTS_AT_ONCE:
            yield lot
            lot = []
    if lot:
        yield lot


def _customers(connection: duckdb.DuckDBPyConnection, lot: Sequence[Write], shop: str) -> dict[int, dict[str, str]]:
    """Who bought, by order, but for erased people; known to Solteq by the id that the customers' flow linked, unless it
    was deleted there."""
    rows = connection.execute(
        "SELECT sold.id, sold.customer_id, sold.email, sold.name, link.solteq_id "
        f"FROM {ORDERS} AS sold LEFT JOIN sync.customers AS link "
        "ON link.woo_id = sold.customer_id AND link.state = 'linked' AND sold.customer_id > 0 "
        "AND link.solteq_id NOT IN (SELECT id FROM snapshot.solteq_customers WHERE deleted) "
        f"WHERE list_contains($ids, sold.id) AND NOT {erased.IS_ERASED}",
        {"ids": list({write.woo_id for write in lot})},
    ).fetchall()
    customers: dict[int, dict[str, str]] = {}
    for order_id, account, email, name, solteq_id in rows:
        external_id = f"woo:{shop}:customer:{account}" if account else ""
        said = {"id": solteq_id, "externalId": external_id, "email": email, "name": name}
        customers[order_id] = {key: value for key, value in said.items() if value}
    return customers


def _enter(connection: duckdb.DuckDBPyConnection, run_id: str, lot: Sequence[Write]) -> None:
    ledger.enter(connection, FLOW, run_id, lot)
    connection.executemany(
        "INSERT INTO sync.sales (external_id, order_id, refund_id, version, type, document, content, notes, state, "
        "run_id, sent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?) "
        "ON CONFLICT (external_id) DO UPDATE SET run_id = excluded.run_id, sent_at = excluded.sent_at",
        [
            (
                *(write.key, write.woo_id, write.refund_id, write.version, write.kind.capitalize()),
                *(write.document, write.content, list(write.notes), run_id, utc_now()),
            )
            for write in lot
        ],
    )


class _Sender(Judge[Write, Outcome]):
    """Sends the documents of orders. Once Solteq is away, ``away`` says why and nothing more is sent."""

    error = SolteqError

    def __init__(self, solteq: SolteqClient) -> None:
        super().__init__("Solteq")
        self._solteq = solteq
        self.away: IntegrationError | None = None

    def send(self, writes: Sequence[Write], customer: Mapping[str, str]) -> list[Outcome]:
        """Send an order's documents one after the other; what follows one that did not arrive waits for it.

        :return: what became of them, but for one that failed, which is judged in the end
        """
        outcomes: list[Outcome] = []
        for place, write in enumerate(writes):
            if self.away or self.is_in_doubt:
                return outcomes + self._left(writes[place:], "waiting")
            try:
                outcome = self._book(write, customer)
            except IntegrationError as error:
                self.away = error
                outcome = Outcome(write, "retry", error=str(error))
            outcomes += [outcome] if outcome else []
            if outcome is None or outcome.state != "delivered":
                words = f"it waits for {write.key}"
                return outcomes + [Outcome(each, "waiting", error=words) for each in writes[place + 1 :]]
            self._passed()
        return outcomes

    def unsettled(self) -> list[Outcome]:
        """The documents that failed while Solteq is to blame; of one without an answer it is asked by the next run."""
        return [
            Outcome(write, "retry" if isinstance(error, OutcomeUnknownError) else "waiting", error=str(error))
            for write, error in self._alone
        ]

    def _book(self, write: Write, customer: Mapping[str, str]) -> Outcome | None:
        """Book a document, once: one that may have been sent before is looked up first. ``None``: it failed.

        :raises IntegrationError: Solteq is away
        """
        document: dict[str, Any] = simplejson.loads(write.document, use_decimal=True)
        if customer:
            document["customer"] = customer
        was_sent = write.was_sent
        held = self._solteq.sales.find(write.key) if was_sent else None
        failed: IntegrationError | None = None
        for _ in range(ATTEMPTS):
            if held is not None:
                break
            try:
                answer = self._solteq.sales.book(document)
            except OutcomeUnknownError as error:
                was_sent, failed = True, error
                held = self._solteq.sales.find(write.key)
                continue
            except SolteqError as error:
                if is_away(error):
                    raise
                failed = error
                break
            if isinstance(answer, Refused):
                return Outcome(write, "refused", error=answer.reason)
            if answer.document is None:
                return Outcome(write, "delivered", answer)
            held = answer
        if held is not None:
            return _met(write, held, document, was_sent=was_sent)
        if failed is not None:
            self._failed(write, failed)
        return None

    def _outcome(self, write: Write, state: str, error: str, code: str) -> Outcome:
        return Outcome(write, state, error=error, code=code)

    def _takes_writes(self, error: IntegrationError) -> bool:
        """Solteq has no write that changes nothing. That it answers a look-up tells that it works, and no rights."""
        if is_blocked(error):
            return False
        try:
            self._solteq.sales.find(self._alone[-1][0].key)
        except IntegrationError:
            return False
        return True


def _met(write: Write, held: HeldSale, document: dict[str, Any], *, was_sent: bool) -> Outcome:
    """Solteq has a document under this id. If it is not what was sent from here, the ledger does not know all."""
    difference = differs(held.document, document) if held.document is not None else None
    if was_sent and difference is None:
        return Outcome(write, "delivered", held)
    why = difference or "it was not sent from here"
    return Outcome(write, "retry", error=f"Solteq has {write.key} already: {why}", knows_more=True)


def _settle(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    outcomes = failures.note(connection, FLOW, outcomes, utc_now())
    ledger.settle(connection, [(o.write.delivery_id, o.state, o.error or None, None) for o in outcomes])
    booked = [(o.write.key, o.held.id, o.held.at) for o in outcomes if o.state == "delivered" and o.held is not None]
    rows = pl.DataFrame(  # noqa: F841
        booked, schema={"external_id": pl.String, "solteq_id": pl.String, "at": pl.Datetime("us")}, orient="row"
    )
    connection.execute(
        "UPDATE sync.sales AS held SET state = 'booked', solteq_id = rows.solteq_id, booked_at = rows.at "
        "FROM rows WHERE held.external_id = rows.external_id"
    )
    # What was refused, or what was not sent since it waits, is not there: it is planned anew.
    certainly_not = [
        o.write.key
        for o in outcomes
        if (o.state == "refused" and o.code != failures.CODE) or (o.state == "waiting" and not o.write.was_sent)
    ]
    connection.execute(
        "DELETE FROM sync.sales WHERE state = 'pending' AND list_contains($keys, external_id)", {"keys": certainly_not}
    )
    _look_up_again(connection, [o.write.woo_id for o in outcomes if o.knows_more])
    _settle_quarantine(connection, outcomes)
    by_order: defaultdict[int, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_order[outcome.write.woo_id].append(outcome)
    settle_orders(
        connection,
        [
            (order_id, of_order[0].write.settles)
            for order_id, of_order in by_order.items()
            if all(outcome.state == "delivered" for outcome in of_order)
        ],
    )
    return outcomes


def _look_up_again(connection: duckdb.DuckDBPyConnection, orders: Sequence[int]) -> None:
    """Let the next run ask what Solteq has of these orders before it sends anything of them."""
    for order_id in orders:
        connection.execute("INSERT OR REPLACE INTO sync.sales_lookups VALUES (?, NULL)", [order_id])
        connection.execute("DELETE FROM sync.sales WHERE state = 'pending' AND order_id = ?", [order_id])


def _settle_quarantine(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> None:
    keys = pl.DataFrame({"key": [o.write.key for o in outcomes if o.state == "delivered"]}, schema={"key": pl.String})
    release(connection, FLOW, "delivery", keys)
    told = [
        (o.write.key, "(the document)", o.error, o.code, changes_hash(o.write.changes))
        for o in outcomes
        if o.state == "refused"
    ]
    hold(connection, FLOW, "delivery", pl.DataFrame(told, schema=RECORDS, orient="row"))
