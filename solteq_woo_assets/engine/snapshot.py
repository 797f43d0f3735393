"""Bringing a side's documents into its snapshot table: newest version wins, whatever the order of arrival."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import polars as pl

from solteq_woo_assets.clients.solteq import SolteqClient
from solteq_woo_assets.clients.solteq_documents import Feed, FeedPage, InvalidDocument, Tombstone
from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.quarantine import RECORDS, hold, release
from solteq_woo_assets.table import Table

SOLTEQ_OVERLAP = timedelta(minutes=5)
"""How long after its ``modifiedAt`` a document may still appear in a feed: delivery there is unordered."""
WOO_OVERLAP = timedelta(minutes=1)
"""The same for the store, whose rows are visible as soon as they are written."""
SOLTEQ_TICK = timedelta(microseconds=1)
"""``modifiedSince`` is inclusive; ``modified_after`` of WooCommerce is not and needs none."""
ROWS_PER_TRANSACTION = 20_000

Erased = Callable[[duckdb.DuckDBPyConnection, pl.DataFrame], set[str]]
"""Given rows of a table, the ids of people who were erased: their documents are passed over."""


def nobody(_connection: duckdb.DuckDBPyConnection, _rows: pl.DataFrame) -> set[str]:
    """For a table without people: nobody was erased."""
    return set()


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


def read_feed(
    database: StateDatabase,
    solteq: SolteqClient,
    feed: Feed,
    *,
    flow: str,
    table: Table,
    frame: Callable[[Sequence[Any]], pl.DataFrame],
    erased: Erased = nobody,
    full: bool = False,
) -> ReadCounts:
    """Read a Solteq feed from its watermark, or everything, into its snapshot table.

    The watermark moves in the transaction that stores the last rows; a read that breaks off leaves it where it was.
    Everything is read when the feed has another path or is asked for another time zone than before.
    """
    started = utc_now()
    with database.transaction() as connection:
        before = watermark(connection, table.name)
    made_for = solteq.answers_for(feed)
    full = full or before is None or not before.is_made_for(made_for)
    since = None if full or before is None else before.position.replace(tzinfo=UTC)
    counts = ReadCounts(full=full)
    newest: datetime | None = None
    tombstones: list[Tombstone] = []
    for page in _gathered(solteq.read(feed, modified_since=since)):
        rows = frame(page.documents)
        versions = [
            *rows["modified_at"],
            *(tombstone.modified_at.replace(tzinfo=None) for tombstone in page.tombstones),
        ]
        newest = max(filter(None, (newest, *versions)), default=None)
        tombstones += page.tombstones
        with database.transaction() as connection:
            counts.received += len(page.documents) + len(page.invalid) + len(page.tombstones)
            rows, invalid = _without_erased(erased(connection, rows), rows, page, counts)
            changed = merge(connection, table, rows, version="modified_at")
            changed += _mark_deleted(connection, table, tombstones)  # earlier ones too: versions come in any order
            outdate(connection, flow, changed)
            counts.changed += changed
            counts.quarantined += _quarantine_documents(connection, flow, table, rows, invalid)
    with database.transaction() as connection:
        store_watermark(
            connection,
            table.name,
            started=solteq.their_time(started),
            newest=newest,
            overlap=SOLTEQ_OVERLAP,
            tick=SOLTEQ_TICK,
            full=full,
            made_for=made_for,
        )
    return counts


def _without_erased(
    gone: set[str], rows: pl.DataFrame, page: FeedPage, counts: ReadCounts
) -> tuple[pl.DataFrame, list[InvalidDocument]]:
    """A page's rows, and its unreadable documents, without people who were erased; that they were there is counted."""
    if not gone:
        return rows, page.invalid
    theirs = rows.filter(pl.col("id").is_in(list(gone)))
    counts.erased.update({document.key: True for document in page.invalid if document.key in gone})
    counts.erased.update({row["id"]: not row["deleted"] for row in theirs.sort("modified_at").to_dicts()})
    counts.erased.update({stone.keys[0]: False for stone in page.tombstones if stone.keys[0] in gone})
    readable = rows.filter(~pl.col("id").is_in(list(gone)))
    return readable, [document for document in page.invalid if document.key not in gone]


def _gathered(pages: Iterable[FeedPage]) -> Iterator[FeedPage]:
    """Pages put together until they are worth a transaction."""
    lot = FeedPage([], [])
    for page in pages:
        lot.documents.extend(page.documents)
        lot.invalid.extend(page.invalid)
        lot.tombstones.extend(page.tombstones)
        if len(lot.documents) >= ROWS_PER_TRANSACTION:
            yield lot
            lot = FeedPage([], [])
    if lot.documents or lot.invalid or lot.tombstones:
        yield lot


def _mark_deleted(connection: duckdb.DuckDBPyConnection, table: Table, tombstones: Sequence[Tombstone]) -> int:
    """Mark the rows of bare tombstones as deleted; how many were marked."""
    if not tombstones:
        return 0
    named = pl.DataFrame(
        [(*tombstone.keys, tombstone.modified_at.replace(tzinfo=None)) for tombstone in tombstones],
        schema={**dict.fromkeys(table.key, pl.String), "modified_at": pl.Datetime("us")},
        orient="row",
    )
    same_key = " AND ".join(f"held.{key} = stone.{key}" for key in table.key)
    with sql.reading(connection, named=named):
        marked = connection.execute(
            f"UPDATE {table} AS held SET deleted = TRUE, modified_at = stone.modified_at "
            f"FROM (SELECT {', '.join(table.key)}, max(modified_at) AS modified_at FROM named GROUP BY ALL) AS stone "
            f"WHERE {same_key} AND held.modified_at <= stone.modified_at AND NOT held.deleted "
            "RETURNING held.modified_at"
        ).fetchall()
    return len(marked)


def _quarantine_documents(
    connection: duckdb.DuckDBPyConnection,
    flow: str,
    table: Table,
    valid: pl.DataFrame,
    invalid: Sequence[InvalidDocument],
) -> int:
    """Let go of the documents that could be read this time, and hold the others; how many it holds."""
    for columns in _naming(table):
        release(connection, flow, "feed", valid.select(key=pl.concat_str(columns, separator="@")))
    fresh = _fresh(connection, table, invalid)
    hold(connection, flow, "feed", fresh)
    return fresh.height


def _naming(table: Table) -> list[Sequence[str]]:
    """The columns that may name a document that cannot be read: its keys, or a product's code."""
    return [table.key, ["code"]] if "code" in table.columns else [table.key]


def _fresh(connection: duckdb.DuckDBPyConnection, table: Table, invalid: Sequence[InvalidDocument]) -> pl.DataFrame:
    """Unreadable documents for the quarantine, without old versions that come again after a newer one was read."""
    arrived = pl.DataFrame(
        [
            {
                "key": document.key or f"(no key) {hashlib.sha256(document.raw.encode()).hexdigest()[:8]}",
                "field": document.field,
                "reason": document.reason,
                "code": "document-unreadable",
                "raw": document.raw,
                "modified_at": document.modified_at and document.modified_at.replace(tzinfo=None),
            }
            for document in invalid
        ],
        schema={**RECORDS, "modified_at": pl.Datetime("us")},
    )
    named = " OR ".join(f"concat_ws('@', {', '.join(columns)}) = arrived.key" for columns in _naming(table))
    with sql.reading(connection, arrived=arrived):
        return connection.sql(
            "SELECT * EXCLUDE (modified_at) FROM arrived "
            f"WHERE NOT EXISTS (FROM {table} AS held WHERE ({named}) AND held.modified_at > arrived.modified_at)"
        ).pl()


def count_news(
    connection: duckdb.DuckDBPyConnection, table: Table, rows: pl.DataFrame, page: FeedPage, erased: Erased = nobody
) -> int:
    """How many documents of a page a read would store: the sensor's question.

    :param rows: the page's documents as the table's rows
    """
    rows, invalid = _without_erased(erased(connection, rows), rows, page, ReadCounts())
    connection.register("rows_of_page", rows)
    same_key = " AND ".join(f"held.{key} = rows_of_page.{key}" for key in table.key)
    changed = connection.execute(
        f"SELECT count(*) FROM rows_of_page WHERE NOT EXISTS "
        f"(FROM {table} AS held WHERE {same_key} AND held.modified_at >= rows_of_page.modified_at)"
    ).fetchall()[0][0]
    named = " AND ".join(f"{key} = ?" for key in table.key)
    for tombstone in page.tombstones:
        version = tombstone.modified_at.replace(tzinfo=None)
        changed += connection.execute(
            f"SELECT count(*) FROM {table} WHERE {named} AND modified_at <= ? AND NOT deleted",
            [*tombstone.keys, version],
        ).fetchall()[0][0]
    fresh = _fresh(connection, table, invalid)["raw"].to_list()
    held = connection.execute(
        "SELECT count(DISTINCT raw) FROM sync.quarantine WHERE stage = 'feed' AND list_contains($raw, raw)",
        {"raw": fresh},
    ).fetchall()[0][0]
    return changed + len(set(fresh)) - held
