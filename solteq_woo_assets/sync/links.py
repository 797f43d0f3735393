"""Which store product is which Solteq code, and the status it had before Solteq withdrew it."""

import duckdb
import polars as pl

from solteq_woo_assets.rules import skus

LINK_SCHEMA = pl.Schema(
    {
        "key": pl.String,
        "woo_id": pl.Int64,
        "status_before": pl.String,
        "status_is_ours": pl.Boolean,
        "solteq_id": pl.String,
    }
)


def sku_key(sku: str | None) -> str:
    """As the store compares SKUs."""
    return (sku or "").strip().lower()


def link(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> None:
    """Remember which store product a code is, and the status it had when it was withdrawn.

    A document whose code changed keeps its link under the new code, and its prices keep their history.

    :param rows: ``LINK_SCHEMA``; ``status_before`` replaces what is remembered where ``status_is_ours``; without
        ``solteq_id`` the one that is remembered stays
    """
    if rows.is_empty():
        return
    connection.execute(_TOLD)
    connection.execute(_MERGE)
    connection.execute(_RENAME_PRICES)
    connection.execute(_FORGET_OLD_CODES)
    connection.execute("DROP TABLE told")


_TOLD = """
CREATE TEMP TABLE told AS
SELECT rows.*, held.key AS old_key, held.status_before AS held_status_before
FROM rows LEFT JOIN sync.links AS held
    ON held.kind = 'product' AND held.solteq_id = rows.solteq_id AND held.woo_id = rows.woo_id AND held.key <> rows.key
QUALIFY row_number() OVER (PARTITION BY rows.key ORDER BY held.key) = 1
"""
_MERGE = """
MERGE INTO sync.links AS held USING told ON held.kind = 'product' AND held.key = told.key
WHEN MATCHED AND (held.woo_id <> told.woo_id OR told.status_is_ours OR told.old_key IS NOT NULL
    OR held.solteq_id IS DISTINCT FROM coalesce(told.solteq_id, held.solteq_id)) THEN UPDATE SET
    woo_id = told.woo_id, solteq_id = coalesce(told.solteq_id, held.solteq_id),
    status_before = CASE WHEN told.status_is_ours THEN told.status_before
        WHEN told.old_key IS NOT NULL THEN told.held_status_before ELSE held.status_before END
WHEN NOT MATCHED THEN INSERT (kind, key, woo_id, status_before, solteq_id) VALUES ('product', told.key, told.woo_id,
    CASE WHEN told.status_is_ours OR told.old_key IS NULL THEN told.status_before ELSE told.held_status_before END,
    told.solteq_id)
"""
_RENAME_PRICES = "UPDATE sync.price_history SET sku = told.key FROM told WHERE sku = told.old_key"
_FORGET_OLD_CODES = """
DELETE FROM sync.links USING told
WHERE kind = 'product' AND links.key = told.old_key AND links.solteq_id = told.solteq_id
"""


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
