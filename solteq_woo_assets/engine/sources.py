"""The feeds of Solteq: their tables, and the news in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import polars as pl

from solteq_woo_assets.clients.solteq_documents import Document, Feed
from solteq_woo_assets.engine.flow import Source
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.snapshot import SOLTEQ_TICK, Erased, ReadCounts, count_news, nobody, read_feed, watermark
from solteq_woo_assets.engine.steps import count_rows
from solteq_woo_assets.settings import Settings
from solteq_woo_assets.table import Table

PAGE_SIZE = 100


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
        """The feed of this tenant."""
        return Feed(self.name, *settings.solteq_feeds[self.name], self.document)

    def frame(self, documents: Sequence[Any]) -> pl.DataFrame:
        return self.rows(documents) if self.rows else plain_frame(documents, self.table.schema)

    def read(self, shop: Shop, flow: str, *, full: bool = False) -> ReadCounts:
        """Read the changes, or everything.

        :param flow: whose quarantine keeps what cannot be read
        """
        return read_feed(
            shop.database,
            shop.solteq,
            self.feed(shop.settings),
            flow=flow,
            table=self.table,
            frame=self.frame,
            erased=self.erased,
            full=full,
        )

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
            changed = count_news(connection, self.table, self.frame(page.documents), page, self.erased)
        return f"{changed} changed {self.name} in Solteq" if changed else None
