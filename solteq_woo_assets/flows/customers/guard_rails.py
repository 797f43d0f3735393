"""Guard rails of customers: how many accounts are removed, and how many customers part from theirs."""

from solteq_woo_assets.engine.guard_rails import FEW, Delta, GuardRails, Limit, Verdict, count
from solteq_woo_assets.engine.stopped import STOPPABLE

FEW_REMOVALS = 3
"""The number of accounts that may always be removed: people ask for it one by one, and a removed account is gone."""

_REMOVALS = """
WITH earlier AS (
    SELECT DISTINCT woo_id FROM sync.deliveries LEFT JOIN snapshot.woo_customer_accounts AS held ON held.id = woo_id
    WHERE created_at >= $begin AND flow = 'customers_to_woo' AND action = 'remove' AND delivery_id NOT IN (FROM passed)
        AND (state = 'pending' OR held.id IS NULL)
), removed AS (SELECT key, woo_id FROM own WHERE action = 'remove')
SELECT
    (SELECT list(key ORDER BY key) FROM removed),
    (SELECT count(*) FROM earlier WHERE woo_id NOT IN (SELECT woo_id FROM removed)),
    (SELECT count(*) FROM (SELECT id FROM snapshot.woo_customer_accounts UNION SELECT woo_id FROM earlier))
"""


def removals(delta: Delta) -> Verdict:
    """Not too many accounts are removed within the window: the store keeps nothing of a removed account."""
    return count(
        delta,
        "removals",
        _REMOVALS,
        Limit("SOLTEQ_WOO_CUSTOMER_REMOVALS_PERCENT", delta.settings.customer_removals_percent, FEW_REMOVALS),
        "it removes {count} of the store's {of} accounts",
        names=("removed", "accounts"),
    )


_PARTINGS = """
WITH earlier AS (
    SELECT solteq_id FROM sync.customers WHERE state = 'unlinked' AND since >= $begin AND 'link ' || solteq_id NOT IN (
        SELECT key FROM sync.stopped WHERE rail = 'partings' AND let_pass_at IS NOT NULL)
)
SELECT
    (SELECT list(key ORDER BY key) FROM own WHERE action = 'part'),
    (SELECT count(*) FROM earlier),
    (SELECT count(*) FROM sync.customers WHERE state = 'linked') + (SELECT count(*) FROM earlier)
"""


def partings(delta: Delta) -> Verdict:
    """Not too many customers and accounts part within the window: what both sides agreed on is forgotten then.

    A feed that shows everybody as deleted, or a store without its accounts, is no reason to.
    """
    return count(
        delta,
        "partings",
        _PARTINGS,
        Limit("SOLTEQ_WOO_CUSTOMER_REMOVALS_PERCENT", delta.settings.customer_removals_percent, FEW),
        "it parts {count} of {of} customers from their accounts",
        names=("parted", "linked"),
        actions=STOPPABLE,
    )


GUARD_RAILS = GuardRails("customers_to_woo", "woo_customer_delta", [partings, removals])
