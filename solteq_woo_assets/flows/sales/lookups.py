"""What Solteq has of orders counts, not what the ledger remembers: it may be lost, or that of a backup.

Before the first document of an order leaves, and before an order is passed over because it is no sale, Solteq is
asked what it has of it. That is taken into ``sync.sales`` as if it had been sent from here, and the delta goes on from
there. What is not of this order is a conflict: ``sync.sales_conflicts``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb
import polars as pl

from solteq_woo_assets.clients.solteq_sales import HeldSale
from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.snapshot import SOLTEQ_OVERLAP
from solteq_woo_assets.flows.sales.adoption import AnotherOrder, differs, find_documents
from solteq_woo_assets.flows.sales.frames import Sent, chosen_orders, sent_of
from solteq_woo_assets.flows.sales.orders import Order, ReceiptRules
from solteq_woo_assets.flows.sales.plan import dump, ways_of
from solteq_woo_assets.flows.sales.receipts import Receipt, sale_id
from solteq_woo_assets.flows.sales.snapshots import add_orders
from solteq_woo_assets.flows.sales.tables import SALES, SALES_LOOKUPS

ORDERS_AT_ONCE = 500
"""Looked up before what was found is stored: so much is asked for again when Solteq goes away meanwhile."""
Find = Callable[[str], HeldSale | None]


@dataclass(frozen=True)
class Again:
    """Which orders are looked up though they were before.

    :param since: those that were made on this day or later
    :param orders: these, by number or external id
    :param conflicts: all that are in conflict
    """

    since: date | None = None
    orders: Sequence[str] = ()
    conflicts: bool = False


@dataclass
class Adoption:
    """What came of looking: documents that the ledger did not know, orders in conflict."""

    documents: int = 0
    conflicts: int = 0


@dataclass
class _Look:
    """An order to look up.

    :param is_ours: something of it is booked from here
    :param sent: its first sale, when that left from here without an answer
    """

    order: Order
    mark: str
    is_ours: bool
    sent: Mapping[str, Any] | None
    found: list[tuple[Receipt, HeldSale]] = field(default_factory=list)
    conflict: AnotherOrder | None = None


def adopt(
    database: StateDatabase, find: Find, rules: ReceiptRules, *, run_id: str, in_flight: int, again: Again
) -> Adoption:
    """Look up what Solteq has of orders that the ledger has nothing of, and of those that are to be looked up again.

    :param find: asks Solteq for a document by its external id
    :raises SolteqError: Solteq is away; what was found is stored by then
    """
    told = Adoption()
    with ThreadPoolExecutor(in_flight, thread_name_prefix="adoption") as pool:
        for lot in _lots(database, rules, again):
            list(pool.map(lambda look: _look_up(look, find, rules), lot))
            with database.transaction() as connection:
                told.documents += _store(connection, lot, run_id)
            told.conflicts += sum(look.conflict is not None for look in lot)
    return told


def _look_up(look: _Look, find: Find, rules: ReceiptRules) -> None:
    held: dict[str, HeldSale] = {}

    def ask(external_id: str) -> Mapping[str, Any] | None:
        answer = held.get(external_id) or find(external_id)
        if answer is None:
            return None
        held[external_id] = answer
        return answer.document

    is_ours = look.is_ours
    if look.sent:
        arrived = ask(sale_id(rules.shop, look.order.id, 1))
        is_ours |= arrived is not None and differs(arrived, look.sent) is None
    steps = find_documents(look.order, rules, is_ours=is_ours)
    try:
        external_id = next(steps)
        while True:
            external_id = steps.send(ask(external_id))
    except StopIteration as end:
        receipts: list[Receipt] = end.value
        look.found = [(receipt, held[receipt.external_id]) for receipt in receipts]
    except AnotherOrder as conflict:
        look.conflict = conflict


def _lots(database: StateDatabase, rules: ReceiptRules, again: Again) -> Iterator[list[_Look]]:
    asked = {"since": again.since, "orders": list(again.orders), "conflicts": again.conflicts}
    last = 0
    while True:
        with database.transaction() as connection, sql.steps(connection, __name__) as steps:
            add_orders(steps, rules.zone)
            steps.table("chosen", "to_look_up", ways=ways_of(rules), last=last, most=ORDERS_AT_ONCE, **asked)
            rows, sent = chosen_orders(steps), sent_of(steps)
        if not rows:
            return
        last = rows[-1]["id"]
        yield [_Look(row["order"], row["mark"], row["is_known"], _unanswered_sale(sent[row["id"]])) for row in rows]


def _unanswered_sale(sent: Sequence[Sent]) -> Mapping[str, Any] | None:
    """The order's first sale, if it left without an answer."""
    of_first = [each for each in sent if each.receipt.type == "Sale" and each.receipt.version == 1]
    return of_first[0].receipt.document if of_first and not of_first[0].is_booked else None


def _store(connection: duckdb.DuckDBPyConnection, lot: Sequence[_Look], run_id: str) -> int:
    """Remember what was found; how many documents the ledger did not know."""
    now = utc_now()
    connection.execute(
        "DELETE FROM sync.sales_conflicts WHERE external_id IS NOT NULL AND list_contains($ids, order_id)",
        {"ids": [look.order.id for look in lot]},
    )
    for order_id, conflict in [(look.order.id, look.conflict) for look in lot if look.conflict]:
        reason = f"Solteq has another order under {conflict.external_id}: {conflict.reason}"
        connection.execute(
            "INSERT INTO sync.sales_conflicts VALUES (?, ?, ?, ?)", [order_id, conflict.external_id, reason, now]
        )
    entered = _enter(connection, [found for look in lot for found in look.found], run_id)
    asked = [(look.order.id, look.mark) for look in lot if look.conflict is None]
    with sql.reading(connection, looked_up=pl.DataFrame(asked, schema=SALES_LOOKUPS.schema, orient="row")):
        connection.execute("INSERT OR REPLACE INTO sync.sales_lookups FROM looked_up")
        # What left without an answer and is not there is planned anew, as the order is now.
        connection.execute(
            "DELETE FROM sync.sales WHERE state = 'pending' AND order_id IN (SELECT order_id FROM looked_up)"
        )
    return entered


def _enter(connection: duckdb.DuckDBPyConnection, found: Sequence[tuple[Receipt, HeldSale]], run_id: str) -> int:
    """Take documents into the ledger, unless they are there as booked; how many were not.

    They were booked some time ago: balances that are read after this show them.
    """
    rows = [
        (
            *(receipt.external_id, receipt.order_id, receipt.refund_id, receipt.version, receipt.type),
            *(dump(receipt.document), receipt.content, list(receipt.notes), held.id, held.at - SOLTEQ_OVERLAP),
        )
        for receipt, held in found
    ]
    schema = SALES.schema_without("state", "run_id", "sent_at")
    with sql.Steps(connection, __name__) as steps:
        steps.add(found=pl.DataFrame(rows, schema=schema, orient="row"))
        entered = steps.run("enter_found", run_id=run_id, now=utc_now())
    connection.execute(
        "DELETE FROM sync.settled_orders WHERE list_contains($ids, order_id)", {"ids": [row[0] for row in entered]}
    )
    return len(entered)
