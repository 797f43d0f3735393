"""Rows of the store that cannot be read, in quarantine. Their earlier rows stay as they were."""

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
        return f"{self.noun} {row_id}" if row_id else f"{self.noun} (no id)"

    def hold(self, connection: duckdb.DuckDBPyConnection, read: Iterable[int], unreadable: Sequence[Unreadable]) -> int:
        """Let go of the rows that could be read this time, and hold the others; how many it holds.

        :param read: ids
        """
        keys = pl.DataFrame({"key": [self.key(row_id) for row_id in read]}, schema={"key": pl.String})
        release(connection, self.flow, STAGE, keys)
        rows = [(self.key(row.id), row.field, row.problem, self.code, None) for row in unreadable]
        hold(connection, self.flow, STAGE, pl.DataFrame(rows, schema=RECORDS, orient="row"))
        return len(rows)

    def release_gone(self, connection: duckdb.DuckDBPyConnection, seen: Collection[int]) -> None:
        """Let go of rows that the store has no more.

        :param seen: the ids of all that it has, 0 where one has none
        """
        connection.execute(
            "DELETE FROM sync.quarantine WHERE flow = $flow AND stage = $stage AND code = $code "
            "AND NOT list_contains($keys, key)",
            {"flow": self.flow, "stage": STAGE, "code": self.code, "keys": [self.key(row_id) for row_id in seen]},
        )
