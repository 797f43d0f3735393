"""What Solteq lacks of the store's orders: the sales delta."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import duckdb
import polars as pl
import simplejson

from solteq_woo_assets.clients.woo_documents import sku_key
from solteq_woo_assets.engine.snapshot import watermark
from solteq_woo_assets.engine.temporary import leaves_nothing
from solteq_woo_assets.flow import HELD_SCHEMA, Comparison
from solteq_woo_assets.flows.sales.booked_elsewhere import known, order_content
from solteq_woo_assets.flows.sales.frames import ORDERS_QUERY, order_of
from solteq_woo_assets.flows.sales.orders import Order, ReceiptRules, Unbookable
from solteq_woo_assets.flows.sales.receipts import Receipt, with_decimals
from solteq_woo_assets.flows.sales.rules import (
    due_receipts,
    is_deleted_after_booking,
    old_order_receipts,
    old_refunds_deleted,
)
from solteq_woo_assets.flows.sales.snapshots import ORDERS, is_booked_here, order_key
from solteq_woo_assets.flows.sales.tables import SALES_DELTA, SETTLED_ORDERS

ORDERS_AT_ONCE = 5_000

MARK = "concat_ws(' ', content, gone, $ways)"
"""SQL: what an order is like, and the settings that decide which documents it makes."""


def ways_of(rules: ReceiptRules) -> str:
    """The parameter of ``MARK``: a setting that is changed is seen as a change of the order."""
    return f"{','.join(sorted(rules.sale_statuses))} {rules.deleted_orders} {rules.old_order_refunds}"


@leaves_nothing
def plan(connection: duckdb.DuckDBPyConnection, rules: ReceiptRules) -> Comparison:
    """What Solteq lacks of the orders that are to be booked, whatever their day.

    ``changes``: of ``delta.sales_delta``, of each order in the order in which it must be sent. The effect is to
    remember the orders of which nothing is due.

    Those are the orders of the days from the first one on, of days that were backfilled, and whatever was booked once.
    Of older orders, only refunds and cancellations since the first day: told, or booked where the settings say so.
    """
    rows: list[tuple[Any, ...]] = []
    held = _in_conflict(connection)
    settled: list[tuple[int, str]] = []
    elsewhere = known(connection)
    for order, day, mark, old_since, booked, pending, code_of in _unsettled(connection, rules):
        if order.id in elsewhere:
            if order_content(order) == elsewhere[order.id]:
                settled.append((order.id, mark))
            else:
                held.append(_changed_elsewhere(order))
            continue
        due: list[Receipt] = []
        taken_back = old_refunds_deleted(order, booked)
        held += [_refund_taken_back(order, receipt) for receipt in taken_back]
        try:
            if old_since is None:
                due = due_receipts(order, booked, replace(rules, code_of=code_of))
            else:
                due = old_order_receipts(order, booked, replace(rules, code_of=code_of), old_since)
        except Unbookable as unbookable:
            held.append((order_key(order.id), unbookable.field, unbookable.reason, unbookable.code))
        else:
            if is_deleted_after_booking(order, [*booked, *due]):
                held.append(_deleted(order))
            elif old_since is not None and rules.old_order_refunds == "report":
                held += [_of_old_order(order, receipt) for receipt in due]
                due = []
            elif not due and not pending and not taken_back:
                settled.append((order.id, mark))
        again = [replace(receipt, reason="sent before, without an answer") for receipt in pending]
        rows += [_row(receipt, day, mark) for receipt in [*again, *due]]
    changes = pl.DataFrame(rows, schema=SALES_DELTA.schema, orient="row")
    twice = _twice(connection, changes)
    held += [
        (order_key(order), "externalId", f"{key} would be booked twice", "document-twice")
        for order, key in twice.items()
    ]
    changes = without_orders(changes, twice)
    return Comparison(
        changes, pl.DataFrame(held, schema=HELD_SCHEMA, orient="row"), effects=(partial(settle, settled=settled),)
    )


def _twice(connection: duckdb.DuckDBPyConnection, changes: pl.DataFrame) -> dict[int, str]:
    """Orders with a document that is due twice, or that Solteq has said it has, and its external id."""
    booked = connection.execute(
        "SELECT external_id FROM sync.sales WHERE state = 'booked' AND list_contains($keys, external_id)",
        {"keys": changes["key"].to_list()},
    ).fetchall()
    is_wrong = pl.col("key").is_duplicated() | pl.col("key").is_in([key for (key,) in booked])
    return dict(changes.filter(is_wrong).select("woo_id", "key").iter_rows())


def _in_conflict(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, ...]]:
    """Orders of which nothing is sent until somebody has decided whose they are."""
    rows = connection.execute(
        "SELECT order_id, reason, CASE WHEN external_id IS NULL THEN 'date_created' ELSE 'externalId' END, "
        "CASE WHEN external_id IS NULL THEN 'order-replaced' ELSE 'sale-conflict' END FROM sync.sales_conflicts"
    ).fetchall()
    return [(order_key(order_id), field, reason, code) for order_id, reason, field, code in rows]


def settle(connection: duckdb.DuckDBPyConnection, settled: Sequence[tuple[int, str]]) -> None:
    """Remember the orders of which nothing is due while they stay as they are."""
    if settled:
        rows = pl.DataFrame(settled, schema=SETTLED_ORDERS.schema, orient="row")  # noqa: F841
        connection.execute("INSERT OR REPLACE INTO sync.settled_orders SELECT * FROM rows")


def _deleted(order: Order) -> tuple[str, ...]:
    return order_key(order.id), "status", f"it was {order.gone} in the store after it was booked", "order-deleted"


def _of_old_order(order: Order, receipt: Receipt) -> tuple[str, ...]:
    what = "status" if receipt.refund_id is None else f"refund {receipt.refund_id}"
    amount = -receipt.document["totals"]["gross"]
    reason = f"{receipt.reason}: {amount} of order {order.number}, whose sale was booked before the first day"
    return order_key(order.id), what, reason, "old-order-refunded"


def _refund_taken_back(order: Order, receipt: Receipt) -> tuple[str, ...]:
    amount = -receipt.document["totals"]["gross"]
    reason = f"{amount} of order {order.number} was booked, and the store deleted the refund since"
    return order_key(order.id), f"refund {receipt.refund_id}", reason, "old-order-refunded"


def _changed_elsewhere(order: Order) -> tuple[str, ...]:
    reason = "somebody said that it was booked by other means, and it changed in the store since"
    return order_key(order.id), "(the order)", reason, "order-booked-elsewhere"


_Unsettled = tuple[Order, Any, str, datetime | None, list[Receipt], list[Receipt], Any]


def _unsettled(connection: duckdb.DuckDBPyConnection, rules: ReceiptRules) -> Iterator[_Unsettled]:
    """Orders of which something may be due, with when the first day began for those that somebody else booked before
    it, with what was booked, and what was sent without an answer.
    """
    is_ours, ours = is_booked_here(connection, rules.zone)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE candidates AS SELECT * FROM (
            SELECT *, {MARK} AS mark,
                CASE WHEN NOT coalesce({is_ours}, false) THEN $begins_at END AS old_since
            FROM {ORDERS} WHERE {is_ours} OR (paid_at IS NOT NULL AND (
                id IN (SELECT order_id FROM snapshot.woo_sales_refunds WHERE created_at >= $begins_at)
                OR (modified_at >= $begins_at AND status IN ('cancelled', 'failed', 'refunded'))
            ))
        ) AS sold WHERE id NOT IN (SELECT order_id FROM sync.sales_conflicts) AND (NOT EXISTS (
            FROM sync.settled_orders AS settled WHERE settled.order_id = sold.id AND settled.content = sold.mark
        ) OR id IN (SELECT order_id FROM sync.sales WHERE state = 'pending'))
        """,
        {"ways": ways_of(rules), **ours},
    )
    codes_are_known = watermark(connection, "snapshot.solteq_products") is not None
    last = 0
    while True:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE chosen AS FROM candidates WHERE id > {last} ORDER BY id "
            f"LIMIT {ORDERS_AT_ONCE}"
        )
        rows = connection.sql(ORDERS_QUERY).pl().to_dicts()
        if not rows:
            return
        booked, pending = _receipts(connection)
        codes = _codes(connection) if codes_are_known else None

        def code_of(sku: str, codes: Mapping[str, str] | None = codes) -> str | None:
            return (sku or None) if codes is None else codes.get(sku_key(sku))

        for row in rows:
            last = row["id"]
            yield order_of(row), row["day"], row["mark"], row["old_since"], booked[last], pending[last], code_of


def _codes(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Solteq's spelling of the SKUs of these orders."""
    rows = connection.execute(
        "SELECT sku_key(code), arg_max(trim(code), modified_at) FROM snapshot.solteq_products "
        "WHERE NOT deleted AND sku_key(code) IN (SELECT sku_key(sku) FROM snapshot.woo_sales_lines "
        "WHERE order_id IN (SELECT id FROM chosen)) GROUP BY 1"
    ).fetchall()
    return dict(rows)


def _receipts(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[defaultdict[int, list[Receipt]], defaultdict[int, list[Receipt]]]:
    """What the chosen orders have in the ledger, by order: all of it, and what has no answer yet."""
    rows = connection.execute(
        "SELECT external_id, order_id, type, version, document, content, refund_id, notes, state "
        "FROM sync.sales WHERE order_id IN (SELECT id FROM chosen) ORDER BY sent_at, external_id"
    ).fetchall()
    booked: defaultdict[int, list[Receipt]] = defaultdict(list)
    pending: defaultdict[int, list[Receipt]] = defaultdict(list)
    for external_id, order_id, kind, version, document, content, refund_id, notes, state in rows:
        held = simplejson.loads(document, use_decimal=True)
        receipt = Receipt(
            external_id, order_id, kind, version, with_decimals(held), content, "", refund_id, tuple(notes or ())
        )
        booked[order_id].append(receipt)
        if state == "pending":
            pending[order_id].append(receipt)
    for receipts in pending.values():
        receipts.sort(key=_sending_order)
    return booked, pending


def _sending_order(receipt: Receipt) -> tuple[int, int]:
    """A sale before its refunds, and those before the reversal that ends the version."""
    return receipt.version, 0 if receipt.type == "Sale" else 2 if receipt.is_reversal else 1


def _row(receipt: Receipt, day: Any, settles: str) -> tuple[Any, ...]:
    document = dump(receipt.document)
    totals = receipt.document["totals"]
    paid = ", ".join(f"{each['type']} {each['amount']}" for each in receipt.document["payments"])
    shown = {
        "gross": totals["gross"],
        "vat": totals["vat"],
        "lines": len(receipt.document["lines"]),
        "payments": paid,
        "businessDate": receipt.document["businessDate"],
        "fingerprint": hashlib.sha256(document.encode()).hexdigest()[:16],
    }
    changes = [{"field": name, "old": None, "new": str(value)} for name, value in shown.items()]
    reason = "; ".join([receipt.reason, *receipt.notes])
    delta = (receipt.external_id, "create", receipt.type.lower(), receipt.order_id, None, None, changes, reason)
    more = (day, receipt.refund_id, receipt.version, document, receipt.content, list(receipt.notes), settles)
    return (*delta, *more)


def dump(document: Mapping[str, Any]) -> str:
    """A document as JSON text, money to the digit."""
    return simplejson.dumps(document, use_decimal=True, ensure_ascii=False)


def without_orders(changes: pl.DataFrame, refused: Iterable[int]) -> pl.DataFrame:
    """Leave out all that is due of these orders: what follows a refused document would be refused, too."""
    return changes.filter(~pl.col("woo_id").is_in(list(refused)))


def with_whole_orders_waiting(changes: pl.DataFrame) -> pl.DataFrame:
    """Let all that is due of an order wait when a document of it waits."""
    waiting = changes.filter(pl.col("action") == "wait")["woo_id"].to_list()
    is_meant = pl.col("woo_id").is_in(waiting)
    return changes.with_columns(action=pl.when(is_meant).then(pl.lit("wait")).otherwise(pl.col("action")))
