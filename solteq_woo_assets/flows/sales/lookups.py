"""What Solteq has of orders counts, not what the ledger remembers: it may be lost, or that of a backup.

Before the first document of an order leaves, and before an order is passed over because it is no sale, Solteq is
asked what it has of it. That is taken into ``sync.sales`` as if it had been sent from here, and the delta goes on from
there. What is not of this order is a conflict: ``sync.sales_conflicts``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb
import polars as pl
import simplejson

from solteq_woo_assets.clients.solteq_sales import HeldSale
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.snapshot import SOLTEQ_OVERLAP
from solteq_woo_assets.flows.sales.adoption import AnotherOrder, differs, find_documents
from solteq_woo_assets.flows.sales.frames import ORDERS_QUERY, order_of
from solteq_woo_assets.flows.sales.orders import Order, ReceiptRules
from solteq_woo_assets.flows.sales.plan import MARK, dump, ways_of
from solteq_woo_assets.flows.sales.receipts import Receipt, sale_id
from solteq_woo_assets.flows.sales.snapshots import ORDERS, is_booked_here
from solteq_woo_assets.flows.sales.tables import SALES, SALES_LOOKUPS

ORDERS_AT_ONCE = 500
"""Looked up before what was found is stored: so much is asked for again when Solteq goes away meanwhile."""
_NOT_PAID_YET = "(status = 'pending' OR ends_with(status, 'draft'))"
"""Orders of which Solteq cannot have anything, as long as nothing was refunded."""
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
    """What came of looking: orders looked up, documents that the ledger did not know, orders in conflict."""

    looked_up: int = 0
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
            told.looked_up += len(lot)
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
    last = 0
    while True:
        with database.transaction() as connection:
            lot = list(_due(connection, rules, again, last))
        if not lot:
            return
        last = lot[-1].order.id
        yield lot


def _due(connection: duckdb.DuckDBPyConnection, rules: ReceiptRules, again: Again, last: int) -> Iterable[_Look]:
    is_ours, ours = is_booked_here(connection, rules.zone)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE chosen AS SELECT sold.* FROM (
            SELECT *, {MARK} AS mark, id IN (SELECT order_id FROM sync.sales WHERE state = 'booked') AS is_known,
                id IN (SELECT order_id FROM sync.sales WHERE state = 'pending') AS is_pending
            FROM {ORDERS} WHERE {is_ours}
        ) AS sold
        LEFT JOIN sync.sales_lookups AS asked ON asked.order_id = sold.id
        LEFT JOIN sync.sales_conflicts AS conflict ON conflict.order_id = sold.id
        WHERE id > $last AND CASE
            WHEN conflict.order_id IS NOT NULL THEN conflict.external_id IS NOT NULL AND ($conflicts OR {_IS_MEANT})
            WHEN asked.order_id IS NOT NULL AND asked.content IS NULL THEN TRUE
            WHEN day >= $since OR {_IS_MEANT} THEN TRUE
            ELSE (is_pending OR NOT is_known) AND asked.content IS DISTINCT FROM mark
                AND id NOT IN (SELECT order_id FROM sync.settled_orders AS settled WHERE settled.content = mark)
                AND (NOT {_NOT_PAID_YET} OR id IN (SELECT order_id FROM snapshot.woo_sales_refunds))
        END
        ORDER BY id LIMIT {ORDERS_AT_ONCE}
        """,
        {
            "ways": ways_of(rules),
            "last": last,
            "since": again.since,
            "conflicts": again.conflicts,
            "meant": list(again.orders),
            **ours,
        },
    )
    rows = connection.execute(
        "SELECT order_id, document FROM sync.sales WHERE state = 'pending' AND type = 'Sale' AND version = 1 "
        "AND order_id IN (SELECT id FROM chosen)"
    ).fetchall()
    sent = {order_id: simplejson.loads(document, use_decimal=True) for order_id, document in rows}
    for row in connection.sql(ORDERS_QUERY).pl().to_dicts():
        yield _Look(order_of(row), row["mark"], row["is_known"], sent.get(row["id"]))


_IS_MEANT = "list_has_any($meant, [id::VARCHAR, number])"


def _store(connection: duckdb.DuckDBPyConnection, lot: Sequence[_Look], run_id: str) -> int:
    """Remember what was found; how many documents the ledger did not know."""
    now = utc_now()
    looked_up = pl.DataFrame(  # noqa: F841  DuckDB reads it
        [(look.order.id, look.mark) for look in lot if look.conflict is None],
        schema=SALES_LOOKUPS.schema,
        orient="row",
    )
    connection.execute("INSERT OR REPLACE INTO sync.sales_lookups SELECT * FROM looked_up")
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
    # What left without an answer and is not there is planned anew, as the order is now.
    connection.execute(
        "DELETE FROM sync.sales WHERE state = 'pending' AND order_id IN (SELECT order_id FROM looked_up)"
    )
    return entered


def _enter(connection: duckdb.DuckDBPyConnection, found: Sequence[tuple[Receipt, HeldSale]], run_id: str) -> int:
    """Take documents into the ledger, unless they are there as booked; how many were not.

    They were booked some time ago: balances that are read after this show them.
    """
    now = utc_now()
    rows = pl.DataFrame(  # noqa: F841
        [
            (
                *(receipt.external_id, receipt.order_id, receipt.refund_id, receipt.version, receipt.type),
                *(dump(receipt.document), receipt.content, list(receipt.notes), held.id, held.at - SOLTEQ_OVERLAP),
            )
            for receipt, held in found
        ],
        schema=SALES.schema_without("state", "run_id", "sent_at"),
        orient="row",
    )
    entered = connection.execute(
        "INSERT INTO sync.sales BY NAME SELECT *, 'booked' AS state, $run_id AS run_id, $now AS sent_at FROM rows "
        "ON CONFLICT (external_id) DO UPDATE SET document = excluded.document, content = excluded.content, "
        "notes = excluded.notes, state = 'booked', solteq_id = excluded.solteq_id, booked_at = excluded.booked_at "
        "WHERE sync.sales.state <> 'booked' RETURNING order_id",
        {"run_id": run_id, "now": now},
    ).fetchall()
    connection.execute(
        "DELETE FROM sync.settled_orders WHERE list_contains($ids, order_id)", {"ids": [row[0] for row in entered]}
    )
    return len(entered)
