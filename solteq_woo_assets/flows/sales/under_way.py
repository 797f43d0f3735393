"""Pieces that were sold in the store and that Solteq's balances may not show yet."""

from datetime import datetime

import duckdb
import polars as pl
import simplejson

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.snapshot import SOLTEQ_OVERLAP
from solteq_woo_assets.flows.sales.booked_elsewhere import moved_pieces
from solteq_woo_assets.flows.sales.orders import ReceiptRules
from solteq_woo_assets.flows.sales.plan import plan
from solteq_woo_assets.flows.sales.snapshots import add_orders
from solteq_woo_assets.flows.sales.tables import SALES_UNDER_WAY

BALANCES = "snapshot.solteq_balances"


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
    changes = due.changes.select("key", "woo_id", "document")
    with sql.steps(connection, __name__, changes=changes, held_back=due.held) as steps:
        add_orders(steps, rules.zone)
        steps.view("standing_sales")
        steps.table("holding", sale_statuses=list(rules.sale_statuses), shown_until=shown_until)
        moved = [
            (order_id, line_id, external_id, sku, pieces, booked_at)
            for order_id, external_id, document, booked_at in steps.frame("documents_of_holding").iter_rows()
            for (line_id, sku), pieces in moved_pieces(simplejson.loads(document, use_decimal=True)).items()
        ]
        schema = SALES_UNDER_WAY.schema_without("is_shown", "since", "why")
        steps.add(moved=pl.DataFrame(moved, schema=schema, orient="row"))
        steps.table("under_way", shown_until=shown_until)
        connection.execute("DELETE FROM snapshot.sales_under_way")
        connection.execute("INSERT INTO snapshot.sales_under_way BY NAME FROM under_way")
        return steps.frame("pieces_held").item()


def _shown_until(connection: duckdb.DuckDBPyConnection) -> datetime:
    """What was booked until then, by Solteq's clock, the balances show."""
    rows = connection.execute("SELECT read_at_there FROM sync.watermarks WHERE feed = ?", [BALANCES]).fetchall()
    read_at = rows[0][0] if rows else None
    return read_at - SOLTEQ_OVERLAP if read_at else datetime(2000, 1, 1)  # noqa: DTZ001
