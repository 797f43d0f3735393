"""Orders that somebody said were booked in Solteq by other means: they are not booked again while they stay as they
are, and their pieces are in Solteq's balances."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.flows.sales.frames import chosen_orders, sent_of
from solteq_woo_assets.flows.sales.orders import PRODUCT, Order
from solteq_woo_assets.flows.sales.receipts import refund_content, sale_content
from solteq_woo_assets.flows.sales.rules import REVERSED_STATUSES
from solteq_woo_assets.flows.sales.tables import BOOKED_ELSEWHERE


def known(connection: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """These orders, and what each was like."""
    return dict(connection.execute("SELECT order_id, content FROM sync.booked_elsewhere").fetchall())


def order_content(order: Order) -> str:
    """Fingerprint of what is booked of an order: its sale, its refunds, and whether it is void."""
    is_void = bool(order.gone) or order.status in REVERSED_STATUSES
    refunds = sorted(refund_content(refund) for refund in order.refunds)
    return hashlib.sha256("\n".join([sale_content(order), *refunds, str(is_void)]).encode()).hexdigest()[:16]


def remember(connection: duckdb.DuckDBPyConnection, order_id: int) -> None:
    """Take the order, as it is now, for booked elsewhere, with all the pieces that it holds."""
    with sql.Steps(connection, __name__) as steps:
        steps.table("chosen", "one_order", id=order_id)
        (row,) = chosen_orders(steps)
        left = defaultdict[str, Decimal](Decimal)
        for line in row["order"].lines:
            if line.kind == PRODUCT and line.reduced_stock > 0:
                left[str(line.id)] += line.reduced_stock
        for sent in sent_of(steps)[order_id]:
            for (line_id, _), pieces in moved_pieces(sent.receipt.document).items() if sent.is_booked else ():
                left[line_id] -= pieces
        lines = [{"line_id": line_id, "quantity": pieces} for line_id, pieces in left.items() if pieces > 0]
        said = [(order_id, order_content(row["order"]), lines, utc_now())]
        with sql.reading(connection, said=pl.DataFrame(said, schema=BOOKED_ELSEWHERE.schema, orient="row")):
            connection.execute("INSERT OR REPLACE INTO sync.booked_elsewhere BY NAME FROM said")


def pieces_held(connection: duckdb.DuckDBPyConnection, order_ids: Sequence[int]) -> float:
    """How many pieces these orders had under way at the last look, before the balances are asked."""
    with sql.Steps(connection, __name__) as steps:
        return steps.frame("pieces_of_orders", ids=list(order_ids)).item()


def forget(connection: duckdb.DuckDBPyConnection, order_id: int) -> None:
    """Book the order from here after all."""
    rows = connection.execute("DELETE FROM sync.booked_elsewhere WHERE order_id = ? RETURNING order_id", [order_id])
    if rows.fetchall():
        connection.execute("DELETE FROM sync.settled_orders WHERE order_id = ?", [order_id])


def orders_of(connection: duckdb.DuckDBPyConnection, key: str) -> list[int]:
    """The order that a key of the quarantine names: ``order 17``, or a document's externalId; or none."""
    _, _, number = key.partition("order ") if key.startswith("order ") else key.rpartition(":order:")
    number = number.partition(":")[0]
    refund = key.rpartition(":refund:")[2].partition(":")[0] if ":refund:" in key else ""
    if refund.isdecimal():
        query, sought = "SELECT DISTINCT order_id FROM snapshot.woo_sales_refunds WHERE refund_id = ?", refund
    elif number.isdecimal():
        query, sought = "SELECT id FROM snapshot.woo_sales WHERE id = ?", number
    else:
        return []
    return [row[0] for row in connection.execute(query, [int(sought)]).fetchall()]


def moved_pieces(document: Mapping[str, Any]) -> dict[tuple[str, str], Decimal]:
    """What a document takes from Solteq's balances, by line and product. A refund gives back what it says that went
    back on the shelf (contract, Restock)."""
    moved = defaultdict[tuple[str, str], Decimal](Decimal)
    for line in document["lines"]:
        if line["kind"] == PRODUCT and "productCode" in line and (line["quantity"] > 0 or line.get("restock")):
            moved[line["lineId"], line["productCode"]] += Decimal(line["quantity"])
    return moved
