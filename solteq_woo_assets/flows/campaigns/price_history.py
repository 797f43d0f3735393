"""The history of public prices: what shoppers were shown, and when.

It follows ``snapshot.woo_catalogue``, whoever changed the store. A sale window that the store knows is in it before its
time, as a plan: the store switches by itself, also while nobody looks. When the plan changes, so does what is to come.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

import duckdb
import polars as pl

# Only what is published has a public price; a variation is as public as its parent. What is linked goes by the code of
# its document, whatever its SKU is while codes are swapped or a person renames it.
_PRICED = """
SELECT
    item.id, coalesce(link.key, sku_key(item.sku)) AS sku, item.regular_price, item.sale_price,
    item.date_on_sale_from_gmt, item.date_on_sale_to_gmt,
    greatest(item.date_modified_gmt, parent.date_modified_gmt) AS modified
FROM snapshot.woo_catalogue AS item LEFT JOIN snapshot.woo_catalogue AS parent ON parent.id = item.parent_id
LEFT JOIN (SELECT key, woo_id FROM sync.links WHERE solteq_id IS NOT NULL) AS link ON link.woo_id = item.id
WHERE (link.key IS NOT NULL OR trim(item.sku) <> '') AND item.regular_price > 0
    AND item.status = 'publish' AND coalesce(parent.status, 'publish') = 'publish'
"""
_PUBLIC = f"{_PRICED} AND (item.id IN (FROM looked_at) OR item.parent_id IN (FROM looked_at))"

# A SKU that one product gives up may be another's by now, also of one that nobody looked at.
_LOST = "CREATE TEMP TABLE lost AS SELECT DISTINCT sku FROM public_before ANTI JOIN public_after USING (id, sku)"
_HEIRS = f"""
INSERT INTO public_after
{_PRICED} AND coalesce(link.key, sku_key(item.sku)) IN (FROM lost) AND item.id NOT IN (SELECT id FROM public_after)
"""

# A price is as old as the store says, if its time of change has moved and is not to come; else as old as our look.
_MOVED = """
CREATE TEMP TABLE moved AS
SELECT
    sku, CASE WHEN after.modified > before.modified AND after.modified <= $seen THEN after.modified
        ELSE $seen::TIMESTAMP END AS since,
    after.regular_price, after.sale_price, after.date_on_sale_from_gmt, after.date_on_sale_to_gmt
FROM public_before AS before FULL JOIN public_after AS after USING (id, sku)
WHERE before.regular_price IS DISTINCT FROM after.regular_price
    OR before.sale_price IS DISTINCT FROM after.sale_price
    OR before.date_on_sale_from_gmt IS DISTINCT FROM after.date_on_sale_from_gmt
    OR before.date_on_sale_to_gmt IS DISTINCT FROM after.date_on_sale_to_gmt
    OR sku IN (FROM lost)
QUALIFY row_number() OVER (PARTITION BY sku ORDER BY after.id NULLS LAST) = 1
"""

# The price now, from the window's beginning on, and after its end; what goes on as it was keeps its beginning.
_PLANNED = """
CREATE TEMP TABLE planned AS
WITH instants AS (
    SELECT *, unnest(list_distinct([
        since, greatest(since, date_on_sale_from_gmt), greatest(since, date_on_sale_to_gmt + INTERVAL 1 SECOND)
    ])) AS instant
    FROM moved WHERE regular_price IS NOT NULL
), steps AS (
    SELECT sku, public_price(instants, instant) AS price, regular_price, since, instant
    FROM instants WHERE instant IS NOT NULL
    QUALIFY price IS DISTINCT FROM lag(price) OVER (PARTITION BY sku ORDER BY instant)
)
SELECT
    steps.sku, steps.price, steps.regular_price,
    CASE WHEN instant = since THEN coalesce(held.valid_from, instant) ELSE instant END AS valid_from,
    lead(instant) OVER (PARTITION BY steps.sku ORDER BY instant) AS valid_to
FROM steps LEFT JOIN sync.price_history AS held ON held.sku = steps.sku
    AND held.valid_from < since AND coalesce(held.valid_to >= since, TRUE)
    AND held.price = steps.price AND held.regular_price = steps.regular_price
"""

_REPLACE = """
DELETE FROM sync.price_history AS held USING (
    SELECT sku, least(since, min(valid_from)) AS since FROM moved LEFT JOIN planned USING (sku) GROUP BY sku, since
) AS cut WHERE held.sku = cut.sku AND held.valid_from >= cut.since;

UPDATE sync.price_history AS held SET valid_to = since FROM moved
WHERE held.sku = moved.sku AND coalesce(held.valid_to > since, TRUE);

INSERT INTO sync.price_history BY NAME FROM planned;
"""


@contextmanager
def recorded(connection: duckdb.DuckDBPyConnection, ids: Iterable[int], seen: datetime) -> Iterator[None]:
    """Bring the history up to what the block makes of these rows of ``snapshot.woo_catalogue``.

    :param ids: the store's products and variations that the block may change
    :param seen: the present instant, UTC without a zone
    """
    connection.register("looked_at", pl.DataFrame({"id": list(ids)}, schema={"id": pl.Int64}))
    connection.execute(f"CREATE TEMP TABLE public_before AS {_PUBLIC}")
    yield
    connection.execute(f"CREATE TEMP TABLE public_after AS {_PUBLIC}")
    connection.execute(_LOST)
    connection.execute(_HEIRS)
    connection.execute(_MOVED, {"seen": seen})
    connection.execute(_PLANNED)
    connection.execute(_REPLACE)
    for table in ("planned", "moved", "lost", "public_after", "public_before"):
        connection.execute(f"DROP TABLE {table}")
