"""Where products come from, and what the flow's sensor looks at."""

from solteq_woo_assets.clients.solteq import ProductDocument
from solteq_woo_assets.engine.sources import FeedTable
from solteq_woo_assets.flows.products.frames import product_frame
from solteq_woo_assets.flows.products.tables import SOLTEQ_PRODUCTS

FLOW = "products"
FEED = FeedTable(FLOW, ProductDocument, SOLTEQ_PRODUCTS, product_frame)
SOURCE = FEED.source()
