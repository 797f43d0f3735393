"""Erasing a person: everything personal goes from every table of ours, and from the bytes of the file."""

from dataclasses import dataclass

import duckdb

from solteq_woo_assets.sync.state import StateDatabase, utc_now

_FLOWS = ["customers_to_woo", "customers_to_solteq"]
_ACCOUNT = "woo:"


@dataclass(frozen=True)
class Person:
    """Who is erased, by the ids of both systems."""

    solteq_id: str | None
    woo_id: int | None
    order_id: int | None = None
    """The order of a guest."""

    def __str__(self) -> str:
        if self.order_id is not None:
            return f"the guest of order {self.order_id}"
        names = [f"customer {self.solteq_id}"] if self.solteq_id is not None else []
        return " and ".join(names + ([f"account {self.woo_id}"] if self.woo_id is not None else []))


def erase(database: StateDatabase, who: str) -> list[Person]:
    """Erase whoever this is. Their ids stay, so that no later read brings them back.

    :param who: Solteq's id, ``woo:`` and an account's id, or an e-mail address
    :return: whom that was; nobody when nothing is known
    """
    with database.transaction() as connection:
        people = _find(connection, who.strip())
        for person in people:
            _erase(connection, person)
        connection.execute(
            "UPDATE snapshot.woo_sales SET email = NULL, name = NULL WHERE lower(email) = lower(?)", [who.strip()]
        )
        guests = connection.execute(
            "DELETE FROM snapshot.woo_guests WHERE lower(email) = lower(?) RETURNING order_id", [who.strip()]
        ).fetchall()
        connection.execute(
            "DELETE FROM delta.solteq_customer_delta WHERE list_contains($keys, key)",
            {"keys": [f"order {order_id}" for (order_id,) in guests]},
        )
    people += [Person(None, None, order_id) for (order_id,) in guests]
    if people:
        database.rewrite()
    return people


def _find(connection: duckdb.DuckDBPyConnection, who: str) -> list[Person]:
    """Those that fit, with whom each is linked."""
    rows = connection.execute(
        """
        WITH named AS (
            SELECT id AS solteq_id, NULL::BIGINT AS woo_id FROM snapshot.solteq_customers
            WHERE id = $who OR lower(email) = lower($who)
            UNION SELECT NULL, id FROM snapshot.woo_customer_accounts
            WHERE $account = id::VARCHAR OR lower(email) = lower($who)
            UNION SELECT key, NULL FROM sync.quarantine WHERE list_contains($flows, flow) AND key = $who
        )
        SELECT DISTINCT coalesce(named.solteq_id, linked.solteq_id), coalesce(named.woo_id, linked.woo_id)
        FROM named LEFT JOIN sync.customers AS linked
            ON linked.solteq_id = named.solteq_id OR linked.woo_id = named.woo_id
        """,
        {"who": who, "account": who.removeprefix(_ACCOUNT) if who.startswith(_ACCOUNT) else "", "flows": _FLOWS},
    ).fetchall()
    return [Person(*row) for row in rows]


def _erase(connection: duckdb.DuckDBPyConnection, person: Person) -> None:
    ids = {"solteq_id": person.solteq_id, "woo_id": person.woo_id}
    keys = [str(each) for each in ids.values() if each is not None]
    connection.execute("DELETE FROM snapshot.solteq_customers WHERE id = ?", [person.solteq_id])
    connection.execute("DELETE FROM snapshot.woo_customer_accounts WHERE id = ?", [person.woo_id])
    # The sale stays, for the books and the stock; whose it was does not.
    connection.execute("UPDATE snapshot.woo_sales SET email = NULL, name = NULL WHERE customer_id = ?", [person.woo_id])
    for table in (
        "delta.woo_customer_delta",
        "delta.solteq_customer_delta",
        "sync.customers",
        "sync.customer_conflicts",
    ):
        connection.execute(f"DELETE FROM {table} WHERE solteq_id = $solteq_id OR woo_id = $woo_id", ids)
    for table in ("sync.quarantine", "sync.deliveries", "sync.reconciliation"):
        connection.execute(
            f"DELETE FROM {table} WHERE list_contains($flows, flow) AND list_contains($keys, key)",
            {"flows": _FLOWS, "keys": keys},
        )
    connection.execute(
        "INSERT INTO sync.customers (solteq_id, woo_id, state, why, since) "
        "VALUES ($solteq_id, $woo_id, 'erased', 'erased on request', $now)",
        {**ids, "now": utc_now()},
    )
