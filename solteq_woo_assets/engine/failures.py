"""Writes at which the other side fails while it takes others: kept in ``sync.failures``, and tried ever more rarely.

The next run sends it again, since the other side may have gone away in the middle of this one. What fails then, too, is
sent again after an hour, after two more, four and so on, but at least once a day. After the third failing run it is
shown in the quarantine. Another write of the same key is sent at once.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.ledger import SENT_ACTIONS, changes_hash
from solteq_woo_assets.engine.writes import M, Outcome, R, Write

CODE = "write-fails"
SHOWN_AFTER = 3
"""Runs; a side that is away for a minute puts nothing into quarantine."""
_ROWS = pl.Schema({"key": pl.String, "content": pl.String})


def note(
    connection: duckdb.DuckDBPyConnection, flow: str, outcomes: Sequence[Outcome[M, R]], now: datetime
) -> list[Outcome[M, R]]:
    """Store the writes that failed, and forget those that have an answer.

    :return: the outcomes, refused where the write failed in so many runs that people are to be told
    """
    answered = [o.write.key for o in outcomes if o.state in ("delivered", "refused") and o.code != CODE]
    _forget(connection, flow, answered)
    failed = [outcome for outcome in outcomes if outcome.code == CODE]
    if not failed:
        return list(outcomes)
    same = "held.content = excluded.content"
    rows = [(o.write.key, changes_hash(o.write.changes)) for o in failed]
    with sql.reading(connection, failed=pl.DataFrame(rows, schema=_ROWS, orient="row")):
        runs = connection.execute(
            "INSERT INTO sync.failures AS held "
            "SELECT $flow, key, content, 1, $now, $now FROM failed ON CONFLICT (flow, key) DO UPDATE SET "
            f"runs = CASE WHEN {same} THEN held.runs + 1 ELSE 1 END, "
            f"since = CASE WHEN {same} THEN held.since ELSE excluded.since END, "
            f"next_at = $now + to_hours(CASE WHEN {same} AND held.runs > 0 "
            "THEN least(1 << least(held.runs - 1, 10), 24) ELSE 0 END), "
            "content = excluded.content RETURNING key, runs",
            {"flow": flow, "now": now},
        ).fetchall()
    shown = {key for key, times in runs if times >= SHOWN_AFTER}
    return [replace(o, state="refused") if o.code == CODE and o.write.key in shown else o for o in outcomes]


def suspect(connection: duckdb.DuckDBPyConnection, flow: str, writes: Sequence[Write[Any]], now: datetime) -> None:
    """Store the writes that failed while none passed: they go last the next time, so that others do not wait."""
    for write in writes:
        connection.execute(
            "INSERT INTO sync.failures VALUES ($1, $2, $3, 0, $4, $4) ON CONFLICT DO NOTHING",
            [flow, write.key, changes_hash(write.changes), now],
        )


def waiting(
    connection: duckdb.DuckDBPyConnection, flow: str, changes: pl.DataFrame, now: datetime, *, but: Collection[str] = ()
) -> pl.DataFrame:
    """Let the writes wait that are not to be tried again yet: their action is wait, their reason says until when.

    :param but: keys that are to be tried at once
    """
    held = {
        key: (content, next_at)
        for key, content, next_at in connection.execute(
            "SELECT key, content, next_at FROM sync.failures WHERE flow = ? AND next_at > ?", [flow, now]
        ).fetchall()
        if key not in but
    }
    if not held:
        return changes
    suspects = changes.filter(pl.col("key").is_in(list(held)), pl.col("action").is_in(SENT_ACTIONS)).to_dicts()
    until = {
        row["key"]: f"failed when it was sent; it is tried again after {held[row['key']][1]:%Y-%m-%d %H:%M} UTC"
        for row in suspects
        if changes_hash(row["changes"]) == held[row["key"]][0]
    }
    is_meant = pl.col("key").is_in(list(until)) & pl.col("action").is_in(SENT_ACTIONS)
    return changes.with_columns(
        action=pl.when(is_meant).then(pl.lit("wait")).otherwise(pl.col("action")),
        reason=pl.when(is_meant)
        .then(pl.col("key").replace_strict(until, default=None, return_dtype=pl.String))
        .otherwise(pl.col("reason")),
    )


def keep_only(connection: duckdb.DuckDBPyConnection, flow: str, due: pl.DataFrame) -> None:
    """Forget the failures of writes that are not due any more.

    :param due: a frame with the column key
    """
    with sql.reading(connection, due=due):
        connection.execute("DELETE FROM sync.failures WHERE flow = ? AND key NOT IN (SELECT key FROM due)", [flow])


def _forget(connection: duckdb.DuckDBPyConnection, flow: str, keys: Sequence[str]) -> None:
    connection.execute("DELETE FROM sync.failures WHERE flow = ? AND list_contains(?, key)", [flow, list(keys)])
