"""The delta of a large catalogue of which 1 % has a new price, beside the bare join of its two tables.

Each measurement is in a process of its own, on a database that was just opened, as in a run.
"""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import dagster as dg

from benchmarks.figures import Figure, median
from benchmarks.shops import QUIET
from solteq_woo_assets.clients.connections import solteq_client, woo_client
from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.identity import Met, remember, sides
from solteq_woo_assets.flows.campaigns.pricing import PricingRules
from solteq_woo_assets.flows.products.rules import CatalogueRules, product_delta
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings

PRODUCTS = 1_000_000
REPETITIONS = 5
MIB = 1 << 20
R = TypeVar("R")

# Of every ten products eight are simple; of every ten of the others, five are the variations of one parent.
_FILL = """
CREATE TEMP TABLE made AS
SELECT
    i, i >= $simple AS is_variant, i // 5 AS family,
    CASE WHEN i >= $simple THEN printf('V%07d', i) ELSE printf('S%07d', i) END AS code,
    CASE WHEN i >= $simple THEN printf('M%07d', i // 5) END AS model_number,
    printf('640%09d', i) AS digits, digits || (10 - list_sum(list_transform(string_split(digits, ''),
        lambda d, i: d::INTEGER * CASE i % 2 WHEN 0 THEN 3 ELSE 1 END)) % 10) % 10 AS gtin,
    (100 + i * 37 % 20000)::DECIMAL(18,4) / 100 AS price,
    CASE WHEN i >= $simple THEN ['XS', 'S', 'M', 'L', 'XL'][i % 5 + 1] END AS size,
    TIMESTAMP '2026-01-05 06:00:00' AS modified
FROM range($products) AS all_products(i);

INSERT INTO snapshot.solteq_products BY NAME
SELECT
    'p-' || i AS id, code, model_number, 'Tuote ' || i AS name, gtin,
    CASE WHEN is_variant THEN 'Variant' ELSE 'Basic' END AS product_type, 25.5 AS vat_rate,
    'Ryhmä ' || i % 50 AS product_group, ['Ryhmä ' || i % 50] AS categories, 'Toimittaja ' || i % 20 AS supplier,
    CASE WHEN i % 100 = 0 THEN price + 1 ELSE price END AS sales_price, round(price * 0.53, 4) AS purchase_price,
    CASE WHEN i % 10 = 3 THEN price - 0.5 END AS discounted_price,
    CASE WHEN is_variant THEN [{'name': 'Koko', 'option': size}] ELSE [] END AS attributes,
    TRUE AS active, FALSE AS deleted, modified AS modified_at
FROM made;

INSERT INTO snapshot.woo_catalogue BY NAME
SELECT
    i + 1 AS id, CASE WHEN is_variant THEN $products + 1 + family END AS parent_id,
    CASE WHEN is_variant THEN 'variation' ELSE 'simple' END AS type, 'publish' AS status, 'Tuote ' || i AS name,
    code AS sku, gtin AS global_unique_id, price AS regular_price,
    CASE WHEN i % 10 = 3 THEN price - 0.5 END AS sale_price,
    CASE WHEN is_variant THEN 'parent' ELSE '' END AS tax_class, TRUE AS manage_stock,
    i % 90 AS stock_quantity, 'instock' AS stock_status,
    CASE WHEN is_variant THEN [{'id': 0, 'name': 'Koko', 'variation': TRUE, 'visible': TRUE, 'options': [size]}]
        ELSE [] END AS attributes,
    round(price * 0.53, 2)::DECIMAL(18,2)::VARCHAR AS purchase_price, FALSE AS has_cost_of_goods,
    modified AS date_modified_gmt
FROM made;

INSERT INTO snapshot.woo_catalogue BY NAME
SELECT
    $products + 1 + family AS id, 'variable' AS type, 'publish' AS status, 'Malli ' || family AS name,
    any_value(model_number) AS sku, '' AS global_unique_id, '' AS tax_class, FALSE AS manage_stock,
    'instock' AS stock_status,
    [{'id': 0, 'name': 'Koko', 'variation': TRUE, 'visible': TRUE, 'options': list(size ORDER BY i)}] AS attributes,
    FALSE AS has_cost_of_goods, any_value(modified) AS date_modified_gmt
FROM made WHERE is_variant GROUP BY family;

INSERT INTO snapshot.woo_store (currency, prices_include_tax, manage_stock, timezone, tax_classes, read_at)
VALUES ('EUR', TRUE, TRUE, 'Europe/Helsinki', ['standard', 'zero-rate'], now()::TIMESTAMP);
INSERT INTO sync.links SELECT 'product', lower(store.sku), store.id, NULL, product.id, lower(store.sku)
FROM snapshot.woo_catalogue AS store LEFT JOIN snapshot.solteq_products AS product ON product.code = store.sku;
"""

_BARE_JOIN = """
SELECT count(*) FROM snapshot.solteq_products AS product
JOIN snapshot.woo_catalogue AS store ON lower(trim(store.sku)) = lower(trim(product.code))
WHERE product.sales_price IS DISTINCT FROM store.regular_price
"""


@dataclass(frozen=True)
class Measured:
    """One measurement in a process of its own. ``changes``: rows that differ."""

    seconds: float
    peak_bytes: int
    changes: int


def run(products: int = PRODUCTS, repetitions: int = REPETITIONS) -> list[Figure]:
    """The figures."""
    with tempfile.TemporaryDirectory(prefix="bench-delta-") as folder:
        database = Path(folder) / "state.duckdb"
        apart(_fill, database, products)
        rounds = [[apart(way, database) for way in (_bare_join, _rules, _step)] for _ in range(repetitions)]
    join, rules, step = ([each[way] for each in rounds] for way in range(3))
    for measured in (*join, *rules, *step):
        if measured.changes != products // 100:
            raise RuntimeError(f"{measured.changes} changes were found where {products // 100} were made")
    return [
        seconds(f"delta of {products:,} products, 1 % changed: the rules", rules, "≤ 1", join),
        seconds("the same as the asset product_delta: stored, quarantine and links kept", step, "", join),
        peak("peak memory of the rules' process", rules, "≤ 1536", join),
        peak("peak memory of the asset's process, Dagster included", step, "≤ 1536", join),
    ]


def seconds(what: str, measured: list[Measured], aim: str, join: list[Measured]) -> Figure:
    beside = f"bare join {statistics.median(each.seconds for each in join):.2f}"
    return median(what, [each.seconds for each in measured], "s", aim, beside)


def peak(what: str, measured: list[Measured], aim: str, join: list[Measured]) -> Figure:
    beside = f"bare join {statistics.median(each.peak_bytes for each in join) / MIB:.0f}"
    return median(what, [each.peak_bytes / MIB for each in measured], "MiB", aim, beside)


def apart(function: Callable[..., R], *arguments: object) -> R:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _fill(database: Path, products: int) -> None:
    simple = products * 8 // 10
    with state_database(database).transaction() as connection:
        for statement in _FILL.split(";\n"):
            used = {"products": products, "simple": simple}
            used = {name: value for name, value in used.items() if f"${name}" in statement}
            if statement.strip():
                connection.execute(statement, used)


def _bare_join(database: Path) -> Measured:
    started = time.perf_counter()
    with state_database(database).transaction() as connection:
        changes = connection.execute(_BARE_JOIN).fetchall()[0][0]
    return Measured(time.perf_counter() - started, peak_bytes(), changes)


def _rules(database: Path) -> Measured:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    started = time.perf_counter()
    with state_database(database).transaction() as connection:
        delta = product_delta(
            connection,
            products=connection.table("snapshot.solteq_products"),
            catalogue=connection.table("snapshot.woo_catalogue"),
            links=connection.table("sync.links"),
            campaigns=connection.table("snapshot.solteq_campaigns"),
            history=connection.table("sync.price_history"),
            pricing=PricingRules(),
            now=utc_now(),
            rules=CatalogueRules(
                new_product_status=settings.new_product_status,
                inactive_products=settings.inactive_products,
                binned_products=settings.binned_products,
                tax_classes=settings.tax_classes,
                store_tax_classes=frozenset({"", "zero-rate"}),
            ),
        )
    return Measured(time.perf_counter() - started, peak_bytes(), delta.changes.height)


def introduce(settings: Settings) -> None:
    """Let the database know both systems: nobody is there to be asked who they are."""
    with closing(solteq_client(settings)) as solteq, closing(woo_client(settings)) as woo:
        both = sides(settings, solteq, woo)
    with state_database(settings.database).transaction() as connection:
        for side in both:
            remember(connection, Met(side, None, None))


def _step(database: Path) -> Measured:
    settings = Settings(_env_file=None, database=database)  # type: ignore[call-arg]
    introduce(settings)
    job = build_definitions(settings).resolve_job_def("products_to_woo")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            run_config=QUIET, instance=instance, asset_selection=[dg.AssetKey("product_delta")]
        )
    (event,) = result.asset_materializations_for_node("product_delta")
    metadata = {name: value.value for name, value in event.metadata.items()}
    return Measured(float(str(metadata["seconds"])), peak_bytes(), int(str(metadata["updated"])))


def peak_bytes() -> int:
    """Of this process. Linux lets a child inherit its parent's ``ru_maxrss``, so there it is asked elsewhere."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
