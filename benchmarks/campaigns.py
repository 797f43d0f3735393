"""The campaign price delta of 100,000 products under 1,000 campaigns of all levels, beside a bare join.

The bare join finds each product's lowest fixed, amount and percentage value among the campaigns that run, without
windows, caps or what the store holds. Each measurement is in a process of its own, on a database just opened.
"""

import tempfile
import time
from datetime import datetime
from pathlib import Path

import dagster as dg

from benchmarks.delta import Measured, apart, introduce, peak, peak_bytes, seconds
from benchmarks.figures import Figure
from benchmarks.shops import QUIET
from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.flows.campaigns.assets import compare
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings

PRODUCTS = 100_000
CAMPAIGNS = 1_000
REPETITIONS = 5
NOW = datetime(2026, 11, 27, 8)  # noqa: DTZ001  as the database keeps it

# Fifty groups, twenty suppliers; of every five products one is a variation. A third of the campaigns of each level; a
# window of four weeks each, spread over a year; of every fifty one is for other stores and one is a bundle.
_FILL = """
INSERT INTO snapshot.solteq_products BY NAME
SELECT
    'p-' || i AS id, printf('S%07d', i) AS code, CASE WHEN i % 5 = 0 THEN printf('M%07d', i // 25) END AS model_number,
    'Tuote ' || i AS name, 'Basic' AS product_type, 25.5 AS vat_rate, 'Ryhmä ' || i % 50 AS product_group,
    'Toimittaja ' || i % 20 AS supplier, (100 + i * 37 % 20000)::DECIMAL(18,4) / 100 AS sales_price,
    CASE WHEN i % 10 = 3 THEN sales_price * 0.9 END AS discounted_price,
    CASE WHEN i % 20 = 7 THEN 15 END AS max_discount_percent,
    TRUE AS active, FALSE AS deleted, TIMESTAMP '2026-01-05' AS modified_at
FROM range($products) AS all_products(i);

INSERT INTO snapshot.woo_catalogue BY NAME
SELECT
    i + 1 AS id, CASE WHEN i % 5 = 0 THEN $products + 1 + i // 25 END AS parent_id,
    CASE WHEN i % 5 = 0 THEN 'variation' ELSE 'simple' END AS type, 'publish' AS status, printf('S%07d', i) AS sku,
    (100 + i * 37 % 20000)::DECIMAL(18,4) / 100 AS regular_price, TIMESTAMP '2026-01-05' AS date_modified_gmt
FROM range($products) AS all_products(i);

INSERT INTO snapshot.solteq_campaigns BY NAME
SELECT
    'c-' || i AS id, 'Kampanja ' || i AS name, CASE WHEN i % 50 = 1 THEN 'Bundle' ELSE 'Simple' END AS type,
    ['Product', 'ProductGroup', 'Supplier'][i % 3 + 1] AS level,
    CASE i % 3
        WHEN 0 THEN list_transform(range(200), lambda j: if(
            j < 5, printf('M%07d', (i + j) % ($products // 25)), printf('S%07d', (i * 997 + j * 13) % $products)
        ))
        WHEN 1 THEN ['ryhmä ' || i // 3 % 50]
        ELSE ['Toimittaja ' || i // 3 % 20]
    END AS targets,
    ['Percentage', 'Amount', 'FixedPrice'][i // 3 % 3 + 1] AS discount_type, 1 + i % 40 AS value,
    TIMESTAMP '2026-06-01' + to_days((i * 31 % 365)::INTEGER) AS valid_from,
    TIMESTAMP '2026-06-29' + to_days((i * 31 % 365)::INTEGER) AS valid_to,
    CASE WHEN i % 50 = 2 THEN ['oulu'] ELSE [] END AS store_ids, [] AS customer_groups, [] AS customers,
    i % 3 AS priority, TRUE AS active, FALSE AS deleted, TIMESTAMP '2026-01-05' AS modified_at
FROM range($campaigns) AS all_campaigns(i);

INSERT INTO sync.price_history
SELECT lower(sku), regular_price, regular_price, TIMESTAMP '2026-10-01', NULL FROM snapshot.woo_catalogue;

INSERT INTO sync.watermarks (feed, position) VALUES ('snapshot.solteq_campaigns', TIMESTAMP '2026-01-05');
"""

# As the store would hold it after a delivery.
_DELIVER = """
UPDATE snapshot.woo_catalogue AS held SET
    regular_price = coalesce(nullif(new['regular_price'], '')::DECIMAL(18,4), regular_price),
    sale_price = nullif(new['sale_price'], '')::DECIMAL(18,4),
    date_on_sale_from_gmt = nullif(new['date_on_sale_from_gmt'], '')::TIMESTAMP,
    date_on_sale_to_gmt = nullif(new['date_on_sale_to_gmt'], '')::TIMESTAMP,
    lowest_price_30d = new['_solteq_lowest_price_30d']
FROM (
    SELECT woo_id, map_from_entries(list_transform(changes, lambda c: (c.field, c.new))) AS new FROM delivered
) WHERE held.id = woo_id
"""

_BARE_JOIN = """
WITH running AS (
    SELECT level, unnest(targets) AS target, discount_type, value FROM snapshot.solteq_campaigns
    WHERE valid_from <= $now AND valid_to > $now
), covered AS (
    SELECT id, discount_type, value FROM snapshot.solteq_products JOIN running ON level = 'Product' AND target = code
    UNION ALL
    SELECT id, discount_type, value FROM snapshot.solteq_products
    JOIN running ON level = 'ProductGroup' AND lower(target) = lower(product_group)
    UNION ALL
    SELECT id, discount_type, value FROM snapshot.solteq_products
    JOIN running ON level = 'Supplier' AND target = supplier
)
SELECT count(*) FROM (SELECT id, discount_type, min(value), max(value) FROM covered GROUP BY ALL)
"""


def run(products: int = PRODUCTS, campaigns: int = CAMPAIGNS, repetitions: int = REPETITIONS) -> list[Figure]:
    """The figures."""
    with tempfile.TemporaryDirectory(prefix="bench-campaigns-") as folder:
        database = Path(folder) / "state.duckdb"
        apart(_fill, database, products, campaigns)
        first = [[apart(way, database) for way in (_bare_join, _rules)] for _ in range(repetitions)]
        apart(_deliver, database)
        again = [[apart(way, database) for way in (_bare_join, _rules, _step)] for _ in range(repetitions)]
    join, everything = ([each[way] for each in first] for way in range(2))
    join_again, one_percent, step = ([each[way] for each in again] for way in range(3))
    for measured in (*one_percent, *step):
        if not 0 < measured.changes <= products // 100:
            raise RuntimeError(f"{measured.changes} changes were found where at most {products // 100} were made")
    what = f"{products:,} products under {campaigns:,} campaigns"
    return [
        seconds(f"{what}, 1 % differ from the store: the rules", one_percent, "≤ 2", join_again),
        seconds("the same as the asset campaign_price_delta: stored, explained", step, "", join_again),
        seconds(f"all that have an offer differ ({everything[0].changes:,} rows): the rules", everything, "", join),
        peak("peak memory of the rules' process, 1 % differ", one_percent, "≤ 1536", join_again),
        peak("peak memory of the rules' process, all differ", everything, "≤ 1536", join),
    ]


def _fill(database: Path, products: int, campaigns: int) -> None:
    with state_database(database).transaction() as connection:
        for statement in filter(str.strip, _FILL.split(";\n")):
            used = {"products": products, "campaigns": campaigns}
            connection.execute(statement, {name: value for name, value in used.items() if f"${name}" in statement})


def _settings(database: Path) -> Settings:
    return Settings(_env_file=None, database=database)  # type: ignore[call-arg]


def _deliver(database: Path) -> None:
    """Let the store hold what it should, and then 1 % of the products something else."""
    with state_database(database).transaction() as connection:
        connection.register("delivered", compare(connection, _settings(database), NOW).changes)
        connection.execute(_DELIVER)
        if left := compare(connection, _settings(database), NOW).changes.filter(kind="simple").height:
            raise RuntimeError(f"{left} rows differ still after a delivery")
        connection.execute("UPDATE snapshot.woo_catalogue SET sale_price = 0.5 WHERE id % 100 = 0")


def _bare_join(database: Path) -> Measured:
    started = time.perf_counter()
    with state_database(database).transaction() as connection:
        connection.execute(_BARE_JOIN, {"now": NOW}).fetchall()
    return Measured(time.perf_counter() - started, peak_bytes(), 0)


def _rules(database: Path) -> Measured:
    settings = _settings(database)
    started = time.perf_counter()
    with state_database(database).transaction() as connection:
        changes = compare(connection, settings, NOW).changes
    return Measured(time.perf_counter() - started, peak_bytes(), changes.filter(action="update").height)


def _step(database: Path) -> Measured:
    introduce(_settings(database))
    job = build_definitions(_settings(database), lambda: NOW).resolve_job_def("campaigns_to_woo")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            run_config=QUIET, instance=instance, asset_selection=[dg.AssetKey("campaign_price_delta")]
        )
    (event,) = result.asset_materializations_for_node("campaign_price_delta")
    metadata = {name: value.value for name, value in event.metadata.items()}
    return Measured(float(str(metadata["seconds"])), peak_bytes(), int(str(metadata["updated"])))
