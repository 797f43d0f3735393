"""Every flow: what Dagster loads, what the command line knows, what is reconciled."""

from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.flows.balances.assets import BALANCES
from solteq_woo_assets.flows.campaigns.assets import CAMPAIGNS
from solteq_woo_assets.flows.customers.assets import CUSTOMERS_TO_SOLTEQ, CUSTOMERS_TO_WOO
from solteq_woo_assets.flows.products.assets import PRODUCTS
from solteq_woo_assets.flows.sales.assets import SALES

FLOWS: tuple[Flow, ...] = (CAMPAIGNS, PRODUCTS, BALANCES, CUSTOMERS_TO_WOO, CUSTOMERS_TO_SOLTEQ, SALES)
"""In the order in which one process runs them. Campaigns come first: new products begin with the right sale price."""
