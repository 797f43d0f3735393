"""What became of one order: what the store has, what was sent when, what Solteq answered."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import duckdb

from solteq_woo_assets.engine import sql

_TABLES = {
    "The order": "history_order",
    "Its lines, VAT beside": "history_lines",
    "Its refunds": "history_refunds",
    "Documents for Solteq": "history_documents",
    "What Solteq calls them": "history_answers",
    "Attempts": "history_attempts",
    "Held back": "history_held",
}
"""Titles, and the queries whose columns have the names that are shown."""


class OrderHistory(NamedTuple):
    """Tables of text by title: columns and rows. Nothing personal is among them."""

    order_id: int
    read_at: str
    tables: Mapping[str, tuple[list[str], Sequence[Sequence[str | None]]]]


def history_of(connection: duckdb.DuckDBPyConnection, number: str, zone: str) -> OrderHistory | None:
    """The history of an order, by its number or its id; ``None`` when it was never read.

    :param zone: of the times that are shown
    """
    with sql.steps(connection, __name__) as steps:
        steps.table("sought", number=number.removeprefix("#"), zone=zone)
        found = connection.execute("SELECT id, read_at FROM sought").fetchall()
        frames = {title: steps.frame(query) for title, query in _TABLES.items()}
    tables = {title: (frame.columns, frame.rows()) for title, frame in frames.items()}
    return OrderHistory(found[0][0], found[0][1], tables) if found else None
