"""Types of a flow: its changes and its comparison."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

import duckdb
import polars as pl

from solteq_woo_assets.table import ID, NOT_NULL, TEXT, Column


class Change(TypedDict):
    """One field of a delta row, as text."""

    field: str
    old: str | None
    new: str | None


CHANGES = {
    "key": Column(TEXT, "SKU, id or external id; of a campaign that sets no price, its id", NOT_NULL),
    "action": Column(
        TEXT,
        "create, update, convert, withdraw, restore, remove: sent; part: done here; wait, skip, stopped (by a guard "
        "rail): shown, not sent",
        NOT_NULL,
    ),
    "kind": Column(TEXT, "simple, variable, variation, campaign; sale, refund; customer, link", NOT_NULL),
    "woo_id": Column(ID, "The store's id, of a sale the order's; NULL for what is yet to be created"),
    "parent_key": Column(TEXT, "SKU of a variation's parent"),
    "parent_id": Column(ID, "The store's id of a variation's parent; NULL while it is yet to be created"),
    "changes": Column(
        pl.List(pl.Struct({"field": TEXT, "old": TEXT, "new": TEXT})),
        "Field by field, as they go on the wire",
        NOT_NULL,
    ),
    "reason": Column(TEXT, "Why, in words", NOT_NULL),
}
"""The columns that every delta has; a flow may add some."""
CHANGES_SCHEMA = pl.Schema({name: column.type for name, column in CHANGES.items()})
HELD_SCHEMA = pl.Schema(dict.fromkeys(("key", "field", "reason", "code"), pl.String()))
"""Records that are held back; ``code`` is of the catalogue of problems."""

Effect = Callable[[duckdb.DuckDBPyConnection], None]
"""Stores a result of a comparison, such as a link, in the flow's tables."""


@dataclass(frozen=True)
class Comparison:
    """The writes that a flow would make, by the last read of both sides. Making one changes nothing in the database.

    ``changes`` begins with ``CHANGES_SCHEMA``, ``held`` has ``HELD_SCHEMA``. ``effects``: writes that the delta asset
    applies in the transaction that stores the delta. ``next_edge``: when the same data give another comparison, if they
    do, in UTC without a zone. ``compared``: how many records it looked at. ``numbers``: more numbers for the UI.
    """

    changes: pl.DataFrame
    held: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HELD_SCHEMA))
    effects: tuple[Effect, ...] = ()
    next_edge: datetime | None = None
    compared: int = 0
    numbers: Mapping[str, int] = field(default_factory=dict)

    def take_effect(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Apply the effects: for the delta asset alone, in the transaction that stores the delta."""
        for effect in self.effects:
            effect(connection)
