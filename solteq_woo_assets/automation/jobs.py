"""The jobs that people and schedules run: one a flow, and one that reads both sides in full."""

import dagster as dg

from solteq_woo_assets.assets import balances, campaigns, customers, products

PRODUCTS_TO_WOO = dg.define_asset_job(
    "products_to_woo",
    selection=dg.AssetSelection.assets(
        products.solteq_products, products.woo_catalogue, products.product_delta, products.woo_products
    ),
    description="Brings new and changed products and prices from Solteq to the web store.",
    executor_def=dg.in_process_executor,
)
BALANCES_TO_WOO = dg.define_asset_job(
    "balances_to_woo",
    selection=dg.AssetSelection.assets(
        balances.solteq_balances, products.woo_catalogue, balances.balance_delta, balances.woo_stock
    ),
    description="Brings changed stock balances from Solteq to the web store.",
    executor_def=dg.in_process_executor,
)

CAMPAIGNS_TO_WOO = dg.define_asset_job(
    "campaigns_to_woo",
    selection=dg.AssetSelection.assets(
        campaigns.solteq_campaigns,
        products.woo_catalogue,
        campaigns.campaign_price_delta,
        campaigns.woo_campaign_prices,
    ),
    description="Brings campaign prices from Solteq to the web store as sale prices, and takes them back.",
    executor_def=dg.in_process_executor,
)

CUSTOMERS_TO_WOO = dg.define_asset_job(
    "customers_to_woo",
    selection=dg.AssetSelection.assets(
        customers.solteq_customers,
        customers.woo_customer_accounts,
        customers.woo_customer_delta,
        customers.woo_customers,
    ),
    description="Tells the web store what changed of its customers in Solteq.",
    executor_def=dg.in_process_executor,
)
CUSTOMERS_TO_SOLTEQ = dg.define_asset_job(
    "customers_to_solteq",
    selection=dg.AssetSelection.assets(
        customers.solteq_customers,
        customers.woo_customer_accounts,
        customers.solteq_customer_delta,
        customers.solteq_customer_updates,
    ),
    description="Tells Solteq of new accounts in the web store, and of what changed in the others.",
    executor_def=dg.in_process_executor,
)

FULL_READS = (
    "solteq_campaigns",
    "solteq_products",
    "solteq_balances",
    "solteq_customers",
    "woo_catalogue",
    "woo_customer_accounts",
)
DELTAS = (
    "campaign_price_delta",
    "product_delta",
    "balance_delta",
    "woo_customer_delta",
    "solteq_customer_delta",
)

RECONCILE_ALL = dg.define_asset_job(
    "reconcile_all",
    selection=dg.AssetSelection.all(),
    description=(
        "Reads both sides in full, compares everything and puts right what differs; tries again what the store refused."
    ),
    executor_def=dg.in_process_executor,
    config={
        "ops": {
            **{name: {"config": {"full": True}} for name in FULL_READS},
            **{name: {"config": {"retry_refused": True}} for name in DELTAS},
        }
    },
)


@dg.job(name="erase_customer", executor_def=dg.in_process_executor)
def ERASE_CUSTOMER() -> None:
    """Erases everything personal of one customer from this integration's database, for good."""
    customers.erase_from_database()


FLOW_JOBS = {
    campaigns.FLOW: CAMPAIGNS_TO_WOO,
    products.FLOW: PRODUCTS_TO_WOO,
    balances.FLOW: BALANCES_TO_WOO,
    customers.TO_WOO: CUSTOMERS_TO_WOO,
    customers.TO_SOLTEQ: CUSTOMERS_TO_SOLTEQ,
}
"""The job of each flow. Campaigns come first: new products then begin with the right sale price."""
DELIVERY_ASSETS = {
    campaigns.FLOW: "woo_campaign_prices",
    products.FLOW: "woo_products",
    balances.FLOW: "woo_stock",
    customers.TO_WOO: "woo_customers",
    customers.TO_SOLTEQ: "solteq_customer_updates",
}
DELTA_ASSETS = {
    campaigns.FLOW: "campaign_price_delta",
    products.FLOW: "product_delta",
    balances.FLOW: "balance_delta",
    customers.TO_WOO: "woo_customer_delta",
    customers.TO_SOLTEQ: "solteq_customer_delta",
}
