"""A shop to measure: the sandboxes, each in a process of its own, and this integration between them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import requests
import simplejson
from requests_oauthlib import OAuth1

from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.settings import SANDBOX, Settings

QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
JSON = {"Content-Type": "application/json"}
START_SECONDS = 60


class Sandbox:
    """One side, as its control endpoints and, for the store, its API show it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: Any) -> None:
        """Change something through a control endpoint."""
        data = simplejson.dumps(body, use_decimal=True)
        url = f"{self.url}/_sandbox/{path}"
        requests.request(method, url, data=data, headers=JSON, timeout=120).raise_for_status()

    def forget_requests(self) -> None:
        """Begin counting anew."""
        self.call("DELETE", "requests", None)

    def requests(self) -> list[dict[str, Any]]:
        """What was asked since, at most the last 10,000."""
        return requests.get(f"{self.url}/_sandbox/requests", timeout=60).json()

    def store_products(self, **params: str) -> list[dict[str, Any]]:
        """A page of the store's products."""
        answer = requests.get(f"{self.url}/wp-json/wc/v3/products", params, auth=store_auth(), timeout=60)
        answer.raise_for_status()
        return answer.json()


def store_auth() -> OAuth1:
    """What the store asks for over plain http; the client does the same."""
    return OAuth1(SANDBOX["WOO_CONSUMER_KEY"], SANDBOX["WOO_CONSUMER_SECRET"], signature_method="HMAC-SHA256")


@contextmanager
def sandbox(system: str, folder: Path, *, seed: int = 0) -> Iterator[Sandbox]:
    """One side in a process of its own, so that it does not share our interpreter's lock.

    :param seed: of Solteq's catalogue; 0 is an empty one
    """
    port = free_port()
    command = [sys.executable, "-m", "solteq_woo_assets", "sandbox", system]
    arguments = ["--port", str(port), "--seed", str(seed), "--data", str(folder)]
    process = subprocess.Popen([*command, *arguments], cwd=make(folder), stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        wait_until(lambda: is_listening(port) or process.poll() is not None)
        if process.poll() is not None:
            raise RuntimeError(f"the {system} sandbox ended with {process.returncode}")
        yield Sandbox(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(30)


def environment(folder: Path, solteq: Sandbox, woo: Sandbox, **more: str) -> dict[str, str]:
    """The settings of a shop in this folder, as the command line takes them."""
    return {
        **SANDBOX,
        "SOLTEQ_API_URL": solteq.url,
        "SOLTEQ_IDENTITY_URL": solteq.url,
        "WOO_URL": woo.url,
        "SOLTEQ_WOO_DATABASE": str(make(folder) / "state.duckdb"),
        **more,
    }


@contextmanager
def set_environment(values: dict[str, str]) -> Iterator[None]:
    """These variables while the block lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_job(
    values: dict[str, str], name: str, *, config: dict[str, Any] | None = None, **arguments: Any
) -> dg.ExecuteInProcessResult:
    """One job in this process, which must succeed and deliver everything.

    :param config: of the run
    """
    with set_environment(values):
        settings = Settings(_env_file=None)  # type: ignore[call-arg]
    job = build_definitions(settings).resolve_job_def(name)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(run_config={**QUIET, **(config or {})}, instance=instance, **arguments)
    for asset, facts in metadata(result).items():
        if left := {each: facts[each] for each in ("refused", "retried_next_run", "unsent") if facts.get(each)}:
            raise RuntimeError(f"{asset} did not deliver everything: {left}")
    return result


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """What a run's materializations say, by asset."""
    return {
        event.asset_key.to_user_string(): {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


def make(folder: Path) -> Path:
    """The folder, made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port: int) -> bool:
    """Whether someone answers there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Any, *, seconds: float = START_SECONDS, pause: float = 0.05) -> float:
    """How long it took.

    :raises TimeoutError: longer than ``seconds``
    """
    started = time.perf_counter()
    while not condition():
        if time.perf_counter() - started > seconds:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(pause)
    return time.perf_counter() - started
