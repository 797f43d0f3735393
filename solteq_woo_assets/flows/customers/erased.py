"""Erased people: known by ids alone, and never read, kept or written again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import polars as pl

from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.quarantine import RECORDS, hold, release
from solteq_woo_assets.engine.writes import M, Outcome, R

CODE = "erased-still-there"
STAGE = "feed"


def customers(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Solteq's ids."""
    return _ids(connection, "solteq_id")


def accounts(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """Ids of the store's accounts."""
    return _ids(connection, "woo_id")


def _ids(connection: duckdb.DuckDBPyConnection, column: str) -> set[Any]:
    query = f"SELECT {column} FROM sync.customers WHERE state = 'erased' AND {column} IS NOT NULL"
    return {row[0] for row in connection.execute(query).fetchall()}


def orders(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """Ids of their orders, as far as they are known."""
    return {row[0] for row in connection.execute("SELECT order_id FROM sync.erased_orders").fetchall()}


def documents(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> set[str]:
    """Ids of the documents that are passed over when Solteq's customers are read.

    Whoever has the ExternalID of somebody erased is that person: a write without an answer made the customer.

    :param rows: of ``snapshot.solteq_customers``
    """
    named = rows.explode("external_ids").filter(pl.col("external_ids").is_in(_external_ids(connection)))
    for customer_id in set(named["id"]) - customers(connection):
        connection.execute(_REMEMBER, [customer_id, None, utc_now()])
    return customers(connection)


def _external_ids(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "WITH shop AS (SELECT 'woo:' || address AS name FROM sync.identity WHERE side = 'shop') "
        "SELECT name || ':customer:' || woo_id FROM shop, sync.customers WHERE state = 'erased' AND woo_id IS NOT NULL "
        "UNION ALL SELECT name || ':guest:' || order_id FROM shop, sync.erased_orders"
    ).fetchall()
    return [row[0] for row in rows]


_REMEMBER = """
INSERT INTO sync.customers (solteq_id, woo_id, state, why, since)
VALUES (?, ?, 'erased', 'made by a write without an answer for somebody erased', ?)
"""


def remember_accounts(connection: duckdb.DuckDBPyConnection, made_for: Mapping[int, str | None]) -> None:
    """Erase accounts, too, that a write without an answer made for an erased person.

    :param made_for: by the account's id the customer for whom it was made, as its meta says
    """
    gone, known = customers(connection), accounts(connection)
    for woo_id, solteq_id in made_for.items():
        if solteq_id in gone and woo_id not in known:
            connection.execute(_REMEMBER, [None, woo_id, utc_now()])


def tell(
    connection: duckdb.DuckDBPyConnection, flow: str, there: Iterable[str], *, gone: Iterable[str] | None = None
) -> None:
    """Name the people who are still there in the quarantine, and let go of the others.

    :param there: as the quarantine calls them
    :param gone: ``None`` after a full read: everybody who is not there
    """
    rows = [(key, "(the person)", "was erased here, and is still there", CODE, None) for key in there]
    told = pl.DataFrame(rows, schema=RECORDS, orient="row")
    if gone is None:
        connection.execute(
            "DELETE FROM sync.quarantine WHERE flow = ? AND stage = ? AND code = ? AND NOT list_contains(?, key)",
            [flow, STAGE, CODE, told["key"].to_list()],
        )
    else:
        release(connection, flow, STAGE, pl.DataFrame({"key": list(gone)}, schema={"key": pl.String}))
    hold(connection, flow, STAGE, told)


def refused(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome[M, R]]) -> list[Outcome[M, R]]:
    """Outcomes of writes. A write that met an erased person is refused, and its answer is not kept.

    It would be sent again by each run: who was erased is not known, so nothing is in its way.
    """
    met: Collection[object] = customers(connection) | accounts(connection)
    return [_refused(each, each.answer.id) if each.answer and each.answer.id in met else each for each in outcomes]


def _refused(outcome: Outcome[M, R], who: int | str) -> Outcome[M, R]:
    reason = f"the other side has this e-mail address for {who}, who was erased here"
    return replace(outcome, state="refused", answer=None, error=reason, error_field="email", code=CODE)


def forget(connection: duckdb.DuckDBPyConnection, sides: Collection[str]) -> None:
    """Forget the ids of sides that were replaced; those of the other side keep people from coming back."""
    if "solteq" in sides:
        connection.execute("UPDATE sync.customers SET solteq_id = NULL WHERE state = 'erased'")
    if "woo" in sides:
        connection.execute("UPDATE sync.customers SET woo_id = NULL WHERE state = 'erased'")
        connection.execute("DELETE FROM sync.erased_orders")
    connection.execute("DELETE FROM sync.customers WHERE state <> 'erased' OR solteq_id IS NULL AND woo_id IS NULL")
