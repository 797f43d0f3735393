"""Guard rail of sales: how many booked sales are reversed."""

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.guard_rails import KEYS_SHOWN, Delta, GuardRails, Verdict, share

# A document in sync.sales has left, or may have; what was adopted from Solteq was not sent from here.
_REVERSALS = """
WITH sent AS (
    SELECT key, kind, state, delivery_id FROM sync.deliveries WHERE created_at >= $begin AND flow = 'sales'
), due AS (
    SELECT key, woo_id, coalesce(gone, status) AS why
    FROM own JOIN snapshot.woo_sales AS sold ON sold.id = woo_id
    WHERE kind = 'refund' AND refund_id IS NULL AND key NOT IN (SELECT external_id FROM sync.sales)
), earlier AS (
    SELECT DISTINCT order_id FROM sync.sales JOIN sent ON sent.key = external_id
    WHERE type = 'Refund' AND refund_id IS NULL AND delivery_id NOT IN (FROM passed)
)
SELECT
    (SELECT list(key ORDER BY key) FROM due), (SELECT count(DISTINCT woo_id) FROM due),
    (SELECT count(DISTINCT woo_id) FROM due WHERE why IN ('binned', 'deleted')),
    (SELECT count(*) FROM earlier WHERE order_id NOT IN (SELECT woo_id FROM due)),
    (SELECT count(DISTINCT key) FROM sent WHERE kind = 'sale' AND state = 'delivered')
"""


def reversals(delta: Delta) -> Verdict:
    """Not too many booked sales are reversed within the window: a restored backup lacks orders, a plugin cancels them
    all.

    By orders. What an earlier run sent without an answer was judged then.
    """
    settings = delta.settings
    with sql.reading(delta.connection, **delta.inputs("reversals")):
        keys, count, gone, earlier, booked = delta.connection.execute(_REVERSALS, {"begin": delta.begin}).fetchall()[0]
    keys = keys or []
    counted = share(count, earlier, booked, percent=settings.reversals_percent, few=settings.reversals_at_once)
    problem = (
        f"it reverses {count} booked sales, {gone} of them because their orders are gone from the store"
        f"{counted.earlier_words(settings)} (SOLTEQ_WOO_REVERSALS_AT_ONCE allows {settings.reversals_at_once}, "
        f"SOLTEQ_WOO_REVERSALS_PERCENT {settings.reversals_percent} % of the {booked} sales booked meanwhile)"
    )
    metadata = {
        **{"reversals": count, "of_orders_that_are_gone": gone, "keys": keys[:KEYS_SHOWN]},
        **counted.metadata(settings),
    }
    return Verdict("reversals", [problem] if counted.is_too_large else [], keys, metadata)


# Of an order what comes after its reversal: the sale that takes its place, its refunds.
_DEPENDENTS = """
SELECT later.key FROM delta.sales_delta AS later JOIN delta.sales_delta AS stopped USING (woo_id)
WHERE stopped.key IN (SELECT key FROM meant) AND later.version > stopped.version
"""

GUARD_RAILS = GuardRails("sales", "sales_delta", [reversals], _DEPENDENTS)
