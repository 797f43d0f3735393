"""Records that are held back, so that one bad record never stops the rest, and none is lost."""

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.problems import PROBLEMS

RECORDS = pl.Schema(dict.fromkeys(("key", "field", "reason", "code", "raw"), pl.String()))
"""A record to be held: code is of the catalogue of problems; raw is the document's JSON when it could not be read, the
hash of what was refused when the other side refused it."""


def hold(connection: duckdb.DuckDBPyConnection, flow: str, stage: str, records: pl.DataFrame) -> None:
    """Put records into quarantine; what was there of the same keys is replaced.

    The first sighting is kept, and so is that somebody dismissed it, while reason and record are the same.

    :param records: columns of ``RECORDS``, raw optionally
    """
    if records.is_empty():
        return
    if "raw" not in records.columns:
        records = records.with_columns(raw=pl.lit(None, dtype=pl.String))
    mend = pl.col("code").replace_strict({code: problem.mend for code, problem in PROBLEMS.items()})
    incoming = (
        records.select(RECORDS.names())
        .unique(["key", "field"], keep="last", maintain_order=True)
        .with_columns(mend=mend)
    )
    scope = {"flow": flow, "stage": stage}
    with sql.reading(connection, incoming=incoming):
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE held_before AS FROM sync.quarantine "
            "WHERE flow = $flow AND stage = $stage AND key IN (SELECT key FROM incoming)",
            scope,
        )
        connection.execute(
            "DELETE FROM sync.quarantine WHERE flow = $flow AND stage = $stage AND key IN (SELECT key FROM incoming)",
            scope,
        )
        connection.execute(
            "INSERT INTO sync.quarantine BY NAME SELECT $flow AS flow, $stage AS stage, key, field, incoming.code, "
            "incoming.reason, incoming.mend, incoming.raw, coalesce(before.first_seen, $now) AS first_seen, "
            "$now AS last_seen, "
            "CASE WHEN before.reason = incoming.reason AND before.raw IS NOT DISTINCT FROM incoming.raw "
            "THEN before.dismissed_at END AS dismissed_at "
            "FROM incoming LEFT JOIN held_before AS before USING (key, field)",
            scope | {"now": utc_now()},
        )


def release(connection: duckdb.DuckDBPyConnection, flow: str, stage: str, keys: pl.DataFrame) -> None:
    """Let go of records whose source is sound again.

    :param keys: a frame with the column key
    """
    with sql.reading(connection, sound=keys):
        connection.execute(
            "DELETE FROM sync.quarantine WHERE flow = $flow AND stage = $stage AND key IN (SELECT key FROM sound)",
            {"flow": flow, "stage": stage},
        )


def replace(connection: duckdb.DuckDBPyConnection, flow: str, stage: str, records: pl.DataFrame) -> None:
    """Make the quarantine of this flow and stage just these records."""
    with sql.reading(connection, incoming=records):
        connection.execute(
            "DELETE FROM sync.quarantine WHERE flow = $flow AND stage = $stage "
            "AND key NOT IN (SELECT key FROM incoming)",
            {"flow": flow, "stage": stage},
        )
    hold(connection, flow, stage, records)


def dismiss(connection: duckdb.DuckDBPyConnection, key: str, flow: str | None = None) -> int:
    """Let records be: they are held back on, but no longer counted or told, until they change.

    :return: how many those are
    """
    rows = connection.execute(
        "UPDATE sync.quarantine SET dismissed_at = $now WHERE key = $key AND flow = coalesce($flow, flow) "
        "AND dismissed_at IS NULL RETURNING key",
        {"now": utc_now(), "key": key, "flow": flow},
    ).fetchall()
    return len(rows)


def keep_only(connection: duckdb.DuckDBPyConnection, flow: str, due: pl.DataFrame) -> None:
    """Let go of refusals of what is not due any more.

    :param due: a frame with the column key
    """
    with sql.reading(connection, due=due):
        connection.execute(
            "DELETE FROM sync.quarantine WHERE flow = ? AND stage = 'delivery' AND key NOT IN (SELECT key FROM due)",
            [flow],
        )
