"""The history of public prices: what shoppers were shown, and when.

It follows ``snapshot.woo_catalogue``, whoever changed the store. A sale window that the store knows is in it before its
time, as a plan: the store switches by itself, also while nobody looks. When the plan changes, so does what is to come.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql


@contextmanager
def recorded(connection: duckdb.DuckDBPyConnection, ids: Iterable[int], seen: datetime) -> Iterator[None]:
    """Bring the history up to what the block makes of these rows of ``snapshot.woo_catalogue``.

    :param ids: the store's products and variations that the block may change
    :param seen: the present instant, UTC without a zone
    """
    with sql.Steps(connection, __name__) as steps:
        steps.add(looked_at=pl.DataFrame({"id": list(ids)}, schema={"id": pl.Int64}))
        steps.view("public_prices")
        steps.table("public_before", "public_now")
        yield
        steps.table("public_after", "public_now")
        steps.table("lost")
        steps.run("add_heirs")
        steps.table("moved", seen=seen)
        steps.table("planned")
        steps.run("forget_plan")
        steps.run("end_held")
        connection.execute("INSERT INTO sync.price_history BY NAME FROM planned")
