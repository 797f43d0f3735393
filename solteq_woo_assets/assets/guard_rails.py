"""Blocking checks on what a delivery would do: a slip in the back office should not reach the shoppers."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from solteq_woo_assets.rules.pricing import public_price
from solteq_woo_assets.rules.skus import sku_key
from solteq_woo_assets.settings import Settings
from solteq_woo_assets.sync.ledger import SENT_ACTIONS
from solteq_woo_assets.sync.state import Clock, StateDatabase

LET_PASS_TAG = "solteq_woo/let_pass"  # noqa: S105  no password
KEYS_SHOWN = 20
FEW = 10
"""So many products are never too many to leave the shelf at once."""


class GuardRailConfig(dg.Config):
    """Whether a guard rail stops the delivery."""

    let_pass: bool = False
    """Send the delta although the check says no; the run's tags say so."""


# What a shopper pays now, and the lowest price that the delta brings, now or in a window to come.
_PRICES = f"""
WITH changed AS (
    SELECT key, woo_id, map_from_entries(list_transform(changes, lambda c: (c.field, c.new))) AS new
    FROM delta.{{delta}} WHERE list_contains($sent, action)
), prices AS (
    SELECT
        changed.key, {public_price("held", "$now")} AS old_price,
        coalesce(new['regular_price']::DECIMAL(18,4), held.regular_price) AS regular_price,
        CASE WHEN map_contains(new, 'sale_price') THEN nullif(new['sale_price'], '')::DECIMAL(18,4)
            ELSE held.sale_price END AS sale_price
    FROM changed LEFT JOIN snapshot.woo_catalogue AS held ON held.id = changed.woo_id
    WHERE len(list_intersect(map_keys(new),
        ['regular_price', 'sale_price', 'date_on_sale_from_gmt', 'date_on_sale_to_gmt'])) > 0
), lowest AS (
    SELECT key, old_price, least(regular_price, coalesce(sale_price, regular_price)) AS new_price FROM prices
), purchases AS (
    SELECT {sku_key("code")} AS sku, min(purchase_price) AS purchase_price
    FROM snapshot.solteq_products WHERE active AND NOT deleted GROUP BY ALL
)
SELECT
    list(key ORDER BY key) FILTER (new_price < old_price * (100 - $percent) * 0.01) AS cut,
    list(key ORDER BY key) FILTER (new_price < purchase_price) AS below_purchase_price,
    (SELECT count(*) FROM snapshot.woo_catalogue WHERE regular_price > 0 AND status <> 'trash') AS products
FROM lowest LEFT JOIN purchases ON purchases.sku = {sku_key("key")}
"""


def price_cuts(
    context: dg.AssetCheckExecutionContext,
    config: GuardRailConfig,
    settings: Settings,
    database: StateDatabase,
    clock: Clock,
    delta: str,
) -> dg.AssetCheckResult:
    """Whether a delta cuts few enough prices, and sells nothing below its purchase price when told to mind it."""
    with database.transaction() as connection:
        cut, below, products = connection.execute(
            _PRICES.format(delta=delta),
            {"sent": list(SENT_ACTIONS), "now": clock(), "percent": settings.price_cut_percent},
        ).fetchall()[0]
    cut, below = cut or [], below or []
    problems: list[str] = []
    if len(cut) * 100 > settings.price_cut_products_percent * products:
        problems.append(
            f"it cuts the price of {len(cut)} of the store's {products} products by more than "
            f"{settings.price_cut_percent} % (SOLTEQ_WOO_PRICE_CUT_PRODUCTS_PERCENT allows "
            f"{settings.price_cut_products_percent} %)"
        )
    if below and settings.mind_purchase_price:
        problems.append(f"it sells {len(below)} products below their purchase price (SOLTEQ_WOO_MIND_PURCHASE_PRICE)")
    metadata = {
        "cut": len(cut),
        "cut_keys": cut[:KEYS_SHOWN],
        "below_purchase_price": len(below),
        "below_purchase_price_keys": below[:KEYS_SHOWN],
        "products": products,
    }
    return _verdict(context, config, database, delta=delta, check="price_cuts", problems=problems, metadata=metadata)


# Of what the store does not count, it says itself whether there is any. A family is in stock by its variations.
_IN_STOCK = (
    "(held.stock_quantity > 0 OR held.manage_stock IS NOT TRUE AND held.stock_status = 'instock' "
    "AND held.type NOT IN ('variable', 'grouped'))"
)


def out_of_stock(
    context: dg.AssetCheckExecutionContext, config: GuardRailConfig, settings: Settings, database: StateDatabase
) -> dg.AssetCheckResult:
    """Whether the delta takes few enough of the products that are in stock out of it."""
    with database.transaction() as connection:
        sold_out, in_stock = connection.execute(
            "WITH changed AS (SELECT key, woo_id, "
            "map_from_entries(list_transform(changes, lambda c: (c.field, c.new)))['stock_quantity'] AS quantity "
            "FROM delta.balance_delta WHERE list_contains($sent, action)) "
            f"SELECT list(key ORDER BY key) FILTER ({_IN_STOCK} AND quantity::BIGINT <= 0), "
            f"(SELECT count(*) FROM snapshot.woo_catalogue AS held WHERE {_IN_STOCK} AND status <> 'trash') "
            "FROM changed JOIN snapshot.woo_catalogue AS held ON held.id = changed.woo_id",
            {"sent": list(SENT_ACTIONS)},
        ).fetchall()[0]
    sold_out = sold_out or []
    problem = (
        f"it takes {len(sold_out)} of the {in_stock} products that are in stock out of it "
        f"(SOLTEQ_WOO_OUT_OF_STOCK_PRODUCTS_PERCENT allows {settings.out_of_stock_products_percent} %)"
    )
    return _verdict(
        context,
        config,
        database,
        delta="balance_delta",
        check="out_of_stock",
        problems=[problem] if _are_too_many(sold_out, in_stock, settings.out_of_stock_products_percent) else [],
        metadata={"out_of_stock": len(sold_out), "in_stock": in_stock, "keys": sold_out[:KEYS_SHOWN]},
    )


def unpublished(
    context: dg.AssetCheckExecutionContext, config: GuardRailConfig, settings: Settings, database: StateDatabase
) -> dg.AssetCheckResult:
    """Whether the delta takes few enough products off sale: inactive or deleted in Solteq, or gone from its feed."""
    with database.transaction() as connection:
        withdrawn, on_sale = connection.execute(
            "SELECT (SELECT list(key ORDER BY key) FROM delta.product_delta WHERE action = 'withdraw'), "
            "(SELECT count(*) FROM snapshot.woo_catalogue WHERE status = 'publish')"
        ).fetchall()[0]
    withdrawn = withdrawn or []
    problem = (
        f"it takes {len(withdrawn)} of the store's {on_sale} published products off sale "
        f"(SOLTEQ_WOO_UNPUBLISHED_PRODUCTS_PERCENT allows {settings.unpublished_products_percent} %)"
    )
    return _verdict(
        context,
        config,
        database,
        delta="product_delta",
        check="unpublished",
        problems=[problem] if _are_too_many(withdrawn, on_sale, settings.unpublished_products_percent) else [],
        metadata={"off_sale": len(withdrawn), "published": on_sale, "keys": withdrawn[:KEYS_SHOWN]},
    )


def _are_too_many(keys: Sequence[str], of: int, percent: int) -> bool:
    """A few products never are: in a small shop each is a large share."""
    return len(keys) > FEW and len(keys) * 100 > percent * of


def reversals(
    context: dg.AssetCheckExecutionContext, config: GuardRailConfig, settings: Settings, database: StateDatabase
) -> dg.AssetCheckResult:
    """Whether the delta reverses few enough sales of orders that are gone: a restored backup lacks orders, too."""
    with database.transaction() as connection:
        keys = [
            row[0]
            for row in connection.execute(
                "SELECT key FROM delta.sales_delta JOIN snapshot.woo_sales AS sold ON sold.id = woo_id "
                "WHERE kind = 'refund' AND refund_id IS NULL AND gone IS NOT NULL "
                "AND list_contains($sent, action) ORDER BY key",
                {"sent": list(SENT_ACTIONS)},
            ).fetchall()
        ]
    problem = (
        f"it reverses {len(keys)} sales because their orders are gone from the store "
        f"(SOLTEQ_WOO_DELETED_ORDERS_AT_ONCE allows {settings.deleted_orders_at_once})"
    )
    return _verdict(
        context,
        config,
        database,
        delta="sales_delta",
        check="reversals",
        problems=[problem] if len(keys) > settings.deleted_orders_at_once else [],
        metadata={"reversals": len(keys), "keys": keys[:KEYS_SHOWN]},
    )


def customer_removals(
    context: dg.AssetCheckExecutionContext, config: GuardRailConfig, settings: Settings, database: StateDatabase
) -> dg.AssetCheckResult:
    """Whether the delta removes few enough of the store's accounts."""
    with database.transaction() as connection:
        removed, accounts = connection.execute(
            "SELECT (SELECT count(*) FROM delta.woo_customer_delta WHERE action = 'remove'), "
            "(SELECT count(*) FROM snapshot.woo_customer_accounts)"
        ).fetchall()[0]
    problem = (
        f"it removes {removed} of the store's {accounts} accounts (SOLTEQ_WOO_CUSTOMER_REMOVALS_PERCENT allows "
        f"{settings.customer_removals_percent} %)"
    )
    is_problem = removed * 100 > settings.customer_removals_percent * accounts
    return _verdict(
        context,
        config,
        database,
        delta="woo_customer_delta",
        check="removals",
        problems=[problem] if is_problem else [],
        metadata={"removed": removed, "accounts": accounts},
    )


def _verdict(
    context: dg.AssetCheckExecutionContext,
    config: GuardRailConfig,
    database: StateDatabase,
    *,
    delta: str,
    check: str,
    problems: Sequence[str],
    metadata: Mapping[str, Any],
) -> dg.AssetCheckResult:
    """Stop the delta or let it pass, and say so."""
    if problems and not config.let_pass:  # lest the delivery asset, materialized alone, send it
        with database.transaction() as connection:
            connection.execute(
                f"UPDATE delta.{delta} SET action = 'stopped' WHERE list_contains($sent, action)",
                {"sent": list(SENT_ACTIONS)},
            )
    if problems and config.let_pass:
        _tag(context, f"{delta}: {check}")
        context.log.warning(f"Let pass: {'; '.join(problems)}.")
    words = (
        f"The delivery is stopped: {'; '.join(problems)}. If that is meant, run the job from the launchpad with "
        f"ops: {{{delta}_{check}: {{config: {{let_pass: true}}}}}}, or solteq-woo sync with --let-pass."
    )
    return dg.AssetCheckResult(
        passed=not problems or config.let_pass, metadata=metadata, description=words if problems else None
    )


def _tag(context: dg.AssetCheckExecutionContext, what: str) -> None:
    """Say in the run's tags what was let pass; one run may let several pass."""
    run = context.instance.get_run_by_id(context.run.run_id)
    before = run.tags.get(LET_PASS_TAG) if run else None
    context.instance.add_run_tags(context.run.run_id, {LET_PASS_TAG: ", ".join(filter(None, (before, what)))})
