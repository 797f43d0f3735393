"""Which store product a Solteq product is: one answer for all flows.

The document's id is the identity. A code may change, be swapped with another, or be used again for another product.
In this order:

1. the store product that the document is linked to (``sync.links``). Where its code did not change and a person moved
   the SKU to another product in the store, it is that one
2. the store product with the code as its SKU, if it is no other document's, and if their GTINs do not differ
3. the only store product with the document's GTIN that nobody claims

A document whose code went to another one, as it is off sale itself, keeps its store product under a key of its own.

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

from solteq_woo_assets.engine.skus import sku_key
from solteq_woo_assets.flows.products.gtins import gtin_key
from solteq_woo_assets.flows.products.sellable import plain_type

Relation = duckdb.DuckDBPyRelation

_DOCUMENTS = f"""
CREATE TEMP TABLE documents AS
SELECT
    *, {sku_key("code")} AS sku_key, nullif({sku_key("model_number")}, '') AS model_key,
    active AND NOT deleted AS on_sale,
    {plain_type("product_type")} AS type, {gtin_key("gtin")} AS gtin_key
FROM products
WHERE {sku_key("code")} IN (SELECT sku_key FROM unsettled)
    OR {sku_key("model_number")} IN (SELECT model_key FROM unsettled)
    OR {sku_key("code")} IN (SELECT model_key FROM unsettled)
    OR trim(code) = ''
"""

_LINKED = """
CREATE TEMP TABLE linked AS
SELECT key, woo_id, status_before, solteq_id, coalesce(sku, key) AS sku FROM links
WHERE solteq_id IN (SELECT id FROM documents)
    OR key IN (SELECT sku_key FROM documents UNION ALL SELECT model_key FROM documents)
"""

# A variation without a SKU shows its parent's. Of two store products with one SKU (imports can make them) the one that
# is not in the bin counts, then the older one.
_HELD = f"""
CREATE TEMP TABLE held AS
WITH wanted AS (
    SELECT sku_key AS key FROM unsettled UNION SELECT sku_key FROM documents
    UNION SELECT model_key FROM documents WHERE model_key IS NOT NULL
), found AS (
    SELECT * FROM catalogue
    WHERE {sku_key("sku")} IN (FROM wanted)
        OR id IN (SELECT woo_id FROM linked)
        OR (global_unique_id <> '' AND ltrim(global_unique_id, '0') IN (SELECT gtin_key FROM documents))
), family AS (
    FROM found
    UNION
    SELECT * FROM catalogue WHERE id IN (SELECT parent_id FROM found)
), named AS (
    SELECT family.*, CASE WHEN family.type <> 'variation' OR {sku_key("family.sku")} <> {sku_key("parent.sku")}
        OR parent.sku IS NULL THEN nullif({sku_key("family.sku")}, '') END AS own_sku
    FROM family LEFT JOIN family AS parent ON parent.id = family.parent_id
)
SELECT *, CASE WHEN row_number() OVER (PARTITION BY own_sku ORDER BY status = 'trash', id) = 1 THEN own_sku END
    AS sku_key
FROM named
"""

# A code on several documents, because one was replaced, is the one that is on sale, or else the one that is linked, or
# the newest. A link without a document, of a database of version 6 or earlier, is of the code.
_CLAIMS = """
CREATE TEMP TABLE claims AS
WITH by_id AS (
    SELECT linked.* FROM linked JOIN documents ON documents.id = linked.solteq_id
    QUALIFY row_number() OVER (PARTITION BY solteq_id ORDER BY linked.key = documents.sku_key DESC, linked.woo_id) = 1
), told AS (
    SELECT
        documents.id, documents.sku_key, documents.on_sale, documents.deleted, modified_at, gtin_key,
        by_id.woo_id IS NOT NULL AS is_linked_by_id, page.id AS linked_id, page.status AS linked_status,
        page.own_sku AS linked_page_sku, coalesce(by_id.sku, by_key.sku) AS linked_sku,
        coalesce(by_id.key, by_key.key) = documents.sku_key AND page.id IS NOT NULL AS is_linked
    FROM documents
    LEFT JOIN by_id ON by_id.solteq_id = documents.id
    LEFT JOIN linked AS by_key ON by_key.key = documents.sku_key AND by_key.solteq_id IS NULL
    LEFT JOIN held AS page
        ON page.id = coalesce(by_id.woo_id, by_key.woo_id) AND page.type IN ('simple', 'variation', 'external')
    WHERE documents.sku_key <> ''
)
SELECT
    * EXCLUDE (modified_at, is_linked), count(*) FILTER (on_sale) OVER (PARTITION BY sku_key) AS claimants,
    row_number() OVER (PARTITION BY sku_key ORDER BY on_sale DESC, is_linked DESC, deleted, modified_at DESC, id) = 1
        AS counts
FROM told
"""

# ``others``: the documents that the store products are linked to. ``is_free``: a store product with the code as its SKU
# may be this document's: it is no other document's, or a person put the SKU there, or both have one GTIN.
_MATCHES = f"""
CREATE TEMP TABLE matches AS
WITH others AS (
    SELECT links.woo_id, links.solteq_id, coalesce(links.sku, links.key) AS linked_sku,
        {sku_key("other.code")} AS code_key, {gtin_key("other.gtin")} AS gtin_key
    FROM links JOIN held ON held.id = links.woo_id JOIN products AS other ON other.id = links.solteq_id
), owners AS (
    SELECT others.* FROM others JOIN held ON held.id = others.woo_id
    QUALIFY row_number() OVER (PARTITION BY woo_id ORDER BY linked_sku = own_sku DESC, code_key = own_sku DESC,
        solteq_id) = 1
), claimed AS (
    SELECT DISTINCT {sku_key("code")} AS sku_key FROM products
    WHERE {sku_key("code")} IN (SELECT own_sku FROM held WHERE own_sku IS NOT NULL)
), seen AS (
    SELECT
        claims.*, page.id AS page_id, page.status AS page_status,
        linked_status <> 'trash' AS is_linked_alive,
        owners.solteq_id IS NULL OR owners.solteq_id = claims.id OR owners.linked_sku IS DISTINCT FROM page.own_sku
            OR coalesce(owners.code_key = claims.sku_key
                AND claims.gtin_key IN (owners.gtin_key, {gtin_key("page.global_unique_id")}), FALSE) AS is_free,
        claims.linked_sku IS NOT DISTINCT FROM claims.sku_key AS code_is_as_it_was,
        linked_page_sku <> claims.sku_key AND EXISTS (FROM claimed WHERE claimed.sku_key = linked_page_sku)
            AS is_linked_claimed,
        EXISTS (FROM others WHERE others.woo_id = linked_id AND others.solteq_id <> claims.id
            AND others.code_key = linked_page_sku) AS is_linked_to_another,
        coalesce(claims.gtin_key <> {gtin_key("page.global_unique_id")}, FALSE) AS is_contradicted
    FROM claims
    LEFT JOIN held AS page ON page.sku_key = claims.sku_key
    LEFT JOIN owners ON owners.woo_id = page.id
    WHERE counts
), chosen AS (
    SELECT *, CASE
        WHEN is_linked_alive AND linked_id = page_id THEN {{'woo_id': linked_id, 'by': 'link'}}
        WHEN is_linked_alive AND code_is_as_it_was AND is_free AND page_status <> 'trash'
            THEN {{'woo_id': page_id, 'by': 'SKU'}}
        WHEN is_linked_alive AND NOT is_linked_to_another AND NOT (code_is_as_it_was AND is_linked_claimed)
            THEN {{'woo_id': linked_id, 'by': 'link'}}
        WHEN is_free AND page_id IS NOT NULL THEN {{'woo_id': page_id, 'by': 'SKU'}}
        WHEN linked_id IS NOT NULL AND NOT is_linked_to_another AND NOT is_linked_claimed
            THEN {{'woo_id': linked_id, 'by': 'link'}}
    END AS choice
    FROM seen
), single AS (
    SELECT
        id, sku_key, gtin_key, on_sale, claimants,
        choice.woo_id AS chosen_id, choice."by" AS chosen_by,
        coalesce(choice."by" = 'SKU' AND choice.woo_id IS DISTINCT FROM linked_id AND is_contradicted, FALSE)
            AS is_held,
        row_number() OVER (PARTITION BY choice.woo_id ORDER BY is_held, sku_key = linked_page_sku DESC,
            choice."by" = 'SKU' DESC, sku_key) = 1 AND NOT is_held AS is_first
    FROM chosen
), found AS (
    SELECT
        id, sku_key, gtin_key, on_sale, claimants, CASE WHEN is_held AND on_sale THEN chosen_id END AS contradicted_id,
        CASE WHEN is_first THEN chosen_id END AS woo_id, CASE WHEN is_first THEN chosen_by END AS matched_by
    FROM single
), by_gtin AS (
    SELECT found.sku_key, min(page.id) AS woo_id FROM found
    JOIN held AS page ON ltrim(page.global_unique_id, '0') = found.gtin_key
    WHERE found.on_sale AND found.woo_id IS NULL AND contradicted_id IS NULL
        AND page.type IN ('simple', 'variation', 'external')
        AND page.id NOT IN (SELECT woo_id FROM others)
        AND page.id NOT IN (SELECT woo_id FROM found WHERE woo_id IS NOT NULL)
        AND NOT EXISTS (FROM claimed WHERE claimed.sku_key = page.own_sku)
    GROUP BY found.sku_key HAVING count(*) = 1
), unique_gtin AS (
    FROM by_gtin WHERE woo_id IN (SELECT woo_id FROM by_gtin GROUP BY ALL HAVING count(*) = 1)
), known AS (
    SELECT
        found.id, found.sku_key, NULL::VARCHAR AS replaced_by, claimants, contradicted_id,
        coalesce(found.woo_id, unique_gtin.woo_id) AS woo_id,
        coalesce(matched_by, CASE WHEN unique_gtin.woo_id IS NOT NULL THEN 'GTIN' END) AS matched_by
    FROM found LEFT JOIN unique_gtin USING (sku_key)
), replaced AS (
    SELECT id, sku_key || ' (' || lower(id) || ')' AS sku_key, sku_key AS replaced_by, 0 AS claimants,
        NULL AS contradicted_id, linked_id AS woo_id, 'link' AS matched_by
    FROM claims
    WHERE NOT counts AND NOT on_sale AND is_linked_by_id AND linked_id IS NOT NULL
        AND linked_id NOT IN (SELECT woo_id FROM known WHERE woo_id IS NOT NULL)
    QUALIFY row_number() OVER (PARTITION BY linked_id ORDER BY id) = 1
)
SELECT matched.*, before.status_before FROM (FROM known UNION ALL BY NAME FROM replaced) AS matched
LEFT JOIN (SELECT woo_id, max(status_before) AS status_before FROM linked GROUP BY ALL) AS before USING (woo_id)
"""

_STEPS = {
    "documents": _DOCUMENTS,
    "linked": _LINKED,
    "held": _HELD,
    "claims": _CLAIMS,
    "matches": _MATCHES,
}


# A balance may be of a code that Solteq's products do not have: only another document's store product is none of its.
_STRANGERS = f"""
CREATE TEMP TABLE strangers AS
SELECT pairs.sku_key, pairs.woo_id, CASE
    WHEN claimants > 1 THEN 'the code is on ' || claimants || ' active products'
    WHEN contradicted_id IS NOT NULL THEN 'the store''s product with this SKU has another GTIN'
    ELSE 'the store''s product with this SKU is another product in Solteq'
END AS why
FROM pairs LEFT JOIN matches USING (sku_key) LEFT JOIN held ON held.id = pairs.woo_id
WHERE CASE WHEN matches.id IS NOT NULL
    THEN matches.woo_id IS DISTINCT FROM pairs.woo_id OR claimants > 1
    ELSE held.own_sku IS DISTINCT FROM pairs.sku_key OR pairs.woo_id IN (
        SELECT links.woo_id FROM links JOIN products AS other ON other.id = links.solteq_id
        WHERE {sku_key("other.code")} <> links.sku
    )
END
"""


def find_strangers(
    connection: duckdb.DuckDBPyConnection, *, products: Relation, catalogue: Relation, links: Relation, pairs: str
) -> None:
    """Make the temporary table ``strangers``: ``sku_key`` and ``woo_id`` of pairs that do not belong together.

    With ``why``. Other flows than the products' find a store product by its SKU, and write only where this agrees.

    :param pairs: a query of ``sku_key`` and ``woo_id``, not many
    """
    connection.execute(f"CREATE TEMP TABLE pairs AS {pairs}")
    connection.execute("CREATE TEMP TABLE unsettled AS SELECT sku_key, NULL::VARCHAR AS model_key FROM pairs")
    match_products(connection, products=products, catalogue=catalogue, links=links)
    connection.execute(_STRANGERS)
    forget_matches(connection)
    connection.execute("DROP TABLE unsettled; DROP TABLE pairs")


def match_products(
    connection: duckdb.DuckDBPyConnection, *, products: Relation, catalogue: Relation, links: Relation
) -> None:
    """Make the temporary tables that the module begins with; ``forget_matches`` drops them.

    :param products: rows of ``snapshot.solteq_products``
    :param catalogue: rows of ``snapshot.woo_catalogue``
    :param links: rows of ``sync.links`` with kind ``product``
    """
    for step in _STEPS.values():
        connection.execute(step)


def forget_matches(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop the temporary tables."""
    for table in _STEPS:
        connection.execute(f"DROP TABLE {table}")
