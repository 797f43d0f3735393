"""Orders that somebody said were booked in Solteq by other means: they are not booked again while they stay as they
are, and their pieces are in Solteq's balances."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

import duckdb
import polars as pl
import simplejson

from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.flows.sales.frames import ORDERS_QUERY, order_of
from solteq_woo_assets.flows.sales.orders import Order
from solteq_woo_assets.flows.sales.receipts import refund_content, sale_content
from solteq_woo_assets.flows.sales.rules import REVERSED_STATUSES


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
    connection.execute("CREATE OR REPLACE TEMP TABLE chosen AS FROM snapshot.woo_sales WHERE id = ?", [order_id])
    (row,) = connection.sql(ORDERS_QUERY).pl().to_dicts()
    left = defaultdict[str, Decimal](Decimal)
    for line_id, taken in connection.execute(
        "SELECT line_id::VARCHAR, reduced_stock FROM snapshot.woo_sales_lines "
        "WHERE order_id = ? AND refund_id IS NULL AND kind = 'Product' AND reduced_stock > 0",
        [order_id],
    ).fetchall():
        left[line_id] += taken
    for (document,) in connection.execute(
        "SELECT document FROM sync.sales WHERE order_id = ? AND state = 'booked'", [order_id]
    ).fetchall():
        for (line_id, _), pieces in moved_pieces(document).items():
            left[line_id] -= pieces
    lines = [{"line_id": line_id, "quantity": pieces} for line_id, pieces in left.items() if pieces > 0]
    schema = {"line_id": pl.String, "quantity": pl.Decimal(18, 4)}
    taken_lines = pl.DataFrame(lines, schema=schema)  # noqa: F841  DuckDB reads it
    connection.execute(
        "INSERT OR REPLACE INTO sync.booked_elsewhere BY NAME SELECT $order_id AS order_id, $content AS content, "
        "coalesce((SELECT list({'line_id': line_id, 'quantity': quantity}) FROM taken_lines), []) AS lines, "
        "$now AS since",
        {"order_id": order_id, "content": order_content(order_of(row)), "now": utc_now()},
    )


def pieces_held(connection: duckdb.DuckDBPyConnection, order_ids: Sequence[int]) -> float:
    """How many pieces these orders had under way at the last look, before the balances are asked."""
    return connection.execute(
        "SELECT coalesce(sum(greatest(held, sold)), 0)::DOUBLE FROM ("
        "SELECT coalesce(sum(quantity) FILTER (document = ''), 0) AS held, "
        "coalesce(sum(quantity) FILTER (document <> '' AND NOT is_shown), 0) AS sold "
        "FROM snapshot.sales_under_way WHERE list_contains($ids, order_id) GROUP BY order_id, line_id)",
        {"ids": list(order_ids)},
    ).fetchall()[0][0]


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


def moved_pieces(document: str) -> dict[tuple[str, str], Decimal]:
    """What a document, as JSON, takes from Solteq's balances, by line and product. A refund gives back what it says
    that went back on the shelf (contract, Restock)."""
    moved = defaultdict[tuple[str, str], Decimal](Decimal)
    for line in simplejson.loads(document, use_decimal=True)["lines"]:
        if line["kind"] == "Product" and "productCode" in line and (line["quantity"] > 0 or line.get("restock")):
            moved[line["lineId"], line["productCode"]] += Decimal(line["quantity"])
    return moved
