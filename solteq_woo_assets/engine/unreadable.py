"""Rows of the store that could not be read, in quarantine: what is known of them from before stays as it was."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from solteq_woo_assets.clients.woo_pages import Unreadable
from solteq_woo_assets.engine.quarantine import RECORDS, hold, release

STAGE = "feed"


@dataclass(frozen=True)
class StoreRows:
    """A kind of row of the store.

    :param flow: whose quarantine has them
    :param noun: what a row is called, before its id
    :param code: of the catalogue of problems
    """

    flow: str
    noun: str
    code: str

    def key(self, row_id: int) -> str:
        """What the row is called in the quarantine."""
        return f"{self.noun} {row_id}" if row_id else f"{self.noun} (no id)"


PRODUCTS_OF_STORE = StoreRows("products", "store product", "store-product-unreadable")
ACCOUNTS_OF_STORE = StoreRows("customers_to_solteq", "account", "account-unreadable")
ORDERS_OF_STORE = StoreRows("sales", "order", "order-unreadable")


def hold_rows(
    connection: duckdb.DuckDBPyConnection, kind: StoreRows, read: Iterable[int], unreadable: Sequence[Unreadable]
) -> int:
    """Let go of what could be read this time, and hold what could not; how many rows that were.

    :param read: ids
    """
    keys = pl.DataFrame({"key": [kind.key(row_id) for row_id in read]}, schema={"key": pl.String})
    release(connection, kind.flow, STAGE, keys)
    rows = [(kind.key(row.id), row.field, row.problem, kind.code, None) for row in unreadable]
    hold(connection, kind.flow, STAGE, pl.DataFrame(rows, schema=RECORDS, orient="row"))
    return len(rows)


def release_gone(connection: duckdb.DuckDBPyConnection, kind: StoreRows, seen: Collection[int]) -> None:
    """Let go of rows that the store has no more.

    :param seen: the ids of all that it has, 0 where one has none
    """
    connection.execute(
        "DELETE FROM sync.quarantine WHERE flow = $flow AND stage = $stage AND code = $code "
        "AND NOT list_contains($keys, key)",
        {"flow": kind.flow, "stage": STAGE, "code": kind.code, "keys": [kind.key(row_id) for row_id in seen]},
    )
