"""What Solteq lacks of the store's orders: the sales delta."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple

import duckdb
import polars as pl
import simplejson

from solteq_woo_assets.clients.woo_documents import sku_key
from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.snapshot import watermark
from solteq_woo_assets.flow import HELD_SCHEMA, Comparison
from solteq_woo_assets.flows.sales.booked_elsewhere import known, order_content
from solteq_woo_assets.flows.sales.frames import chosen_orders, sent_of
from solteq_woo_assets.flows.sales.orders import Order, ReceiptRules, Unbookable
from solteq_woo_assets.flows.sales.receipts import Receipt
from solteq_woo_assets.flows.sales.rules import (
    due_receipts,
    is_deleted_after_booking,
    old_order_receipts,
    old_refunds_deleted,
)
from solteq_woo_assets.flows.sales.snapshots import add_orders, order_key
from solteq_woo_assets.flows.sales.tables import SALES_DELTA, SETTLED_ORDERS

ORDERS_AT_ONCE = 5_000
Held = tuple[str, str, str, str]
"""A row of ``HELD_SCHEMA``."""


def ways_of(rules: ReceiptRules) -> str:
    """For ``order_mark`` in SQL: a setting that is changed is seen as a change of the order."""
    return f"{','.join(sorted(rules.sale_statuses))} {rules.deleted_orders} {rules.old_order_refunds}"


def plan(connection: duckdb.DuckDBPyConnection, rules: ReceiptRules) -> Comparison:
    """What Solteq lacks of the orders that are to be booked, whatever their day.

    ``changes``: of ``delta.sales_delta``, of each order in the order in which it must be sent. The effect is to
    remember the orders of which nothing is due.

    Those are the orders of the days from the first one on, of days that were backfilled, and whatever was booked once.
    Of older orders, only refunds and cancellations since the first day: told, or booked where the settings say so.
    """
    rows: list[tuple[Any, ...]] = []
    settled: list[tuple[int, str]] = []
    with sql.steps(connection, __name__) as steps:
        held: list[Held] = steps.frame("conflicts").rows()
        elsewhere = known(connection)
        for each in _candidates(steps, rules):
            if each.order.id in elsewhere:
                due, problems, is_all = _of_booked_elsewhere(each.order, elsewhere[each.order.id])
            else:
                due, problems, is_all = _due(each)
            rows += [_row(receipt, each.day, each.mark) for receipt in due]
            held += problems
            settled += [(each.order.id, each.mark)] if is_all else []
    changes = pl.DataFrame(rows, schema=SALES_DELTA.schema, orient="row")
    twice = _twice(connection, changes)
    held += [
        (order_key(order), "externalId", f"{key} would be booked twice", "document-twice")
        for order, key in twice.items()
    ]
    told = pl.DataFrame(held, schema=HELD_SCHEMA, orient="row")
    return Comparison(without_orders(changes, twice), told, effects=(partial(settle, settled=settled),))


class _Candidate(NamedTuple):
    """An order of which something may be due.

    ``old_since``: when the first day began, where somebody else booked the sale. ``pending``: sent without an answer.
    """

    order: Order
    day: date
    mark: str
    old_since: datetime | None
    booked: list[Receipt]
    pending: list[Receipt]
    rules: ReceiptRules


def _candidates(steps: sql.Steps, rules: ReceiptRules) -> Iterator[_Candidate]:
    connection = steps.connection
    add_orders(steps, rules.zone)
    steps.table("candidates", ways=ways_of(rules))
    codes_are_known = watermark(connection, "snapshot.solteq_products") is not None
    last = 0
    while True:
        with sql.Steps(connection, __name__) as lot:
            lot.table("chosen", "chosen_candidates", last=last, most=ORDERS_AT_ONCE)
            rows = chosen_orders(lot)
            if not rows:
                return
            sent = sent_of(lot)
            if codes_are_known:
                rules = replace(rules, code_of=_code_of(dict(lot.frame("codes").iter_rows())))
        for row in rows:
            last = row["id"]
            booked = [each.receipt for each in sent[last]]
            pending = sorted((each.receipt for each in sent[last] if not each.is_booked), key=_sending_order)
            yield _Candidate(row["order"], row["day"], row["mark"], row["old_since"], booked, pending, rules)


def _code_of(codes: Mapping[str, str]) -> Any:
    return lambda sku: codes.get(sku_key(sku))


def _sending_order(receipt: Receipt) -> tuple[int, int]:
    """A sale before its refunds, and those before the reversal that ends the version."""
    return receipt.version, 0 if receipt.type == "Sale" else 2 if receipt.is_reversal else 1


_Due = tuple[list[Receipt], list[Held], bool]
"""What is due, what is to be told of it, and whether nothing is due while the order stays as it is."""


def _of_booked_elsewhere(order: Order, content: str) -> _Due:
    if order_content(order) == content:
        return [], [], True
    reason = "somebody said that it was booked by other means, and it changed in the store since"
    return [], [(order_key(order.id), "(the order)", reason, "order-booked-elsewhere")], False


def _due(each: _Candidate) -> _Due:
    order, rules, key = each.order, each.rules, order_key(each.order.id)
    again = [replace(receipt, reason="sent before, without an answer") for receipt in each.pending]
    told = [
        (
            key,
            f"refund {receipt.refund_id}",
            f"{_amount(receipt)} of order {order.number} was booked, and the store deleted the refund since",
            "old-order-refunded",
        )
        for receipt in old_refunds_deleted(order, each.booked)
    ]
    try:
        if each.old_since is None:
            due = due_receipts(order, each.booked, rules)
        else:
            due = old_order_receipts(order, each.booked, rules, each.old_since)
    except Unbookable as unbookable:
        return again, [*told, (key, unbookable.field, unbookable.reason, unbookable.code)], False
    if is_deleted_after_booking(order, [*each.booked, *due]):
        reason = f"it was {order.gone} in the store after it was booked"
        return [*again, *due], [*told, (key, "status", reason, "order-deleted")], False
    if each.old_since is not None and rules.old_order_refunds == "report":
        return again, [*told, *(_of_old_order(order, receipt) for receipt in due)], False
    return [*again, *due], told, not (again or due or told)


def _of_old_order(order: Order, receipt: Receipt) -> Held:
    what = "status" if receipt.refund_id is None else f"refund {receipt.refund_id}"
    of_order = f"{_amount(receipt)} of order {order.number}, whose sale was booked before the first day"
    return order_key(order.id), what, f"{receipt.reason}: {of_order}", "old-order-refunded"


def _amount(refund: Receipt) -> Any:
    return -refund.document["totals"]["gross"]


def _twice(connection: duckdb.DuckDBPyConnection, changes: pl.DataFrame) -> dict[int, str]:
    """Orders with a document that is due twice, or that Solteq has said it has, and its external id."""
    with sql.reading(connection, due=changes.select("key")):
        booked = connection.execute(
            "SELECT external_id FROM sync.sales WHERE state = 'booked' AND external_id IN (FROM due)"
        ).fetchall()
    is_wrong = pl.col("key").is_duplicated() | pl.col("key").is_in([key for (key,) in booked])
    return dict(changes.filter(is_wrong).select("woo_id", "key").iter_rows())


def settle(connection: duckdb.DuckDBPyConnection, settled: Sequence[tuple[int, str]]) -> None:
    """Remember the orders of which nothing is due while they stay as they are."""
    if settled:
        with sql.reading(connection, settled=pl.DataFrame(settled, schema=SETTLED_ORDERS.schema, orient="row")):
            connection.execute("INSERT OR REPLACE INTO sync.settled_orders FROM settled")


def _row(receipt: Receipt, day: date, settles: str) -> tuple[Any, ...]:
    document = dump(receipt.document)
    totals = receipt.document["totals"]
    shown = {
        "gross": totals["gross"],
        "vat": totals["vat"],
        "lines": len(receipt.document["lines"]),
        "payments": ", ".join(f"{each['type']} {each['amount']}" for each in receipt.document["payments"]),
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
