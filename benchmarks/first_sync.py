"""The first sync of an empty store, beside a bare loop that posts the same batches with as many in flight.

Both post to a fresh store in a process of its own, in turns, so that a noisy machine is noisy for both. The stand-in
takes 5,000 products a second and more, where the recorded store took 45, so the comparison is made a second time with
a stand-in that takes a tenth of that store's time.
"""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import requests
import simplejson
from requests.adapters import HTTPAdapter

from benchmarks.figures import Figure, median
from benchmarks.shops import JSON, Sandbox, environment, metadata, run_job, sandbox, store_auth
from solteq_woo_assets.engine.ledger import SENT_ACTIONS
from solteq_woo_assets.flows.products.outbox import BATCH_SIZE
from solteq_woo_assets.flows.products.wire import product_write
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_sandbox import catalogue

PRODUCTS = 10_000
REPETITIONS = 5
IN_FLIGHT = 2
SIZES = ("XS", "S", "M", "L", "XL")
SOLTEQ_PAGE = 1000
PACED_SECONDS = 0.43
"""A tenth of what a batch of 100 creates took the recorded store, two at a time (contract, Speed)."""


@dataclass(frozen=True)
class Run:
    """One sync. ``asked``: requests to the store, by what they were."""

    run_seconds: float
    delivery_seconds: float
    asked: Counter[str]


@dataclass
class Payloads:
    """The same batches as bytes: products and parents, then the variations of each parent by its SKU."""

    products: list[bytes] = field(default_factory=list)
    variations: list[tuple[str, bytes]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.products) + len(self.variations)


def run(products: int = PRODUCTS, repetitions: int = REPETITIONS) -> list[Figure]:
    """The figures."""
    few, half = -(-repetitions // 2), products // 2
    return [
        *_measured(f"first sync of {products:,} products", products, repetitions),
        *_measured(f"first sync of {products:,}, 20 % variants by five", products, few, variants_percent=20),
        *_measured(f"first sync of {half:,}, {PACED_SECONDS} s a batch", half, few, batch_seconds=PACED_SECONDS),
    ]


def solteq_products(products: int, variants_percent: int) -> Iterator[dict[str, Any]]:
    """Plain products as Solteq has them; the last of them are variants, five to a model."""
    first_variant = products - products * variants_percent // 100
    for index, document in enumerate(catalogue.bulk_products(products)):
        if index >= first_variant:
            attributes = {"Koko": SIZES[index % len(SIZES)]}
            model = f"M{index // len(SIZES):07}"
            yield {**document, "modelNumber": model, "productType": "Variant", "attributes": attributes}
        else:
            yield document


def fill(solteq: Sandbox, feed: str, documents: Iterator[dict[str, Any]]) -> None:
    """Put documents into Solteq, whose feed then comes in whole pages in order."""
    solteq.call("PUT", "behaviour", {"unruly": False, "page_size_cap": SOLTEQ_PAGE})
    lot: list[dict[str, Any]] = []
    for document in documents:
        lot.append(document)
        if len(lot) == 10_000:  # noqa: PLR2004
            solteq.call("PUT", feed, {"documents": lot})
            lot = []
    solteq.call("PUT", feed, {"documents": lot})


def _measured(
    what: str, products: int, repetitions: int, *, variants_percent: int = 0, batch_seconds: float = 0.0
) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-first-") as made:
        folder = Path(made)
        with sandbox("solteq", folder / "solteq") as solteq:
            fill(solteq, "products", solteq_products(products, variants_percent))
            payloads = _payloads(folder / "payloads", solteq)  # warms up everything, too
            ours: list[Run] = []
            bare: list[float] = []
            for number in range(repetitions):
                turns = [
                    lambda: ours.append(_sync(folder / f"ours-{number}", solteq, batch_seconds)),  # noqa: B023
                    lambda: bare.append(_bare_loop(folder / f"bare-{number}", payloads, batch_seconds)),  # noqa: B023
                ]
                for turn in turns if number % 2 == 0 else reversed(turns):
                    turn()
    batches, reads = ours[0].asked["batches"], ours[0].asked["reads"]
    beside = f"bare loop {statistics.median(bare):.2f} s"
    rate = f"bare loop {products / statistics.median(bare):.0f}"
    pairs = list(zip(ours, bare, strict=True))
    return [
        median(f"{what}: whole run", [products / each.run_seconds for each in ours], "items/s", compared=rate),
        median(f"{what}: delivery", [products / each.delivery_seconds for each in ours], "items/s", compared=rate),
        Figure(f"{what}: batches", batches, "requests", f"= {len(payloads)}", f"bare loop {len(payloads)}"),
        Figure(f"{what}: reads of the store", reads, "requests", compared="bare loop 0"),
        median(f"{what}: delivery", [run.delivery_seconds / alone for run, alone in pairs], "ratio", "≤ 1.15", beside),
        median(f"{what}: whole run", [run.run_seconds / alone for run, alone in pairs], "ratio", compared=beside),
    ]


def _sync(folder: Path, solteq: Sandbox, batch_seconds: float) -> Run:
    with sandbox("woo", folder) as woo:
        _slow_down(woo, batch_seconds)
        started = time.perf_counter()
        result = run_job(environment(folder, solteq, woo), "products_to_woo")
        seconds = time.perf_counter() - started
        asked = Counter("batches" if each["method"] == "POST" else "reads" for each in woo.requests())
    return Run(seconds, metadata(result)["woo_products"]["seconds"], asked)


def _slow_down(woo: Sandbox, batch_seconds: float) -> None:
    if batch_seconds:
        woo.call("POST", "faults", {"path": "/batch", "times": None, "delay_seconds": batch_seconds})


def _payloads(folder: Path, solteq: Sandbox) -> Payloads:
    """What a delivery would send, from the delta of a run that stops there."""
    with sandbox("woo", folder) as woo:
        values = environment(folder, solteq, woo)
        names = ("solteq_products", "woo_catalogue", "product_delta")
        run_job(values, "products_to_woo", asset_selection=[dg.AssetKey(name) for name in names])
    with state_database(Path(values["SOLTEQ_WOO_DATABASE"])).transaction() as connection:
        rows = connection.execute(
            "SELECT kind = 'variation', parent_key, changes FROM delta.product_delta "
            "WHERE list_contains($sent, action) ORDER BY kind, parent_key, key",
            {"sent": list(SENT_ACTIONS)},
        ).fetchall()
    payloads = Payloads()
    families: dict[str | None, list[dict[str, Any]]] = {}
    for is_variation, parent, changes in rows:
        families.setdefault(parent if is_variation else None, []).append(product_write(None, changes).to_wire())
    for parent, writes in families.items():
        for start in range(0, len(writes), BATCH_SIZE):
            body = simplejson.dumps({"create": writes[start : start + BATCH_SIZE]}, use_decimal=True).encode()
            if parent is None:
                payloads.products.append(body)
            else:
                payloads.variations.append((parent, body))
    return payloads


def _bare_loop(folder: Path, payloads: Payloads, batch_seconds: float = 0.0) -> float:
    """Seconds. Nothing is checked but the status; answers are only read for the parents' ids."""
    with sandbox("woo", folder) as woo, requests.Session() as session:
        _slow_down(woo, batch_seconds)
        session.mount("http://", HTTPAdapter(pool_maxsize=IN_FLIGHT))
        auth = store_auth()

        def post(path: str, body: bytes) -> bytes:
            url = f"{woo.url}/wp-json/wc/v3/products/{path}"
            answer = session.post(url, body, headers=JSON, auth=auth, timeout=60)
            answer.raise_for_status()
            return answer.content

        started = time.perf_counter()
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            answers = list(pool.map(post, ["batch"] * len(payloads.products), payloads.products))
            if payloads.variations:
                items = [item for answer in answers for item in simplejson.loads(answer)["create"]]
                ids = {item["sku"]: item["id"] for item in items if item["type"] == "variable"}
                paths = [f"{ids[parent]}/variations/batch" for parent, _ in payloads.variations]
                list(pool.map(post, paths, [body for _, body in payloads.variations]))
        return time.perf_counter() - started
