"""Guard rails of prices: one rule makes them, so one rail watches them, whichever flow writes."""

import duckdb

from solteq_woo_assets.engine import sql, stopped
from solteq_woo_assets.engine.guard_rails import KEYS_SHOWN, Delta, GuardRails, Verdict, share

FEW_CUTS = 1
"""So many products may always be cut deeply. A wrong price sells at once, so it is the fewest that there can be."""
_OF_PRODUCTS, _OF_CAMPAIGNS = ("products", "product_delta"), ("campaigns", "campaign_price_delta")
"""Both flows write prices: the rail of each counts the other's rows, too."""


def price_cuts(delta: Delta) -> Verdict:
    """Not too many prices fall by too much within the window, and none below its purchase price when that is minded."""
    settings = delta.settings
    other_flow, other = _OF_PRODUCTS if delta.flow == "campaigns" else _OF_CAMPAIGNS
    others = stopped.without_passes(delta.connection, other, other_flow, "price_cuts").union(_stopped(delta, other))
    with sql.steps(delta.connection, __name__, others=others, **delta.inputs("price_cuts")) as steps:
        given = {"now": delta.now, "begin": delta.begin, "percent": settings.price_cut_percent}
        (row,) = steps.frame("price_cuts", other_flow=other_flow, **given).rows()
    cut, in_all, here, below, products = row[0] or [], *row[1:3], row[3] or [], row[4]
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


def _stopped(delta: Delta, name: str) -> duckdb.DuckDBPyRelation:
    """The rows of a delta that this rail stopped."""
    return delta.connection.sql(
        f"FROM delta.{name} WHERE action = 'stopped' AND starts_with(reason, 'stopped by price_cuts')"
    )


def _stopped_in_products(delta: Delta) -> list[str]:
    """Rows of campaigns whose product's own price is stopped: they would bring it to the store all the same."""
    with sql.reading(delta.connection, stopped=_stopped(delta, "product_delta"), **delta.inputs("price_cuts")):
        rows = delta.connection.execute(
            "SELECT key FROM own WHERE sku_key(key) IN (SELECT sku_key(key) FROM stopped) ORDER BY key"
        ).fetchall()
    return [row[0] for row in rows]


GUARD_RAILS = GuardRails(*_OF_CAMPAIGNS, [price_cuts])
