"""How many pieces of each product the store may sell: the balance delta."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from solteq_woo_assets.engine.skus import sku_key
from solteq_woo_assets.engine.temporary import leaves_nothing
from solteq_woo_assets.flow import CHANGES_SCHEMA, Comparison
from solteq_woo_assets.flows.products.matching import find_strangers
from solteq_woo_assets.flows.products.rules import STORE_BALANCES_META
from solteq_woo_assets.flows.products.sellable import is_sold_online, keeps_no_stock

Relation = duckdb.DuckDBPyRelation


@dataclass(frozen=True)
class StockRules:
    """The settings that the rules depend on; ``settings.py`` explains them."""

    stock_stores: Sequence[str] = ()
    stock_buffer: int = 0
    web_store: str = ""
    stock_store_changes: bool = False
    inactive_products: str = "draft"


def sellable_quantity(free_balance: str, buffer: str, under_way: str) -> str:
    """SQL: the free balance of all stores together less the buffer and what the web store sold that the balance does
    not show yet, in whole pieces, never below 0. 2.9 kg is 2."""
    return f"greatest(floor(coalesce({free_balance}, 0) - {buffer} - coalesce({under_way}, 0)), 0)::BIGINT"


# A code that is spelled in two ways is one product: of each store its newest balance counts, once. Where a product
# that is not on sale is to be out of stock, it is so without a balance, too.
_NEWEST = f"""
CREATE TEMP TABLE newest AS
SELECT
    {sku_key("product_code")} AS sku_key, store_id, arg_max(trim(product_code), modified_at) AS sku,
    arg_max(CASE WHEN deleted THEN 0 ELSE free_balance END, modified_at) AS free_balance,
    max(modified_at) AS modified_at,
    len($stock_stores) = 0 OR list_contains($stock_stores, store_id) AS is_sold_online
FROM balances GROUP BY ALL
"""

# A sale is booked on the web store, so the web store's balance is the one that shows it; where that keeps no stock, any
# that is sold online. Of each line of an order, what is off the shelf is what the store says that it holds, or what
# Solteq's documents make of it, whichever is more; less what the balance has seen of those documents. What others
# reserved in Solteq has nothing to do with it (contract, second edition).
_UNDER_WAY = f"""
CREATE TEMP TABLE under_way_now AS
WITH seen AS (
    SELECT sku_key,
        coalesce(max(modified_at) FILTER (store_id = $web_store), max(modified_at) FILTER (is_sold_online)) AS seen_at
    FROM newest GROUP BY ALL
), of_lines AS (
    SELECT {sku_key("sku")} AS sku_key, order_id, line_id, any_value(trim(sku)) AS sku, min(since) AS since,
        any_value(why) AS why,
        coalesce(sum(quantity) FILTER (document = ''), 0) AS held,
        coalesce(sum(quantity) FILTER (document <> ''), 0) AS sold,
        coalesce(sum(quantity) FILTER (document <> '' AND (is_shown OR booked_at <= seen_at)), 0) AS shown
    FROM under_way LEFT JOIN seen ON seen.sku_key = {sku_key("under_way.sku")} GROUP BY ALL
)
SELECT sku_key, order_id, any_value(sku) AS sku, sum(greatest(greatest(held, sold) - shown, 0)) AS pieces,
    min(since) AS since, any_value(why) AS why
FROM of_lines GROUP BY ALL HAVING pieces > 0
"""

_QUANTITIES = f"""
CREATE TEMP TABLE quantities AS
SELECT
    sku_key, min(sku) AS sku,
    {sellable_quantity("sum(free_balance) FILTER (is_sold_online)", "$stock_buffer", "any_value(sold.pieces)")}
        AS quantity,
    coalesce(any_value(sold.pieces), 0) AS under_way
FROM newest LEFT JOIN (SELECT sku_key, sum(pieces) AS pieces FROM under_way_now GROUP BY ALL) AS sold USING (sku_key)
GROUP BY ALL
UNION ALL
SELECT {sku_key("code")}, min(trim(code)), 0, 0 FROM products
WHERE $inactive_products = 'out_of_stock' AND {sku_key("code")} NOT IN (SELECT sku_key FROM newest)
GROUP BY ALL HAVING NOT bool_or(active AND NOT deleted AND {is_sold_online("product_type", "sales_price")})
"""

# Of products that share a SKU (imports can make them) the one that is not in the bin, then the older one.
_COMPARED = f"""
CREATE TEMP TABLE compared AS
WITH held AS (
    SELECT
        {sku_key("item.sku")} AS sku_key, item.id, item.parent_id, item.type,
        CASE parent.status WHEN 'trash' THEN 'trash' ELSE item.status END AS status,
        item.manage_stock, item.stock_quantity, item.store_balances
    FROM catalogue AS item LEFT JOIN catalogue AS parent ON parent.id = item.parent_id
    QUALIFY row_number() OVER (PARTITION BY {sku_key("item.sku")} ORDER BY item.status = 'trash', item.id) = 1
), known AS (
    SELECT {sku_key("code")} AS sku_key,
            bool_or(active AND NOT deleted AND {is_sold_online("product_type", "sales_price")}) AS on_sale,
        bool_or({keeps_no_stock("product_type")}) AS keeps_no_stock
    FROM products GROUP BY ALL
)
SELECT * FROM (
    SELECT
        sku_key, sku,
        CASE WHEN known.on_sale IS FALSE AND $inactive_products = 'out_of_stock' THEN 0 ELSE quantity END AS quantity,
        quantities.under_way, held.* EXCLUDE (sku_key), known.on_sale, known.keeps_no_stock
    FROM quantities LEFT JOIN held USING (sku_key) LEFT JOIN known USING (sku_key)
)
WHERE id IS NULL OR status = 'trash' OR type IN ('variable', 'grouped')
    OR $stock_store_changes OR manage_stock IS NOT TRUE OR stock_quantity IS DISTINCT FROM quantity
"""

_CHANGES = f"""
WITH breakdowns AS (
    SELECT {sku_key("product_code")} AS sku_key, to_json(list({{
            'store': store_id, 'name': store_name, 'free': free_balance::DOUBLE, 'reserved': reserved_balance::DOUBLE
        }} ORDER BY store_id) FILTER (NOT deleted))::VARCHAR AS store_balances
    FROM balances WHERE {sku_key("product_code")} IN (SELECT sku_key FROM compared) GROUP BY ALL
), fields AS (
    SELECT
        compared.*, breakdowns.store_balances AS wanted_balances, strangers.why,
        id IS NOT NULL AND why IS NULL AND status <> 'trash' AND type NOT IN ('variable', 'grouped')
            AND keeps_no_stock IS NOT TRUE AS is_there,
        list_filter([
            {{'field': 'manage_stock', 'old': coalesce(manage_stock, FALSE)::VARCHAR, 'new': 'true'}},
            {{'field': 'stock_quantity', 'old': stock_quantity::VARCHAR, 'new': quantity::VARCHAR}},
            {{'field': '{STORE_BALANCES_META}', 'old': compared.store_balances, 'new': wanted_balances}}
        -- WooCommerce drops a quantity without manage_stock beside it (contract, 18): they travel together.
        ], lambda change: change.old IS DISTINCT FROM change.new
            OR (change.field = 'stock_quantity' AND manage_stock IS NOT TRUE)) AS changes
    FROM compared LEFT JOIN breakdowns USING (sku_key) LEFT JOIN strangers USING (sku_key)
)
SELECT
    sku AS key,
    CASE WHEN is_there THEN 'update' WHEN keeps_no_stock OR on_sale IS FALSE THEN 'skip' ELSE 'wait' END AS action,
    CASE type WHEN 'variation' THEN 'variation' ELSE 'simple' END AS kind,
    CASE WHEN is_there THEN id END AS woo_id,
    NULL::VARCHAR AS parent_key,
    CASE WHEN is_there AND type = 'variation' THEN parent_id END AS parent_id,
    CASE WHEN is_there THEN changes ELSE [] END AS changes,
    CASE
        WHEN is_there AND stock_quantity IS DISTINCT FROM quantity THEN 'the free balance differs'
            || CASE WHEN under_way > 0 THEN ', and ' || round(under_way)::BIGINT || ' more are sold' ELSE '' END
        WHEN is_there AND manage_stock IS NOT TRUE THEN 'the store does not manage its stock'
        WHEN is_there THEN 'the balances of the stores differ'
        WHEN keeps_no_stock THEN 'its type keeps no stock online'
        WHEN on_sale IS FALSE THEN 'not on sale in Solteq'
        WHEN status = 'trash' THEN 'in the store''s bin'
        WHEN why IS NOT NULL THEN why
        WHEN type IN ('variable', 'grouped') THEN 'the store''s product has variations; stock is kept on those'
        ELSE 'not in the store yet'
    END AS reason
FROM fields
WHERE NOT is_there OR len(changes) > 0
ORDER BY action = 'wait', action, key
"""


@leaves_nothing
def balance_delta(
    connection: duckdb.DuckDBPyConnection,
    *,
    balances: Relation,
    products: Relation,
    catalogue: Relation,
    links: Relation,
    under_way: Relation,
    rules: StockRules,
) -> Comparison:
    """The stock that the store should show, less what it shows.

    A balance whose product is not in the store yet is a row with action ``wait``.

    :param balances: rows of ``snapshot.solteq_balances``
    :param products: rows of ``snapshot.solteq_products``, to say why a product is not in the store
    :param catalogue: rows of ``snapshot.woo_catalogue``
    :param links: rows of ``sync.links`` with kind ``product``
    :param under_way: rows of ``snapshot.sales_under_way``
    """
    _reckon_under_way(connection, balances, under_way, rules)
    connection.execute(_QUANTITIES, {"stock_buffer": rules.stock_buffer, "inactive_products": rules.inactive_products})
    connection.execute(
        _COMPARED,
        {"inactive_products": rules.inactive_products, "stock_store_changes": rules.stock_store_changes},
    )
    pairs = "SELECT sku_key, id AS woo_id FROM compared WHERE status <> 'trash' AND type NOT IN ('variable', 'grouped')"
    find_strangers(connection, products=products, catalogue=catalogue, links=links, pairs=pairs)
    return Comparison(connection.sql(_CHANGES).pl().cast(CHANGES_SCHEMA))


@leaves_nothing
def pieces_under_way(
    connection: duckdb.DuckDBPyConnection, *, balances: Relation, under_way: Relation, rules: StockRules
) -> pl.DataFrame:
    """Which orders hold pieces that Solteq's balances do not show as sold: order_id, sku, pieces, since, why."""
    _reckon_under_way(connection, balances, under_way, rules)
    return connection.sql(
        "SELECT order_id, sku, pieces, since, why FROM under_way_now ORDER BY since, order_id, sku"
    ).pl()


def unknown_stores(connection: duckdb.DuckDBPyConnection, *, balances: Relation, rules: StockRules) -> list[str]:
    """Stores whose balances are to be sold online, and of which there is none, though there are others."""
    known = {row[0] for row in connection.execute("SELECT DISTINCT store_id FROM balances").fetchall()}
    return [store for store in rules.stock_stores if known and store not in known]


def _reckon_under_way(
    connection: duckdb.DuckDBPyConnection, balances: Relation, under_way: Relation, rules: StockRules
) -> None:
    connection.execute(_NEWEST, {"stock_stores": list(rules.stock_stores)})
    connection.execute(_UNDER_WAY, {"web_store": rules.web_store})
