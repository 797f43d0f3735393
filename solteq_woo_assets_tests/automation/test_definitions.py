"""The code location as Dagster and the people in its UI see it: it loads, and everything in it says what it is."""

from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.workspace.autodiscovery import loadable_targets_from_loaded_module

from solteq_woo_assets import definitions as location
from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.settings import Settings

pytestmark = pytest.mark.usefixtures("no_settings")

FLOW_ASSETS = {
    "products_to_woo": {"solteq_products", "product_delta", "woo_products"},
    "balances_to_woo": {"solteq_balances", "sales_under_way", "balance_delta", "woo_stock"},
    "campaigns_to_woo": {"solteq_campaigns", "campaign_price_delta", "woo_campaign_prices"},
    "customers_both_ways": {
        *("solteq_customers", "woo_customer_accounts"),
        *("woo_customer_delta", "woo_customers"),
        *("solteq_customer_delta", "solteq_customer_updates"),
    },
    "sales_to_solteq": {"woo_sales", "sales_delta", "solteq_sales"},
    "store": {"woo_catalogue"},
    "reconciliation": {"reconciliation"},
}
OUTSIDE = {
    "solteq": {
        *("solteq/products", "solteq/balances", "solteq/campaigns", "solteq/customers"),
        *("solteq/customer_register", "solteq/sales"),
    },
    "woocommerce": {
        *("woocommerce/catalogue", "woocommerce/accounts", "woocommerce/orders"),
        *("woocommerce/products", "woocommerce/customers"),
    },
}
"""What is read and written in the two systems."""
FLOW_JOBS = {
    *("products_to_woo", "balances_to_woo", "campaigns_to_woo"),
    *("customers_to_woo", "customers_to_solteq", "sales_to_solteq"),
}
JOBS = FLOW_JOBS | {"reconcile_all"}
SNAPSHOTS = {
    *("solteq_products", "solteq_balances", "solteq_campaigns", "solteq_customers"),
    *("woo_catalogue", "woo_customer_accounts"),
}
OTHER_JOBS = {"erase_customer", "retry_sales", "retry_quarantined", *(f"full_refresh_{name}" for name in SNAPSHOTS)}
REAL_STORE = {
    "WOO_URL": "https://shop.example",
    "WOO_CONSUMER_KEY": "ck",
    "WOO_CONSUMER_SECRET": "cs",
    "sandbox": "solteq",
}


@pytest.fixture
def definitions() -> dg.Definitions:
    return build_definitions(Settings())


def assets_of(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    """Every asset by its name."""
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def jobs_of(definitions: dg.Definitions) -> dict[str, dg.JobDefinition]:
    """Every job of ours by its name."""
    return {job.name: job for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")}


def test_definitions_load(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_dagster_finds_the_definitions_in_the_module() -> None:
    """``workspace.yaml`` names the module; Dagster looks in it for one thing to load."""
    (target,) = loadable_targets_from_loaded_module(location)
    assert target.attribute == "defs"
    dg.Definitions.validate_loadable(location.defs())


def test_names_are_those_that_others_rely_on(definitions: dg.Definitions) -> None:
    assert set(assets_of(definitions)) == set().union(*FLOW_ASSETS.values(), *OUTSIDE.values())
    assert set(jobs_of(definitions)) == JOBS | OTHER_JOBS
    assert {sensor.name for sensor in definitions.sensors or []} == {f"{job}_sensor" for job in FLOW_JOBS}
    schedules = {f"{job}_schedule" for job in JOBS} | {"customer_accounts_schedule"}
    assert {schedule.name for schedule in definitions.schedules or []} == schedules
    assert {str(key.to_user_string()) for key in definitions.resolve_asset_graph().asset_check_keys} == {
        "product_delta:no_sku_twice",
        "product_delta:prices_are_positive",
        "product_delta:price_cuts",
        "product_delta:unpublished",
        "woo_products:catalogue_agrees",
        "balance_delta:no_stock_twice",
        "balance_delta:out_of_stock",
        "woo_stock:stock_agrees",
        "campaign_price_delta:price_cuts",
        "woo_campaign_prices:sale_prices_agree",
        "woo_customer_delta:partings",
        "woo_customer_delta:removals",
        "woo_customers:accounts_agree",
        "solteq_customer_updates:customers_agree",
        "sales_delta:no_document_twice",
        "sales_delta:reversals",
        "reconciliation:nothing_survives",
        "solteq_sales:days_agree",
        "solteq_sales:no_conflicts",
    }


def test_lineage_is_snapshot_delta_delivery(definitions: dg.Definitions) -> None:
    parents = {
        name: {dep.asset_key.to_user_string() for dep in spec.deps} for name, spec in assets_of(definitions).items()
    }
    assert parents == {
        "solteq_products": {"solteq/products"},
        "solteq_balances": {"solteq/balances"},
        "woo_catalogue": {"woocommerce/catalogue"},
        "product_delta": {"solteq_products", "woo_catalogue"},
        "sales_under_way": {"woo_sales"},
        "balance_delta": {"solteq_balances", "woo_catalogue", "sales_under_way"},
        "solteq_campaigns": {"solteq/campaigns"},
        "campaign_price_delta": {"solteq_campaigns", "solteq_products", "woo_catalogue", "woo_products"},
        "woo_campaign_prices": {"campaign_price_delta"},
        "woo_products": {"product_delta"},
        "woo_stock": {"balance_delta"},
        "solteq_customers": {"solteq/customers"},
        "woo_customer_accounts": {"woocommerce/accounts"},
        "woo_customer_delta": {"solteq_customers", "woo_customer_accounts"},
        "solteq_customer_delta": {"solteq_customers", "woo_customer_accounts"},
        "woo_customers": {"woo_customer_delta"},
        "solteq_customer_updates": {"solteq_customer_delta"},
        "woo_sales": {"woocommerce/orders"},
        "sales_delta": {"woo_sales"},
        "solteq_sales": {"sales_delta"},
        "reconciliation": set(),  # it comes after the snapshots by its priority, whether they succeed or not
        "woocommerce/products": {"woo_products", "woo_stock", "woo_campaign_prices"},
        "woocommerce/customers": {"woo_customers"},
        "solteq/customer_register": {"solteq_customer_updates"},
        "solteq/sales": {"solteq_sales"},
        **{f"solteq/{feed}": set() for feed in ("products", "balances", "campaigns", "customers")},
        **{f"woocommerce/{resource}": set() for resource in ("catalogue", "accounts", "orders")},
    }


def test_each_asset_says_what_it_is(definitions: dg.Definitions) -> None:
    for name, spec in assets_of(definitions).items():
        assert spec.description, name
        assert spec.owners, name
        assert spec.kinds, name
        assert spec.code_version or "/" in name, name
        assert name in (FLOW_ASSETS | OUTSIDE)[spec.group_name or ""], name


def test_each_job_sensor_schedule_and_check_has_a_description(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    described = {
        **{name: job.description for name, job in jobs_of(definitions).items()},
        **{
            automation.name: automation.description
            for automation in (*(definitions.sensors or []), *(definitions.schedules or []))
            if isinstance(automation, dg.SensorDefinition | dg.ScheduleDefinition)
        },
        **{key.to_user_string(): graph.get_check_spec(key).description for key in graph.asset_check_keys},
    }
    assert [name for name, description in described.items() if not description] == []
    assert len(described) == 16 + 6 + 8 + 19


def test_no_check_stops_a_delivery(definitions: dg.Definitions) -> None:
    """One wrong record would stop all others: a guard rail stops rows and says so, and the others are sent."""
    graph = definitions.resolve_asset_graph()
    assert {key.name for key in graph.asset_check_keys if graph.get_check_spec(key).blocking} == set()


def test_each_job_holds_its_flow(definitions: dg.Definitions) -> None:
    selected = {
        name: {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
        for name, job in jobs_of(definitions).items()
    }
    assert selected == {
        "products_to_woo": FLOW_ASSETS["products_to_woo"] | FLOW_ASSETS["store"],
        "balances_to_woo": FLOW_ASSETS["balances_to_woo"] | FLOW_ASSETS["store"],
        "campaigns_to_woo": FLOW_ASSETS["campaigns_to_woo"] | FLOW_ASSETS["store"],
        "customers_to_woo": FLOW_ASSETS["customers_both_ways"] - {"solteq_customer_delta", "solteq_customer_updates"},
        "customers_to_solteq": FLOW_ASSETS["customers_both_ways"] - {"woo_customer_delta", "woo_customers"},
        "reconcile_all": set().union(*FLOW_ASSETS.values()),
        "sales_to_solteq": FLOW_ASSETS["sales_to_solteq"],
        "retry_sales": {"sales_delta", "solteq_sales"},
        "retry_quarantined": set().union(*FLOW_ASSETS.values()) - {"reconciliation"},
        **{f"full_refresh_{name}": {name} for name in SNAPSHOTS},
        "erase_customer": set(),
    }


def test_jobs_run_in_one_process(definitions: dg.Definitions) -> None:
    """A process a step would take three times as long, and the leases and the clients are the process's."""
    assert {job.executor_def.name for job in jobs_of(definitions).values()} == {"in_process"}


@pytest.mark.parametrize("flow", ["products", "balances", "campaigns", "customers", "sales"])
def test_a_pool_of_one_keeps_runs_of_a_flow_apart(definitions: dg.Definitions, flow: str) -> None:
    pools = {
        key.to_user_string(): assets.op.pool
        for assets in definitions.assets or []
        if isinstance(assets, dg.AssetsDefinition)
        for key in assets.keys
    }
    groups = {"customers": "customers_both_ways", "sales": "sales_to_solteq"}
    assert {name for name, pool in pools.items() if pool == flow} == FLOW_ASSETS[groups.get(flow, f"{flow}_to_woo")]


@pytest.mark.parametrize(
    ("flow", "sensor"),
    [
        ("products", "products_to_woo_sensor"),
        ("balances", "balances_to_woo_sensor"),
        ("campaigns", "campaigns_to_woo_sensor"),
        ("customers_to_woo", "customers_to_woo_sensor"),
        ("customers_to_solteq", "customers_to_solteq_sensor"),
        ("sales", "sales_to_solteq_sensor"),
    ],
)
def test_poll_seconds_set_the_sensor_and_0_leaves_it_out(flow: str, sensor: str) -> None:
    seconds = {
        each.name: each.minimum_interval_seconds
        for each in build_definitions(Settings.model_validate({f"{flow}_poll_seconds": 7})).sensors or []
    }
    assert seconds[sensor] == 7
    without = build_definitions(Settings.model_validate({f"{flow}_poll_seconds": 0}))
    assert sensor not in {each.name for each in without.sensors or []}
    dg.Definitions.validate_loadable(without)


@pytest.mark.parametrize(
    ("settings", "status"),
    [({}, dg.DefaultSensorStatus.RUNNING), (REAL_STORE, dg.DefaultSensorStatus.STOPPED)],
    ids=["sandbox", "real store"],
)
def test_sensors_start_switched_on_with_the_sandbox_on_both_sides_alone(
    settings: dict[str, str], status: dg.DefaultSensorStatus
) -> None:
    """On a real shop nothing is sent before the user says so."""
    sensors = build_definitions(Settings.model_validate(settings)).sensors or []
    assert {sensor.default_status for sensor in sensors} == {status}


def test_each_asset_shows_the_columns_of_its_table_and_how_old_it_may_be(definitions: dg.Definitions) -> None:
    """A newcomer sees what is in a table, and a flow that stands still turns red by itself."""
    ours = {name: spec for name, spec in assets_of(definitions).items() if "/" not in name}
    for name, spec in ours.items():
        columns = spec.metadata["dagster/column_schema"].columns
        assert columns, name
        assert all(column.description for column in columns), name
        assert spec.metadata["dagster/table_name"].rpartition(".")[2] in (name, "deliveries")
        assert spec.freshness_policy is not None, name


def test_a_flow_is_stale_when_two_turns_of_its_schedule_brought_nothing() -> None:
    without = {"sales_cron": "", "balances_cron": "*/5 6-22 * * *"}
    assets = assets_of(build_definitions(Settings.model_validate(without)))
    assert assets["solteq_sales"].freshness_policy is None, "nothing says how old it may be"
    assert assets["woo_stock"].freshness_policy == dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=14, minutes=20), warn_window=timedelta(hours=7, minutes=15)
    ), "it rests at night"
    assert assets["woo_products"].freshness_policy == dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=2, minutes=10), warn_window=timedelta(hours=1, minutes=10)
    )
