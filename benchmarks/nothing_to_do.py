"""A run that has nothing to do, over a large catalogue in a quiet shop.

Each side is read again from a little before the last change (five minutes in Solteq, one in the store), so the run
right after a big write re-reads what it wrote. To measure a quiet shop, the documents are of last January and the
store's clock stands an hour back while it is filled; a settling run then comes before the measured one.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, median
from benchmarks.first_sync import fill
from benchmarks.shops import Sandbox, environment, make, run_job, sandbox, set_environment
from solteq_woo_sandbox import catalogue

PRODUCTS = 100_000
REPETITIONS = 3
JOBS = ("products_to_woo", "balances_to_woo")


def run(products: int = PRODUCTS, repetitions: int = REPETITIONS) -> list[Figure]:
    """The figures."""
    with tempfile.TemporaryDirectory(prefix="bench-nothing-") as made:
        folder = Path(made)
        with sandbox("solteq", folder) as solteq, sandbox("woo", folder) as woo:
            values = environment(folder, solteq, woo)
            fill(solteq, "products", catalogue.bulk_products(products))
            fill(solteq, "balances", catalogue.bulk_balances(products))
            an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
            woo.call("PUT", "settings", {"clock": an_hour_ago.strftime("%Y-%m-%dT%H:%M:%SZ")})
            first = [_seconds(lambda job=job: run_job(values, job)) for job in JOBS]
            woo.call("PUT", "settings", {"clock": None})
            settling = [_seconds(lambda job=job: run_job(values, job)) for job in JOBS]
            figures = [
                Figure(f"first {job} of {products:,}", seconds, "s", compared=f"then a settling run {settled:.1f}")
                for job, seconds, settled in zip(JOBS, first, settling, strict=True)
            ]
            figures += _in_process(f"nothing to do, {products:,} products", JOBS[:1], values, solteq, woo, repetitions)
            figures += _in_process(f"nothing to do, {products:,}, both jobs", JOBS, values, solteq, woo, repetitions)
            command = [sys.executable, "-m", "solteq_woo_assets", "sync", "products"]
            whole = [_seconds(lambda: _process(command, folder, values)) for _ in range(repetitions)]
            start = [_seconds(lambda: _process([*command, "--help"], folder, values)) for _ in range(repetitions)]
    beside = f"--help of the same command {sorted(start)[len(start) // 2]:.1f}"
    return [*figures, median("nothing to do: the process solteq-woo sync products", whole, "s", "≤ 5", beside)]


def _in_process(
    what: str, jobs: Iterable[str], values: dict[str, str], solteq: Sandbox, woo: Sandbox, repetitions: int
) -> list[Figure]:
    seconds: list[float] = []
    asked: Counter[str] = Counter()
    for _ in range(repetitions):
        for side in (solteq, woo):
            side.forget_requests()
        seconds.append(_seconds(lambda: [run_job(values, job) for job in jobs]))
        asked = Counter(
            f"{name} {_kind(request)}"
            for name, side in (("Solteq", solteq), ("store", woo))
            for request in side.requests()
        )
    return [
        median(f"{what}: in process", seconds, "s"),
        Figure(f"{what}: reads of Solteq", asked["Solteq reads"], "requests", "≤ 2 a run"),
        Figure(f"{what}: tokens from Solteq", asked["Solteq tokens"], "requests"),
        Figure(f"{what}: reads of the store", asked["store reads"], "requests", "≤ 2 a run"),
        Figure(f"{what}: writes", asked["Solteq writes"] + asked["store writes"], "requests", "= 0"),
    ]


def _kind(request: dict[str, Any]) -> str:
    if request["path"].startswith("/connect/"):
        return "tokens"
    return "reads" if request["method"] == "GET" else "writes"


def _process(command: list[str], folder: Path, values: dict[str, str]) -> None:
    with set_environment(values):
        done = subprocess.run(command, cwd=make(folder), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")


def _seconds(action: Any) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
