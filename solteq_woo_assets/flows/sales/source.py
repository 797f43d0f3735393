"""What the sensor of the sales flow looks at."""

from datetime import datetime
from zoneinfo import ZoneInfo

import duckdb

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.flow import Source
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.snapshot import watermark
from solteq_woo_assets.engine.steps import count_rows
from solteq_woo_assets.flows.sales.snapshots import ORDERS, covers


def _changed_orders(shop: Shop) -> str | None:
    """Asks the store for orders that changed since the last read."""
    with shop.database.transaction() as connection:
        before = watermark(connection, ORDERS)
    if before is None:  # it was, a moment ago
        return None
    recent = shop.woo.orders.modified(before.position)
    with shop.database.transaction() as connection, sql.Steps(connection, __name__) as steps:
        known = dict(steps.frame("seen", ids=list(recent)).iter_rows())
    changed = sum(known.get(order_id) != modified for order_id, modified in recent.items())
    return f"{changed} new or changed orders in the store" if changed else None


def _orders_not_compared(connection: duckdb.DuckDBPyConnection, _now: datetime) -> str | None:
    """Another flow, stock, read them, or the run that did broke off."""
    read = count_rows(
        connection,
        f"SELECT count(*) FROM {ORDERS} WHERE read_at > "
        "coalesce((SELECT computed_at FROM sync.comparisons WHERE flow = 'sales'), TIMESTAMP '1970-01-01')",
    )
    return f"{read} orders were read after the last comparison" if read else None


SOURCE = Source(
    ORDERS,
    "the store for changed orders",
    _changed_orders,
    _orders_not_compared,
    covers=lambda shop, before: covers(before, shop.settings.sales_from, ZoneInfo(shop.settings.timezone)),
)
