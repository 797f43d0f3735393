"""Pieces that were sold in the store and that Solteq's balances may not show yet."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from solteq_woo_assets.engine.snapshot import SOLTEQ_OVERLAP
from solteq_woo_assets.flows.sales.booked_elsewhere import moved_pieces
from solteq_woo_assets.flows.sales.orders import ReceiptRules
from solteq_woo_assets.flows.sales.plan import plan
from solteq_woo_assets.flows.sales.snapshots import ORDERS, is_booked_here
from solteq_woo_assets.flows.sales.tables import SALES_UNDER_WAY

TABLE = "snapshot.sales_under_way"
BALANCES = "snapshot.solteq_balances"

# Orders that may hold pieces, and why: documents of theirs are due, pending, or were booked a short while ago; they are
# held back; or they are no sale, and the store has not put their pieces back. Of older orders, which somebody else
# booked when they were paid, those that never were a sale.
_HOLDING = f"""
CREATE OR REPLACE TEMP TABLE holding AS
SELECT sold.id AS order_id, sold.created_at AS since, CASE
        WHEN held.reason IS NOT NULL THEN 'held back: ' || held.reason
        WHEN refused.reason IS NOT NULL THEN 'Solteq refused it: ' || refused.reason
        WHEN gone IS NOT NULL THEN 'it was ' || gone || ' in the store, which put nothing back on the shelf'
        WHEN is_due THEN 'not booked in Solteq yet'
        WHEN is_sale THEN 'the balance does not show it yet'
        ELSE 'it is ' || status || ' in the store, which put nothing back on the shelf'
    END AS why
FROM (
    SELECT *, list_contains($statuses, status) AS is_sale, list_contains($due, id) AS is_due,
        coalesce({{is_ours}}, FALSE) AS is_ours,
        id IN (SELECT order_id FROM snapshot.woo_sales_lines WHERE refund_id IS NULL AND reduced_stock > 0) AS has_taken
    FROM {ORDERS}
) AS sold
LEFT JOIN held_orders AS held ON held.key = 'order ' || sold.id
LEFT JOIN refused_orders AS refused ON refused.order_id = sold.id
WHERE is_due OR held.key IS NOT NULL
    OR id IN (SELECT order_id FROM sync.sales WHERE state = 'booked' AND booked_at > $shown_until)
    OR (has_taken AND is_ours AND (gone IS NOT NULL OR NOT is_sale))
    OR (has_taken AND NOT is_ours AND NOT is_sale AND paid_at IS NULL
        AND id NOT IN (SELECT order_id FROM snapshot.woo_sales_payments WHERE method = 'cod'))
"""

_ROWS = f"""
INSERT INTO {TABLE} BY NAME
WITH lines AS (
    SELECT order_id, line_id::VARCHAR AS line_id, sku, reduced_stock FROM snapshot.woo_sales_lines
    WHERE refund_id IS NULL AND kind = 'Product' AND order_id IN (SELECT order_id FROM holding)
), rows AS (
    SELECT order_id, line_id, '' AS document, sku, reduced_stock AS quantity, NULL AS booked_at, FALSE AS is_shown
    FROM lines WHERE reduced_stock > 0
    UNION ALL  -- the SKU of today: that of the document is Solteq's of then
    SELECT order_id, line_id, document, coalesce(nullif(lines.sku, ''), moved.sku), quantity, booked_at,
        coalesce(booked_at <= $shown_until, FALSE)
    FROM moved LEFT JOIN lines USING (order_id, line_id)
    UNION ALL
    SELECT order_id, taken.line_id, 'booked elsewhere', coalesce(lines.sku, ''), taken.quantity, NULL, TRUE
    FROM (SELECT order_id, unnest(lines) AS taken FROM sync.booked_elsewhere) AS elsewhere
    LEFT JOIN lines USING (order_id) WHERE lines.line_id = taken.line_id
)
SELECT rows.*, since, why FROM rows JOIN holding USING (order_id) WHERE sku <> ''
"""


def store_sales_under_way(connection: duckdb.DuckDBPyConnection, rules: ReceiptRules) -> int:
    """Make the table what is under way now: of each line of an order what the store holds, and what documents took.

    What the store says that it took from its stock counts, not the order's status: failed, refunded, binned and
    deleted orders put nothing back (contract, 36, 37, 43). A document that was booked a short while ago may not be
    shown by the balances. A short while: balances that were read so long after a booking that none can still be on its
    way (contract, Feeds) show it, whether they moved or not.

    :return: how many pieces that is, before Solteq's balances are asked which of them they show
    """
    due = plan(connection, rules)
    shown_until = _shown_until(connection)
    # The pieces of an order that somebody else booked are off Solteq's balance already, whatever its refunds wait for.
    held = due.held.filter(pl.col("code") != "old-order-refunded")
    connection.register("held_orders", held.group_by("key").agg(pl.col("reason").first()))
    connection.register("refused_orders", _refused(connection, due.changes))
    is_ours, ours = is_booked_here(connection, rules.zone)
    sought = {"due": due.changes["woo_id"].unique().to_list(), "statuses": list(rules.sale_statuses)}
    connection.execute(_HOLDING.format(is_ours=is_ours), {**sought, **ours, "shown_until": shown_until})
    documents: list[tuple[int, str, str, datetime | None]] = [
        (row["woo_id"], row["key"], row["document"], None) for row in due.changes.iter_rows(named=True)
    ]
    documents += connection.execute(
        "SELECT order_id, external_id, document, booked_at FROM sync.sales "
        "WHERE state = 'booked' AND order_id IN (SELECT order_id FROM holding)"
    ).fetchall()
    schema = SALES_UNDER_WAY.schema_without("is_shown", "since", "why")
    connection.register("moved", pl.DataFrame(_moved(documents), schema=schema, orient="row"))
    connection.execute(f"DELETE FROM {TABLE}")
    connection.execute(_ROWS, {"shown_until": shown_until})
    return connection.execute(
        "SELECT coalesce(sum(greatest(held, sold) - shown), 0)::BIGINT FROM ("
        "SELECT coalesce(sum(quantity) FILTER (document = ''), 0) AS held, "
        "coalesce(sum(quantity) FILTER (document <> ''), 0) AS sold, "
        "coalesce(sum(quantity) FILTER (is_shown), 0) AS shown "
        f"FROM {TABLE} GROUP BY order_id, line_id) WHERE greatest(held, sold) > shown"
    ).fetchall()[0][0]


def _shown_until(connection: duckdb.DuckDBPyConnection) -> datetime:
    """What was booked until then, by Solteq's clock, the balances show."""
    rows = connection.execute("SELECT read_at_there FROM sync.watermarks WHERE feed = ?", [BALANCES]).fetchall()
    read_at = rows[0][0] if rows else None
    return read_at - SOLTEQ_OVERLAP if read_at else datetime(2000, 1, 1)  # noqa: DTZ001


def _refused(connection: duckdb.DuckDBPyConnection, due: pl.DataFrame) -> pl.DataFrame:
    """Orders of which Solteq refused a document that is still due, and why."""
    keys = due.select("key", order_id="woo_id")  # noqa: F841  DuckDB reads it
    return connection.sql(
        "SELECT order_id, any_value(reason) AS reason FROM sync.quarantine JOIN keys USING (key) "
        "WHERE flow = 'sales' AND stage = 'delivery' GROUP BY order_id"
    ).pl()


def _moved(documents: Iterable[tuple[int, str, str, datetime | None]]) -> list[tuple[Any, ...]]:
    """Rows of what documents take from Solteq's balances."""
    return [
        (order_id, line_id, external_id, sku, pieces, booked_at)
        for order_id, external_id, document, booked_at in documents
        for (line_id, sku), pieces in moved_pieces(document).items()
    ]
