"""Which store product is which Solteq code, and the status it had before Solteq withdrew it."""

import duckdb
import polars as pl

from solteq_woo_assets.rules import skus

LINK_SCHEMA = pl.Schema(
    {"key": pl.String, "woo_id": pl.Int64, "status_before": pl.String, "status_is_ours": pl.Boolean}
)


def sku_key(sku: str | None) -> str:
    """As the store compares SKUs."""
    return (sku or "").strip().lower()


def link(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> None:
    """Remember which store product a code is, and the status it had when it was withdrawn.

    :param rows: ``LINK_SCHEMA``; ``status_before`` replaces what is remembered where ``status_is_ours``
    """
    if rows.is_empty():
        return
    connection.execute(
        "MERGE INTO sync.links AS held USING rows ON held.kind = 'product' AND held.key = rows.key "
        "WHEN MATCHED AND (held.woo_id <> rows.woo_id OR rows.status_is_ours) THEN UPDATE SET woo_id = rows.woo_id, "
        "status_before = CASE WHEN rows.status_is_ours THEN rows.status_before ELSE held.status_before END "
        "WHEN NOT MATCHED THEN INSERT (kind, key, woo_id, status_before) "
        "VALUES ('product', rows.key, rows.woo_id, rows.status_before)"
    )


def link_interrupted(connection: duckdb.DuckDBPyConnection) -> None:
    """What the answers would have told of products withdrawn or put on sale again, had the run lived to hear them.

    For when the catalogue has just been read: a status that is there as it was sent was taken.
    """
    connection.execute(
        "UPDATE sync.links AS held SET status_before = done.status_before FROM ("
        f"SELECT row.woo_id, {skus.sku_key('row.key')} AS key, CASE row.action WHEN 'withdraw' THEN change.old END "
        "AS status_before, change.new AS status, row.created_at "
        "FROM sync.deliveries AS row, unnest(row.changes) AS unnested(change) "
        "WHERE row.state = 'pending' AND change.field = 'status' AND row.woo_id IS NOT NULL"
        ") AS done JOIN snapshot.woo_catalogue AS store ON store.id = done.woo_id AND store.status = done.status "
        "WHERE held.kind = 'product' AND held.key = done.key AND held.woo_id = done.woo_id"
    )
