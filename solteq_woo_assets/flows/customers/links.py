"""Which account is which customer, and what both sides last agreed on: the table ``sync.customers``.

To look changes nothing. What is found out of people is stored by ``People.apply``: the effect of both comparisons.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.flows.customers.rules import (
    CustomerRules,
    Merge,
    agreed_values,
    match_customers,
    merge_customers,
    part_customers,
)

_LINKS = "sync.customers"
_NOT_YET = "links_to_be"
"""The links as they will be: a temporary table."""


@dataclass(frozen=True)
class People:
    """Who is who by now, and what both sides are to be told of them.

    ``parted``, ``linked``: frames of solteq_id, woo_id, why. ``kept``: Solteq's ids in links that are to part and may
    not, since their partings were stopped. ``known_guests``: orders of guests whom either side has by now.
    """

    merge: Merge
    parted: pl.DataFrame
    linked: pl.DataFrame
    kept: frozenset[str]
    known_guests: Sequence[int]

    @property
    def depends_on_staff(self) -> bool:
        """Whether who runs the store matters to it: somebody is to be linked or written, or is held as staff."""
        found = (self.linked, self.merge.to_woo, self.merge.to_solteq)
        return any(frame.height for frame in found) or "account-of-staff" in self.merge.to_woo_held["code"]

    @property
    def to_woo(self) -> Comparison:
        """What the store is to be told."""
        return Comparison(self.merge.to_woo, self.merge.to_woo_held, (self.apply,))

    @property
    def to_solteq(self) -> Comparison:
        """What Solteq is to be told."""
        return Comparison(self.merge.to_solteq, self.merge.to_solteq_held, (self.apply,))

    def apply(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Part and link who is to be, and remember what is agreed by now."""
        _remember(connection, _LINKS, self.parted, "unlinked")
        _remember(connection, _LINKS, self.linked, "linked")
        _agree(connection, self.merge.agreed)
        connection.execute(
            "DELETE FROM snapshot.woo_guests WHERE list_contains($1, order_id)", [list(self.known_guests)]
        )


def look(connection: duckdb.DuckDBPyConnection, rules: CustomerRules) -> People:
    """Find out who parts, who is who, what is agreed by now and what is left to write. Nothing is stored.

    A link whose parting was stopped stays as it is, and nothing is written of the pair.
    """
    sides = {
        "customers": connection.table("snapshot.solteq_customers"),
        "accounts": _accounts(connection),
    }
    partings = part_customers(connection, **sides, links=connection.table(_LINKS))
    kept = stopped(connection)
    parted = partings.filter(~pl.col("solteq_id").is_in(list(kept))).select("solteq_id", "woo_id", why="reason")
    known = _known_guests(connection)
    connection.execute(f"CREATE TEMP TABLE {_NOT_YET} AS FROM {_LINKS}")
    _remember(connection, _NOT_YET, parted, "unlinked")
    linked = match_customers(connection, **sides, links=connection.table(_NOT_YET), shop=rules.shop)
    _remember(connection, _NOT_YET, linked, "linked")
    merge = merge_customers(
        connection,
        **sides,
        links=connection.table(_NOT_YET),
        guests=connection.sql("FROM snapshot.woo_guests WHERE NOT list_contains($1, order_id)", params=[known]),
        rules=rules,
    )
    connection.execute(f"DROP TABLE {_NOT_YET}")
    merge = replace(merge, to_woo=pl.concat([merge.to_woo, partings]))
    return People(merge, parted, linked, kept, known)


def _accounts(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """The accounts with the role that counts: that of staff where they have one, which the store may not show."""
    return connection.sql(
        "SELECT accounts.* REPLACE (coalesce(staff.role, accounts.role) AS role) "
        "FROM snapshot.woo_customer_accounts AS accounts LEFT JOIN snapshot.woo_staff AS staff USING (id)"
    )


def stopped(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Solteq's ids of those whose parting a guard rail stopped in the last delta."""
    rows = connection.execute(
        "SELECT solteq_id FROM delta.woo_customer_delta WHERE kind = 'link' AND action = 'stopped'"
    ).fetchall()
    return frozenset(row[0] for row in rows)


def link(connection: duckdb.DuckDBPyConnection, solteq_id: str, woo_id: int, why: str) -> None:
    """Remember that a customer and an account are one person."""
    row = {"solteq_id": [solteq_id], "woo_id": [woo_id], "why": [why]}
    _remember(connection, _LINKS, pl.DataFrame(row), "linked")


def agree(connection: duckdb.DuckDBPyConnection, solteq_ids: Sequence[str]) -> None:
    """Remember what is agreed of these customers by the answers that were just stored: a later change is one."""
    links = connection.sql(f"FROM {_LINKS} WHERE list_contains($1, solteq_id)", params=[list(solteq_ids)])
    agreed = agreed_values(
        connection,
        customers=connection.table("snapshot.solteq_customers"),
        accounts=_accounts(connection),
        links=links,
    )
    _agree(connection, agreed)


def _known_guests(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """Orders of guests whom either side has by now: they are no guests any more, and do not come back as such."""
    rows = connection.execute(
        "SELECT order_id FROM snapshot.woo_guests WHERE lower(email) IN (SELECT lower(email) "
        "FROM snapshot.solteq_customers WHERE NOT deleted "
        "UNION SELECT lower(email) FROM snapshot.woo_customer_accounts) "
        "OR 'order ' || order_id IN (SELECT key FROM sync.deliveries WHERE action = 'create' AND state = 'delivered')"
    ).fetchall()
    return [row[0] for row in rows]


def _remember(connection: duckdb.DuckDBPyConnection, table: str, people: pl.DataFrame, state: str) -> None:
    """What is known now of these customers and accounts takes the place of what was; nothing personal stays of it."""
    with sql.reading(connection, people=people):
        connection.execute(
            f"DELETE FROM {table} WHERE solteq_id IN (SELECT solteq_id FROM people) "
            "OR woo_id IN (SELECT woo_id FROM people)"
        )
        connection.execute(
            f"INSERT INTO {table} BY NAME SELECT solteq_id, woo_id, $state AS state, why, $now AS since FROM people",
            {"state": state, "now": utc_now()},
        )


def _agree(connection: duckdb.DuckDBPyConnection, agreed: pl.DataFrame) -> None:
    with sql.reading(connection, agreed=agreed):
        connection.execute(
            f"MERGE INTO {_LINKS} USING agreed USING (solteq_id, woo_id) WHEN MATCHED THEN UPDATE BY NAME"
        )
