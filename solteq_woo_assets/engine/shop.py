"""A shop: its settings, its database and its two systems, as every step of a run and every sensor needs them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from solteq_woo_assets.clients.connections import solteq_client, woo_client
from solteq_woo_assets.clients.solteq import SolteqClient
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.engine.database import Clock, StateDatabase
from solteq_woo_assets.engine.identity import Identity, sides
from solteq_woo_assets.engine.lease import FlowLeases
from solteq_woo_assets.errors import IntegrationError, StateError
from solteq_woo_assets.settings import Settings


@dataclass
class Effort:
    requests: int = 0
    seconds: float = 0.0

    def metadata(self) -> dict[str, Any]:
        """For the UI, which plots numbers."""
        return {"requests": self.requests, "seconds": round(self.seconds, 3)}


@contextmanager
def failing_in_words() -> Iterator[None]:
    """Turn our errors into a failed step whose message says what to do."""
    try:
        yield
    except IntegrationError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


@dataclass(frozen=True)
class Shop:
    """The resource of every asset. ``leases``: the flows that this run holds. ``clock``: the time for campaigns.

    It is no ``ConfigurableResource``: its parts are clients and a database, and none is a value that a launchpad sets.
    """

    settings: Settings
    database: StateDatabase
    solteq: SolteqClient
    woo: WooClient
    leases: FlowLeases
    clock: Clock

    @contextmanager
    def step(self, context: dg.AssetExecutionContext, *leases: str) -> Iterator[Effort]:
        """One step of a run: holds the leases, tells errors in words, and measures requests and seconds.

        :param leases: the flow's; none for a step that several flows may do side by side
        """
        effort, started, before = Effort(), time.perf_counter(), self._requests()
        with failing_in_words():
            for lease in leases:
                self._take_lease(context, lease)
            try:
                yield effort
            finally:
                effort.seconds = time.perf_counter() - started
                effort.requests = self._requests() - before

    def _requests(self) -> int:
        return self.solteq.requests_made + self.woo.requests_made

    def _take_lease(self, context: dg.AssetExecutionContext, flow: str) -> None:
        """Hold the flow until this run ends, and close the books of a run that crashed while it held it."""
        crashed = self.leases.take(flow, context.run.run_id)
        if crashed and crashed != context.run.run_id:
            context.log.warning(f"Run {crashed} crashed in {flow}; this run carries on where it stopped.")
            report_crashed(context.instance, crashed)
        try:
            since = self.leases.finish_erasure()
        except StateError as error:  # the log and the doctor say it; the run goes on
            context.log.warning(str(error))
        else:
            if since:
                context.log.info(f"Finished the erasure that was cut short at {since:%Y-%m-%d %H:%M} UTC.")


def report_crashed(instance: dg.DagsterInstance, run_id: str) -> None:
    """Mark a run whose process is gone as failed, so that it does not look busy for ever."""
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        instance.report_run_failed(run, "The process of this run is gone. The next run carried on where it stopped.")


@contextmanager
def opened(settings: Settings, database: StateDatabase, clock: Clock) -> Iterator[Shop]:
    """The shop that the settings name, until the block ends."""
    solteq, woo = solteq_client(settings), woo_client(settings)
    identity = Identity(database, sides(settings, solteq, woo))
    try:
        with FlowLeases(database, admit=identity.check) as leases:
            yield Shop(settings, database, solteq, woo, leases, clock)
    finally:
        solteq.close()
        woo.close()
