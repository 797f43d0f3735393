"""The state of the integration: one DuckDB file, opened for one transaction at a time.

Schema ``snapshot`` holds what each side has, one table per snapshot asset. Schema ``delta`` holds the writes to
come, one table per delta asset, in the form of ``CHANGES``. Schema ``sync`` is the integration's own memory.
Money is ``DECIMAL(18,4)``; times are UTC without a zone.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from filelock import FileLock, Timeout

from solteq_woo_assets.engine.sql import define_macros
from solteq_woo_assets.errors import StateError

LOCK_SECONDS = 60.0
"""How long to wait for the database. A transaction holds it for milliseconds; eight processes waited 0.6 s at worst."""
VERSION = 7
"""Version of the tables below. A newer database is refused, so that an old installation cannot harm it."""

_SMALL = 8 * 2**20
"""Size in bytes of a file, up to which its engine is kept: that of a larger one would keep hundreds of MB of memory."""

_STORAGE_ERRORS = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.TransactionException,  # a commit that the disk refused
    duckdb.OutOfMemoryException,  # a disk too full to help memory out
)

_CHANGES = """
    key VARCHAR NOT NULL,          -- SKU; of a campaign that sets no price, its id
    action VARCHAR NOT NULL,       -- create, update, convert, withdraw, restore: sent. part: done here. wait,
                                   -- skip, stopped (by a guard rail): shown, not sent
    kind VARCHAR NOT NULL,         -- simple, variable, variation, campaign; sale, refund; customer, link
    woo_id BIGINT,                 -- the store's id, of a sale the order's; NULL for what is yet to be created
    parent_key VARCHAR,            -- a variation's parent: its SKU
    parent_id BIGINT,              -- and its id; NULL while it is yet to be created
    changes STRUCT(field VARCHAR, "old" VARCHAR, "new" VARCHAR)[] NOT NULL,  -- as they go on the wire
    reason VARCHAR NOT NULL
"""

# Tables that came with version 2; a database of version 1 gets them, too.
_CAMPAIGN_TABLES = f"""
CREATE TABLE snapshot.solteq_campaigns (  -- newest version of each campaign document, tombstones kept
    id VARCHAR PRIMARY KEY, name VARCHAR, type VARCHAR, level VARCHAR, targets VARCHAR[],
    discount_type VARCHAR, value DECIMAL(18,4),
    valid_from TIMESTAMP, valid_to TIMESTAMP,  -- local to the shop, valid_to exclusive; NULL is open
    valid_days VARCHAR[],          -- Mon … Sun; empty or NULL is every day
    valid_hours_from TIME, valid_hours_to TIME,  -- local, valid_hours_to exclusive, midnight is the end of the day;
                                   -- before valid_hours_from it is on the next day; NULL is the whole day
    store_ids VARCHAR[], customer_groups VARCHAR[], customers VARCHAR[], priority INTEGER,
    unknown_fields VARCHAR[],      -- names of fields that say something which we do not know
    active BOOLEAN NOT NULL, deleted BOOLEAN NOT NULL, modified_at TIMESTAMP NOT NULL
);
CREATE TABLE delta.campaign_price_delta ({_CHANGES},
    old_price DECIMAL(18,4),       -- what a shopper pays now
    new_price DECIMAL(18,4),       -- what a shopper will pay, from valid_from or at once
    valid_from TIMESTAMP, valid_to TIMESTAMP,  -- the sale's window, valid_to exclusive; NULL is open
    campaign VARCHAR,              -- the campaign that sets the price
    beaten VARCHAR[]               -- what else would have, with its price
);
CREATE TABLE sync.price_history (  -- every public price and when it held; what has valid_from to come is planned
    sku VARCHAR NOT NULL,          -- lower case, trimmed
    price DECIMAL(18,4) NOT NULL,  -- what a shopper pays
    regular_price DECIMAL(18,4) NOT NULL,
    valid_from TIMESTAMP NOT NULL, valid_to TIMESTAMP  -- valid_to exclusive; NULL while nothing else is planned
);
CREATE TABLE sync.comparisons (  -- when a flow last made its delta
    flow VARCHAR PRIMARY KEY, computed_at TIMESTAMP NOT NULL,
    next_edge TIMESTAMP,           -- when the same data give another delta: the next sale begins or ends
    is_outdated BOOLEAN DEFAULT FALSE  -- something new was read since then
);
"""

# What both systems hold of a person, in the form that is compared (flows/customers/people.py).
# NULL: the system does not say.
_PERSON = """
    email VARCHAR, first_name VARCHAR, last_name VARCHAR, company_name VARCHAR, tax_code VARCHAR, phone VARCHAR,
    billing_street VARCHAR, billing_street2 VARCHAR, billing_postal_code VARCHAR, billing_city VARCHAR,
    billing_country VARCHAR,
    delivery_street VARCHAR, delivery_street2 VARCHAR, delivery_postal_code VARCHAR, delivery_city VARCHAR,
    delivery_country VARCHAR
"""
_CUSTOMER_CHANGES = f"""{_CHANGES},
    solteq_id VARCHAR,             -- Solteq's id; NULL for what is yet to be created
    conflicts STRUCT(field VARCHAR, kept VARCHAR, lost VARCHAR)[] NOT NULL  -- changed on both sides
"""

# The store shows one role of each account; this is read role by role.
_STAFF_TABLE = """
CREATE TABLE IF NOT EXISTS snapshot.woo_staff (  -- accounts of people who run the store, with the first such role
    id BIGINT PRIMARY KEY, role VARCHAR NOT NULL
);
"""

# Tables that came with version 3.
_CUSTOMER_TABLES = f"""
CREATE TABLE snapshot.solteq_customers (  -- newest version of each customer document; of deleted ones only the id
    id VARCHAR PRIMARY KEY, type VARCHAR, {_PERSON},
    phone_text VARCHAR,            -- as Solteq writes it
    customer_groups VARCHAR[], external_ids VARCHAR[], remarks VARCHAR[],
    document VARCHAR,              -- the whole JSON: a write replaces all of it
    deleted BOOLEAN NOT NULL, modified_at TIMESTAMP NOT NULL
);
CREATE TABLE snapshot.woo_customer_accounts (  -- what the store holds, accounts of every role
    id BIGINT PRIMARY KEY, role VARCHAR NOT NULL, {_PERSON},
    phone_text VARCHAR, held_solteq_id VARCHAR, remarks VARCHAR[],  -- held_solteq_id: our meta
    country_names VARCHAR[],  -- addresses whose country is written as a name: the store taxes by codes alone
    billing_email VARCHAR, billing_first_name VARCHAR, billing_last_name VARCHAR,
    shipping_first_name VARCHAR, shipping_last_name VARCHAR,
    date_created_gmt TIMESTAMP, date_modified_gmt TIMESTAMP NOT NULL
);
CREATE TABLE snapshot.woo_guests (  -- who ordered without an account, until Solteq has them
    order_id BIGINT PRIMARY KEY, {_PERSON}
);
{_STAFF_TABLE}
CREATE TABLE delta.woo_customer_delta ({_CUSTOMER_CHANGES});
CREATE TABLE delta.solteq_customer_delta ({_CUSTOMER_CHANGES});
CREATE TABLE sync.customers (  -- which account is which customer, and what both sides last agreed on
    solteq_id VARCHAR, woo_id BIGINT,  -- NULL: of an erased person whom only one side had
    state VARCHAR NOT NULL,        -- linked, unlinked (one of them was removed), erased
    why VARCHAR NOT NULL, since TIMESTAMP NOT NULL,
    {_PERSON},
    solteq_phone_text VARCHAR, woo_phone_text VARCHAR  -- the texts that meant the agreed phone number
);
CREATE TABLE sync.customer_conflicts (  -- values that lost against another change of the same field
    solteq_id VARCHAR NOT NULL, woo_id BIGINT NOT NULL, field VARCHAR NOT NULL,
    kept VARCHAR, lost VARCHAR, settled_at TIMESTAMP NOT NULL
);
"""

# Tables that came with version 4. The store's amounts of lines are without VAT, its totals and refunds with it.
_SALES_TABLES = f"""
CREATE TABLE snapshot.woo_sales (  -- the store's orders, of every status
    id BIGINT PRIMARY KEY, number VARCHAR, day DATE NOT NULL,  -- the shop-local day on which it was made
    status VARCHAR NOT NULL, currency VARCHAR, created_at TIMESTAMP NOT NULL, modified_at TIMESTAMP NOT NULL,
    paid_at TIMESTAMP, completed_at TIMESTAMP, total DECIMAL(18,4), total_tax DECIMAL(18,4),
    customer_id BIGINT, email VARCHAR, name VARCHAR,
    payment_meta VARCHAR,          -- JSON: what the meta keys of SOLTEQ_WOO_PAYMENT_META hold
    gone VARCHAR,                  -- binned or deleted, when the store lists it no more
    content VARCHAR NOT NULL,      -- fingerprint of all of it, to tell a change from a mere write
    read_at TIMESTAMP NOT NULL     -- when it was new or had changed
);
CREATE TABLE snapshot.woo_sales_lines (  -- of orders, and of refunds, where all is negative
    order_id BIGINT NOT NULL, refund_id BIGINT, line_id BIGINT NOT NULL, kind VARCHAR NOT NULL, name VARCHAR,
    sku VARCHAR, quantity DECIMAL(18,4), subtotal DECIMAL(18,4), subtotal_tax DECIMAL(18,4),
    total DECIMAL(18,4), total_tax DECIMAL(18,4), rate_ids BIGINT[],
    rate_taxes DECIMAL(18,4)[],    -- the VAT at each of rate_ids
    refunded_line BIGINT,          -- of a refund's line: the order's line
    reduced_stock DECIMAL(18,4),   -- pieces that the store took from its stock
    restocked DECIMAL(18,4),       -- pieces that refunds put back; NULL: read before version 6
    PRIMARY KEY (order_id, line_id)  -- the store numbers the lines of orders and refunds in one row
);
CREATE TABLE snapshot.woo_sales_taxes (
    order_id BIGINT NOT NULL, rate_id BIGINT NOT NULL, "percent" DECIMAL(18,4), total DECIMAL(18,4),
    PRIMARY KEY (order_id, rate_id, "percent")
);
CREATE TABLE snapshot.woo_sales_coupons (
    order_id BIGINT NOT NULL, code VARCHAR NOT NULL, discount DECIMAL(18,4), discount_tax DECIMAL(18,4),
    PRIMARY KEY (order_id, code)
);
CREATE TABLE snapshot.woo_sales_refunds (
    order_id BIGINT NOT NULL, refund_id BIGINT NOT NULL, created_at TIMESTAMP NOT NULL, amount DECIMAL(18,4),
    PRIMARY KEY (order_id, refund_id)
);
CREATE TABLE snapshot.woo_sales_payments (
    order_id BIGINT PRIMARY KEY, method VARCHAR, title VARCHAR, amount DECIMAL(18,4), reference VARCHAR
);
CREATE TABLE delta.sales_delta ({_CHANGES},
    day DATE NOT NULL,             -- of the order
    refund_id BIGINT, version INTEGER NOT NULL,
    document VARCHAR NOT NULL,     -- JSON, without the customer, who is added when it leaves
    content VARCHAR NOT NULL, notes VARCHAR[] NOT NULL,
    settles VARCHAR NOT NULL,      -- what the order is like, for sync.settled_orders once all of it is booked
    PRIMARY KEY (key)
);
CREATE TABLE sync.sales (  -- what Solteq has been sent of orders: the ledger of documents
    external_id VARCHAR PRIMARY KEY, order_id BIGINT NOT NULL, refund_id BIGINT, version INTEGER NOT NULL,
    type VARCHAR NOT NULL, document VARCHAR NOT NULL, content VARCHAR NOT NULL, notes VARCHAR[] NOT NULL,
    state VARCHAR NOT NULL,        -- pending: it may have left; booked
    solteq_id VARCHAR, run_id VARCHAR NOT NULL, sent_at TIMESTAMP NOT NULL,
    booked_at TIMESTAMP            -- by Solteq's clock
);
CREATE TABLE sync.settled_orders (  -- orders of which nothing is due, and what they were like then
    order_id BIGINT PRIMARY KEY, content VARCHAR NOT NULL
);
CREATE TABLE sync.sales_days (day DATE PRIMARY KEY, read_at TIMESTAMP NOT NULL);  -- that were read whole, to be booked
"""

# Tables that came with version 6.
_OWNER_TABLES = """
CREATE TABLE sync.sales_lookups (  -- orders that Solteq was asked for, since the ledger had nothing of them
    order_id BIGINT PRIMARY KEY,
    content VARCHAR                -- what the order was like then; NULL: Solteq has more than we know, ask again
);
CREATE TABLE sync.sales_conflicts (  -- orders in whose place there is another; nothing is sent of them
    order_id BIGINT PRIMARY KEY,
    external_id VARCHAR,           -- under which Solteq has another document; NULL: the store has another order
    reason VARCHAR NOT NULL, since TIMESTAMP NOT NULL
);
CREATE TABLE sync.orders_not_stored (  -- that were read and cannot be, or that are in another order's place
    order_id BIGINT PRIMARY KEY,
    modified VARCHAR NOT NULL      -- as the store says it: the sensor need not ask for them again
);
CREATE TABLE sync.identity (  -- the two systems and the shop that this database was made with (engine/identity.py)
    side VARCHAR PRIMARY KEY,      -- solteq, woo, shop
    says VARCHAR,                  -- what the side says of itself; NULL when it says nothing
    address VARCHAR NOT NULL,      -- host and path; of shop its name
    access VARCHAR NOT NULL,       -- fingerprint of the address and the credentials' name that it was met with
    asked_at TIMESTAMP NOT NULL    -- when it was last asked who it is
);
"""

# Table that came with version 6.
_FAILURES_TABLE = """
CREATE TABLE sync.failures (  -- writes at which the other side failed though it took others (engine/failures.py)
    flow VARCHAR NOT NULL, key VARCHAR NOT NULL,
    content VARCHAR NOT NULL,      -- fingerprint of the changes: another write of the same key is sent at once
    runs INTEGER NOT NULL,         -- in so many it failed; 0: the other side failed at whatever was sent
    since TIMESTAMP NOT NULL,
    next_at TIMESTAMP NOT NULL,    -- not sent again before
    PRIMARY KEY (flow, key)
);
"""

# Tables that came with version 5.
_OPERATION_TABLES = """
CREATE TABLE sync.alerts (  -- what is wrong at present, and who was told: a row a cause and channel
    cause VARCHAR NOT NULL,        -- run:JOB or check:ASSET:CHECK
    channel VARCHAR NOT NULL,      -- email, webhook
    words VARCHAR NOT NULL, run_id VARCHAR NOT NULL,  -- of the last failure
    since TIMESTAMP NOT NULL,
    told_at TIMESTAMP,             -- when its failing was last told; NULL: never
    told_run_id VARCHAR,           -- the run that was told of then; NULL: nobody believes that it is failing
    over_at TIMESTAMP,             -- NULL: it is not
    PRIMARY KEY (cause, channel)
);
CREATE TABLE sync.reconciliation (  -- what differed at each reconciliation
    reconciled_at TIMESTAMP NOT NULL, run_id VARCHAR NOT NULL, flow VARCHAR NOT NULL, key VARCHAR NOT NULL,
    field VARCHAR NOT NULL, expected VARCHAR, held VARCHAR,  -- of customers without values
    why VARCHAR NOT NULL,          -- missing, surplus, edited, changed, waiting, quarantined, unread
    reason VARCHAR NOT NULL,
    first_seen TIMESTAMP NOT NULL  -- the first of the unbroken reconciliations that saw the same difference
);
"""

# Tables of version 6: pieces sold in the store that Solteq's balances may not show yet.
_UNDER_WAY_TABLES = """
CREATE TABLE snapshot.sales_under_way (  -- by line of an order: what the store holds, and what documents took
    order_id BIGINT NOT NULL, line_id VARCHAR NOT NULL,
    document VARCHAR NOT NULL,     -- the externalId of a document; empty: what the store itself holds
    sku VARCHAR NOT NULL,
    quantity DECIMAL(18,4) NOT NULL,  -- that the store took from its stock, or the document from Solteq's balance
    booked_at TIMESTAMP,           -- of a document, by Solteq's clock; NULL until it is booked
    is_shown BOOLEAN NOT NULL,     -- of a document: the balances show it, whenever they were written
    since TIMESTAMP NOT NULL,      -- when it was ordered
    why VARCHAR NOT NULL,          -- the store's pieces are not in Solteq's balances
    PRIMARY KEY (order_id, line_id, document)
);
CREATE TABLE sync.booked_elsewhere (  -- orders that somebody said were booked by other means
    order_id BIGINT PRIMARY KEY,
    content VARCHAR NOT NULL,      -- what the order was like then
    lines STRUCT(line_id VARCHAR, quantity DECIMAL(18,4))[] NOT NULL,  -- pieces that the balances have lost so
    since TIMESTAMP NOT NULL
);
"""

# Tables of version 7: what is left of those who were erased, and of an erasure that was cut short.
_ERASURE_TABLES = """
CREATE TABLE sync.erased_orders (  -- of people who were erased: who bought is neither kept of them nor sent
    order_id BIGINT PRIMARY KEY, since TIMESTAMP NOT NULL
);
CREATE TABLE sync.rewrite_due (  -- a row: what was erased is out of the tables, and still in the bytes of the file
    since TIMESTAMP NOT NULL
);
"""

# Table that came with version 7.
_STOPPED_TABLE = """
CREATE TABLE sync.stopped (  -- rows that guard rails stopped, and those that somebody let pass (engine/stopped.py)
    rail VARCHAR NOT NULL, flow VARCHAR NOT NULL, key VARCHAR NOT NULL,
    content VARCHAR NOT NULL,      -- fingerprint of the changes: another write of the same key is judged anew
    since TIMESTAMP NOT NULL,
    let_pass_at TIMESTAMP,         -- NULL: it is stopped
    delivery_ids VARCHAR[] NOT NULL DEFAULT [],  -- of what was let pass
    used_at TIMESTAMP,             -- when it was delivered, changed, or was due no more; NULL: it may go
    PRIMARY KEY (rail, flow, key, since)
);
"""

_UPGRADE_FROM_6 = f"""
-- What version 7 adds; a database of an earlier version has got some tables as they are now.
{_ERASURE_TABLES}
-- Of a customer's document that cannot be read only a fingerprint is kept from now on, and the bytes go, too.
INSERT INTO sync.rewrite_due SELECT now() AT TIME ZONE 'UTC' WHERE EXISTS (
    FROM sync.quarantine WHERE flow = 'customers_to_woo' AND stage = 'feed' AND raw IS NOT NULL);
UPDATE sync.quarantine SET raw = sha256(raw)
    WHERE flow = 'customers_to_woo' AND stage = 'feed' AND raw IS NOT NULL;
ALTER TABLE sync.comparisons ADD COLUMN IF NOT EXISTS is_outdated BOOLEAN DEFAULT FALSE;
{_STAFF_TABLE}
ALTER TABLE sync.leases ADD COLUMN IF NOT EXISTS file UBIGINT;
ALTER TABLE sync.leases ADD COLUMN IF NOT EXISTS process VARCHAR;
ALTER TABLE sync.links ADD COLUMN sku VARCHAR;
UPDATE sync.links SET sku = key;
ALTER TABLE snapshot.woo_customer_accounts ADD COLUMN IF NOT EXISTS country_names VARCHAR[];
-- People are read anew: names of countries are known by now, and what cannot be parsed is told.
DELETE FROM sync.watermarks WHERE feed IN ('snapshot.solteq_customers', 'snapshot.woo_customer_accounts');
{_STOPPED_TABLE}
"""

_UPGRADE_FROM_5 = f"""
{_FAILURES_TABLE}
ALTER TABLE sync.links ADD COLUMN solteq_id VARCHAR;
UPDATE sync.links SET solteq_id = product.id FROM (
    SELECT lower(trim(code)) AS key, min(id) AS id FROM snapshot.solteq_products GROUP BY ALL HAVING count(*) = 1
) AS product WHERE links.key = product.key;
{_OWNER_TABLES}
DROP TABLE IF EXISTS snapshot.sales_under_way;
{_UNDER_WAY_TABLES}
-- A database of version 1 got the table as it is now.
ALTER TABLE snapshot.solteq_campaigns ADD COLUMN IF NOT EXISTS valid_days VARCHAR[];
ALTER TABLE snapshot.solteq_campaigns ADD COLUMN IF NOT EXISTS valid_hours_from TIME;
ALTER TABLE snapshot.solteq_campaigns ADD COLUMN IF NOT EXISTS valid_hours_to TIME;
ALTER TABLE snapshot.solteq_campaigns ADD COLUMN IF NOT EXISTS unknown_fields VARCHAR[];
-- Campaigns are read anew, with what they are restricted by; and every feed of which documents could not be read.
DELETE FROM sync.watermarks WHERE feed = 'snapshot.solteq_campaigns'
    OR feed IN (SELECT 'snapshot.solteq_' || flow FROM sync.quarantine WHERE stage = 'feed');
ALTER TABLE snapshot.woo_sales ADD COLUMN IF NOT EXISTS payment_meta VARCHAR;
ALTER TABLE snapshot.woo_sales_lines ADD COLUMN IF NOT EXISTS rate_taxes DECIMAL(18,4)[];
ALTER TABLE snapshot.woo_sales_lines ADD COLUMN IF NOT EXISTS restocked DECIMAL(18,4);
-- The rules of what is due have changed: a refund of cash on delivery was not booked, for one.
DELETE FROM sync.settled_orders;
ALTER TABLE sync.watermarks ADD COLUMN read_at_there TIMESTAMP;
ALTER TABLE sync.watermarks ADD COLUMN made_for VARCHAR;
UPDATE snapshot.woo_sales_coupons SET code = '' WHERE code IS NULL;
"""

_UPGRADE_FROM_4 = f"""
{_OPERATION_TABLES}
ALTER TABLE sync.quarantine ADD COLUMN code VARCHAR;
ALTER TABLE sync.quarantine ADD COLUMN dismissed_at TIMESTAMP;
"""

_UPGRADE_FROM_3 = f"""
{_SALES_TABLES}
ALTER TABLE sync.watermarks ADD COLUMN read_at TIMESTAMP;
"""

_UPGRADE_FROM_1 = f"""
DROP TABLE sync.price_history;
{_CAMPAIGN_TABLES}
ALTER TABLE snapshot.woo_catalogue ADD COLUMN lowest_price_30d VARCHAR;
-- The store is read anew, so that the history has every price.
DELETE FROM snapshot.woo_catalogue;
DELETE FROM sync.watermarks WHERE feed = 'snapshot.woo_catalogue';
"""

_UPGRADES = (
    _UPGRADE_FROM_1,
    _CUSTOMER_TABLES,
    _UPGRADE_FROM_3,
    _UPGRADE_FROM_4,
    _UPGRADE_FROM_5,
    _UPGRADE_FROM_6,
)
"""From each version to the next. Primary keys, which came with version 6, are set by ``_set_keys``."""

_TABLES = f"""
CREATE SCHEMA IF NOT EXISTS snapshot;
CREATE SCHEMA IF NOT EXISTS delta;
CREATE SCHEMA IF NOT EXISTS sync;

CREATE TABLE snapshot.solteq_products (  -- newest version of each product document, tombstones kept
    id VARCHAR PRIMARY KEY, code VARCHAR, model_number VARCHAR, name VARCHAR, gtin VARCHAR,
    product_type VARCHAR, vat_rate DECIMAL(6,3), product_group VARCHAR, categories VARCHAR[], supplier VARCHAR,
    sales_price DECIMAL(18,4), purchase_price DECIMAL(18,4), discounted_price DECIMAL(18,4),
    attributes STRUCT(name VARCHAR, "option" VARCHAR)[], max_discount_percent DECIMAL(6,3),
    active BOOLEAN NOT NULL, deleted BOOLEAN NOT NULL, modified_at TIMESTAMP NOT NULL
);
CREATE TABLE snapshot.solteq_balances (  -- newest balance of each product and store, tombstones kept
    product_code VARCHAR NOT NULL, store_id VARCHAR NOT NULL, store_name VARCHAR,
    free_balance DECIMAL(18,4), reserved_balance DECIMAL(18,4), unit VARCHAR,
    deleted BOOLEAN NOT NULL, modified_at TIMESTAMP NOT NULL,
    PRIMARY KEY (product_code, store_id)
);
CREATE TABLE snapshot.woo_catalogue (  -- what the store holds, variations and the bin included
    id BIGINT PRIMARY KEY, parent_id BIGINT, type VARCHAR NOT NULL, status VARCHAR NOT NULL, name VARCHAR, sku VARCHAR,
    global_unique_id VARCHAR, regular_price DECIMAL(18,4), sale_price DECIMAL(18,4),
    date_on_sale_from_gmt TIMESTAMP, date_on_sale_to_gmt TIMESTAMP, tax_class VARCHAR,
    manage_stock BOOLEAN, stock_quantity BIGINT, stock_status VARCHAR,
    attributes STRUCT(id BIGINT, name VARCHAR, variation BOOLEAN, visible BOOLEAN, options VARCHAR[])[],
    purchase_price VARCHAR, store_balances VARCHAR, lowest_price_30d VARCHAR,  -- our private meta, as text
    cost_of_goods_sold DECIMAL(18,4), has_cost_of_goods BOOLEAN,
    date_modified_gmt TIMESTAMP NOT NULL
);
CREATE TABLE snapshot.woo_store (  -- one row: what the store says of itself
    currency VARCHAR, prices_include_tax BOOLEAN, manage_stock BOOLEAN, timezone VARCHAR, tax_classes VARCHAR[],
    read_at TIMESTAMP,
    row INTEGER PRIMARY KEY DEFAULT 1 CHECK (row = 1)
);

CREATE TABLE delta.product_delta ({_CHANGES});
CREATE TABLE delta.balance_delta ({_CHANGES});

CREATE TABLE sync.version (version INTEGER);
INSERT INTO sync.version VALUES ({VERSION});
CREATE TABLE sync.watermarks (  -- where the next incremental read of a feed begins
    feed VARCHAR PRIMARY KEY,
    position TIMESTAMP NOT NULL,   -- read from here, inclusive
    newest TIMESTAMP,              -- the newest modification seen
    full_read_at TIMESTAMP,        -- when everything was last read
    read_at TIMESTAMP,             -- when the last complete read ended
    read_at_there TIMESTAMP,       -- when it began, by the other side's clock
    made_for VARCHAR               -- the settings that decided what was read; NULL: those of today
);
CREATE TABLE sync.deliveries (  -- the ledger: a row before each write leaves, settled after
    delivery_id VARCHAR PRIMARY KEY, run_id VARCHAR NOT NULL, flow VARCHAR NOT NULL,
    key VARCHAR NOT NULL, action VARCHAR NOT NULL, kind VARCHAR NOT NULL, woo_id BIGINT,
    changes STRUCT(field VARCHAR, "old" VARCHAR, "new" VARCHAR)[] NOT NULL,
    state VARCHAR NOT NULL,  -- pending, delivered, refused, retry, waiting, unsent, interrupted, superseded
    error VARCHAR, created_at TIMESTAMP NOT NULL, settled_at TIMESTAMP
);
CREATE TABLE sync.links (  -- which store product is which Solteq code
    kind VARCHAR NOT NULL,         -- product
    key VARCHAR NOT NULL,          -- the code or model number, lower case, trimmed
    woo_id BIGINT NOT NULL,
    status_before VARCHAR,         -- status before Solteq withdrew it; NULL while it is on sale
    solteq_id VARCHAR,             -- id of the code's document, which stays when the code changes; NULL of a model
    sku VARCHAR,                   -- its SKU in the store as both sides last agreed, as key; empty: it gave it away
    PRIMARY KEY (kind, key)
);
CREATE TABLE sync.leases (  -- the run that a flow is in; a row without a lock on its file is of a crashed run
    flow VARCHAR PRIMARY KEY, run_id VARCHAR NOT NULL, pid INTEGER NOT NULL, since TIMESTAMP NOT NULL,
    file UBIGINT,                  -- inode of the file that it has locked; another one is there when that was deleted
    process VARCHAR                -- when the process began: numbers are given again
);
CREATE TABLE sync.quarantine (  -- records that are held back, and why
    flow VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,        -- feed, delta or delivery: where it was stopped
    key VARCHAR NOT NULL, field VARCHAR NOT NULL, reason VARCHAR NOT NULL, mend VARCHAR NOT NULL,
    raw VARCHAR,                   -- the document's JSON, when it could not be read, of a customer its hash; the
                                   -- refused changes' hash
    first_seen TIMESTAMP NOT NULL, last_seen TIMESTAMP NOT NULL,
    code VARCHAR,                  -- of the catalogue of problems (engine/problems.py)
    dismissed_at TIMESTAMP,        -- somebody has seen it and let it be, until it changes
    PRIMARY KEY (flow, stage, key, field)
);
{_CAMPAIGN_TABLES}
{_CUSTOMER_TABLES}
{_SALES_TABLES}
{_OPERATION_TABLES}
{_FAILURES_TABLE}
{_OWNER_TABLES}
{_UNDER_WAY_TABLES}
{_ERASURE_TABLES}
{_STOPPED_TABLE}
"""


def table_columns() -> dict[str, list[tuple[str, str]]]:
    """The columns of each table of ours, name and type, in their order."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(_TABLES)
        rows = connection.execute(
            "SELECT schema_name || '.' || table_name, list((column_name, data_type) ORDER BY column_index) "
            "FROM duckdb_columns() WHERE schema_name IN ('snapshot', 'delta', 'sync') GROUP BY 1"
        ).fetchall()
    return dict(rows)


def _keys(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The primary key of each table of ours that has one."""
    rows = connection.execute(
        "SELECT schema_name || '.' || table_name, constraint_column_names FROM duckdb_constraints() "
        "WHERE constraint_type = 'PRIMARY KEY' AND schema_name IN ('snapshot', 'delta', 'sync')"
    ).fetchall()
    return dict(rows)


def _set_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that lack their primary key anew with it; of rows with the same key the newest one stays."""
    with duckdb.connect(":memory:") as fresh:
        fresh.execute(_TABLES)
        keys = _keys(fresh)
        tables = dict(fresh.execute("SELECT schema_name || '.' || table_name, sql FROM duckdb_tables()").fetchall())
    there = _keys(connection)
    for table in keys.keys() - there.keys():
        connection.execute(f"CREATE TEMP TABLE kept AS FROM {table}")
        columns = [name for name, *_ in connection.execute("DESCRIBE kept").fetchall()]
        newest = [f"{name} DESC" for name in ("modified_at", "date_modified_gmt", "last_seen") if name in columns]
        connection.execute(f"DROP TABLE {table}")
        connection.execute(tables[table])
        connection.execute(
            f"INSERT INTO {table} BY NAME FROM kept QUALIFY row_number() OVER "
            f"(PARTITION BY {', '.join(keys[table])} ORDER BY {', '.join([*newest, 'kept.rowid DESC'])}) = 1"
        )
        connection.execute("DROP TABLE kept")


Clock = Callable[[], datetime]
"""The present, in UTC without a zone. What depends on it takes one, so that a test can set it."""


def utc_now() -> datetime:
    """Now, in UTC without a zone, as the database keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


_COPY, _IN_USE = "copy-", "lock"
"""What the folder of a copy is called, and the file in it that who uses it has locked."""

_idle: dict[str, duckdb.DuckDBPyConnection] = {}
"""The engine of the last transaction, for the next one of the same database. Threads take it out while they use it."""


def _stop_idle() -> None:
    while _idle:
        with suppress(KeyError):  # another thread was faster
            _idle.popitem()[1].close()


os.register_at_fork(before=_stop_idle)  # a child would have the engine without its threads, and crash


class StateDatabase:
    """The DuckDB file behind a lock file: lock, open, one transaction, close, whatever happens.

    DuckDB shuts out every other process while one has the file open, and fails at once instead of waiting; the
    lock file makes them take turns. Never hold a transaction across an HTTP call.

    The file is attached to an engine, a DuckDB instance without a file of its own, since starting one takes far
    longer than most transactions (14 of 16 ms). An engine serves one transaction at a time and is thrown away with
    one that fails, so that nothing of the failure stays. A setting would outlive its transaction: it is refused.
    """

    def __init__(self, path: Path, *, lock_seconds: float = LOCK_SECONDS) -> None:
        self.path = Path(path)
        self._lock_seconds = lock_seconds

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction: committed at the end of the block, rolled back when it raises.

        :raises StateError: the file cannot be locked, opened or written, with what to do about it
        """
        with self._locked(), self._connected() as connection:
            version = _version(connection)
            connection.begin()
            try:
                if version is None:
                    connection.execute(_TABLES)
                elif version < VERSION:
                    for upgrade in _UPGRADES[version - 1 :]:
                        connection.execute(upgrade)
                    _set_keys(connection)
                    connection.execute("UPDATE sync.version SET version = ?", [VERSION])
                yield connection
                connection.commit()
            except BaseException:
                with suppress(duckdb.Error):  # a failed commit has rolled back already
                    connection.rollback()
                raise

    def version(self) -> int | None:
        """The version of the tables, ``None`` without any; nothing is made or upgraded.

        :raises StateError: the file cannot be locked, opened or written, or is of a newer installation
        """
        if not self.path.exists():
            return None
        with self._locked(), self._connected() as connection:
            return _version(connection)

    def rewrite(self) -> None:
        """Write the file anew: what was deleted stays in the bytes of the old one until they are used again.

        Cut short anywhere, the old file is whole, and ``sync.rewrite_due`` says what is to be done.

        :raises StateError: the file cannot be locked, opened or written; it is as it was
        """
        fresh, log = self._private / "fresh", Path(f"{self.path}.wal")
        with self._locked():
            try:
                self._clear()
                for copy in self._private.glob(f"{_COPY}*"):  # also one in use: it is to forget the person, too
                    shutil.rmtree(copy)
                with self._connected() as connection:
                    connection.execute("CHECKPOINT state")  # the log would be read into the new file
                    connection.execute(f"ATTACH '{_quoted(fresh)}' AS fresh")
                    connection.execute("COPY FROM DATABASE state TO fresh")
                    connection.execute("DELETE FROM fresh.sync.rewrite_due")
                    connection.execute("DETACH fresh")
                if log.exists() and log.stat().st_size:
                    raise StateError(f"{log} could not be emptied; free some disk space, then run again")
                log.unlink(missing_ok=True)
                fresh.chmod(0o600)
                fresh.replace(self.path)
            except OSError as error:
                raise StateError(f"{self.path} cannot be written anew ({error.strerror}); check its folder") from error

    @contextmanager
    def copied(self) -> Iterator["StateDatabase"]:
        """A copy to try something out on, gone at the end of the block; an empty one where there is no database yet.

        :raises StateError: the file cannot be locked or opened, or the disk is full
        """
        self._private.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as stack:
            with self._locked():
                folder = Path(stack.enter_context(TemporaryDirectory(prefix=_COPY, dir=self._private)))
                stack.enter_context(FileLock(folder / _IN_USE, mode=0o600))
                copy = StateDatabase(folder / self.path.name, lock_seconds=self._lock_seconds)
                if self.path.exists():
                    self._copy_to(copy.path)
            stack.callback(_stop_idle)  # one may have the copy open
            yield copy

    def _copy_to(self, copy: Path) -> None:
        with self._connected() as connection:
            connection.execute("CHECKPOINT")  # so that the file is all of it
        try:
            shutil.copyfile(self.path, copy)
        except OSError as error:
            raise StateError(f"{self.path} cannot be copied ({error.strerror}); free some disk space") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(f"{self.path}.lock", timeout=self._lock_seconds, poll_interval=0.005, mode=0o600)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise StateError(
                f"{self.path} has been locked by another process for {self._lock_seconds:.0f} s. "
                f"Find it with: fuser {self.path}.lock"
            ) from None
        except OSError as error:
            raise StateError(f"{self.path}.lock cannot be written ({error.strerror}); check its folder") from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        engine = None
        try:
            engine = _idle.pop(str(self._private), None) or self._started()
            connection = self._open(engine)
            yield connection
            connection.close()
            with suppress(duckdb.Error, OSError):  # it is stored by now, if only in the log: closing never fails
                engine.execute("DETACH state")
                if self._may_stay():
                    _stop_idle()
                    _idle[str(self._private)], engine = engine, None
        except _STORAGE_ERRORS as error:
            raise StateError(
                f"{self.path} cannot be opened or written; nothing of this step was stored. "
                f"Free some disk space or close what holds the file, then run again. DuckDB says: {error}"
            ) from error
        finally:
            if engine is not None:
                engine.close()  # and with it the connection and the file

    @property
    def _private(self) -> Path:
        """A folder of the owner alone, for copies and for what does not fit into memory: DuckDB lets everybody read
        the files that it makes. It is where DuckDB spills when it opens the file itself."""
        return Path(f"{self.path.absolute()}.tmp")

    def _clear(self) -> None:
        """Remove what a crash left: copies, and rows that did not fit into memory. Whoever has the lock is alone."""
        for left in self._private.glob("*"):
            if left.is_file():
                left.unlink()
            elif left.name.startswith(_COPY):
                with suppress(Timeout), FileLock(left / _IN_USE, timeout=0, mode=0o600):
                    shutil.rmtree(left)

    def _started(self) -> duckdb.DuckDBPyConnection:
        self._clear()
        engine = duckdb.connect(":memory:", config={"temp_directory": str(self._private)})
        engine.execute("SET enable_progress_bar = false")  # it would print into the log and the terminal
        define_macros(engine)
        engine.execute("SET lock_configuration = true")
        return engine

    def _open(self, engine: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        """A connection of its own for each transaction: temporary tables and registered frames go with it."""
        try:
            self._private.mkdir(mode=0o700, exist_ok=True)
            self._private.chmod(0o700)  # DuckDB makes one of the same name for who opens the file by hand
            if not self.path.exists():
                self._create()
            elif self.path.stat().st_mode & 0o077:  # it was copied back, say
                self.path.chmod(0o600)
            engine.execute(f"ATTACH '{_quoted(self.path)}' AS state")
            connection = engine.cursor()
            connection.execute("SET search_path = 'state,memory'")  # the tables, and the engine's macros
            with suppress(FileExistsError):  # DuckDB would let everybody read its log, which a crash leaves behind
                os.close(os.open(f"{self.path}.wal", os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode=0o600))
        except OSError as error:
            raise StateError(f"{self.path} cannot be written ({error.strerror}); check its folder") from error
        return connection

    def _may_stay(self) -> bool:
        """Whether the engine has kept nothing: neither memory nor files."""
        return self.path.stat().st_size <= _SMALL and not any(self._private.iterdir())

    def _create(self) -> None:
        """Put an empty database in place when it is whole: one that was cut short could never be opened again."""
        unfinished = self._private / "new"
        unfinished.unlink(missing_ok=True)
        duckdb.connect(str(unfinished)).close()
        unfinished.chmod(0o600)  # it will hold customers
        unfinished.replace(self.path)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The version of the tables; ``None`` when they are yet to be created.

    Asked outside the transaction, which a failed statement would end; asking DuckDB for its list of tables takes
    longer than many a transaction.
    """
    try:
        version = connection.execute("SELECT version FROM sync.version").fetchall()[0][0]
    except duckdb.CatalogException:
        return None
    if version > VERSION:
        raise StateError(
            f"The database is of version {version}, this installation knows {VERSION}. "
            "Install the matching release, or move the file away to begin anew."
        )
    return version
