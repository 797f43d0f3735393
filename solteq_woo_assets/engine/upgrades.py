"""Makes missing tables as they are declared, and older ones anew."""

from collections.abc import Sequence

import duckdb

from solteq_woo_assets.table import Table

VERSION = 8
"""Version of the tables. A newer database is refused, so that an old installation cannot harm it."""

# By the version that they lead from.
_BEFORE = {
    1: "DROP TABLE sync.price_history;",
    5: "DROP TABLE IF EXISTS snapshot.sales_under_way;",
    7: "DROP TABLE IF EXISTS snapshot.woo_sales_coupons;",
}
_AFTER = {
    # The store is read anew, so that the history has every price.
    1: "DELETE FROM snapshot.woo_catalogue; DELETE FROM sync.watermarks WHERE feed = 'snapshot.woo_catalogue';",
    5: """
        UPDATE sync.links SET solteq_id = product.id FROM (
            SELECT lower(trim(code)) AS key, min(id) AS id FROM snapshot.solteq_products
            GROUP BY ALL HAVING count(*) = 1
        ) AS product WHERE links.key = product.key;
        -- Campaigns are read anew, with what they are restricted by; and every feed of which documents could not be
        -- read.
        DELETE FROM sync.watermarks WHERE feed = 'snapshot.solteq_campaigns'
            OR feed IN (SELECT 'snapshot.solteq_' || flow FROM sync.quarantine WHERE stage = 'feed');
        -- The rules of what is due have changed: a refund of cash on delivery was not booked, for one.
        DELETE FROM sync.settled_orders;
    """,
    6: """
        -- A customer's document that cannot be read is kept as a fingerprint from now on, and its bytes go, too.
        INSERT INTO sync.rewrite_due SELECT now() AT TIME ZONE 'UTC' WHERE EXISTS (
            FROM sync.quarantine WHERE flow = 'customers_to_woo' AND stage = 'feed' AND raw IS NOT NULL);
        UPDATE sync.quarantine SET raw = sha256(raw)
            WHERE flow = 'customers_to_woo' AND stage = 'feed' AND raw IS NOT NULL;
        UPDATE sync.links SET sku = key;
        -- People are read anew: names of countries are known by now, and what cannot be parsed is told.
        DELETE FROM sync.watermarks WHERE feed IN ('snapshot.solteq_customers', 'snapshot.woo_customer_accounts');
    """,
}


def bring_up(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], version: int | None) -> None:
    """Make the tables that are missing. Those of an earlier version are made anew, and keep their rows.

    :param version: of the database; ``None`` when it is empty
    """
    steps = range(version or VERSION, VERSION)
    connection.execute("".join(_BEFORE.get(step, "") for step in steps))
    if version is None:
        connection.execute("CREATE SCHEMA snapshot; CREATE SCHEMA delta; CREATE SCHEMA sync")
    there = _definitions(connection)
    connection.execute("".join(table.ddl for table in tables if table.name not in there))
    if version is None:
        connection.execute("INSERT INTO sync.version VALUES (?)", [VERSION])
    if steps:
        today = _of_today(tables)
        for table in tables:
            if there.get(table.name) not in (None, today[table.name]):
                _make_anew(connection, table)
        connection.execute("".join(_AFTER.get(step, "") for step in steps))
        connection.execute("UPDATE sync.version SET version = ?", [VERSION])


def _definitions(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    rows = connection.execute("SELECT schema_name || '.' || table_name, sql FROM duckdb_tables()").fetchall()
    return dict(rows)


def _of_today(tables: Sequence[Table]) -> dict[str, str]:
    with duckdb.connect(":memory:") as fresh:
        bring_up(fresh, tables, None)
        return _definitions(fresh)


def _make_anew(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Keep the newest of the rows with the same key."""
    connection.execute(f"CREATE TEMP TABLE kept AS FROM {table}; DROP TABLE {table}; {table.ddl}")
    names = [name for name, *_ in connection.execute("DESCRIBE kept").fetchall() if name in table.columns]
    columns = ", ".join(f'"{name}"' for name in names)
    newest = [f"{name} DESC" for name in ("modified_at", "date_modified_gmt", "last_seen") if name in names]
    is_newest = (
        f"row_number() OVER (PARTITION BY {', '.join(table.key)} ORDER BY {', '.join([*newest, 'rowid DESC'])}) = 1"
    )
    connection.execute(
        f"INSERT INTO {table} BY NAME SELECT {columns} FROM kept QUALIFY {is_newest if table.key else 'TRUE'}; "
        "DROP TABLE kept"
    )
