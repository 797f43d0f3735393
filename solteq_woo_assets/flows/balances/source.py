"""The source of balances, which the flow's sensor watches."""

from datetime import datetime

import duckdb

from solteq_woo_assets.clients.solteq_documents import BalanceDocument
from solteq_woo_assets.engine.feeds import FeedTable
from solteq_woo_assets.engine.steps import count_rows
from solteq_woo_assets.flows.balances.tables import SOLTEQ_BALANCES

FLOW = "balances"


def _due(connection: duckdb.DuckDBPyConnection, _now: datetime) -> str | None:
    arrived = count_rows(
        connection,
        "SELECT count(*) FROM delta.balance_delta AS delta JOIN snapshot.woo_catalogue AS held "
        "ON sku_key(held.sku) = sku_key(delta.key) "
        "WHERE delta.action = 'wait' AND held.status <> 'trash' AND held.type NOT IN ('variable', 'grouped') "
        "AND held.id IS DISTINCT FROM delta.woo_id",
    )
    if arrived:
        return f"{arrived} balances were waiting for their product, which has arrived"
    back = count_rows(
        connection,
        "SELECT count(*) FROM sync.deliveries AS sent JOIN sync.comparisons AS compared ON compared.flow = $flow "
        "WHERE sent.action = 'restore' AND sent.state = 'delivered' AND sent.settled_at >= compared.computed_at",
        {"flow": FLOW},
    )
    return f"{back} products are on sale again" if back else None


FEED = FeedTable(FLOW, BalanceDocument, SOLTEQ_BALANCES)
SOURCE = FEED.source(_due)
