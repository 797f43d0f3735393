"""The jobs that people and schedules run: one a flow, and one that reads both sides in full."""

from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from solteq_woo_assets.flows.balances import assets as balances
from solteq_woo_assets.flows.campaigns import assets as campaigns
from solteq_woo_assets.flows.customers import assets as customers
from solteq_woo_assets.flows.products import assets as products
from solteq_woo_assets.flows.sales import assets as sales
from solteq_woo_assets.flows.sales.frames import local_day
from solteq_woo_assets.settings import Settings

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
        balances.solteq_balances,
        products.woo_catalogue,
        balances.sales_under_way,
        balances.balance_delta,
        balances.woo_stock,
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

# By name, since the days are those of the settings.
SALES_TO_SOLTEQ = dg.define_asset_job(
    "sales_to_solteq",
    selection=dg.AssetSelection.assets("woo_sales", "sales_delta", "solteq_sales"),
    description=(
        "Books the web store's sales and refunds in Solteq. Run for days, it reads those days whole; the sensor runs "
        "it for what changed, whatever its day."
    ),
    executor_def=dg.in_process_executor,
)
RETRY_SALES = dg.define_asset_job(
    "retry_sales",
    selection=dg.AssetSelection.assets("sales_delta", "solteq_sales"),
    description="Sends again the sales that Solteq refused: all, or those of the orders in the config of sales_delta.",
    executor_def=dg.in_process_executor,
    config={"ops": {"sales_delta": {"config": {"retry_refused": True}}}},
)
CHANGED_SALES = {"ops": {"woo_sales": {"config": {"changed_only": True}}}}
"""What a run of the sales' job is told when it is not for whole days."""

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
    "sales_delta",
)
RECONCILED_DAYS = 7
"""So many last days of sales are read whole, and asked for in Solteq, when everything is reconciled."""

RECONCILE_ALL = dg.define_asset_job(
    "reconcile_all",
    selection=dg.AssetSelection.all(),
    description=(
        "Reads both sides in full, reports what differs and why, and puts it right; tries again what was refused."
    ),
    executor_def=dg.in_process_executor,
    config={
        "ops": {
            **{name: {"config": {"full": True}} for name in FULL_READS},
            **{name: {"config": {"retry_refused": True}} for name in DELTAS},
            "woo_sales": {"config": {"changed_only": True, "recheck_days": RECONCILED_DAYS}},
            "sales_delta": {"config": {"retry_refused": True, "look_up_days": RECONCILED_DAYS}},
            "solteq_sales_days_agree": {"config": {"last_days": RECONCILED_DAYS, "read_back": True}},
        }
    },
)
RETRY_QUARANTINED = dg.define_asset_job(
    "retry_quarantined",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets("reconciliation"),
    description=(
        "Tries again everything that is held back: reads a feed in full when a document of it could not be read, "
        "and sends again what was refused."
    ),
    executor_def=dg.in_process_executor,
    config={
        "ops": {
            **{name: {"config": {"retry_quarantined": True}} for name in FULL_READS if name.startswith("solteq_")},
            **{name: {"config": {"retry_refused": True}} for name in DELTAS},
            "woo_sales": {"config": {"changed_only": True, "recheck_days": RECONCILED_DAYS}},
        }
    },
)
FULL_REFRESHES = [
    dg.define_asset_job(
        f"full_refresh_{name}",
        selection=dg.AssetSelection.assets(name),
        description=f"Reads {name} in full; nothing is compared or sent. The next run of its flow does that.",
        executor_def=dg.in_process_executor,
        config={"ops": {name: {"config": {"full": True}}}},
    )
    for name in FULL_READS
]
"""Of ``woo_sales``, a backfill of days is that."""


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
    sales.FLOW: SALES_TO_SOLTEQ,
}
"""The job of each flow. Campaigns come first: new products then begin with the right sale price."""
DELIVERY_ASSETS = {
    campaigns.FLOW: "woo_campaign_prices",
    products.FLOW: "woo_products",
    balances.FLOW: "woo_stock",
    customers.TO_WOO: "woo_customers",
    customers.TO_SOLTEQ: "solteq_customer_updates",
    sales.FLOW: "solteq_sales",
}
DELTA_ASSETS = {
    campaigns.FLOW: "campaign_price_delta",
    products.FLOW: "product_delta",
    balances.FLOW: "balance_delta",
    customers.TO_WOO: "woo_customer_delta",
    customers.TO_SOLTEQ: "solteq_customer_delta",
    sales.FLOW: "sales_delta",
}
BY_DAY = frozenset({SALES_TO_SOLTEQ.name, RETRY_SALES.name, RETRY_QUARANTINED.name, RECONCILE_ALL.name})
"""The jobs that run for a day, or several."""


def partition_of(job: str, settings: Settings, now: datetime) -> str | None:
    """The day that a job runs for when nobody says otherwise: today. ``None`` for jobs without days.

    :param now: naive UTC
    """
    return local_day(now, ZoneInfo(settings.timezone)).isoformat() if job in BY_DAY else None


def jobs(settings: Settings) -> list[dg.JobDefinition | UnresolvedAssetJobDefinition]:
    """Every job of ours; in shadow mode they end at the deltas."""
    asset_jobs = [*FLOW_JOBS.values(), RECONCILE_ALL, RETRY_QUARANTINED, RETRY_SALES, *FULL_REFRESHES]
    return [ERASE_CUSTOMER, *(map(_up_to_delta, asset_jobs) if settings.mode == "shadow" else asset_jobs)]


def _up_to_delta(job: UnresolvedAssetJobDefinition) -> UnresolvedAssetJobDefinition:
    """The job without its deliveries, and without what it tells their checks."""
    deliveries = DELIVERY_ASSETS.values()
    configured = job.config["ops"] if isinstance(job.config, dict) else {}
    kept = {name: told for name, told in configured.items() if not name.startswith(tuple(deliveries))}
    return dg.define_asset_job(
        job.name,
        selection=job.selection - dg.AssetSelection.assets(*deliveries),
        description=f"{job.description} Shadow mode: nothing is sent.",
        executor_def=dg.in_process_executor,
        config={"ops": kept},
    )
