"""Both sides' customers in their snapshots. The store cannot tell which accounts changed (contract, 4)."""

from collections.abc import Collection, Sequence
from datetime import datetime

import duckdb
import polars as pl

from solteq_woo_assets.clients.solteq_customers import CustomerDocument
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_customers import StoreCustomer, StoreOrder
from solteq_woo_assets.clients.woo_pages import Page, gathered
from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.feeds import FeedTable
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.snapshot import (
    ROWS_PER_TRANSACTION,
    WOO_OVERLAP,
    ReadCounts,
    merge,
    outdate,
    watermark,
)
from solteq_woo_assets.engine.unreadable import StoreRows
from solteq_woo_assets.flows.customers import erased
from solteq_woo_assets.flows.customers.frames import SOLTEQ_ID_META, account_frame, customer_frame, guest_frame
from solteq_woo_assets.flows.customers.rules import STAFF_ROLES
from solteq_woo_assets.flows.customers.tables import PERSON_FIELDS, SOLTEQ_CUSTOMERS, WOO_CUSTOMER_ACCOUNTS, WOO_STAFF

CUSTOMERS = SOLTEQ_CUSTOMERS.name
ACCOUNTS = WOO_CUSTOMER_ACCOUNTS.name
STORE_ACCOUNTS = StoreRows("customers_to_solteq", "account", "account-unreadable")
NEWEST = 100
PAID = ("processing", "completed")
"""The statuses of orders that make a guest a customer."""
_ALWAYS = datetime(9999, 1, 1)  # noqa: DTZ001  a store that was restored has older versions, and they are the truth


FEED = FeedTable("customers", CustomerDocument, SOLTEQ_CUSTOMERS, customer_frame, erased.documents)


def read_customers(shop: Shop, flow: str, *, full: bool = False) -> ReadCounts:
    """Read Solteq's customers that changed, or all. Nothing personal is kept of deleted ones.

    Who was erased is not stored; that they are still there is told.
    """
    counts = FEED.read(shop, flow, full=full)
    personal = ", ".join(f"{field} = NULL" for field in (*PERSON_FIELDS, "phone_text", "document"))
    with shop.database.transaction() as connection:
        connection.execute(
            f"UPDATE {CUSTOMERS} SET {personal}, customer_groups = [], external_ids = [], remarks = [] "
            "WHERE deleted AND (document IS NOT NULL OR email IS NOT NULL)"
        )
        connection.execute(
            f"DELETE FROM sync.customer_conflicts WHERE solteq_id IN (SELECT id FROM {CUSTOMERS} WHERE deleted)"
        )
        there = [customer_id for customer_id, is_there in counts.erased.items() if is_there]
        gone = None if counts.full else [each for each in counts.erased if each not in there]
        erased.tell(connection, flow, there, gone=gone)
    return counts


def read_accounts(
    database: StateDatabase, woo: WooClient, *, tax_code_meta: str, guests: bool = False, full: bool = False
) -> ReadCounts:
    """Read the store's newest accounts and those of new and changed orders; or all, which shows what else changed.

    New accounts that do not fit into one page make it a full read, too.

    :param guests: keep also who ordered without an account, and paid
    """
    started = utc_now()
    with database.transaction() as connection:
        before = watermark(connection, ACCOUNTS)
        full = full or before is None or not before.is_made_for(tax_code_meta)
        known = known_accounts(connection)
    orders = woo.customers.orders(before.position, with_addresses=guests) if before else []
    if guests:
        _keep_guests(database, orders)
    if not full and before is not None:
        newest = woo.customers.newest(NEWEST)
        is_whole_page = len(newest.rows) + len(newest.unreadable) == NEWEST  # one may be without an id
        full = is_whole_page and known.isdisjoint(newest.ids)
        if not full:
            asked = {order.customer_id for order in orders} - {0, *newest.ids}
            ordered = woo.customers.by_id(sorted(asked))
            with database.transaction() as connection:
                counts = _store_pages(connection, [newest, ordered], tax_code_meta)
                counts.removed = forget_accounts(connection, asked.difference(ordered.ids))
                _store_position(connection, woo.their_time(started), tax_code_meta)
            return counts
    return _read_all(database, woo, known, tax_code_meta=tax_code_meta, started=started)


def _keep_guests(database: StateDatabase, orders: Sequence[StoreOrder]) -> None:
    ordered = [order for order in orders if order.customer_id == 0 and order.status in PAID]
    with database.transaction() as connection:
        theirs = erased.orders(connection)
        guests = guest_frame([order for order in ordered if order.id not in theirs])
        with sql.reading(connection, guests=guests):
            connection.execute(
                "DELETE FROM snapshot.woo_guests WHERE lower(email) IN (SELECT lower(email) FROM guests)"
            )
            connection.execute("INSERT OR REPLACE INTO snapshot.woo_guests BY NAME FROM guests")


def _store_pages(
    connection: duckdb.DuckDBPyConnection, pages: Sequence[Page[StoreCustomer]], tax_code_meta: str
) -> ReadCounts:
    """Store the accounts of pages, and hold those that cannot be read; what is known of them stays.

    Who was erased is not stored; that they are still there is told.
    """
    made_for = {account.id: account.meta.get(SOLTEQ_ID_META) for page in pages for account in page.rows}
    erased.remember_accounts(connection, made_for)
    gone = erased.accounts(connection)
    accounts = [account for page in pages for account in page.rows if account.id not in gone]
    unreadable = [row for page in pages for row in page.unreadable if row.id not in gone]
    _tell_of_erased(connection, {row_id for page in pages for row_id in page.ids & gone}, gone=[])
    changed = store_accounts(connection, accounts, tax_code_meta)
    outdate(connection, STORE_ACCOUNTS.flow, changed)
    return ReadCounts(
        received=len(accounts) + len(unreadable),
        changed=changed,
        quarantined=STORE_ACCOUNTS.hold(connection, [account.id for account in accounts], unreadable),
    )


def _read_all(
    database: StateDatabase,
    woo: WooClient,
    known: Collection[int],
    *,
    tax_code_meta: str,
    started: datetime,
) -> ReadCounts:
    counts = ReadCounts(full=True)
    seen: set[int] = set()
    for lot in gathered(woo.customers.read(), ROWS_PER_TRANSACTION):
        seen |= lot.ids
        with database.transaction() as connection:
            stored = _store_pages(connection, [lot], tax_code_meta)
        counts.received += stored.received
        counts.changed += stored.changed
        counts.quarantined += stored.quarantined
    # Asked for by name before anybody is parted: a list can leave out what is there.
    seen.update(woo.customers.by_id(sorted(set(known).difference(seen))).ids)
    with database.transaction() as connection:
        counts.removed = forget_accounts(connection, set(known).difference(seen))
        STORE_ACCOUNTS.release_gone(connection, seen)
        _tell_of_erased(connection, erased.accounts(connection) & seen)
        _store_position(connection, woo.their_time(started), tax_code_meta)
    return counts


def _tell_of_erased(
    connection: duckdb.DuckDBPyConnection, there: Collection[int], *, gone: Collection[str] | None = None
) -> None:
    erased.tell(connection, STORE_ACCOUNTS.flow, map(STORE_ACCOUNTS.key, sorted(there)), gone=gone)


def _store_position(connection: duckdb.DuckDBPyConnection, started: datetime, tax_code_meta: str) -> None:
    """From where orders are looked through the next time; accounts themselves have no such thing.

    :param started: when the read began, by the store's clock
    """
    connection.execute(
        "INSERT INTO sync.watermarks (feed, position, made_for) VALUES ($feed, $position, $made_for) "
        "ON CONFLICT (feed) DO UPDATE SET position = EXCLUDED.position, made_for = EXCLUDED.made_for",
        {"feed": ACCOUNTS, "position": started - WOO_OVERLAP, "made_for": tax_code_meta},
    )


def refresh_accounts(database: StateDatabase, woo: WooClient, ids: Sequence[int], *, tax_code_meta: str) -> None:
    """Read these accounts again; those that are gone are forgotten."""
    page = woo.customers.by_id(ids)
    with database.transaction() as connection:
        _store_pages(connection, [page], tax_code_meta)
        forget_accounts(connection, set(ids).difference(page.ids))


def read_staff(database: StateDatabase, woo: WooClient, further_roles: Sequence[str]) -> list[str]:
    """Read who runs the store, role by role: an account shows one of its roles alone (contract, 74).

    :param further_roles: beside those that every store has
    :return: those of the further roles that the store does not have
    """
    found = {role: woo.customers.in_role(role) for role in dict.fromkeys((*STAFF_ROLES, *further_roles))}
    staff = {woo_id: role for role in reversed(found) for woo_id in found[role] or ()}
    rows = pl.DataFrame({"id": [*staff], "role": [*staff.values()]}, schema=WOO_STAFF.schema)
    with database.transaction() as connection, sql.reading(connection, staff=rows):
        connection.execute("DELETE FROM snapshot.woo_staff")
        connection.execute("INSERT INTO snapshot.woo_staff BY NAME FROM staff")
    return [role for role in further_roles if found[role] is None]


def store_accounts(connection: duckdb.DuckDBPyConnection, accounts: Sequence[StoreCustomer], tax_code_meta: str) -> int:
    """Store accounts as the store gave them, but for erased ones; how many rows are new or changed."""
    gone = erased.accounts(connection)
    rows = account_frame([account for account in accounts if account.id not in gone], tax_code_meta)
    return merge(connection, WOO_CUSTOMER_ACCOUNTS, rows, version="date_modified_gmt", replaced_before=_ALWAYS)


def forget_accounts(connection: duckdb.DuckDBPyConnection, ids: Collection[int]) -> int:
    """Drop accounts that are gone from the store; how many there were."""
    rows = connection.execute(
        f"DELETE FROM {ACCOUNTS} WHERE list_contains($ids, id) RETURNING id", {"ids": list(ids)}
    ).fetchall()
    return len(rows)


def known_accounts(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """Ids of the accounts that are known, erased ones too."""
    rows = connection.execute(
        f"SELECT id FROM {ACCOUNTS} UNION SELECT woo_id FROM sync.customers "
        "WHERE state = 'erased' AND woo_id IS NOT NULL"
    ).fetchall()
    return {row[0] for row in rows}
