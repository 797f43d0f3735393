"""The source of balances, which the flow's sensor watches."""

from datetime import datetime

import duckdb

from solteq_woo_assets.clients.solteq_documents import BalanceDocument, Feed
from solteq_woo_assets.engine.sources import feed_source
from solteq_woo_assets.engine.steps import count_rows
from solteq_woo_assets.flows.balances.tables import SOLTEQ_BALANCES
from solteq_woo_assets.flows.products.frames import balance_frame
from solteq_woo_assets.settings import Settings

FLOW = "balances"


def balance_feed(settings: Settings) -> Feed:
    """Solteq's balance feed, where this tenant has it."""
    return Feed(FLOW, *settings.solteq_feeds[FLOW], BalanceDocument)


def _waiting_balances(connection: duckdb.DuckDBPyConnection, _now: datetime) -> str | None:
    arrived = count_rows(
        connection,
        "SELECT count(*) FROM delta.balance_delta AS delta JOIN snapshot.woo_catalogue AS held "
        "ON sku_key(held.sku) = sku_key(delta.key) "
        "WHERE delta.action = 'wait' AND held.status <> 'trash' AND held.type NOT IN ('variable', 'grouped')",
    )
    return f"{arrived} balances were waiting for their product, which has arrived" if arrived else None


SOURCE = feed_source(balance_feed, SOLTEQ_BALANCES, balance_frame, _waiting_balances)
