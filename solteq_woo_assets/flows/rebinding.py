"""What a database forgets when it is given to other systems than those that it was made with."""

from collections.abc import Collection, Iterable

import duckdb

from solteq_woo_assets.flows.customers import erased
from solteq_woo_assets.table import Table

_KEPT = ("sync.version", "sync.identity", "sync.leases", "sync.alerts", "sync.watermarks", "sync.rewrite_due")
_OF_ERASED = ("sync.customers", "sync.erased_orders")


def forgotten(tables: Iterable[Table], names: Iterable[str]) -> list[str]:
    """The tables whose rows mean nothing once these sides are others: what was read of them, and what was made of both.

    :param tables: of the database
    :param names: of sides
    """
    of_side = {
        "solteq": lambda table: table.startswith("snapshot.solteq_"),
        "woo": lambda table: table.startswith("snapshot.woo_") or table == "sync.price_history",
    }
    stay = [belongs for name, belongs in of_side.items() if name not in names]
    known = sorted(table.name for table in tables)
    return [table for table in known if table not in _KEPT and not any(belongs(table) for belongs in stay)]


def forget(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], names: Collection[str]) -> dict[str, int]:
    """Empty these tables, and let what was read of them be read anew; how many rows each had."""
    gone = {}
    for table in forgotten(tables, names):
        gone[table] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        if table not in _OF_ERASED:
            connection.execute(f"DELETE FROM {table}")
    erased.forget(connection, names)
    connection.execute(
        "DELETE FROM sync.watermarks WHERE list_contains($gone, feed) OR feed LIKE 'sales.%'", {"gone": list(gone)}
    )
    return {table: rows for table, rows in gone.items() if rows}
