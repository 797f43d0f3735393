"""Pieces that were sold in the store and that Solteq's balances may not show yet."""

from datetime import datetime
from typing import Any

import duckdb
import polars as pl
import simplejson

from solteq_woo_assets.rules.receipts import ReceiptRules
from solteq_woo_assets.sync.sales import ORDERS, first_day
from solteq_woo_assets.sync.sales_plan import plan
from solteq_woo_assets.sync.snapshot import SOLTEQ_OVERLAP

TABLE = "snapshot.sales_under_way"
BALANCES = "snapshot.solteq_balances"
_SCHEMA = pl.Schema(
    {
        **{
            "key": pl.String,
            "order_id": pl.Int64,
            "sku": pl.String,
            "quantity": pl.Decimal(18, 4),
            "booked_at": pl.Datetime("us"),
        },
        **{"is_paid": pl.Boolean, "ordered_at": pl.Datetime("us")},
    }
)


def store_sales_under_way(connection: duckdb.DuckDBPyConnection, rules: ReceiptRules) -> int:
    """Make the table what is under way now: documents that are due, pending, or booked a short while ago, and orders
    that are not paid yet, or cannot be booked, though the store took their pieces from its stock.

    A short while: balances that were read so long after a booking that none can still be on its way (contract, Feeds:
    delivery is unordered) show it, whether they moved or not.

    :return: how many pieces that is, before Solteq's balances are asked which of them they show
    """
    due = plan(connection, rules)
    documents: list[tuple[str, int, str, datetime | None]] = [
        (row["key"], row["woo_id"], row["document"], None) for row in due.changes.iter_rows(named=True)
    ]
    documents += connection.execute(
        "SELECT external_id, order_id, document, booked_at FROM sync.sales WHERE state = 'booked' "
        "AND booked_at > coalesce((SELECT read_at FROM sync.watermarks WHERE feed = $feed), $never) - $late",
        {"feed": BALANCES, "late": SOLTEQ_OVERLAP, "never": datetime(2000, 1, 1)},  # noqa: DTZ001
    ).fetchall()
    ordered = dict(connection.execute(f"SELECT id, created_at FROM {ORDERS}").fetchall()) if documents else {}
    rows: list[tuple[Any, ...]] = []
    for key, order_id, document, booked_at in documents:
        for line in simplejson.loads(document, use_decimal=True)["lines"]:
            if line["kind"] == "Product" and "productCode" in line:
                rows.append((key, order_id, line["productCode"], line["quantity"], booked_at, True, ordered[order_id]))
    rows += _unpaid(connection, due.held["key"].to_list(), rules)
    lines = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    frame = lines.group_by("key", "sku").agg(pl.exclude("quantity").first(), pl.col("quantity").sum())
    connection.execute(f"DELETE FROM {TABLE}")
    connection.register("rows_under_way", frame)
    connection.execute(f"INSERT INTO {TABLE} BY NAME SELECT * FROM rows_under_way")
    return int(frame["quantity"].sum() or 0)


def _unpaid(connection: duckdb.DuckDBPyConnection, held: list[str], rules: ReceiptRules) -> list[tuple[Any, ...]]:
    """Pieces that the store took from its stock for orders that make no document: not paid yet, or held back."""
    return connection.execute(
        f"""
        SELECT 'order ' || sold.id AS key, sold.id, line.sku, line.reduced_stock, NULL, list_contains($held, key),
            sold.created_at
        FROM {ORDERS} AS sold JOIN snapshot.woo_sales_lines AS line ON line.order_id = sold.id AND refund_id IS NULL
        WHERE line.reduced_stock > 0 AND line.sku <> '' AND sold.gone IS NULL AND sold.day >= $begins
            AND sold.id NOT IN (SELECT order_id FROM sync.sales)
            AND (list_contains($held, 'order ' || sold.id)
                OR NOT (list_contains($statuses, status) OR status = 'refunded'))
        """,
        {"held": held, "statuses": list(rules.sale_statuses), "begins": first_day(connection)},
    ).fetchall()
