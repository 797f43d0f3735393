"""News in a feed of Solteq: the question of a flow's sensor."""

from collections.abc import Callable, Sequence
from datetime import UTC

import polars as pl

from solteq_woo_assets.clients.solteq_documents import Feed
from solteq_woo_assets.engine.flow import Source
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.snapshot import SOLTEQ_TICK, Erased, count_news, nobody, watermark
from solteq_woo_assets.engine.steps import count_rows
from solteq_woo_assets.settings import Settings
from solteq_woo_assets.table import Table

PAGE_SIZE = 100


def feed_source(
    feed: Callable[[Settings], Feed],
    table: Table,
    frame: Callable[[Sequence], pl.DataFrame],
    due: Callable = lambda _connection, _now: None,
    erased: Erased = nobody,
) -> Source:
    """Asks a feed of Solteq whether anything changed since the last read."""

    def news(shop: Shop) -> str | None:
        asked = feed(shop.settings)
        with shop.database.transaction() as connection:
            before = watermark(connection, table.name)
            if before is None:  # it was, a moment ago
                return None
            recent = count_rows(connection, f"SELECT count(*) FROM {table} WHERE modified_at >= ?", [before.position])
        # Read the overlap again too, as the run will, unless that would take more than one page.
        since = before.position if recent < PAGE_SIZE or before.newest is None else before.newest + SOLTEQ_TICK
        page = shop.solteq.newest_page(asked, modified_since=since.replace(tzinfo=UTC), page_size=PAGE_SIZE)
        with shop.database.transaction() as connection:
            changed = count_news(connection, table, frame(page.documents), page, erased)
        return f"{changed} changed {asked.name} in Solteq" if changed else None

    return Source(
        table.name,
        f"Solteq for changed {table.name.rpartition('solteq_')[2]}",
        news,
        due,
        covers=lambda shop, before: before.is_made_for(shop.solteq.answers_for(feed(shop.settings))),
    )
