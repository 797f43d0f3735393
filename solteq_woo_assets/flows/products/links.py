"""Links of Solteq's codes with store products, and the products' status before Solteq withdrew them."""

from collections.abc import Collection

import duckdb
import polars as pl

from solteq_woo_assets.clients.woo_documents import sku_key
from solteq_woo_assets.engine import sql

LINK_SCHEMA = pl.Schema(
    {
        "key": pl.String,
        "woo_id": pl.Int64,
        "status_before": pl.String,
        "status_is_ours": pl.Boolean,
        "solteq_id": pl.String,
        "sku": pl.String,
    }
)


def link(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> None:
    """Store the links of codes with store products, and the status of withdrawn ones.

    A document whose code changed keeps its link under the new code, and its prices keep their history; all rows are
    taken at once, so codes may be swapped. A store product is linked once.

    :param rows: ``LINK_SCHEMA``; ``status_before`` replaces what is remembered where ``status_is_ours``; without
        ``solteq_id`` or ``sku`` what is remembered stays
    """
    if rows.is_empty():
        return
    with sql.steps(connection, __name__, rows=rows) as steps:
        steps.table("told")
        for statement in ("merge_links", "rename_prices", "forget_old_codes"):
            steps.run(statement)


def same_product(connection: duckdb.DuckDBPyConnection, codes: Collection[str] | None) -> list[str]:
    """Let store products be the new documents of Solteq with their codes; the codes for which that was done.

    Only for documents without a store product of their own.

    :param codes: in any spelling; ``None`` for all
    """
    keys = None if codes is None else [sku_key(code) for code in codes]
    with sql.steps(connection, __name__) as steps:
        steps.table("new_documents", codes=keys)
        steps.run("link_new_documents")
        return steps.frame("codes_of_new_documents")["code"].to_list()


def link_interrupted(connection: duckdb.DuckDBPyConnection) -> None:
    """Store the links of products that an interrupted run withdrew or put on sale again.

    Call it when the catalogue has just been read: a status that is there as it was sent was taken.
    """
    with sql.steps(connection, __name__) as steps:
        steps.run("link_interrupted")
