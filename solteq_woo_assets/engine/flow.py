"""A flow as one value.

Jobs, sensors, schedules, freshness, shadow mode, the reconciliation and the command line are made from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import dagster as dg
import duckdb

from solteq_woo_assets.engine.guard_rails import GuardRails
from solteq_woo_assets.engine.outbox import Outbox
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.snapshot import Watermark
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.settings import Settings
from solteq_woo_assets.table import Table

Direction = Literal["solteq-to-woocommerce", "woocommerce-to-solteq", "both-ways"]
Occasion = Literal["sensor", "schedule", "reconcile", "retry"]
"""Why a run is requested."""


@dataclass(frozen=True)
class Source:
    """The source that a flow's sensor watches.

    ``table``: the snapshot whose watermark tells what was read. ``asks``: whom it asks for what, in words.
    ``news``: what is new there, in words. ``due``: what there is to do at an instant without any news, in words.
    ``covers``: whether what was read before is what the settings say to read.
    """

    table: str
    asks: str
    news: Callable[[Shop], str | None]
    due: Callable[[duckdb.DuckDBPyConnection, datetime], str | None] = lambda _connection, _now: None
    covers: Callable[[Shop, Watermark], bool] = lambda _shop, _before: True


@dataclass(frozen=True)
class Flow:
    """One direction of one kind of record.

    ``name``: in the ledger, the quarantine, the command line and in SOLTEQ_WOO_<NAME>_POLL_SECONDS and …_CRON.
    ``module``: where its assets and checks are. ``description``: of the job. ``snapshots``: the assets that read the
    two sides, with what each reads there, such as ``solteq/products``; ``derived``: other assets that its job makes
    before the delta; ``tables``: what it keeps, two flows may name the same; ``after``: assets of other flows that the
    delta depends on, where one run does both. ``writes``: what the delivery changes on the other side. ``compare``:
    what it would write, by what was last read of both sides; it stores nothing. ``outbox``: how that leaves.
    ``lease``: what keeps runs apart, where it is not the flow's own. ``shared_lease``: what else it takes while it
    compares and sends, as another flow does. ``gives_way``: whether it leaves that to the runs of the other flow.
    ``before_sending``: what the delivery does first; it fails where the delta may not leave any more. ``is_by_day``:
    whether its runs are for days. ``is_personal``: whether its values are those of persons, which nothing shows.
    ``ops``: the config of its assets besides the usual one, by occasion.
    """

    name: str
    module: str
    job: str
    group: str
    direction: Direction
    description: str
    snapshots: Mapping[str, str]
    delta: str
    delivery: str
    writes: str
    source: Source
    compare: Callable[[duckdb.DuckDBPyConnection, Settings, datetime], Comparison]
    outbox: Callable[[Shop], Outbox[Any, Any]]
    guard_rails: GuardRails | None = None
    tables: tuple[Table, ...] = ()
    derived: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    lease: str = ""
    shared_lease: str = ""
    gives_way: bool = False
    before_sending: Callable[[dg.AssetExecutionContext, Shop], None] = lambda _context, _shop: None
    is_by_day: bool = False
    is_personal: bool = False
    ops: Callable[[Occasion, Settings], Mapping[str, Any]] = lambda _occasion, _settings: {}

    @property
    def lease_name(self) -> str:
        """The lease that its runs take."""
        return self.lease or self.name

    @property
    def leases(self) -> tuple[str, ...]:
        """The leases under which it compares and sends."""
        return (self.lease_name, self.shared_lease) if self.shared_lease else (self.lease_name,)

    @property
    def compared(self) -> tuple[str, ...]:
        """The assets that the delta depends on."""
        return (*self.snapshots, *self.derived, *self.after)

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets of its job, in order."""
        return (*self.snapshots, *self.derived, self.delta, self.delivery)

    @property
    def full_reads(self) -> tuple[str, ...]:
        """The snapshots that can be read in full; a partitioned one is backfilled instead."""
        return () if self.is_by_day else tuple(self.snapshots)

    def ops_of(self, occasion: Occasion, settings: Settings) -> dict[str, Any]:
        """The config of its assets in a run that is requested for this reason."""
        usual: dict[str, Any] = {}
        if occasion == "reconcile":
            usual |= {name: {"config": {"full": True}} for name in self.full_reads}
        elif occasion == "retry":  # a feed of Solteq holds back documents that it cannot read
            feeds = [name for name in self.full_reads if name.startswith("solteq_")]
            usual |= {name: {"config": {"retry_quarantined": True}} for name in feeds}
        if occasion in ("reconcile", "retry"):
            usual[self.delta] = {"config": {"retry_refused": True}}
        return usual | dict(self.ops(occasion, settings))
