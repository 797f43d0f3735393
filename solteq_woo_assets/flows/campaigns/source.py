"""Where campaigns come from, and what the flow's sensor looks at."""

from datetime import datetime

import duckdb

from solteq_woo_assets.clients.solteq import CampaignDocument, Feed
from solteq_woo_assets.engine.sources import feed_source
from solteq_woo_assets.engine.steps import count_rows
from solteq_woo_assets.flows.campaigns.tables import SOLTEQ_CAMPAIGNS
from solteq_woo_assets.flows.products.frames import campaign_frame
from solteq_woo_assets.settings import Settings

FLOW = "campaigns"


def campaign_feed(settings: Settings) -> Feed:
    """Solteq's campaign feed, where this tenant has it."""
    return Feed(FLOW, *settings.solteq_feeds[FLOW], CampaignDocument)


def _campaign_calendar(connection: duckdb.DuckDBPyConnection, now: datetime) -> str | None:
    """A sale begins or ends, or two flows side by side wrote prices and the one that knew less wrote last."""
    comparisons = connection.execute(
        "SELECT flow, computed_at, next_edge FROM sync.comparisons WHERE flow IN ('products', 'campaigns') "
        "ORDER BY computed_at DESC"
    ).fetchall()
    if not comparisons:
        return None
    (_, newest, _), *older = comparisons
    edge = min((edge for _, _, edge in comparisons if edge is not None), default=None)
    if edge is not None and edge <= now:
        return f"a sale begins or ends at {edge.isoformat()}Z"
    outdated = count_rows(
        connection,
        "SELECT count(*) FROM sync.deliveries WHERE settled_at > $newest AND list_contains($older, flow) "
        "AND state = 'delivered' "
        "AND list_has_any(list_transform(changes, lambda c: c.field), ['regular_price', 'sale_price'])",
        {"newest": newest, "older": [flow for flow, _, _ in older]},
    )
    return f"{outdated} prices were written after a newer comparison" if outdated else None


SOURCE = feed_source(campaign_feed, SOLTEQ_CAMPAIGNS, campaign_frame, _campaign_calendar)
