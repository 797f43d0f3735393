"""What all snapshot tables have in common: the newest version wins, and a watermark says where the next read begins."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.table import Table

SOLTEQ_OVERLAP = timedelta(minutes=5)
"""How long after its ``modifiedAt`` a document may still appear in a feed: delivery there is unordered."""
WOO_OVERLAP = timedelta(minutes=1)
"""The same for the store, whose rows are visible as soon as they are written."""
SOLTEQ_TICK = timedelta(microseconds=1)
"""``modifiedSince`` is inclusive; ``modified_after`` of WooCommerce is not and needs none."""
ROWS_PER_TRANSACTION = 20_000


@dataclass
class ReadCounts:
    """The result of a read: documents received, rows new or changed, documents that could not be read."""

    received: int = 0
    changed: int = 0
    quarantined: int = 0
    removed: int = 0
    full: bool = False
    erased: dict[str, bool] = field(default_factory=dict)
    """The erased people in the feed, and whether they are still there."""


@dataclass(frozen=True)
class Watermark:
    """Where the next incremental read of a feed begins.

    :param made_for: the settings that decided what was read
    """

    position: datetime
    newest: datetime | None
    made_for: str | None = None

    def is_made_for(self, made_for: str) -> bool:
        """Whether these settings read the same. A watermark of an older version does not say."""
        return self.made_for in (None, made_for)


def watermark(connection: duckdb.DuckDBPyConnection, feed: str) -> Watermark | None:
    """The feed's watermark, or ``None`` before its first complete read."""
    rows = connection.execute(
        "SELECT position, newest, made_for FROM sync.watermarks WHERE feed = ?", [feed]
    ).fetchall()
    return Watermark(*rows[0]) if rows else None


def store_watermark(
    connection: duckdb.DuckDBPyConnection,
    feed: str,
    *,
    started: datetime,
    newest: datetime | None,
    overlap: timedelta,
    tick: timedelta,
    full: bool,
    made_for: str | None = None,
) -> None:
    """Move the watermark to where a document could still appear.

    That is right after the newest document, or the overlap before the read began, whichever is earlier: so the last
    minutes are read again while something may still arrive late, and a quiet feed answers with nothing.

    :param started: when the read began, by the clock that stamped the documents
    """
    before = watermark(connection, feed)
    newest = max(filter(None, (newest, before and before.newest)), default=None)
    settled = started - overlap
    position = min(newest + tick, settled) if newest else settled
    full_read_at = "EXCLUDED.full_read_at" if full else "full_read_at"
    connection.execute(
        "INSERT INTO sync.watermarks BY NAME SELECT $feed AS feed, $position AS position, $newest AS newest, "
        "$now AS full_read_at, $now AS read_at, $started AS read_at_there, $made_for AS made_for "
        "ON CONFLICT (feed) DO UPDATE SET position = EXCLUDED.position, newest = EXCLUDED.newest, "
        f"full_read_at = {full_read_at}, read_at = EXCLUDED.read_at, read_at_there = EXCLUDED.read_at_there, "
        "made_for = EXCLUDED.made_for",
        {"feed": feed, "position": position, "newest": newest, "started": started, "now": utc_now()}
        | {"made_for": made_for},
    )


def merge(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    rows: pl.DataFrame,
    *,
    version: str,
    replaced_before: datetime | None = None,
) -> int:
    """Store each row unless a newer version is there; of equal versions the later arrival wins.

    :param rows: frame with exactly the table's columns, in order of arrival
    :param replaced_before: what is held from before this time gives way even to an older version
    :return: how many rows are new or differ from what was there
    """
    if rows.is_empty():
        return 0
    newest = rows.with_row_index("arrival").sort(version, "arrival").unique(table.key, keep="last").drop("arrival")
    differs = " OR ".join(f'held."{column}" IS DISTINCT FROM newest."{column}"' for column in rows.columns)
    with sql.reading(connection, newest=newest):
        merged = connection.execute(
            f"MERGE INTO {table} AS held USING newest USING ({', '.join(table.key)}) "
            f"WHEN MATCHED AND (newest.{version} >= held.{version} OR held.{version} < $replaced_before) "
            f"AND ({differs}) THEN UPDATE BY NAME WHEN NOT MATCHED THEN INSERT BY NAME",
            {"replaced_before": replaced_before},
        ).fetchall()
    return merged[0][0]


def outdate(connection: duckdb.DuckDBPyConnection, flow: str, changed: int) -> None:
    """Remember that the flow's delta is to be made anew, in the transaction that stores the new rows.

    A run may break off before it compares, and the other side then has no news for the next one.

    :param changed: how many rows are new or changed
    """
    if changed:
        connection.execute("UPDATE sync.comparisons SET is_outdated = TRUE WHERE flow = ?", [flow])
