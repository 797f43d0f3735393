"""Which store product is which Solteq code, and the status it had before Solteq withdrew it."""

from collections.abc import Collection

import duckdb
import polars as pl

from solteq_woo_assets.engine import skus

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


def sku_key(sku: str | None) -> str:
    """As the store compares SKUs."""
    return (sku or "").strip().lower()


def link(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> None:
    """Remember which store product a code is, and the status it had when it was withdrawn.

    A document whose code changed keeps its link under the new code, and its prices keep their history; all rows are
    taken at once, so codes may be swapped. A store product is linked once.

    :param rows: ``LINK_SCHEMA``; ``status_before`` replaces what is remembered where ``status_is_ours``; without
        ``solteq_id`` or ``sku`` what is remembered stays
    """
    if rows.is_empty():
        return
    connection.execute(_TOLD)
    connection.execute(_MERGE)
    connection.execute(_RENAME_PRICES)
    connection.execute(_FORGET_OLD_CODES)
    connection.execute("DROP TABLE told")


# ``old``: what is remembered of the store product under another key.
_TOLD = """
CREATE TEMP TABLE told AS
SELECT
    rows.*, old.key AS old_key, old.status_before AS old_status_before, old.sku AS old_sku,
    old.solteq_id = rows.solteq_id AS is_renamed
FROM rows LEFT JOIN sync.links AS old
    ON old.kind = 'product' AND old.woo_id = rows.woo_id AND old.key <> rows.key
QUALIFY row_number() OVER (PARTITION BY rows.key ORDER BY old.solteq_id = rows.solteq_id DESC NULLS LAST, old.key) = 1
"""
_MERGE = """
MERGE INTO sync.links AS held USING told ON held.kind = 'product' AND held.key = told.key
WHEN MATCHED AND (held.woo_id <> told.woo_id OR told.status_is_ours AND held.status_before IS DISTINCT FROM
        told.status_before OR held.solteq_id IS DISTINCT FROM coalesce(told.solteq_id, held.solteq_id)
        OR held.sku IS DISTINCT FROM coalesce(told.sku, held.sku)) THEN UPDATE SET
    woo_id = told.woo_id, solteq_id = coalesce(told.solteq_id, held.solteq_id),
    sku = CASE WHEN held.woo_id = told.woo_id THEN coalesce(told.sku, held.sku) ELSE coalesce(told.sku, told.old_sku)
        END,
    status_before = CASE WHEN told.status_is_ours THEN told.status_before
        WHEN held.woo_id = told.woo_id THEN held.status_before ELSE told.old_status_before END
WHEN NOT MATCHED THEN INSERT (kind, key, woo_id, status_before, solteq_id, sku) VALUES (
    'product', told.key, told.woo_id,
    CASE WHEN told.status_is_ours THEN told.status_before ELSE told.old_status_before END,
    told.solteq_id, coalesce(told.sku, told.old_sku))
"""
_RENAME_PRICES = """
UPDATE sync.price_history SET sku = told.key FROM told WHERE price_history.sku = told.old_key AND told.is_renamed
"""
_FORGET_OLD_CODES = """
DELETE FROM sync.links USING told WHERE kind = 'product' AND links.woo_id = told.woo_id AND links.key <> told.key
"""


_NEW_DOCUMENTS = f"""
CREATE TEMP TABLE new_documents AS
WITH documents AS (
    SELECT {skus.sku_key("code")} AS sku, any_value(id) AS id, any_value(trim(code)) AS code
    FROM snapshot.solteq_products WHERE active AND NOT deleted GROUP BY ALL HAVING count(*) = 1
)
SELECT links.key, documents.id, documents.code FROM sync.links JOIN documents ON documents.sku = links.sku
WHERE links.kind = 'product' AND links.solteq_id <> documents.id
    AND ($codes IS NULL OR list_contains($codes, documents.sku))
    AND documents.id NOT IN (SELECT solteq_id FROM sync.links WHERE solteq_id IS NOT NULL)
    AND links.solteq_id NOT IN (SELECT id FROM snapshot.solteq_products WHERE active AND NOT deleted)
"""
_SAME_PRODUCT = """
UPDATE sync.links SET solteq_id = new_documents.id FROM new_documents
WHERE links.kind = 'product' AND links.key = new_documents.key
"""


def same_product(connection: duckdb.DuckDBPyConnection, codes: Collection[str] | None) -> list[str]:
    """Let store products be the new documents of Solteq that have their codes; the codes of which that was so.

    For those whose SKU was not given to a product of its own yet.

    :param codes: in any spelling; ``None`` for all
    """
    keys = None if codes is None else [sku_key(code) for code in codes]
    connection.execute(_NEW_DOCUMENTS, {"codes": keys})
    connection.execute(_SAME_PRODUCT)
    rows = connection.execute("SELECT DISTINCT code FROM new_documents ORDER BY code").fetchall()
    connection.execute("DROP TABLE new_documents")
    return [row[0] for row in rows]


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
