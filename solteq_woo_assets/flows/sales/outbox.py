"""How sales documents are booked in Solteq, each once, those of an order one after the other.

Solteq keeps each ``externalId`` once, and that is what it rests on. A document that left and got no answer is looked
up by it, and sent again only if Solteq does not have it; if it arrives after all, the second one meets a 409. So each
document takes effect once, however often it is sent.

Each document is in ``sync.sales`` as pending before it leaves, entered with the ledger. Killed at any point, the next
run finds the pending documents, looks them up and carries on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import duckdb
import polars as pl
import simplejson

from solteq_woo_assets.clients.solteq import SolteqClient
from solteq_woo_assets.clients.solteq_customers import Refused
from solteq_woo_assets.clients.solteq_sales import HeldSale
from solteq_woo_assets.engine import failures, sql, writes
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.outbox import Outbox
from solteq_woo_assets.engine.turns import Turns
from solteq_woo_assets.engine.writes import writes_of
from solteq_woo_assets.errors import SolteqError
from solteq_woo_assets.flows.sales.adoption import differs
from solteq_woo_assets.flows.sales.plan import settle
from solteq_woo_assets.flows.sales.snapshots import FLOW
from solteq_woo_assets.flows.sales.tables import SALES

DOCUMENTS_AT_ONCE = 200
"""So many are entered and settled together: to open and close the database takes as long as to book a few."""


@dataclass(frozen=True)
class Document:
    """What is booked. ``was_sent``: an earlier run may have sent it."""

    refund_id: int | None
    version: int
    document: str
    content: str
    notes: Sequence[str]
    settles: str
    was_sent: bool


Write = writes.Write[Document]
Outcome = writes.Outcome[Document, HeldSale]


class SalesOutbox(Outbox[Document, HeldSale]):
    """``delta.sales_delta`` on its way to Solteq.

    :param shop: name in external ids, for customers
    """

    flow = FLOW
    side = "Solteq"
    error = SolteqError
    whole = "(the document)"
    tries = 3
    portion = DOCUMENTS_AT_ONCE
    settled_together = DOCUMENTS_AT_ONCE
    is_in_order = True
    tells_rights = False

    def __init__(self, solteq: SolteqClient, shop: str) -> None:
        self._solteq = solteq
        self._shop = shop
        self._customers: dict[int, dict[str, str]] = {}
        self._unanswered: set[str] = set()
        """Documents that left in this run and got no answer."""

    def due(self, connection: duckdb.DuckDBPyConnection) -> list[Write]:
        with sql.steps(connection, __name__) as steps:
            return writes_of(steps.relation("due"), Document)

    def enter(self, connection: duckdb.DuckDBPyConnection, run_id: str, writes: Sequence[Write]) -> None:
        rows = [
            (
                *(write.key, write.woo_id, write.more.refund_id, write.more.version, write.kind.capitalize()),
                *(write.more.document, write.more.content, list(write.more.notes)),
            )
            for write in writes
        ]
        schema = SALES.schema_without("state", "solteq_id", "run_id", "sent_at", "booked_at")
        with sql.steps(connection, __name__, documents=pl.DataFrame(rows, schema=schema, orient="row")) as steps:
            steps.run("enter", run_id=run_id, now=utc_now())
            steps.view("erased_accounts")
            self._customers = {
                row.pop("order_id"): {name: value for name, value in row.items() if value}
                for row in steps.frame("customers", shop=self._shop).to_dicts()
            }

    def places(
        self, database: StateDatabase, writes: Sequence[Write]
    ) -> tuple[Iterator[Sequence[Write]], Sequence[Outcome]]:
        del database
        return (list(of_order) for _, of_order in groupby(writes, lambda write: write.woo_id)), []

    def bodies(self, writes: Sequence[Write], outcomes: list[Outcome]) -> dict[Write, dict[str, Any]]:
        """What an earlier run may have sent is looked up first."""
        bodies: dict[Write, dict[str, Any]] = {}
        for write in writes:
            if write.more.was_sent and (held := self._solteq.sales.find(write.key)) is not None:
                outcomes.append(self.read(write, held))
            else:
                bodies[write] = self._document(write)
        return bodies

    def _document(self, write: Write) -> dict[str, Any]:
        document: dict[str, Any] = simplejson.loads(write.more.document, use_decimal=True)
        customer = self._customers.get(write.woo_id or 0)
        return document | ({"customer": customer} if customer else {})

    def post(
        self, bodies: Mapping[Write, dict[str, Any]], turns: Turns[Document]
    ) -> list[tuple[Write, HeldSale | Refused]]:
        del turns
        return [(write, self._solteq.sales.book(document)) for write, document in bodies.items()]

    def read(self, write: Write, answer: HeldSale | Refused) -> Outcome:
        """If what Solteq has under this id is not what was sent from here, the ledger does not know all."""
        if isinstance(answer, Refused):
            return Outcome(write, "refused", error=answer.reason, code="sale-refused")
        if answer.document is None:  # it was booked just now
            return Outcome(write, "delivered", answer)
        was_sent = write.more.was_sent or write.delivery_id in self._unanswered
        difference = differs(answer.document, self._document(write))
        if was_sent and difference is None:
            return Outcome(write, "delivered", answer)
        why = difference or "it was not sent from here"
        return Outcome(write, "retry", error=f"Solteq has {write.key} already: {why}", is_stale=True)

    def read_back(self, writes: Sequence[Write], outcomes: list[Outcome]) -> list[Write]:
        self._unanswered.update(write.delivery_id for write in writes)
        held = {write: self._solteq.sales.find(write.key) for write in writes}
        outcomes += [self.read(write, sale) for write, sale in held.items() if sale is not None]
        return [write for write, sale in held.items() if sale is None]

    def takes_writes(self) -> bool:
        """Solteq has no write that changes nothing. That it answers a look-up tells that it works, and no rights."""
        self._solteq.sales.find("woo:is-it-there")
        return True

    def keep(self, connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        _book(connection, outcomes)
        # What was refused, or never left, is not there: it is planned anew.
        certainly_not = [
            o.write.key
            for o in outcomes
            if (o.state == "refused" and o.code != failures.CODE)
            or (o.state in ("waiting", "unsent") and not o.write.more.was_sent)
        ]
        connection.execute(
            "DELETE FROM sync.sales WHERE state = 'pending' AND list_contains($keys, external_id)",
            {"keys": certainly_not},
        )
        _look_up_again(connection, [o.write.woo_id for o in outcomes if o.is_stale])
        marks = {outcome.write.woo_id or 0: outcome.write.more.settles for outcome in outcomes}
        failed = {outcome.write.woo_id for outcome in outcomes if outcome.state != "delivered"}
        arrived = [(order_id, mark) for order_id, mark in marks.items() if order_id not in failed]
        settle(connection, arrived)
        # Other documents of these may have arrived before.
        connection.execute("DELETE FROM sync.settled_orders WHERE list_contains($1, order_id)", [list(failed)])
        return outcomes


def _book(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> None:
    rows = [(o.write.key, o.answer.id, o.answer.at) for o in outcomes if o.state == "delivered" and o.answer]
    schema = pl.Schema({name: SALES.schema[name] for name in ("external_id", "solteq_id", "booked_at")})
    with sql.reading(connection, booked=pl.DataFrame(rows, schema=schema, orient="row")):
        connection.execute(
            "UPDATE sync.sales AS sent SET state = 'booked', solteq_id = new.solteq_id, booked_at = new.booked_at "
            "FROM booked AS new WHERE sent.external_id = new.external_id"
        )


def _look_up_again(connection: duckdb.DuckDBPyConnection, orders: Sequence[int | None]) -> None:
    """Let the next run ask what Solteq has of these orders before it sends anything of them."""
    for order_id in orders:
        connection.execute("INSERT OR REPLACE INTO sync.sales_lookups VALUES (?, NULL)", [order_id])
        connection.execute("DELETE FROM sync.sales WHERE state = 'pending' AND order_id = ?", [order_id])
