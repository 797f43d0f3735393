"""The source of products, which the flow's sensor watches."""

from solteq_woo_assets.clients.solteq_documents import Feed, ProductDocument
from solteq_woo_assets.engine.sources import feed_source
from solteq_woo_assets.flows.products.frames import product_frame
from solteq_woo_assets.flows.products.tables import SOLTEQ_PRODUCTS
from solteq_woo_assets.settings import Settings

FLOW = "products"


def product_feed(settings: Settings) -> Feed:
    """Solteq's product feed, where this tenant has it."""
    return Feed(FLOW, *settings.solteq_feeds[FLOW], ProductDocument)


SOURCE = feed_source(product_feed, SOLTEQ_PRODUCTS, product_frame)
