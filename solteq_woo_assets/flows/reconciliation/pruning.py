"""Old rows are deleted when neither the law nor a guarantee needs them any more."""

import re
from datetime import datetime, timedelta

import duckdb

from solteq_woo_assets.settings import Settings

_SALES = "sales"

# The newest write of each field that arrived stays: it tells an edit in the store from a change in Solteq, and explains
# the store's value. Writes that are not settled stay, and so do those that created something.
_DELIVERIES = """
DELETE FROM sync.deliveries WHERE delivery_id IN (
    SELECT row.delivery_id FROM sync.deliveries AS row
    WHERE row.created_at < CASE row.flow WHEN $sales THEN $sales_limit ELSE $limit END
        AND row.state IN ('delivered', 'refused', 'interrupted', 'superseded')
        AND (row.flow = $sales OR row.state <> 'delivered' OR row.action <> 'create' AND NOT EXISTS (
            FROM unnest(row.changes) AS unnested(change) WHERE NOT EXISTS (
                FROM sync.deliveries AS later
                WHERE later.flow = row.flow AND later.key = row.key AND later.state = 'delivered'
                    AND (later.created_at, later.delivery_id) > (row.created_at, row.delivery_id)
                    AND list_contains(list_transform(later.changes, lambda c: c.field), change.field)
            )
        ))
)
"""
_PRICES = "DELETE FROM sync.price_history WHERE valid_to < $price_limit"
_CONFLICTS = "DELETE FROM sync.customer_conflicts WHERE settled_at < $limit"
_RECONCILIATION = """
DELETE FROM sync.reconciliation
WHERE reconciled_at < $limit AND reconciled_at < (SELECT max(reconciled_at) FROM sync.reconciliation)
"""
# Whole orders, together with what was read of them: an order that is known and has no document would be booked anew.
_OLD_ORDERS = """
CREATE TEMP TABLE old_orders AS SELECT order_id FROM sync.sales GROUP BY order_id
HAVING max(sent_at) < $sales_limit AND bool_and(state = 'booked')
    AND order_id NOT IN (SELECT order_id FROM sync.sales_conflicts)
"""
_OF_ORDERS = ("lines", "taxes", "refunds", "payments")


def prune(connection: duckdb.DuckDBPyConnection, settings: Settings, now: datetime) -> int:
    """Delete rows that are older than the settings say; how many were deleted.

    :param now: in UTC, without a zone
    """
    limits = {
        "limit": now - timedelta(days=settings.keep_history_days),
        "price_limit": now - timedelta(days=settings.keep_price_history_days),
        "sales_limit": now - timedelta(days=settings.keep_sales_days),
        "sales": _SALES,
    }
    connection.execute(_OLD_ORDERS, {"sales_limit": limits["sales_limit"]})
    queries = [
        *(_DELIVERIES, _PRICES, _CONFLICTS, _RECONCILIATION),
        "DELETE FROM sync.sales WHERE order_id IN (FROM old_orders)",
        "DELETE FROM snapshot.woo_sales WHERE id IN (FROM old_orders)",
        *(f"DELETE FROM snapshot.woo_sales_{part} WHERE order_id IN (FROM old_orders)" for part in _OF_ORDERS),
    ]
    pruned = 0
    for query in queries:
        used = {name: value for name, value in limits.items() if re.search(rf"\${name}\b", query)}
        pruned += connection.execute(query, used or None).fetchall()[0][0]
    connection.execute("DROP TABLE old_orders")
    return pruned
