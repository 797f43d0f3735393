"""The WooCommerce stand-in's memory: one SQLite file, a row a product, a JSON document and index columns."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from .database import Database
from .woo_fields import integer

Item = dict[str, Any]
"""What is known of one product or variation: its identity, and those fields that differ from a new one's."""

SITE_ZONE = ZoneInfo("Europe/Helsinki")
DEFAULT_SETTINGS: dict[str, Any] = {
    "currency": "EUR",
    "prices_include_tax": True,
    "round_at_subtotal": False,
    "decimal_comma": False,  # prices as in Finland: 1 234,50 €
    "shown_with_tax": False,  # in the shop window
    "cost_of_goods_sold": False,
    "roles": (),  # further ones, that a plugin or a shopkeeper would add
    "tax_classes": {},  # further ones, slug: rate, that a shopkeeper would add by hand
    "calc_taxes": True,
    "manage_stock": True,
    "key_permissions": "read_write",  # or "read", as the REST API key was made
    "batch_limit": 100,
    "cron": True,
    "clock": None,
}

# `modified_local` stands beside `modified` because WordPress keeps both, and compares a filter with either.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS products (
    id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL,
    sku_key TEXT NOT NULL, gtin TEXT NOT NULL, slug TEXT NOT NULL, name TEXT NOT NULL,
    created TEXT NOT NULL, created_local TEXT NOT NULL, modified TEXT NOT NULL, modified_local TEXT NOT NULL,
    document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS products_list
    ON products (created, id, type, status, parent_id, modified, modified_local);
CREATE INDEX IF NOT EXISTS products_modified ON products (modified, type, status);
CREATE INDEX IF NOT EXISTS products_family ON products (parent_id, id);
CREATE INDEX IF NOT EXISTS products_sku ON products (sku_key) WHERE sku_key <> '';
CREATE INDEX IF NOT EXISTS products_gtin ON products (gtin) WHERE gtin <> '';
CREATE INDEX IF NOT EXISTS products_slug ON products (slug) WHERE slug <> '';
CREATE TABLE IF NOT EXISTS sale_edges (id INTEGER PRIMARY KEY, due TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS sale_edges_due ON sale_edges (due);
CREATE TABLE IF NOT EXISTS customers (
    id INTEGER PRIMARY KEY, email_key TEXT UNIQUE, role TEXT NOT NULL, name TEXT NOT NULL,
    username TEXT NOT NULL UNIQUE, created TEXT NOT NULL, document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS customers_created ON customers (created, id);
CREATE TABLE IF NOT EXISTS customer_roles (role TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (role, id))
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS customer_roles_id ON customer_roles (id);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, status TEXT NOT NULL, customer_id INTEGER NOT NULL,
    created TEXT NOT NULL, created_local TEXT NOT NULL, modified TEXT NOT NULL, modified_local TEXT NOT NULL,
    document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS orders_list
    ON orders (created, id, status, customer_id, created_local, modified, modified_local);
CREATE INDEX IF NOT EXISTS orders_changed
    ON orders (modified, id, status, customer_id, created, created_local, modified_local);
CREATE TABLE IF NOT EXISTS order_states (id INTEGER PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refunds (
    id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, created TEXT NOT NULL, created_local TEXT NOT NULL,
    document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS refunds_order ON refunds (order_id, created);
CREATE INDEX IF NOT EXISTS refunds_list ON refunds (created, id, order_id, created_local);
CREATE TABLE IF NOT EXISTS order_notes (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS order_notes_order ON order_notes (order_id);
CREATE TABLE IF NOT EXISTS coupons (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@lru_cache(maxsize=65536)
def site_time(gmt: str) -> str:
    """The site's wall clock at a GMT instant, both as WordPress writes them."""
    return datetime.fromisoformat(gmt).replace(tzinfo=UTC).astimezone(SITE_ZONE).strftime("%Y-%m-%dT%H:%M:%S")


def sku_key(sku: str) -> str:
    """What the database compares SKUs by: any case, and trailing spaces do not count, but leading ones do."""
    return sku.rstrip(" ").casefold()


class Where:
    """The conditions of a list, with their values."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.values: list[Any] = []

    def add(self, condition: str, *values: Any) -> None:
        """One more that must hold."""
        self.conditions.append(condition)
        self.values += values

    def among(self, column: str, values: Iterable[Any], negated: str = "") -> None:
        """Its value is one of these, or none of them; without any, everything matches."""
        if wanted := list(values):
            self.add(f"{column} {negated} IN ({marks(wanted)})", *wanted)

    def __str__(self) -> str:
        return " AND ".join(self.conditions) or "TRUE"


class Store(Database):
    """What the store has."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """A part of a transaction that is kept whole or not at all, also when the rest is kept."""
        self._db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO part")
            raise
        finally:
            self._db.execute("RELEASE part")

    def execute(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """A statement of another kind of thing than products."""
        return self._db.execute(query, values)

    def execute_many(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        """A statement of another kind of thing than products, once for each row."""
        self._db.executemany(query, rows)

    def next_id(self, counter: str = "post", first: int = 10) -> int:
        """The next id of a kind, never given twice; WordPress has spent the first few on its own pages."""
        return self._count(counter, first)

    def spend_ids(self, last: int, counter: str = "post") -> None:
        """None up to this one is given any more."""
        query = """INSERT INTO counters VALUES (?, ?)
            ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"""
        self._db.execute(query, (counter, last))

    def unique_slug(self, slug: str) -> str:
        """WordPress's ``-2``, ``-3`` …: counted, not searched for, since many products may share a name."""
        if not self._db.execute("SELECT 1 FROM products WHERE slug = ? AND slug <> ''", (slug,)).fetchone():
            return slug
        return f"{slug}-{self._count(f'slug {slug}', 2)}"

    def _count(self, name: str, first: int) -> int:
        query = """INSERT INTO counters VALUES (?, ?)
            ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"""
        return self._db.execute(query, (name, first)).fetchone()[0]

    def get(self, identifier: int) -> Item | None:
        """One product or variation, binned ones too."""
        row = self._db.execute("SELECT document, modified FROM products WHERE id = ?", (identifier,)).fetchone()
        return item_of(*row) if row else None

    def family(self, parents: Iterable[int], *, binned: bool = False) -> dict[int, list[Item]]:
        """The variations of each of these products, in the store's order.

        :param binned: those in the bin too
        """
        found: dict[int, list[Item]] = {parent: [] for parent in parents}
        if found:
            query = f"""SELECT parent_id, document, modified FROM products
                WHERE parent_id IN ({marks(found)}) AND type = 'variation' AND (? OR status <> 'trash')
                ORDER BY parent_id, id"""
            for parent, document, modified in self._db.execute(query, [*found, binned]):
                found[parent].append(item_of(document, modified))
        for variations in found.values():
            variations.sort(key=lambda item: (item.get("menu_order", 0), item["id"]))
        return found

    def put(self, item: Item, due: str | None) -> None:
        """Write a product as it now is, under its id.

        :param due: from when on :meth:`due` finds it
        """
        row = (
            item["id"],
            item.get("parent_id", 0),
            item["type"],
            item["status"],
            sku_key(item.get("sku", "")),
            item.get("global_unique_id", ""),
            item.get("slug", ""),
            item.get("name", ""),
            item["created"],
            site_time(item["created"]),
            item["modified"],
            site_time(item["modified"]),
            json.dumps(item, ensure_ascii=False, separators=(",", ":")),
        )
        self._db.execute("INSERT OR REPLACE INTO products VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        if due:
            self._db.execute("INSERT OR REPLACE INTO sale_edges VALUES (?, ?)", (item["id"], due))
        else:
            self._db.execute("DELETE FROM sale_edges WHERE id = ?", (item["id"],))

    def touch(self, identifier: int, now: str) -> None:
        """Move ``date_modified`` alone, as a variation does to its parent."""
        query = "UPDATE products SET modified = ?, modified_local = ? WHERE id = ?"
        self._db.execute(query, (now, site_time(now), identifier))

    def delete(self, identifier: int) -> None:
        """Remove for good."""
        self._db.execute("DELETE FROM products WHERE id = ?", (identifier,))
        self._db.execute("DELETE FROM sale_edges WHERE id = ?", (identifier,))

    def due(self, now: str) -> list[Item]:
        """The products that wait for the cron, binned ones too."""
        query = """SELECT document, modified FROM products
            WHERE id IN (SELECT id FROM sale_edges WHERE due <= ?) ORDER BY id"""
        return [item_of(*row) for row in self._db.execute(query, (now,))]

    def holder(self, column: str, value: str, besides: int = 0, *, binned: bool = False) -> int | None:
        """Which product has this ``sku_key`` or ``gtin``; one kind of status at a time, as WordPress asks."""
        query = f"""SELECT id FROM products WHERE {column} = ? AND {column} <> '' AND id <> ?
            AND (status = 'trash') = ? ORDER BY id LIMIT 1"""
        row = self._db.execute(query, (value, besides, binned)).fetchone()
        return row[0] if row else None

    def page(
        self, table: str, columns: str, where: Where, order: str, params: Mapping[str, Any], search: str = ""
    ) -> tuple[int, list[tuple[Any, ...]]]:
        """How many rows match, and those of the page that is asked for.

        :param search: another way to write the order, for the planner of the search
        """
        limit, offset = integer(params.get("per_page", 10)), params.get("offset")
        start = (integer(params.get("page", 1)) - 1) * limit if offset is None else integer(offset)
        total = self._db.execute(f"SELECT count(*) FROM {table} WHERE {where}", where.values).fetchone()[0]
        if start >= total:
            return total, []
        # The page's ids come from an index alone; documents are only read for those.
        ids = f"SELECT id FROM {table} WHERE {where} ORDER BY {search or order} LIMIT ? OFFSET ?"
        query = f"SELECT {columns} FROM {table} WHERE id IN ({ids}) ORDER BY {order}"
        return total, self._db.execute(query, [*where.values, limit, start]).fetchall()

    def settings(self) -> dict[str, Any]:
        """The store's settings, with what the control endpoint changed."""
        changed = {name: json.loads(value) for name, value in self._db.execute("SELECT name, value FROM settings")}
        return DEFAULT_SETTINGS | changed

    def change_settings(self, values: dict[str, Any]) -> None:
        """Remember settings; they outlive a restart, the clock too."""
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        self._db.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", rows)


def item_of(document: str, modified: str) -> Item:
    """A product as it is kept."""
    item = json.loads(document)
    item["modified"] = modified  # the column is the truth: a variation moves its parent without rewriting it
    return item


def marks(values: Iterable[Any]) -> str:
    """Places for these in a query."""
    return ", ".join("?" for _ in values)
