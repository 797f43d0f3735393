"""Which account is which customer, and what both sides last agreed on: the table ``sync.customers``."""

import duckdb

from solteq_woo_assets.rules.customers import (
    AGREED_FIELDS,
    CustomerRules,
    Matches,
    Merge,
    match_customers,
    merge_customers,
)
from solteq_woo_assets.sync.state import utc_now


def settle(connection: duckdb.DuckDBPyConnection, rules: CustomerRules) -> Merge:
    """Part and link who is to be, remember what is agreed by now, and tell what is left to write.

    By what the snapshots hold, so that it can be done again at any time: a write that was answered is agreed.
    """
    sides = {
        "customers": connection.table("snapshot.solteq_customers"),
        "accounts": connection.table("snapshot.woo_customer_accounts"),
        "links": connection.table("sync.customers"),
    }
    _apply(connection, match_customers(connection, **sides, shop=rules.shop))
    # Whom either side has by now is no guest any more, and does not come back as one.
    connection.execute(
        "DELETE FROM snapshot.woo_guests WHERE lower(email) IN (SELECT lower(email) FROM snapshot.solteq_customers "
        "WHERE NOT deleted UNION SELECT lower(email) FROM snapshot.woo_customer_accounts) "
        "OR 'order ' || order_id IN (SELECT key FROM sync.deliveries WHERE action = 'create' AND state = 'delivered')"
    )
    guests = connection.table("snapshot.woo_guests")
    merge = merge_customers(connection, **sides, guests=guests, rules=rules)
    _agree(connection, merge)
    return merge


def link(connection: duckdb.DuckDBPyConnection, solteq_id: str, woo_id: int, why: str) -> None:
    """Remember that a customer and an account are one person."""
    connection.execute("DELETE FROM sync.customers WHERE solteq_id = $1 OR woo_id = $2", [solteq_id, woo_id])
    connection.execute(
        "INSERT INTO sync.customers (solteq_id, woo_id, state, why, since) VALUES (?, ?, 'linked', ?, ?)",
        [solteq_id, woo_id, why, utc_now()],
    )


def _apply(connection: duckdb.DuckDBPyConnection, matches: Matches) -> None:
    """Nothing personal stays of those that part. A new link takes the place of an old one that was parted."""
    parted, linked = matches.parted, matches.linked  # noqa: F841  DuckDB reads them
    now = {"now": utc_now()}
    nothing = ", ".join(f"{field} = NULL" for field in AGREED_FIELDS)
    connection.execute(
        f"UPDATE sync.customers AS held SET state = 'unlinked', why = parted.why, since = $now, {nothing} FROM parted "
        "WHERE held.solteq_id = parted.solteq_id AND held.woo_id = parted.woo_id",
        now,
    )
    connection.execute(
        "DELETE FROM sync.customers WHERE solteq_id IN (SELECT solteq_id FROM linked) "
        "OR woo_id IN (SELECT woo_id FROM linked)"
    )
    connection.execute(
        "INSERT INTO sync.customers (solteq_id, woo_id, state, why, since) "
        "SELECT solteq_id, woo_id, 'linked', why, $now FROM linked",
        now,
    )


def _agree(connection: duckdb.DuckDBPyConnection, merge: Merge) -> None:
    agreed = merge.agreed  # noqa: F841
    values = ", ".join(f"{field} = agreed.{field}" for field in AGREED_FIELDS)
    connection.execute(
        f"UPDATE sync.customers AS held SET {values} FROM agreed "
        "WHERE held.solteq_id = agreed.solteq_id AND held.woo_id = agreed.woo_id"
    )
