"""The ledger, ``sync.deliveries``: a row before each write leaves, settled after; and how a delivery went."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.writes import Outcome, Write
from solteq_woo_assets.flow import Change

SENT_ACTIONS = ("create", "update", "convert", "withdraw", "restore", "remove")
"""The delta's other actions, wait, skip and stopped, are only shown."""


@dataclass
class DeliveryCounts:
    """How a delivery went. ``by_action``: delivered writes by the delta's action."""

    by_action: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    retry: int = 0
    waiting: int = 0
    unsent: int = 0
    """Writes that did not leave: the delivery ended before their turn."""
    interrupted: int = 0
    """Writes of an earlier run that were found pending."""

    @property
    def delivered(self) -> int:
        """Writes that the other side took."""
        return self.by_action.total()

    @property
    def undelivered(self) -> int:
        """Writes that did not arrive."""
        return self.refused + self.retry + self.waiting + self.unsent

    def merge(self, other: "DeliveryCounts") -> None:
        """Count those of another delivery, too."""
        self.by_action += other.by_action
        self.refused += other.refused
        self.retry += other.retry
        self.waiting += other.waiting
        self.unsent += other.unsent
        self.interrupted += other.interrupted

    def add(self, outcomes: Iterable[Outcome[Any, Any]]) -> None:
        for outcome in outcomes:
            if outcome.state == "delivered":
                self.by_action[outcome.write.action] += 1
            else:
                setattr(self, outcome.state, getattr(self, outcome.state) + 1)


def changes_hash(changes: Iterable[Change]) -> str:
    """A short fingerprint of a write's values; a refused write is not sent again while it is the same."""
    text = "\n".join(sorted(f"{change['field']}={change['new']}" for change in changes))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def close_earlier(connection: duckdb.DuckDBPyConnection, flow: str, run_id: str, due: Sequence[str]) -> int:
    """Close the writes that earlier runs left open; the number of pending ones.

    :param due: keys of all that is due now
    """
    interrupted = _settle_interrupted(connection, flow, due)
    _supersede(connection, flow, run_id)
    return interrupted


def _settle_interrupted(connection: duckdb.DuckDBPyConnection, flow: str, due: Sequence[str]) -> int:
    with sql.reading(connection, again=pl.DataFrame({"key": due}, schema={"key": pl.String})):
        rows = connection.execute(
            "UPDATE sync.deliveries SET settled_at = $now, "
            "state = CASE WHEN key IN (SELECT key FROM again) THEN 'interrupted' ELSE 'delivered' END, "
            "error = CASE WHEN key IN (SELECT key FROM again) THEN 'the run was interrupted; sent again' "
            "ELSE 'the run was interrupted; not due any more' END "
            "WHERE flow = $flow AND state = 'pending' RETURNING delivery_id, state",
            {"flow": flow, "now": utc_now()},
        ).fetchall()
    _use_passes(connection, [delivery_id for delivery_id, state in rows if state == "delivered"])
    return len(rows)


def _supersede(connection: duckdb.DuckDBPyConnection, flow: str, run_id: str) -> None:
    """Writes that earlier runs left are in this delta, or are not due any more."""
    connection.execute(
        "UPDATE sync.deliveries SET state = 'superseded' "
        "WHERE flow = $flow AND state IN ('retry', 'unsent', 'waiting') AND run_id <> $run_id",
        {"flow": flow, "run_id": run_id},
    )


def enter(
    connection: duckdb.DuckDBPyConnection,
    flow: str,
    run_id: str,
    writes: Sequence[Write[Any]],
    *,
    keep_values: bool = True,
) -> None:
    """Enter writes as pending, before they leave."""
    if not writes:
        return
    rows = pl.DataFrame(
        [
            {
                "delivery_id": write.delivery_id,
                "key": write.key,
                "action": write.action,
                "kind": write.kind,
                "woo_id": write.woo_id,
                "changes": write.changes if keep_values else [_without_values(change) for change in write.changes],
            }
            for write in writes
        ],
        schema={
            "delivery_id": pl.String,
            "key": pl.String,
            "action": pl.String,
            "kind": pl.String,
            "woo_id": pl.Int64,
            "changes": pl.List(pl.Struct({"field": pl.String, "old": pl.String, "new": pl.String})),
        },
    )
    with sql.reading(connection, entered=rows):
        connection.execute(
            "INSERT INTO sync.deliveries BY NAME "
            "SELECT *, $run_id AS run_id, $flow AS flow, 'pending' AS state, $now AS created_at FROM entered",
            {"run_id": run_id, "flow": flow, "now": utc_now()},
        )
        connection.execute(
            "UPDATE sync.stopped SET delivery_ids = list_append(delivery_ids, entered.delivery_id) FROM entered "
            "WHERE stopped.flow = $flow AND stopped.key = entered.key AND let_pass_at IS NOT NULL AND used_at IS NULL",
            {"flow": flow},
        )


def _without_values(change: Change) -> Change:
    return {"field": change["field"], "old": None, "new": None}


def settle(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome[Any, Any]]) -> None:
    """Close the rows of the ledger."""
    rows = [(o.write.delivery_id, o.state, o.error or None, _store_id(o)) for o in outcomes]
    schema = {"delivery_id": pl.String, "state": pl.String, "error": pl.String, "woo_id": pl.Int64}
    with sql.reading(connection, settled=pl.DataFrame(rows, schema=schema, orient="row")):
        connection.execute(
            "UPDATE sync.deliveries AS row SET state = settled.state, error = settled.error, "
            "woo_id = coalesce(settled.woo_id, row.woo_id), settled_at = $now "
            "FROM settled WHERE row.delivery_id = settled.delivery_id",
            {"now": utc_now()},
        )
    _use_passes(connection, [outcome.write.delivery_id for outcome in outcomes if outcome.state == "delivered"])


def _store_id(outcome: Outcome[Any, Any]) -> int | None:
    """The store's ids are numbers, Solteq's are text."""
    identifier = outcome.answer.id if outcome.answer else None
    return identifier if isinstance(identifier, int) else None


def _use_passes(connection: duckdb.DuckDBPyConnection, delivered: Sequence[str]) -> None:
    """A row that somebody let pass may go once (engine/stopped.py)."""
    connection.execute(
        "UPDATE sync.stopped SET used_at = $now WHERE used_at IS NULL AND list_has_any(delivery_ids, $delivered)",
        {"now": utc_now(), "delivered": delivered},
    )
