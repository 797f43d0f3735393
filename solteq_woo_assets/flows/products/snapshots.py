"""The store's products and variations in their snapshot, and what the store says of itself."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

import duckdb

from solteq_woo_assets.clients.woo import ProductPage, WooClient
from solteq_woo_assets.clients.woo_documents import StoreFacts, StoreProduct
from solteq_woo_assets.clients.woo_pages import gathered
from solteq_woo_assets.engine.database import Clock, StateDatabase, utc_now
from solteq_woo_assets.engine.snapshot import (
    ROWS_PER_TRANSACTION,
    WOO_OVERLAP,
    ReadCounts,
    merge,
    store_watermark,
    watermark,
)
from solteq_woo_assets.engine.unreadable import StoreRows
from solteq_woo_assets.errors import WooError
from solteq_woo_assets.flows.campaigns.price_history import recorded
from solteq_woo_assets.flows.products.frames import catalogue_frame
from solteq_woo_assets.flows.products.links import link_interrupted
from solteq_woo_assets.flows.products.tables import WOO_CATALOGUE

STORE_PRODUCTS = StoreRows("products", "store product", "store-product-unreadable")


def merge_catalogue(
    connection: duckdb.DuckDBPyConnection,
    products: Sequence[StoreProduct],
    *,
    seen: datetime,
    replaced_before: datetime | None = None,
) -> int:
    """Store products and variations as the store gave them, and their public prices in the history.

    :param seen: the present instant
    :param replaced_before: see ``merge``
    :return: the number of rows that are new or changed
    """
    with recorded(connection, (product.id for product in products), seen):
        return merge(
            connection,
            WOO_CATALOGUE,
            catalogue_frame(products),
            version="date_modified_gmt",
            replaced_before=replaced_before,
        )


def read_catalogue(
    database: StateDatabase, woo: WooClient, *, full: bool = False, clock: Clock = utc_now
) -> ReadCounts:
    """Read the store's products and variations that changed since the watermark, or everything with the bin.

    A full read also asks what the store says of itself, and forgets what is gone from it.

    :param clock: the present, for the history of prices
    """
    started = utc_now()
    with database.transaction() as connection:
        before = watermark(connection, WOO_CATALOGUE.name)
        facts_are_known = connection.execute("SELECT count(*) FROM snapshot.woo_store").fetchall()[0][0]
        full = full or before is None
        known = connection.execute("SELECT id FROM snapshot.woo_catalogue").fetchall() if full else []
    counts = ReadCounts(full=full)
    if full or not facts_are_known:
        _store_facts(database, woo.store_facts())
    newest, seen = None, set[int]()
    for lot in gathered(_pages(woo, None if full or before is None else before.position), ROWS_PER_TRANSACTION):
        newest = max(filter(None, (newest, *(product.date_modified_gmt for product in lot.rows))), default=None)
        seen.update(row.id for row in (*lot.rows, *lot.unreadable))
        with database.transaction() as connection:
            counts.received += len(lot.rows) + len(lot.unreadable)
            # A store that was restored from a backup has older versions than we know, and they are the truth.
            before_the_read = woo.their_time(started) - WOO_OVERLAP if full else None
            counts.changed += merge_catalogue(connection, lot.rows, seen=clock(), replaced_before=before_the_read)
            counts.quarantined += STORE_PRODUCTS.hold(connection, [each.id for each in lot.rows], lot.unreadable)
    with database.transaction() as connection:
        if full:
            gone = {row[0] for row in known}.difference(seen)
            counts.removed = forget(connection, gone, seen=clock())
            STORE_PRODUCTS.release_gone(connection, seen)
            connection.execute("DELETE FROM sync.links WHERE woo_id NOT IN (SELECT id FROM snapshot.woo_catalogue)")
        link_interrupted(connection)
        store_watermark(
            connection,
            WOO_CATALOGUE.name,
            started=woo.their_time(started),
            newest=newest,
            overlap=WOO_OVERLAP,
            tick=timedelta(0),
            full=full,
        )
    return counts


def _pages(woo: WooClient, modified_after: datetime | None) -> Iterator[ProductPage]:
    """Products, the bin when everything is asked for, then variations."""
    variable: list[int] = []
    for status in ("any", "trash") if modified_after is None else ("any",):
        for page in woo.read_products(modified_after=modified_after, status=status):
            variable += [product.id for product in page.rows if product.type == "variable"]
            yield page
    yield from _variation_pages(woo, modified_after, variable)


def _variation_pages(
    woo: WooClient, modified_after: datetime | None, changed_parents: Sequence[int]
) -> Iterator[ProductPage]:
    """The store-wide list, or parent by parent where the release has none (a variation moves its parent)."""
    try:
        yield from woo.read_variations(modified_after=modified_after)
        if modified_after is None:  # a product takes its variations along into the bin
            yield from woo.read_variations(status="trash")
    except WooError as error:
        if error.status != 404:  # noqa: PLR2004
            raise
        for parent_id in changed_parents:
            yield from woo.read_variations_of(parent_id)
            if modified_after is None:
                yield from woo.read_variations_of(parent_id, status="trash")


def forget(connection: duckdb.DuckDBPyConnection, gone: Collection[int], *, seen: datetime) -> int:
    """Drop what is gone from the store; how many rows that were."""
    if not gone:
        return 0
    with recorded(connection, gone, seen):
        rows = connection.execute(
            "DELETE FROM snapshot.woo_catalogue WHERE list_contains($ids, id) RETURNING id", {"ids": list(gone)}
        ).fetchall()
    return len(rows)


def _store_facts(database: StateDatabase, facts: StoreFacts) -> None:
    _check_facts(facts)
    with database.transaction() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO snapshot.woo_store "
            "(currency, prices_include_tax, manage_stock, timezone, tax_classes, read_at) VALUES (?, ?, ?, ?, ?, ?)",
            [
                facts.currency,
                facts.prices_include_tax,
                facts.manage_stock,
                facts.timezone,
                sorted(facts.tax_classes),
                utc_now(),
            ],
        )


def _check_facts(facts: StoreFacts) -> None:
    """Refuse a store in which every price or every quantity would come out wrong."""
    if facts.currency != "EUR":
        raise WooError(
            f"The store's currency is {facts.currency}, Solteq's prices are EUR. "
            "Change it in WooCommerce > Settings > General."
        )
    if not facts.prices_include_tax:
        raise WooError(
            "The store takes prices without VAT, Solteq's prices include it. In WooCommerce > Settings > Tax "
            'choose "Yes, I will enter prices inclusive of tax".'
        )
    if not facts.manage_stock:
        raise WooError("The store does not manage stock. Turn it on in WooCommerce > Settings > Products > Inventory.")
