"""From a change in Solteq to its arrival in the store, through ``solteq-woo run`` as ``make run`` calls it.

A price is changed through Solteq's control endpoint, at a random moment of the sensor's two seconds while no run is
under way, and the store's API is asked for it until it is there.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from benchmarks.figures import Figure, median
from benchmarks.shops import Sandbox, environment, free_port, make, sandbox, set_environment, store_auth, wait_until

CHANGES = 10
SENSOR_SECONDS = 2
FIRST_SYNC_SECONDS = 300
ARRIVAL_SECONDS = 120
JOBS = ("products_to_woo", "balances_to_woo")

_RUNS = "{ runsOrError(limit: 50) { ... on Runs { results { jobName status } } } }"
_PLACE = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"
_START = """mutation($selector: SensorSelector!) {
  startSensor(sensorSelector: $selector) { __typename ... on PythonError { message } }
}"""


def run(changes: int = CHANGES) -> list[Figure]:
    """The figures."""
    with tempfile.TemporaryDirectory(prefix="bench-arrival-") as made:
        folder = Path(made)
        with sandbox("solteq", folder, seed=1) as solteq, sandbox("woo", folder) as woo:
            poll = {f"SOLTEQ_WOO_{flow}_POLL_SECONDS": str(SENSOR_SECONDS) for flow in ("PRODUCTS", "BALANCES")}
            home = make(folder / "dagster")
            values = environment(folder, solteq, woo, DAGSTER_HOME=str(home), **poll)
            started = time.perf_counter()
            with _running(folder, values) as graphql:
                wait_until(lambda: _is_idle(graphql), seconds=FIRST_SYNC_SECONDS, pause=0.5)
                first = time.perf_counter() - started
                seconds = [_arrival(solteq, woo, graphql, number) for number in range(changes)]
    beside = f"the sensor's interval {SENSOR_SECONDS}"
    return [
        median(f"change in Solteq to the store: median of {changes}", seconds, "s", "≤ 6", beside),
        Figure(f"change in Solteq to the store: worst of {changes}", max(seconds), "s", "≤ 6", beside),
        Figure("solteq-woo run: from its start to both flows in step", first, "s"),
    ]


def _arrival(solteq: Sandbox, woo: Sandbox, graphql: str, number: int) -> float:
    wait_until(lambda: _is_idle(graphql), seconds=ARRIVAL_SECONDS, pause=0.2)
    time.sleep(random.uniform(0, SENSOR_SECONDS))  # noqa: S311
    product = _simple_product(woo)
    price = Decimal(product["regular_price"]) + 1 + number
    started = time.perf_counter()
    solteq.call("PUT", "products", {"documents": [{"code": product["sku"], "salesPrice": price}]})
    with requests.Session() as session:
        url = f"{woo.url}/wp-json/wc/v3/products/{product['id']}"

        def has_arrived() -> bool:
            return Decimal(session.get(url, auth=store_auth(), timeout=60).json()["regular_price"]) == price

        wait_until(has_arrived, seconds=ARRIVAL_SECONDS, pause=0.02)
    return time.perf_counter() - started


def _simple_product(woo: Sandbox) -> dict[str, Any]:
    """A simple product that the two sides agree on."""
    products = woo.store_products(per_page="100", orderby="id", order="asc")
    simple = (product for product in products if product["type"] == "simple")
    return next(product for product in simple if product["regular_price"] and not product["sale_price"])


@contextmanager
def _running(folder: Path, values: dict[str, str]) -> Iterator[str]:
    """``solteq-woo run`` in a process group of its own, with its sensors on; gives its GraphQL address."""
    port = free_port()
    command = [sys.executable, "-m", "solteq_woo_assets", "run", "--port", str(port)]
    with (folder / "run.log").open("w") as log, set_environment(values):
        process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    graphql = f"http://127.0.0.1:{port}/graphql"
    try:
        wait_until(lambda: _places(graphql) or process.poll() is not None, seconds=120, pause=0.5)
        if process.poll() is not None:
            raise RuntimeError((folder / "run.log").read_text()[-4000:])
        # They start switched off beside sandboxes that are not at the usual address.
        for place in _places(graphql):
            for job in JOBS:
                selector = {
                    "repositoryName": place["name"],
                    "repositoryLocationName": place["location"]["name"],
                    "sensorName": f"{job}_sensor",
                }
                _ask(graphql, _START, selector=selector)
        yield graphql
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)


def _places(graphql: str) -> list[dict[str, Any]]:
    try:
        return _ask(graphql, _PLACE)["repositoriesOrError"].get("nodes", [])
    except requests.ConnectionError:
        return []


def _is_idle(graphql: str) -> bool:
    """Whether each job has ended well at least once and none is under way."""
    runs = _ask(graphql, _RUNS)["runsOrError"]["results"]
    if failed := [each["jobName"] for each in runs if each["status"] == "FAILURE"]:
        raise RuntimeError(f"a run of {failed[0]} failed")
    ended = {each["jobName"] for each in runs if each["status"] == "SUCCESS"}
    return ended.issuperset(JOBS) and all(each["status"] == "SUCCESS" for each in runs)


def _ask(graphql: str, query: str, **variables: Any) -> dict[str, Any]:
    answer = requests.post(graphql, json={"query": query, "variables": variables}, timeout=60)
    answer.raise_for_status()
    body = answer.json()
    if body.get("errors"):
        raise RuntimeError(str(body["errors"])[:2000])
    return body["data"]
