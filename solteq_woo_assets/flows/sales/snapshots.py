"""The store's orders in the database: read by what changed, or by whole days, to the same rows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_orders import OrderDocument, RefundDocument
from solteq_woo_assets.clients.woo_pages import Page, Unreadable, gathered
from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.snapshot import WOO_OVERLAP, ReadCounts, Watermark, watermark
from solteq_woo_assets.engine.unreadable import StoreRows
from solteq_woo_assets.flows.sales.frames import PARTS, local_day, sales_frames
from solteq_woo_assets.table import DAY, TIME

FLOW = "sales"
ORDERS = "snapshot.woo_sales"
STORE_ORDERS = StoreRows(FLOW, "order", "order-unreadable")
FIRST_DAY = "sales.from"
"""The watermark that holds when booking begins."""
SHADOW = "sales.shadow"
"""The watermark that says that so far only shadow mode has begun."""
ORDERS_PER_TRANSACTION = 5_000


@dataclass
class SalesRead(ReadCounts):
    """What a read brought. ``days``: of the orders that are new or changed."""

    days: set[date] = field(default_factory=set)


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """When a day of the shop begins, in naive UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC).replace(tzinfo=None)


def first_day(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The day from which on orders are booked without being asked for; ``None`` before the first run."""
    begins = watermark(connection, FIRST_DAY)
    return begins.position.date() if begins else None


def books_sales(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether sales are booked from here, not by somebody else: the flow has run, and not only in shadow mode."""
    return first_day(connection) is not None and watermark(connection, SHADOW) is None


def add_orders(steps: sql.Steps, zone: ZoneInfo) -> None:
    """Let queries read ``orders_of_store``, which says what is to be booked here, and ``begins``, the first day."""
    day = first_day(steps.connection)
    at = start_of(day, zone) if day else None
    steps.add(begins=pl.DataFrame([(day, at)], schema={"day": DAY, "instant": TIME}, orient="row"))
    steps.view("orders_of_store")


def begin(
    connection: duckdb.DuckDBPyConnection,
    sales_from: date | None,
    zone: ZoneInfo,
    now: datetime,
    *,
    is_shadow: bool = False,
) -> None:
    """Remember when booking begins: the setting, or the day of the first run.

    What shadow mode saw is forgotten by the first run that sends: somebody else booked the sales of those days.
    """
    if watermark(connection, SHADOW) is not None and not is_shadow:
        connection.execute("DELETE FROM sync.watermarks WHERE feed IN (?, ?)", [SHADOW, FIRST_DAY])
        connection.execute("DELETE FROM sync.sales_days")
    known = first_day(connection)
    if known is None and is_shadow:
        _move(connection, SHADOW, now)
    begins = sales_from or known or local_day(now, zone)
    if begins != known:
        _move(connection, FIRST_DAY, datetime.combine(begins, time()))


def read_changed(
    database: StateDatabase, woo: WooClient, zone: ZoneInfo, *, recheck_days: int = 0, in_flight: int = 2
) -> SalesRead:
    """Read the orders that changed since the watermark, whatever their day, and see what became of the bin.

    The watermark overlaps, since an order of the same second may be written later; what was read before is told by
    its content. Refunds are swept too, and the last days read whole, since some releases do not move an order's time
    when it is refunded or edited (contract, 6).

    A watermark holds for the time zone that made the days, and from the first day that it was made for: when that
    is moved back, all days since then are read.

    :param recheck_days: so many last days are read whole
    """
    started = utc_now()
    with database.transaction() as connection:
        before = watermark(connection, ORDERS)
        begins = first_day(connection) or local_day(started, zone)
    if before and not covers(before, begins, zone):
        before = None
    since = before.position if before else start_of(begins, zone)
    reader = _Reader(database, woo, zone, started)
    reader.keep(woo.orders.changed(since))
    newest = reader.newest
    reader.keep_refunded(since)
    reader.keep_bin(start_of(begins, zone))
    if recheck_days:
        today = local_day(woo.their_time(started), zone)
        reader.keep_days(max(begins, today - timedelta(days=recheck_days - 1)), today, in_flight)
    with database.transaction() as connection:
        newest = max(filter(None, (newest, before and before.newest)), default=None)
        # Never beyond the store's present: an order may be dated ahead.
        settled = min(newest, woo.their_time(started)) - WOO_OVERLAP if newest else since
        made_for = before.made_for if before else f"{zone.key} {begins}"
        _move(connection, ORDERS, max(since, settled), newest, made_for)
    return reader.told()


def covers(before: Watermark, first: date | None, zone: ZoneInfo) -> bool:
    """Whether the orders since a first day, or the one it had, were read by the days of this zone."""
    made_zone, _, made_first = (before.made_for or "").partition(" ")
    return made_zone == zone.key and (first is None or date.fromisoformat(made_first) <= first)


def read_days(
    database: StateDatabase, woo: WooClient, zone: ZoneInfo, first: date, last: date, *, in_flight: int
) -> SalesRead:
    """Read whole days, from first to last, and find what is gone of them. They are to be booked from now on."""
    started = utc_now()
    reader = _Reader(database, woo, zone, started, SalesRead(full=True))
    reader.keep_days(first, last, in_flight)
    with database.transaction() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO sync.sales_days SELECT day::DATE, $now "
            "FROM generate_series($first::TIMESTAMP, $last::TIMESTAMP, INTERVAL 1 DAY) AS days(day)",
            {"first": first, "last": last, "now": started},
        )
    return reader.told()


@dataclass
class _Reader:
    """One read: it stores orders in lots, and counts."""

    _database: StateDatabase
    _woo: WooClient
    _zone: ZoneInfo
    _started: datetime
    _counts: SalesRead = field(default_factory=SalesRead)
    newest: datetime | None = None

    def told(self) -> SalesRead:
        """What was read."""
        with self._database.transaction() as connection:
            rows = connection.execute(f"SELECT DISTINCT day FROM {ORDERS} WHERE read_at >= ?", [self._started])
            self._counts.days = {row[0] for row in rows.fetchall()}
        return self._counts

    def keep(self, pages: Iterable[Page[OrderDocument]]) -> set[int]:
        """Store orders, with those of their refunds that are not known yet; the ids of all that were there."""
        seen: set[int] = set()
        for lot in gathered(pages, ORDERS_PER_TRANSACTION):
            read, unreadable = lot.rows, lot.unreadable
            seen.update(order.id for order in read)
            seen.update(row.id for row in unreadable)
            self.newest = max(filter(None, (self.newest, *(order.date_modified_gmt for order in read))), default=None)
            refunds, without_refund = self._unknown_refunds(read)
            held = [*unreadable, *without_refund]
            set_aside = {row.id for row in held}
            orders = [order for order in read if order.id not in set_aside]
            with self._database.transaction() as connection:
                self._counts.received += len(read) + len(unreadable)
                same = _set_apart_replaced(connection, orders)
                self._counts.changed += store_orders(connection, same, refunds, self._zone)
                _remember_not_stored(connection, read, unreadable, {order.id for order in same})
                sound = [order.id for order in orders]
                self._counts.quarantined += STORE_ORDERS.hold(connection, sound, held)
        return seen

    def _unknown_refunds(self, orders: Sequence[OrderDocument]) -> tuple[list[RefundDocument], list[Unreadable]]:
        """Refunds that are not known, since one is never edited; and the orders of those that cannot be read."""
        named = {refund.id: order.id for order in orders for refund in order.refunds}
        unknown = self._unknown(named)
        refunds: dict[int, RefundDocument] = {}
        unreadable: dict[int, Unreadable] = {}
        for page in self._woo.orders.refunds(list(unknown), lambda: sorted(set(unknown.values()))):
            for refund in page.rows:
                if order_id := unknown.get(refund.id):
                    refunds[refund.id] = refund.model_copy(update={"parent_id": order_id})
            for row in page.unreadable:
                meant = [row.id] if row.id in unknown else set(unknown).difference(refunds) if not row.id else []
                for refund_id in meant:  # one without an id could be any that did not come
                    order_id = unknown[refund_id]
                    unreadable[order_id] = Unreadable(order_id, f"refund {refund_id}: {row.field}", row.problem)
        sound = [refund for refund in refunds.values() if refund.parent_id not in unreadable]
        return sound, list(unreadable.values())

    def keep_refunded(self, since: datetime) -> None:
        """Read the orders of refunds that are not known, though the orders were not said to have changed.

        What is unreadable of them is held when its order is read, which names it.
        """
        pages = self._woo.orders.refunded_since(since)
        parents = {refund.id: refund.parent_id for page in pages for refund in page.rows}
        self.keep(self._woo.orders.by_id(sorted(set(self._unknown(parents).values()) - {0})))

    def _unknown(self, orders: Mapping[int, int]) -> dict[int, int]:
        """Those of the refunds that are not stored with their orders.

        :param orders: the order of each refund
        """
        if not orders:
            return {}
        with self._database.transaction() as connection:
            known = connection.execute(
                "SELECT refund_id, order_id FROM snapshot.woo_sales_refunds WHERE list_contains($ids, refund_id)",
                {"ids": list(orders)},
            ).fetchall()
        return dict(orders.items() - set(known))

    def keep_bin(self, begins: datetime) -> set[int]:
        """Read what changed in the bin and what left it, and mark what is there; the ids of all that is there.

        No other list shows what happened to an order before it was binned; binning it puts nothing back on the shelf.

        :param begins: orders made before that and never read have nothing to do with us
        """
        there = self._woo.orders.binned()
        ids = {row.id for row in there}
        known = self._modified(ids)
        ours = [row for row in there if row.id in known or (row.date_created_gmt and row.date_created_gmt >= begins)]
        changed = sorted(row.id for row in ours if known.get(row.id) != row.date_modified_gmt)
        self.keep(self._woo.orders.by_id(changed, status="trash"))
        self._mark(ids, "binned")
        self._see_again(self._ids("gone = 'binned'") - ids, ids)
        return ids

    def keep_days(self, first: date, last: date, in_flight: int) -> None:
        """Read days whole, and find out what became of their orders that are not there any more."""
        start, end = start_of(first, self._zone), start_of(last + timedelta(days=1), self._zone)
        seen = self.keep(self._woo.orders.created(start, end, in_flight=in_flight))
        missing = self._ids("day BETWEEN ? AND ? AND gone IS NULL", first, last) - seen
        if missing:
            binned = self.keep_bin(end)
            self._see_again(missing - binned, binned)

    def _see_again(self, ids: Collection[int], binned: Collection[int]) -> None:
        """Ask for orders by name before they are taken for deleted: a list can leave out what is there."""
        if ids:
            seen = self.keep(self._woo.orders.by_id(sorted(ids)))
            self._mark(set(ids) - seen - set(binned), "deleted")

    def _ids(self, condition: str, *parameters: object) -> set[int]:
        with self._database.transaction() as connection:
            rows = connection.execute(f"SELECT id FROM {ORDERS} WHERE {condition}", parameters).fetchall()
        return {row[0] for row in rows}

    def _modified(self, ids: Collection[int]) -> dict[int, datetime]:
        """When the store changed these orders, as far as was read."""
        with self._database.transaction() as connection:
            found = connection.execute(f"SELECT id, modified_at FROM {ORDERS} WHERE list_contains(?, id)", [list(ids)])
            return dict(found.fetchall())

    def _mark(self, ids: Collection[int], gone: str) -> None:
        """Say of orders that the store lists them no more."""
        with self._database.transaction() as connection:
            marked = connection.execute(
                f"UPDATE {ORDERS} SET gone = $gone, read_at = $now "
                "WHERE list_contains($ids, id) AND gone IS DISTINCT FROM $gone RETURNING id",
                {"ids": list(ids), "gone": gone, "now": utc_now()},
            ).fetchall()
        self._counts.removed += len(marked)


def store_orders(
    connection: duckdb.DuckDBPyConnection,
    orders: Sequence[OrderDocument],
    refunds: Sequence[RefundDocument],
    zone: ZoneInfo,
) -> int:
    """Store orders as the store gave them, unless a newer version is there; how many are new or changed.

    Another flow may have stored the same orders and refunds meanwhile: then they are written over.

    :param refunds: of these orders, those that were not stored when they were read
    """
    now = utc_now()  # of the transaction, not of the read: a comparison made meanwhile has not seen them
    newest = {order.id: order for order in sorted(orders, key=lambda order: order.date_modified_gmt)}
    frames = sales_frames(list(newest.values()), refunds, zone)
    named = [refund.id for order in orders for refund in order.refunds]
    with sql.steps(connection, __name__, arrived=frames["woo_sales"]) as steps:
        steps.table("fresh", now=now)
        steps.table("changed", now=now)
        for table in PARTS:
            _replace_parts(connection, table, frames[table], named)
        steps.view("erased_accounts")
        steps.run("remember_erased", now=now)
        connection.execute(
            "UPDATE fresh SET email = NULL, name = NULL WHERE id IN (SELECT order_id FROM sync.erased_orders)"
        )
        connection.execute(f"INSERT OR REPLACE INTO {ORDERS} BY NAME FROM fresh")
        return connection.execute("SELECT count(*) FROM changed").fetchall()[0][0]


_DELETED_REFUNDS = "NOT list_contains($named, refund_id)"
_GONE = {"woo_sales_lines": f"(refund_id IS NULL OR {_DELETED_REFUNDS})", "woo_sales_refunds": _DELETED_REFUNDS}
"""Which rows of changed orders go; all of them, if not said. A refund is never edited, so its rows stay."""


def _replace_parts(
    connection: duckdb.DuckDBPyConnection, table: str, parts: pl.DataFrame, named: Sequence[int]
) -> None:
    """Store what belongs to changed orders in a table beside them.

    :param named: the refunds that the orders have; they name no more what was deleted in the store
    """
    gone = _GONE.get(table, "TRUE")
    connection.execute(
        f"DELETE FROM snapshot.{table} WHERE order_id IN (SELECT id FROM changed) AND {gone}",
        {"named": list(named)} if "$named" in gone else {},
    )
    with sql.reading(connection, parts=parts):
        connection.execute(
            f"INSERT OR REPLACE INTO snapshot.{table} BY NAME FROM parts WHERE order_id IN (SELECT id FROM changed)"
        )


def _remember_not_stored(
    connection: duckdb.DuckDBPyConnection,
    read: Sequence[OrderDocument],
    unreadable: Sequence[Unreadable],
    stored: Collection[int],
) -> None:
    """Which orders of a lot were seen as they are, though they are not stored."""
    modified = {row.id: row.modified for row in unreadable}
    modified |= {order.id: order.date_modified_gmt.isoformat() for order in read if order.id not in stored}
    connection.execute("DELETE FROM sync.orders_not_stored WHERE list_contains($ids, order_id)", {"ids": list(stored)})
    for order_id, at in modified.items():
        connection.execute("INSERT OR REPLACE INTO sync.orders_not_stored VALUES (?, ?)", [order_id, at])


def _set_apart_replaced(connection: duckdb.DuckDBPyConnection, orders: Sequence[OrderDocument]) -> list[OrderDocument]:
    """The orders without those that were made at another time than the ones that are known by their ids.

    Those are others: a store that was installed again counts from the beginning. They are held as conflicts while the
    store gives them.
    """
    ids = {"ids": [order.id for order in orders]}
    rows = connection.execute(f"SELECT id, created_at FROM {ORDERS} WHERE list_contains($ids, id)", ids).fetchall()
    known = dict(rows)
    replaced = [order for order in orders if known.get(order.id, order.date_created_gmt) != order.date_created_gmt]
    connection.execute(
        "DELETE FROM sync.sales_conflicts WHERE external_id IS NULL AND list_contains($ids, order_id)", ids
    )
    for order in replaced:
        reason = f"it was made at {order.date_created_gmt}Z, the one that was known at {known[order.id]}Z"
        connection.execute(
            "INSERT OR REPLACE INTO sync.sales_conflicts VALUES (?, NULL, ?, ?)", [order.id, reason, utc_now()]
        )
    return [order for order in orders if order not in replaced]


def order_key(order_id: int) -> str:
    """What an order is called in the quarantine."""
    return STORE_ORDERS.key(order_id)


def _move(
    connection: duckdb.DuckDBPyConnection,
    feed: str,
    position: datetime,
    newest: datetime | None = None,
    made_for: str | None = None,
) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO sync.watermarks (feed, position, newest, made_for) VALUES (?, ?, ?, ?)",
        [feed, position, newest, made_for],
    )
