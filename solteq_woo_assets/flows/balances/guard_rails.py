"""Guard rails of stock."""

from solteq_woo_assets.engine.guard_rails import FEW, Delta, GuardRails, Limit, Verdict, count, wrong

# The store says itself whether a product that it does not count is in stock. A family is in stock by its variations.
_IN_STOCK = (
    "(held.stock_quantity > 0 OR held.manage_stock IS NOT TRUE AND held.stock_status = 'instock' "
    "AND held.type NOT IN ('variable', 'grouped'))"
)
# Writes of ours alone: what shoppers bought, the store has counted down itself.
_OUT_OF_STOCK = f"""
WITH earlier AS (
    SELECT DISTINCT woo_id FROM (
        SELECT
            woo_id, state, list_filter(changes, lambda c: c.field = 'stock_quantity')[1] AS quantity,
            list_contains(list_transform(changes, lambda c: c.field), 'manage_stock') AS was_not_counted
        FROM sync.deliveries
        WHERE created_at >= $begin AND flow = 'balances' AND delivery_id NOT IN (FROM passed)
    ) LEFT JOIN snapshot.woo_catalogue AS held ON held.id = woo_id
    WHERE quantity.new::BIGINT <= 0 AND (quantity.old::BIGINT > 0 OR was_not_counted)
        AND (state = 'pending' OR NOT {_IN_STOCK})
), changed AS (
    SELECT key, woo_id, list_filter(changes, lambda c: c.field = 'stock_quantity')[1].new::BIGINT AS quantity
    FROM own
), sold_out AS (
    SELECT key, woo_id FROM changed JOIN snapshot.woo_catalogue AS held ON held.id = woo_id
    WHERE {_IN_STOCK} AND quantity <= 0
)
SELECT
    (SELECT list(key ORDER BY key) FROM sold_out),
    (SELECT count(*) FROM earlier WHERE woo_id NOT IN (SELECT woo_id FROM sold_out)),
    (SELECT count(*) FROM snapshot.woo_catalogue AS held
        WHERE status <> 'trash' AND ({_IN_STOCK} OR id IN (SELECT woo_id FROM earlier)))
"""


def out_of_stock(delta: Delta) -> Verdict:
    """Not too many products in stock go out of stock within the window."""
    return count(
        delta,
        "out_of_stock",
        _OUT_OF_STOCK,
        Limit("SOLTEQ_WOO_OUT_OF_STOCK_PRODUCTS_PERCENT", delta.settings.out_of_stock_products_percent, FEW),
        "it takes {count} of the {of} products that are in stock out of it",
        names=("out_of_stock", "in_stock"),
    )


def no_stock_twice(delta: Delta) -> Verdict:
    """No store product gets two quantities in one delivery."""
    keys = delta.keys(
        f"SELECT key FROM delta.{delta.name} WHERE list_contains($sent, action) AND woo_id IS NOT NULL "
        "QUALIFY count(*) OVER (PARTITION BY woo_id) > 1 ORDER BY key"
    )
    return wrong("no_stock_twice", keys, "are of a store product that others in it are of, too")


GUARD_RAILS = GuardRails("balances", "balance_delta", [no_stock_twice, out_of_stock])
