"""Records that are held back, so that one bad record never stops the rest, and none is lost."""

import duckdb
import polars as pl

COLUMNS = ("key", "field", "reason", "mend", "raw")


def hold(connection: duckdb.DuckDBPyConnection, flow: str, stage: str, records: pl.DataFrame) -> None:
    """Put records into quarantine; what was there of the same keys is replaced, its first sighting kept.

    :param records: columns key, field, reason, mend and optionally raw
    """
    if records.is_empty():
        return
    if "raw" not in records.columns:
        records = records.with_columns(raw=pl.lit(None, dtype=pl.String))
    incoming = records.select(COLUMNS).unique(["key", "field"], keep="last", maintain_order=True)  # noqa: F841
    scope = {"flow": flow, "stage": stage}
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE first_sightings AS SELECT key, field, min(first_seen) AS first_seen "
        "FROM sync.quarantine WHERE flow = $flow AND stage = $stage AND key IN (SELECT key FROM incoming) GROUP BY ALL",
        scope,
    )
    connection.execute(
        "DELETE FROM sync.quarantine WHERE flow = $flow AND stage = $stage AND key IN (SELECT key FROM incoming)",
        scope,
    )
    connection.execute(
        "INSERT INTO sync.quarantine (flow, stage, key, field, reason, mend, raw, first_seen, last_seen) "
        "SELECT $flow, $stage, key, field, reason, mend, raw, "
        "coalesce(first_seen, now() AT TIME ZONE 'UTC'), now() AT TIME ZONE 'UTC' "
        "FROM incoming LEFT JOIN first_sightings USING (key, field)",
        scope,
    )


def release(connection: duckdb.DuckDBPyConnection, flow: str, stage: str, keys: pl.DataFrame) -> None:
    """Let go of records whose source is sound again.

    :param keys: a frame with the column key
    """
    connection.execute(
        "DELETE FROM sync.quarantine WHERE flow = $flow AND stage = $stage AND key IN (SELECT key FROM keys)",
        {"flow": flow, "stage": stage},
    )


def replace(connection: duckdb.DuckDBPyConnection, flow: str, stage: str, records: pl.DataFrame) -> None:
    """Make the quarantine of this flow and stage just these records."""
    connection.execute(
        "DELETE FROM sync.quarantine WHERE flow = $flow AND stage = $stage AND key NOT IN (SELECT key FROM records)",
        {"flow": flow, "stage": stage},
    )
    hold(connection, flow, stage, records)
