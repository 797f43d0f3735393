"""The feeds of Solteq: how each is read into its snapshot table, and what is new in it."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import polars as pl

from solteq_woo_assets.clients.solteq_documents import Document, Feed, FeedPage, InvalidDocument, Tombstone
from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.flow import Source
from solteq_woo_assets.engine.quarantine import RECORDS, hold, release
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.snapshot import (
    ROWS_PER_TRANSACTION,
    SOLTEQ_OVERLAP,
    SOLTEQ_TICK,
    ReadCounts,
    merge,
    outdate,
    store_watermark,
    watermark,
)
from solteq_woo_assets.engine.steps import count_rows
from solteq_woo_assets.settings import Settings
from solteq_woo_assets.table import Table

PAGE_SIZE = 100

Erased = Callable[[duckdb.DuckDBPyConnection, pl.DataFrame], set[str]]
"""Given rows of a table, the ids of people who were erased: their documents are passed over."""


def nobody(_connection: duckdb.DuckDBPyConnection, _rows: pl.DataFrame) -> set[str]:
    """For a table without people: nobody was erased."""
    return set()


def plain_frame(documents: Sequence[Document], schema: pl.Schema) -> pl.DataFrame:
    """Documents as rows of a table whose columns are their fields; times without a zone."""
    columns: dict[str, Any] = {
        name: [getattr(document, name) for document in documents] for name in schema if name != "modified_at"
    }
    columns["modified_at"] = [document.modified_at.replace(tzinfo=None) for document in documents]
    return pl.DataFrame(columns, schema=schema)


@dataclass(frozen=True)
class FeedTable:
    """A feed of Solteq, and the table that keeps it.

    ``name``: in the setting of the feeds. ``rows``: its documents as rows of the table, where ``plain_frame`` is not
    enough. ``erased``: who of the rows is not to be kept.
    """

    name: str
    document: type[Document]
    table: Table
    rows: Callable[[Sequence[Any]], pl.DataFrame] | None = None
    erased: Erased = nobody

    def feed(self, settings: Settings) -> Feed:
        """The feed, where this tenant has it."""
        return Feed(self.name, *settings.solteq_feeds[self.name], self.document)

    def frame(self, documents: Sequence[Any]) -> pl.DataFrame:
        """Documents as rows of the table."""
        return self.rows(documents) if self.rows else plain_frame(documents, self.table.schema)

    def read(self, shop: Shop, flow: str, *, full: bool = False) -> ReadCounts:
        """Read the feed from its watermark, or everything.

        The watermark moves in the transaction that stores the last rows; a read that breaks off leaves it where it was.
        Everything is read when the feed has another path or is asked for another time zone than before.

        :param flow: whose quarantine keeps what cannot be read
        """
        started, feed = utc_now(), self.feed(shop.settings)
        with shop.database.transaction() as connection:
            before = watermark(connection, self.table.name)
        made_for = shop.solteq.answers_for(feed)
        full = full or before is None or not before.is_made_for(made_for)
        since = None if full or before is None else before.position.replace(tzinfo=UTC)
        counts = ReadCounts(full=full)
        newest: datetime | None = None
        tombstones: list[Tombstone] = []
        for page in _gathered(shop.solteq.read(feed, modified_since=since)):
            rows = self.frame(page.documents)
            versions = [*rows["modified_at"], *(stone.modified_at.replace(tzinfo=None) for stone in page.tombstones)]
            newest = max(filter(None, (newest, *versions)), default=None)
            tombstones += page.tombstones  # earlier ones too: versions come in any order
            with shop.database.transaction() as connection:
                self._store(connection, flow, page, rows, tombstones, counts)
        with shop.database.transaction() as connection:
            store_watermark(
                connection,
                self.table.name,
                started=shop.solteq.their_time(started),
                newest=newest,
                overlap=SOLTEQ_OVERLAP,
                tick=SOLTEQ_TICK,
                full=full,
                made_for=made_for,
            )
        return counts

    def _store(
        self,
        connection: duckdb.DuckDBPyConnection,
        flow: str,
        page: FeedPage,
        rows: pl.DataFrame,
        tombstones: Sequence[Tombstone],
        counts: ReadCounts,
    ) -> None:
        """Store a page; what could be read this time leaves the quarantine."""
        counts.received += len(page.documents) + len(page.invalid) + len(page.tombstones)
        rows, invalid = _without_erased(self.erased(connection, rows), rows, page, counts)
        changed = merge(connection, self.table, rows, version="modified_at")
        changed += self._mark_deleted(connection, tombstones)
        outdate(connection, flow, changed)
        counts.changed += changed
        for columns in self._naming:
            release(connection, flow, "feed", rows.select(key=pl.concat_str(columns, separator="@")))
        fresh = self._fresh(connection, invalid)
        hold(connection, flow, "feed", fresh)
        counts.quarantined += fresh.height

    def _mark_deleted(self, connection: duckdb.DuckDBPyConnection, tombstones: Sequence[Tombstone]) -> int:
        """Mark the rows of bare tombstones as deleted; how many were marked."""
        if not tombstones:
            return 0
        named = pl.DataFrame(
            [(*tombstone.keys, tombstone.modified_at.replace(tzinfo=None)) for tombstone in tombstones],
            schema={**dict.fromkeys(self.table.key, pl.String), "modified_at": pl.Datetime("us")},
            orient="row",
        )
        same_key = " AND ".join(f"held.{key} = stone.{key}" for key in self.table.key)
        with sql.reading(connection, named=named):
            marked = connection.execute(
                f"UPDATE {self.table} AS held SET deleted = TRUE, modified_at = stone.modified_at "
                f"FROM (SELECT {', '.join(self.table.key)}, max(modified_at) AS modified_at FROM named GROUP BY ALL) "
                f"AS stone WHERE {same_key} AND held.modified_at <= stone.modified_at AND NOT held.deleted "
                "RETURNING held.modified_at"
            ).fetchall()
        return len(marked)

    @property
    def _naming(self) -> list[Sequence[str]]:
        """The columns that may name a document that cannot be read: its keys, or a product's code."""
        return [self.table.key, ["code"]] if "code" in self.table.columns else [self.table.key]

    def _fresh(self, connection: duckdb.DuckDBPyConnection, invalid: Sequence[InvalidDocument]) -> pl.DataFrame:
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
        named = " OR ".join(f"concat_ws('@', {', '.join(columns)}) = arrived.key" for columns in self._naming)
        with sql.reading(connection, arrived=arrived):
            return connection.sql(
                "SELECT * EXCLUDE (modified_at) FROM arrived WHERE NOT EXISTS "
                f"(FROM {self.table} AS held WHERE ({named}) AND held.modified_at > arrived.modified_at)"
            ).pl()

    def source(
        self, due: Callable[[duckdb.DuckDBPyConnection, datetime], str | None] = lambda _connection, _now: None
    ) -> Source:
        """The source for a sensor: whether anything changed in the feed since the last read."""
        return Source(
            self.table.name,
            f"Solteq for changed {self.name}",
            self._news,
            due,
            covers=lambda shop, before: before.is_made_for(shop.solteq.answers_for(self.feed(shop.settings))),
        )

    def _news(self, shop: Shop) -> str | None:
        feed = self.feed(shop.settings)
        with shop.database.transaction() as connection:
            before = watermark(connection, self.table.name)
            if before is None:  # it was, a moment ago
                return None
            recent = count_rows(
                connection, f"SELECT count(*) FROM {self.table} WHERE modified_at >= ?", [before.position]
            )
        # Read the overlap again too, as the run will, unless that would take more than one page.
        since = before.position if recent < PAGE_SIZE or before.newest is None else before.newest + SOLTEQ_TICK
        page = shop.solteq.newest_page(feed, modified_since=since.replace(tzinfo=UTC), page_size=PAGE_SIZE)
        with shop.database.transaction() as connection:
            changed = self._count_news(connection, page)
        return f"{changed} changed {self.name} in Solteq" if changed else None

    def _count_news(self, connection: duckdb.DuckDBPyConnection, page: FeedPage) -> int:
        """How many documents of a page a read would store."""
        rows = self.frame(page.documents)
        rows, invalid = _without_erased(self.erased(connection, rows), rows, page, ReadCounts())
        same_key = " AND ".join(f"held.{key} = rows_of_page.{key}" for key in self.table.key)
        with sql.reading(connection, rows_of_page=rows):
            changed = count_rows(
                connection,
                "SELECT count(*) FROM rows_of_page WHERE NOT EXISTS "
                f"(FROM {self.table} AS held WHERE {same_key} AND held.modified_at >= rows_of_page.modified_at)",
            )
        named = " AND ".join(f"{key} = ?" for key in self.table.key)
        for tombstone in page.tombstones:
            version = tombstone.modified_at.replace(tzinfo=None)
            shown = f"SELECT count(*) FROM {self.table} WHERE {named} AND modified_at <= ? AND NOT deleted"
            changed += count_rows(connection, shown, [*tombstone.keys, version])
        fresh = self._fresh(connection, invalid)["raw"].to_list()
        held = count_rows(
            connection,
            "SELECT count(DISTINCT raw) FROM sync.quarantine WHERE stage = 'feed' AND list_contains($raw, raw)",
            {"raw": fresh},
        )
        return changed + len(set(fresh)) - held


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
