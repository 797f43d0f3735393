"""The sources of customers, which the sensors of the two flows watch."""

from solteq_woo_assets.engine.feeds import PAGE_SIZE
from solteq_woo_assets.engine.flow import Source
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.flows.customers.snapshots import ACCOUNTS, FEED, known_accounts

FLOW = "customers"
"""The name of the assets and the lease: the two directions never run side by side, since they merge the same people."""


def _new_accounts(shop: Shop) -> str | None:
    """Asks the store for its newest accounts; what changed of the others it cannot tell."""
    newest = shop.woo.customers.newest(PAGE_SIZE)
    with shop.database.transaction() as connection:
        known = known_accounts(connection)
    new = sum(account.id not in known for account in newest.rows)
    return f"{new} new accounts in the store" if new else None


FROM_SOLTEQ = FEED.source()
FROM_WOO = Source(
    ACCOUNTS,
    "the store for new accounts",
    _new_accounts,
    covers=lambda shop, before: before.is_made_for(shop.settings.tax_code_meta),
)
