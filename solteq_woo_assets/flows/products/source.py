"""The source of products, which the flow's sensor watches."""

from solteq_woo_assets.clients.solteq_documents import ProductDocument
from solteq_woo_assets.engine.feeds import FeedTable
from solteq_woo_assets.flows.products.frames import product_frame
from solteq_woo_assets.flows.products.tables import SOLTEQ_PRODUCTS

FLOW = "products"
FEED = FeedTable(FLOW, ProductDocument, SOLTEQ_PRODUCTS, product_frame)
SOURCE = FEED.source()
