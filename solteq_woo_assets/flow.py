"""What a flow is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

import duckdb
import polars as pl


class Change(TypedDict):
    """One field of a delta row, as text."""

    field: str
    old: str | None
    new: str | None


CHANGES_SCHEMA = pl.Schema(
    {
        "key": pl.String,
        "action": pl.String,
        "kind": pl.String,
        "woo_id": pl.Int64,
        "parent_key": pl.String,
        "parent_id": pl.Int64,
        "changes": pl.List(pl.Struct({"field": pl.String, "old": pl.String, "new": pl.String})),
        "reason": pl.String,
    }
)
"""The columns that every delta has; a flow may add some."""
HELD_SCHEMA = pl.Schema(dict.fromkeys(("key", "field", "reason", "code"), pl.String()))
"""Records that are held back; ``code`` is of the catalogue of problems."""

Effect = Callable[[duckdb.DuckDBPyConnection], None]
"""Writes to the tables of a flow what its comparison found out, such as a link."""


@dataclass(frozen=True)
class Comparison:
    """What a flow would write, by what was last read of both sides. To make one changes nothing in the database.

    ``changes`` begins with ``CHANGES_SCHEMA``, ``held`` has ``HELD_SCHEMA``. ``effects``: what the delta asset applies
    in the transaction that stores the delta. ``next_edge``: when the same data give another comparison, if they do,
    in UTC without a zone. ``numbers``: what the UI tells of it beside the changes.
    """

    changes: pl.DataFrame
    held: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HELD_SCHEMA))
    effects: tuple[Effect, ...] = ()
    next_edge: datetime | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)

    def take_effect(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Store what was found out: for the delta asset alone, in the transaction that stores the delta."""
        for effect in self.effects:
            effect(connection)
