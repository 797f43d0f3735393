"""Guard rails of prices: one rule makes them, so one rail watches them, whichever flow writes."""

from solteq_woo_assets.engine import stopped
from solteq_woo_assets.engine.guard_rails import KEYS_SHOWN, Delta, GuardRails, Verdict, share
from solteq_woo_assets.engine.ledger import SENT_ACTIONS

FEW_CUTS = 1
"""So many products may always be cut deeply. A wrong price sells at once, so it is the fewest that there can be."""
_OF_PRODUCTS, _OF_CAMPAIGNS = ("products", "product_delta"), ("campaigns", "campaign_price_delta")
"""Both flows write prices: the rail of each counts the other's rows, too."""
PRICE_FIELDS = ["regular_price", "sale_price", "date_on_sale_from_gmt", "date_on_sale_to_gmt"]


def _field(entries: str, field: str, otherwise: str, kind: str) -> str:
    """SQL: a field's value in a map of texts, where an empty one means none; or what is held."""
    return (
        f"CASE WHEN map_contains({entries}, '{field}') THEN nullif({entries}['{field}'], '')::{kind} "
        f"ELSE {otherwise}.{field} END AS {field}"
    )


def _fields(entries: str, otherwise: str) -> str:
    kinds = ["DECIMAL(18,4)", "DECIMAL(18,4)", "TIMESTAMP", "TIMESTAMP"]
    return ", ".join(_field(entries, field, otherwise, kind) for field, kind in zip(PRICE_FIELDS, kinds, strict=True))


def _has_prices(changes: str) -> str:
    return f"list_has_any(list_transform({changes}, lambda c: c.field), $fields)"


# The lowest price that a row has from now on, in a window to come too.
_LOWEST = (
    "CASE WHEN sale_price < regular_price AND coalesce(date_on_sale_to_gmt + INTERVAL 1 SECOND > $now, TRUE) "
    "THEN sale_price ELSE regular_price END"
)
# What the other flow's last comparison is about to write, or would if it were not stopped.
_OTHERS = """
SELECT key, woo_id, changes FROM delta.{other} AS row
WHERE (list_contains($sent, action) AND key NOT IN {others_passes}
        OR action = 'stopped' AND reason LIKE 'stopped by price_cuts%')
    AND NOT EXISTS (
        FROM sync.deliveries AS sent JOIN sync.comparisons AS made USING (flow)
        WHERE flow = $other_flow AND sent.key = row.key AND state <> 'pending' AND created_at >= computed_at
    )
"""
# What a shopper would pay now if nothing had been sent within the window, by what each field was before its first write
# in it. After a write that somebody let pass, the most since then: it was let pass once, and not once more.
_BEFORE = """
SELECT woo_id, map_from_entries(list((field, was))) AS was FROM (
    SELECT woo_id, field, arg_max(old, CASE
            WHEN passed_at IS NULL OR field LIKE 'date%' THEN -epoch(created_at)
            WHEN field = 'sale_price' THEN coalesce(nullif(old, '')::DOUBLE, 'inf'::DOUBLE)
            ELSE coalesce(nullif(old, '')::DOUBLE, 0)
        END) AS was
    FROM (
        SELECT woo_id, created_at, passed_at, change.field AS field, coalesce(change.old, '') AS old
        FROM (SELECT *, unnest(changes) AS change FROM writes LEFT JOIN passed USING (woo_id))
        WHERE created_at > passed_at OR passed_at IS NULL
    )
    WHERE list_contains($fields, field) GROUP BY ALL
) GROUP BY woo_id
"""
_PRICES = f"""
WITH changed AS (
    SELECT key, woo_id, is_own, map_from_entries(list_transform(changes, lambda c: (c.field, c.new))) AS new
    FROM (SELECT key, woo_id, changes, TRUE AS is_own FROM {{own}} UNION ALL SELECT *, FALSE FROM ({_OTHERS}))
    WHERE {_has_prices("changes")}
), writes AS MATERIALIZED (
    SELECT woo_id, created_at, delivery_id, changes FROM sync.deliveries
    WHERE created_at >= $begin AND flow IN ('products', 'campaigns') AND action <> 'create' AND woo_id IS NOT NULL
        AND {_has_prices("changes")}
), passed AS (
    SELECT woo_id, max(created_at) AS passed_at FROM writes WHERE delivery_id IN {{passed}} GROUP BY woo_id
), before AS ({_BEFORE}), held AS (
    SELECT item.*, before.woo_id IS NOT NULL AS is_sent, before.was
    FROM snapshot.woo_catalogue AS item LEFT JOIN before ON before.woo_id = item.id
    WHERE before.woo_id IS NOT NULL OR id IN (SELECT woo_id FROM changed)
), once AS (
    SELECT id, {_fields("was", "held")} FROM held
), paid AS (
    SELECT id, CASE WHEN id IN (SELECT woo_id FROM passed)
            THEN greatest(public_price(once, $now), public_price(held, $now))
            ELSE public_price(once, $now) END AS price
    FROM once JOIN held USING (id)
), becomes AS (
    SELECT key, woo_id, is_own, {_fields("new", "held")} FROM changed LEFT JOIN held ON held.id = changed.woo_id
    UNION ALL
    SELECT NULL, id, FALSE, {", ".join(PRICE_FIELDS)} FROM held
    WHERE is_sent AND id NOT IN (SELECT woo_id FROM changed WHERE is_own AND woo_id IS NOT NULL)
), judged AS (
    SELECT key, woo_id, is_own, {_LOWEST} AS new_price, new_price < paid.price * (100 - $percent) * 0.01 AS is_cut
    FROM becomes LEFT JOIN paid ON paid.id = becomes.woo_id
), purchases AS (
    SELECT sku_key(code) AS sku, min(purchase_price) AS purchase_price
    FROM snapshot.solteq_products WHERE active AND NOT deleted GROUP BY ALL
)
SELECT
    list(key ORDER BY key) FILTER (is_own AND is_cut) AS cut,
    count(DISTINCT woo_id) FILTER (is_cut) AS cut_in_all,
    count(DISTINCT woo_id) FILTER (is_own AND is_cut) AS cut_here,
    list(key ORDER BY key) FILTER (is_own AND new_price < purchase_price) AS below_purchase_price,
    (SELECT count(*) FROM snapshot.woo_catalogue WHERE regular_price > 0 AND status <> 'trash') AS products
FROM judged LEFT JOIN purchases ON purchases.sku = sku_key(key)
"""


def price_cuts(delta: Delta) -> Verdict:
    """Not too many prices fall by too much within the window, and none below its purchase price when that is minded."""
    settings = delta.settings
    other_flow, other = _OF_PRODUCTS if delta.flow == "campaigns" else _OF_CAMPAIGNS
    query = _PRICES.format(
        own=delta.rows("price_cuts"),
        other=other,
        others_passes=stopped.passes_of(other_flow, "price_cuts"),
        passed=stopped.passed_deliveries("price_cuts"),
    )
    given = {"sent": list(SENT_ACTIONS), "now": delta.now, "begin": delta.begin, "fields": PRICE_FIELDS}
    cut, in_all, here, below, products = delta.connection.execute(
        query, {**given, "percent": settings.price_cut_percent, "other_flow": other_flow}
    ).fetchall()[0]
    cut, below = cut or [], below or []
    counted = share(here, in_all - here, products, percent=settings.price_cut_products_percent, few=FEW_CUTS)
    problems: list[str] = []
    keys = _stopped_in_products(delta) if delta.flow == "campaigns" else []
    if keys:
        problems.append(f"{len(keys)} of its prices are of products that product_delta may not write (price_cuts)")
    if counted.is_too_large:
        keys += cut
        problems.append(
            f"it cuts the price of {here} of the store's {products} products by more than "
            f"{settings.price_cut_percent} %{counted.earlier_words(settings)} "
            f"(SOLTEQ_WOO_PRICE_CUT_PRODUCTS_PERCENT allows {settings.price_cut_products_percent} %, {counted.may})"
        )
    if below and settings.mind_purchase_price:
        keys += below
        problems.append(f"it sells {len(below)} products below their purchase price (SOLTEQ_WOO_MIND_PURCHASE_PRICE)")
    metadata = {
        "cut": len(cut),
        "cut_keys": cut[:KEYS_SHOWN],
        "below_purchase_price": len(below),
        "below_purchase_price_keys": below[:KEYS_SHOWN],
        "products": products,
        **counted.metadata(settings),
    }
    return Verdict("price_cuts", problems, keys, metadata)


def _stopped_in_products(delta: Delta) -> list[str]:
    """Rows of campaigns whose product's own price is stopped: they would bring it to the store all the same."""
    return delta.keys(
        f"SELECT key FROM {delta.rows('price_cuts')} WHERE sku_key(key) IN (SELECT sku_key(key) "
        "FROM delta.product_delta WHERE action = 'stopped' AND reason LIKE 'stopped by price_cuts%') ORDER BY key"
    )


GUARD_RAILS = GuardRails(*_OF_CAMPAIGNS, [price_cuts])
