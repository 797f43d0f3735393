"""Where campaigns come from, and what the flow's sensor looks at."""

from solteq_woo_assets.clients.solteq_documents import CampaignDocument, Feed
from solteq_woo_assets.engine.sources import feed_source
from solteq_woo_assets.flows.campaigns.tables import SOLTEQ_CAMPAIGNS
from solteq_woo_assets.flows.products.frames import campaign_frame
from solteq_woo_assets.settings import Settings

FLOW = "campaigns"


def campaign_feed(settings: Settings) -> Feed:
    """Solteq's campaign feed, where this tenant has it."""
    return Feed(FLOW, *settings.solteq_feeds[FLOW], CampaignDocument)


SOURCE = feed_source(campaign_feed, SOLTEQ_CAMPAIGNS, campaign_frame)
