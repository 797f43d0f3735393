"""The flows without Dagster around them, to be run a hundred times: the assets' own functions, one after the other.

``run_until`` is for a process of its own: it kills itself, as the machine's owner might, at the nth step of a kind.
"""

import logging
import os
import resource
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import duckdb
import pytest

from solteq_woo_assets.clients.connections import solteq_client, woo_client
from solteq_woo_assets.clients.http import JsonSession
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_documents import ProductBatch
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.lease import FlowLeases
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.errors import StateError
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets.flows.customers.erasure import erase
from solteq_woo_assets.flows.products import outbox as delivery
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings

ASSETS = {
    key.to_user_string(): asset
    for flow in FLOWS
    for asset in vars(import_module(flow.module)).values()
    if isinstance(asset, dg.AssetsDefinition)
    for key in asset.keys
}
PARTS = {flow.name: flow.assets for flow in FLOWS} | {
    "products up to the delta": ("solteq_products", "woo_catalogue", "product_delta"),
    "preview": ("woo_catalogue", "product_delta", "balance_delta", "campaign_price_delta"),
}
SMALL_BATCHES = 2
_NO_DAGSTER: Any = SimpleNamespace(
    get_run_by_id=lambda _: None, add_run_tags=lambda *_: None, all_logs=lambda *_, **__: []
)
"""An instance that knows no run."""
STEPS = ("before a write leaves", "before its answer is stored", "before a commit", "before the log is folded in")


def run_flows(settings: Settings, run_id: str, *flows: str, full: bool = False) -> dict[str, dict[str, Any]]:
    """Run these of ``PARTS``, those of products unless told otherwise; the metadata by asset.

    :param full: read everything again
    :raises dagster.Failure: as the step would have failed
    """
    database = state_database(settings.database)
    solteq, woo = solteq_client(settings), woo_client(settings)
    configs = {name: {"full": full} for flow in FLOWS for name in flow.full_reads}
    configs["woo_sales"] = {"changed_only": True}
    told: dict[str, dict[str, Any]] = {}
    try:
        for flow in flows or ("campaigns", "products", "balances"):
            with FlowLeases(database) as leases:
                shop = Shop(settings, database, solteq, woo, leases, utc_now)
                run = Run(run_id, [utc_now().date().isoformat()], configs)
                told |= run_assets(PARTS[flow], shop, run)
    finally:
        solteq.close()
        woo.close()
    return told


@dataclass(frozen=True)
class Run:
    """What the assets ask of their run. ``configs``: by asset, what is not as usual."""

    run_id: str
    days: list[str]
    configs: Mapping[str, Mapping[str, Any]]
    instance: dg.DagsterInstance | None = None

    def context(self, added: dict[str, Any]) -> Any:
        """As much of Dagster's context as they ask for.

        :param added: gets the metadata that are told beside the result; of several days those of the last one
        """

        def add(metadata: Mapping[str, Any], partition_key: str | None = None) -> None:
            if partition_key in (None, self.days[-1]):
                added.update(metadata)

        return SimpleNamespace(
            run=self,
            instance=self.instance or _NO_DAGSTER,
            log=logging.getLogger("flows"),
            partition_keys=self.days,
            add_asset_metadata=add,
            assets_def=SimpleNamespace(partitions_def=None),
        )


def run_assets(names: Iterable[str], shop: Shop, run: Run) -> dict[str, dict[str, Any]]:
    """Run the functions of these assets in a row; the metadata by asset.

    :raises dagster.Failure: as the step would have failed
    """
    told: dict[str, dict[str, Any]] = {}
    for name in names:
        function: Callable[..., dg.MaterializeResult] = ASSETS[name].op.compute_fn.decorated_fn  # type: ignore[union-attr]
        asked = function.__annotations__
        added: dict[str, Any] = {}
        given: dict[str, Any] = {"context": run.context(added), "shop": shop}
        if "config" in asked:
            given["config"] = asked["config"](**run.configs.get(name, {}))
        result = function(**{parameter: value for parameter, value in given.items() if parameter in asked})
        told[name] = {**(result.metadata or {}), **added}
    return told


def run_sales_until(settings: Settings, run_id: str, flow: str, number: int) -> None:
    """Run a flow, and die at the nth request or commit, if it comes to that. A flow that fails is left at that."""
    die = _death(number)
    _replace(JsonSession, "_receive", lambda receive: _dying_around(die, receive))
    _replace(StateDatabase, "transaction", lambda transaction: _dying_inside(die, transaction))
    with suppress(dg.Failure):
        run_flows(settings, run_id, flow)


def _dying_around(die: Callable[[], None], receive: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(session: JsonSession, request: Any) -> Any:
        die()
        answer = receive(session, request)
        die()
        return answer

    return wrapped


def run_until(settings: Settings, flow: str, step: str, number: int) -> None:
    """Run a flow in small batches, and die at the nth step of this kind, if it comes to that."""
    delivery.BATCH_SIZE = SMALL_BATCHES
    die = _death(number)
    if step == "before a write leaves":
        _replace(WooClient, "write", lambda write: _calling_first(die, write))
    elif step == "before its answer is stored":
        _replace(WooClient, "write", lambda write: _calling_last(die, write))
    elif step == "before a commit":
        _replace(StateDatabase, "transaction", lambda transaction: _dying_inside(die, transaction))
    elif step == "before the log is folded in":
        _replace(StateDatabase, "_connected", lambda connected: _dying_inside(die, connected))
    else:
        raise ValueError(step)
    run_flows(settings, f"killed {step} {number}", flow)


class _DyingConnection:
    """A connection that may die before and after each statement."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, die: Callable[[], None]) -> None:
        self._connection, self._die = connection, die

    def execute(self, query: str) -> None:
        self._die()
        self._connection.execute(query)
        self._die()


def erase_until(settings: Settings, who: str, number: int) -> None:
    """Erase somebody, and die at the nth commit, statement or file step, if it comes to that."""
    die = _death(number)
    _replace(StateDatabase, "transaction", lambda transaction: _dying_inside(die, transaction))
    rewrite, connected = StateDatabase.rewrite, StateDatabase._connected

    @contextmanager
    def dying_connected(database: StateDatabase) -> Iterator[Any]:
        with connected(database) as connection:
            yield _DyingConnection(connection, die)

    def dying_rewrite(database: StateDatabase) -> None:
        die()
        StateDatabase._connected = dying_connected  # type: ignore[method-assign]
        for name in ("replace", "unlink", "chmod"):
            _replace(Path, name, lambda step: _dying_around_step(die, step))
        rewrite(database)

    StateDatabase.rewrite = dying_rewrite  # type: ignore[method-assign]
    erase(state_database(settings.database), who)


def _dying_around_step(die: Callable[[], None], step: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*arguments: Any, **named: Any) -> Any:
        die()
        answer = step(*arguments, **named)
        die()
        return answer

    return wrapped


def erase_out_of_disk(settings: Settings, who: str) -> None:
    """Erase somebody; once that is stored, no file can grow. It must fail in words."""

    def fill_up(rewrite: Callable[..., None]) -> Callable[..., None]:
        def wrapped(database: StateDatabase) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            rewrite(database)

        return wrapped

    _replace(StateDatabase, "rewrite", fill_up)
    with pytest.raises(StateError, match="The next run of any flow tries again"):
        erase(state_database(settings.database), who)


def _death(number: int) -> Callable[[], None]:
    left = number

    def die() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return die


def _replace(owner: type, name: str, wrap: Callable[[Any], Any]) -> None:
    setattr(owner, name, wrap(getattr(owner, name)))


def _calling_first(die: Callable[[], None], write: Callable[[WooClient, ProductBatch], Any]) -> Callable[..., Any]:
    def wrapped(client: WooClient, batch: ProductBatch) -> Any:
        die()
        return write(client, batch)

    return wrapped


def _calling_last(die: Callable[[], None], write: Callable[[WooClient, ProductBatch], Any]) -> Callable[..., Any]:
    def wrapped(client: WooClient, batch: ProductBatch) -> Any:
        answers = write(client, batch)
        die()
        return answers

    return wrapped


def _dying_inside(die: Callable[[], None], manager: Callable[..., Any]) -> Callable[..., Any]:
    @contextmanager
    def wrapped(database: StateDatabase) -> Iterator[duckdb.DuckDBPyConnection]:
        with manager(database) as connection:
            yield connection
            die()

    return wrapped


def run_out_of_disk(settings: Settings, transactions: int) -> None:
    """Run the products' flow; after so many transactions no file can grow. It must fail in words."""
    left = transactions

    def fill_up() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    _replace(StateDatabase, "transaction", lambda transaction: _dying_inside(fill_up, transaction))
    with pytest.raises(dg.Failure, match="Free some disk space"):
        run_flows(settings, "out of disk", "products")
