"""Solteq's feeds, where they usually are."""

from solteq_woo_assets.clients.solteq_customers import CustomerDocument
from solteq_woo_assets.clients.solteq_documents import BalanceDocument, CampaignDocument, Feed, ProductDocument
from solteq_woo_assets.settings import FEEDS

PRODUCTS = Feed("products", *FEEDS["products"], ProductDocument)
BALANCES = Feed("balances", *FEEDS["balances"], BalanceDocument)
CAMPAIGNS = Feed("campaigns", *FEEDS["campaigns"], CampaignDocument)
CUSTOMERS = Feed("customers", *FEEDS["customers"], CustomerDocument)
