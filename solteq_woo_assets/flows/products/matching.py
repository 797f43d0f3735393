"""Matches Solteq's products with the store's, in the same way for all flows.

The document's id is the identity. A code may change, be swapped with another, or be used again for another product.
In this order:

1. the store product that the document is linked to (``sync.links``). If its code did not change and a person moved the
   SKU to another product in the store, it is that one
2. the store product with the code as its SKU, if it is no other document's, and if their GTINs do not differ
3. the only store product with the document's GTIN that nobody claims

A document off sale whose code went to another one keeps its store product under a key of its own.

These are set operations over up to a million rows, so they are SQL. The caller makes ``unsettled``: ``sku_key`` and
``model_key`` of what is to be matched. Each step makes a temporary table that the next ones read:

``documents``  the product documents of these codes and models
``linked``     the links of these documents, codes and models
``held``       the store products that could be theirs; ``own_sku`` is NULL where a variation shows its parent's SKU,
               and ``sku_key`` is set for the one that counts of those that share a SKU
``claims``     one row a code: the document that counts, and the store product that it is linked to
``matches``    one row a code, and one a document that lost its code: which store product it is, if any

There is no clock and no I/O.
"""

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql


def match_products(steps: sql.Steps) -> None:
    """Make the tables that the module begins with.

    Inputs: ``products``, rows of ``snapshot.solteq_products``; ``catalogue``, rows of ``snapshot.woo_catalogue``;
    ``links``, rows of ``sync.links`` with kind ``product``.
    """
    for step in ("documents", "linked", "held", "claims", "matches"):
        steps.table(step)


def find_strangers(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The ``sku_key`` and ``woo_id`` of pairs that do not belong together, and ``why``.

    Other flows than the products' find a store product by its SKU, and write only where this agrees.
    Inputs: as of :func:`match_products`, and ``pairs`` with ``sku_key`` and ``woo_id``, not many.
    """
    with sql.steps(connection, __name__) as steps:
        steps.add(unsettled=connection.sql("SELECT sku_key, NULL::VARCHAR AS model_key FROM pairs"))
        match_products(steps)
        return steps.frame("strangers")
