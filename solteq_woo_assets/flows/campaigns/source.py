"""Where campaigns come from, and what the flow's sensor looks at."""

from zoneinfo import ZoneInfo

import duckdb

from solteq_woo_assets.clients.solteq_documents import CampaignDocument
from solteq_woo_assets.engine.feeds import FeedTable
from solteq_woo_assets.engine.snapshot import watermark
from solteq_woo_assets.flows.campaigns.pricing import PricingRules
from solteq_woo_assets.flows.campaigns.tables import SOLTEQ_CAMPAIGNS
from solteq_woo_assets.settings import Settings

FLOW = "campaigns"
FEED = FeedTable(FLOW, CampaignDocument, SOLTEQ_CAMPAIGNS)
SOURCE = FEED.source()


def pricing_rules(connection: duckdb.DuckDBPyConnection, settings: Settings) -> PricingRules:
    """The settings that decide sale prices, for whichever flow asks."""
    return PricingRules(
        zone=ZoneInfo(settings.timezone),
        web_store=settings.web_store,
        campaign_choice=settings.campaign_choice,
        harmless_fields=settings.harmless_campaign_fields,
        campaigns_are_known=watermark(connection, SOLTEQ_CAMPAIGNS.name) is not None,
    )
