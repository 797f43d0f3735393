"""What became of one order: what the store has, what was sent when, what Solteq answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from solteq_woo_assets.flows.sales.snapshots import FLOW, ORDERS, order_key

_LOCAL = "strftime({} AT TIME ZONE 'UTC' AT TIME ZONE $zone, '%-d.%-m.%Y %H:%M:%S')"
_MONEY = "{}::DECIMAL(18,2)::VARCHAR"

Rows = Sequence[Sequence[str | None]]


@dataclass(frozen=True)
class OrderHistory:
    """Rows of text, nothing personal among them."""

    order_id: int
    read_at: str
    store: Rows
    lines: Rows
    refunds: Rows
    documents: Rows
    answers: Rows
    attempts: Rows
    held: Rows

    def tables(self) -> list[tuple[str, list[str], Rows]]:
        """Titles, columns and rows, for whoever shows them."""
        return [
            ("The order", ["day", "number", "status", "made", "paid", "total", "VAT", "gone"], self.store),
            ("Its lines, VAT beside", ["line", "kind", "SKU", "quantity", "total", "VAT"], self.lines),
            ("Its refunds", ["refund", "made", "amount"], self.refunds),
            ("Documents for Solteq", ["external id", "gross", "business date", "state", "booked"], self.documents),
            ("What Solteq calls them", ["external id", "Solteq's id", "remarks"], self.answers),
            ("Attempts", ["when", "run", "external id", "state", "answer"], self.attempts),
            ("Held back", ["what", "field", "because", "to mend"], self.held),
        ]


def history_of(connection: duckdb.DuckDBPyConnection, number: str, zone: str) -> OrderHistory | None:
    """The history of an order, by its number or its id; ``None`` when it was never read.

    :param zone: of the times that are shown
    """
    parameters: dict[str, Any] = {"zone": zone}

    def local(column: str) -> str:
        return _LOCAL.format(column)

    def rows(query: str) -> Rows:
        used = {name: value for name, value in parameters.items() if f"${name}" in query}
        return connection.execute(query, used).fetchall()

    parameters["number"] = number.removeprefix("#")
    found = rows(
        f"SELECT id, {local('read_at')} FROM {ORDERS} WHERE number = $number OR id::VARCHAR = $number "
        "ORDER BY number = $number DESC LIMIT 1"
    )
    if not found:
        return None
    order_id, read_at = found[0]
    parameters |= {"id": order_id, "key": order_key(int(order_id or 0)), "flow": FLOW}
    return OrderHistory(
        int(order_id or 0),
        read_at or "",
        rows(
            f"SELECT day::VARCHAR, number, status, {local('created_at')}, {local('paid_at')}, "
            f"{_MONEY.format('total')}, {_MONEY.format('total_tax')}, gone FROM {ORDERS} WHERE id = $id"
        ),
        rows(
            "SELECT CASE WHEN refund_id IS NULL THEN '' ELSE 'refund ' || refund_id || ', ' END || line_id, kind, sku, "
            f"quantity::DOUBLE::VARCHAR, {_MONEY.format('total')}, {_MONEY.format('total_tax')} "
            "FROM snapshot.woo_sales_lines WHERE order_id = $id ORDER BY refund_id NULLS FIRST, line_id"
        ),
        rows(
            f"SELECT refund_id::VARCHAR, {local('created_at')}, {_MONEY.format('amount')} "
            "FROM snapshot.woo_sales_refunds WHERE order_id = $id ORDER BY refund_id"
        ),
        rows(
            "SELECT external_id, (document->>'$.totals.gross')::DECIMAL(18,2)::VARCHAR, "
            "document->>'$.businessDate', state, "
            f"{local('booked_at')} FROM sync.sales WHERE order_id = $id ORDER BY sent_at, version, type DESC"
        ),
        rows(
            "SELECT external_id, solteq_id, array_to_string(notes, '; ') FROM sync.sales WHERE order_id = $id "
            "ORDER BY sent_at, version, type DESC"
        ),
        rows(
            f"SELECT {local('created_at')}, left(run_id, 8), key, state, error FROM sync.deliveries "
            "WHERE flow = $flow AND woo_id = $id ORDER BY created_at DESC LIMIT 20"
        ),
        rows(
            "SELECT key, field, reason, mend FROM sync.quarantine WHERE flow = $flow AND (key = $key "
            "OR key IN (SELECT key FROM sync.deliveries WHERE flow = $flow AND woo_id = $id))"
        ),
    )
