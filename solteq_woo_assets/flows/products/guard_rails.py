"""Guard rails of products: SKUs, prices, and how many leave the shelf."""

from solteq_woo_assets.engine.guard_rails import FEW, Delta, GuardRails, Limit, Verdict, count, wrong
from solteq_woo_assets.flows.campaigns.guard_rails import price_cuts

_UNPUBLISHED = """
WITH earlier AS (
    SELECT DISTINCT woo_id FROM sync.deliveries AS sent LEFT JOIN snapshot.woo_catalogue AS held ON held.id = woo_id
    WHERE created_at >= $begin AND flow = 'products' AND action = 'withdraw' AND delivery_id NOT IN (FROM passed)
        AND (state = 'pending' OR held.status <> 'publish')
), withdrawn AS (SELECT key, woo_id FROM own WHERE action = 'withdraw')
SELECT
    (SELECT list(key ORDER BY key) FROM withdrawn),
    (SELECT count(*) FROM earlier WHERE woo_id NOT IN (SELECT woo_id FROM withdrawn WHERE woo_id IS NOT NULL)),
    (SELECT count(*) FROM snapshot.woo_catalogue WHERE status = 'publish' OR id IN (SELECT woo_id FROM earlier))
"""


def unpublished(delta: Delta) -> Verdict:
    """Not too many products leave the shelf within the window: inactive or deleted in Solteq, or gone from its feed."""
    return count(
        delta,
        "unpublished",
        _UNPUBLISHED,
        Limit("SOLTEQ_WOO_UNPUBLISHED_PRODUCTS_PERCENT", delta.settings.unpublished_products_percent, FEW),
        "it takes {count} of the store's {of} published products off sale",
        names=("off_sale", "published"),
    )


def no_sku_twice(delta: Delta) -> Verdict:
    """No SKU is written twice in one delivery: one product would get another's price."""
    keys = delta.keys(
        f"SELECT key FROM delta.{delta.name} WHERE list_contains($sent, action) "
        f"QUALIFY count(*) OVER (PARTITION BY sku_key(key)) > 1 ORDER BY key"
    )
    return wrong("no_sku_twice", keys, "have a SKU that others in it have, too")


def prices_are_positive(delta: Delta) -> Verdict:
    """Every sales price to be written is above zero, and every sale price above zero and below it."""
    keys = delta.keys(
        "WITH prices AS (SELECT key, map_from_entries(list_transform(changes, lambda c: (c.field, c.new))) AS new "
        f"FROM delta.{delta.name} WHERE list_contains($sent, action)) "
        "SELECT key FROM prices WHERE new['regular_price']::DECIMAL(18,4) <= 0 "
        "OR nullif(new['sale_price'], '')::DECIMAL(18,4) <= 0 "
        "OR nullif(new['sale_price'], '')::DECIMAL(18,4) >= new['regular_price']::DECIMAL(18,4) ORDER BY key"
    )
    return wrong("prices_are_positive", keys, "have a price of nothing, or a sale price that is no reduction")


# Rows that wait for the SKU of another, the family of a parent, and a parent that is converted for a variation.
_DEPENDENTS = """
WITH RECURSIVE skus AS (
    SELECT key, sku_key(change.new) AS taken, nullif(sku_key(change.old), '') AS given
    FROM (SELECT key, unnest(changes) AS change FROM delta.product_delta) WHERE change.field = 'sku'
), stopped AS (
    SELECT key FROM meant
    UNION
    SELECT later.key FROM stopped JOIN skus USING (key) JOIN skus AS later ON later.taken = skus.given
), parents AS (
    SELECT sku_key(key) AS key FROM stopped
    UNION
    SELECT sku_key(parent.key) FROM delta.product_delta AS parent JOIN delta.product_delta AS child
        ON sku_key(child.parent_key) = sku_key(parent.key)
    WHERE parent.action = 'convert' AND child.key IN (SELECT key FROM stopped)
)
SELECT key FROM delta.product_delta WHERE key IN (SELECT key FROM stopped) OR sku_key(parent_key) IN (FROM parents)
    OR kind <> 'variation' AND sku_key(key) IN (FROM parents)
"""

GUARD_RAILS = GuardRails(
    "products", "product_delta", [no_sku_twice, prices_are_positive, price_cuts, unpublished], _DEPENDENTS
)
