"""Both systems, the integration between them, and what happened so far."""

import base64
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import dagster as dg
import duckdb
import requests
import simplejson
from pydantic import SecretStr
from starlette.types import ASGIApp

from solteq_woo_assets.automation.jobs import today
from solteq_woo_assets.automation.sensors import left_over
from solteq_woo_assets.cli.jobs import configuration
from solteq_woo_assets.clients import http
from solteq_woo_assets.engine import database as engine_database
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.shop import opened
from solteq_woo_assets.errors import IntegrationError
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets.flows.sales import books
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings
from solteq_woo_assets_tests.databases import make_database
from solteq_woo_assets_tests.engine.flows import Run, run_assets
from solteq_woo_assets_tests.simulation.clock import VirtualClock
from solteq_woo_assets_tests.simulation.network import SOLTEQ_URL, WOO_URL, Deadline, Network, call
from solteq_woo_assets_tests.simulation.replaced import make_small, replaced
from solteq_woo_assets_tests.simulation.scheduler import Process, Scheduler
from solteq_woo_assets_tests.simulation.through_dagster import Launcher
from solteq_woo_sandbox import solteq, woo

SPRING = datetime(2026, 3, 27, 8, 0, tzinfo=UTC).replace(tzinfo=None)
AUTUMN = datetime(2026, 10, 23, 8, 0, tzinfo=UTC).replace(tzinfo=None)
"""Two days before the clocks of Finland change. Naive UTC."""
_STOPPED = "SELECT DISTINCT flow FROM sync.stopped WHERE let_pass_at IS NULL ORDER BY flow"
_AS_ADMIN = {
    "Authorization": "Basic " + base64.b64encode(f"{woo.CONSUMER_KEY}:{woo.CONSUMER_SECRET}".encode()).decode(),
    "Content-Type": "application/json",
}


@dataclass(frozen=True)
class Happening:
    """What somebody did, and when: true time, naive UTC."""

    at: datetime
    who: str
    what: str
    facts: Mapping[str, Any]


class System:
    """A stand-in as its people use it; nothing of this takes time or meets a misfortune."""

    def __init__(self, app: ASGIApp, url: str) -> None:
        self._app, self._url = app, url

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A control endpoint. See the stand-in's module."""
        return self._asked(method, f"/_sandbox/{path}", body)

    def put(self, feed: str, *documents: Mapping[str, Any]) -> None:
        """Documents of Solteq, merged over what is there."""
        self.control("PUT", feed, {"documents": documents})

    def rest(self, method: str, path: str, body: Any = None, *, may_fail: bool = False) -> Any:
        """The store's REST API as its administrator uses it.

        :param may_fail: the store may refuse: the answer is its error then
        """
        return self._asked(method, f"/wp-json/wc/v3/{path}", body, may_fail=may_fail)

    def _asked(self, method: str, path: str, body: Any, *, may_fail: bool = False) -> Any:
        content = b"" if body is None else simplejson.dumps(body, use_decimal=True).encode()
        answer = call(self._app, method, f"{self._url}{path}", _AS_ADMIN, content)
        if answer.status >= 400 and not may_fail:
            raise AssertionError(f"{method} {path} of a person: {answer.status} {answer.body[:300]!r}")
        return json.loads(answer.body, parse_float=str) if answer.body else None


class World:
    """One history's world.

    ``story``: what happened, a line each. ``happenings``: what people did, for the judge. ``counts``: events, faults,
    kills, restores and runs. ``outcomes``: of the last run of each flow, ``None`` when it went well.
    ``launcher``: launches runs through Dagster; without it they are the assets' own functions.
    ``page_rows``: how many rows a page of the store has; 0 is as many as the product asks for.
    ``watching``: called after each event, and after each request of the integration with who asked, its method, its
    target and the answer. ``disk_is_full_until``: a time of the clock. ``dies_in``: after so many steps the run whose
    turn it is is killed; none is when it is 0. ``is_running``: whether a run is under way. ``booked_elsewhere``: orders
    that people booked in Solteq by hand.
    """

    def __init__(self, seed: str, folder: Path, start: datetime = SPRING, launcher: Launcher | None = None) -> None:
        self.seed = seed
        self.launcher = launcher
        self.page_rows = Random(f"{seed} pages").choice((0, 0, 0, 4, 7))
        self.folder = folder
        self.clock = VirtualClock(start)
        self.scheduler = Scheduler(self.clock)
        chance = Random(f"{seed} network")
        solteq_app = solteq.create_app(Path(":memory:"), seed=0)
        woo_app = woo.create_app(Path(":memory:"))
        self.network = Network(self.scheduler, self.clock, {"solteq": solteq_app, "woo": woo_app})
        self.network.latency = lambda: chance.uniform(0.02, 0.4)
        self.network.tell = self._requested
        self.solteq, self.woo = System(solteq_app, SOLTEQ_URL), System(woo_app, WOO_URL)
        for side, app in (("solteq", solteq_app), ("woo", woo_app)):
            self.clock.set_by(side, app.clock)  # type: ignore[attr-defined]
        self.story: list[str] = []
        self.happenings: list[Happening] = []
        self.counts: dict[str, int] = {}
        self.outcomes: dict[str, str | None] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.watching: list[Callable[[tuple[str, str, str, str] | None], None]] = []
        self.disk_is_full_until = 0.0
        self.dies_in = 0
        self.is_calm = False
        self.is_running = False
        self.booked_elsewhere: set[int] = set()
        self._backups: list[tuple[datetime, bytes]] = []
        self._settings: dict[str, Any] = {}
        self.settings = self.set()
        self.database = state_database(self.settings.database)
        self._runs = 0

    # What is set

    def set(self, **changes: Any) -> Settings:
        """Change settings of the integration, for the runs that follow."""
        self._settings |= changes
        self.settings = Settings(
            _env_file=None,  # pyright: ignore[reportCallIssue]
            **{
                "SOLTEQ_API_URL": SOLTEQ_URL,
                "SOLTEQ_IDENTITY_URL": SOLTEQ_URL,
                "SOLTEQ_CLIENT_ID": solteq.CLIENT_ID,
                "SOLTEQ_CLIENT_SECRET": SecretStr(solteq.CLIENT_SECRET),
                "WOO_URL": WOO_URL,
                "WOO_CONSUMER_KEY": woo.CONSUMER_KEY,
                "WOO_CONSUMER_SECRET": SecretStr(woo.CONSUMER_SECRET),
                "database": self.folder / "state.duckdb",
                "web_store": "1",
                "tax_classes": {"25.5": "", "13.5": "reduced-rate", "10": "reduced-rate", "0": "zero-rate"},
                **self._settings,
            },
        )
        return self.settings

    # What is told

    def tell(self, who: str, what: str, **facts: Any) -> None:
        """Something happened. ``facts``: what the judge may want to know of it."""
        self.story.append(f"{self.clock.now:%d %H:%M:%S.%f} {who}: {what}")
        self.happenings.append(Happening(self.clock.now, who, what, facts))
        for look in self.watching:
            look(None)

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def end(self, what: str) -> None:
        """A guarantee ended here: docs/guarantees.md names it."""
        self.count(f"end: {what}")

    def _requested(self, side: str, request: requests.PreparedRequest, what: str) -> None:
        process = self.scheduler.process()
        who = process.name if process else "?"
        target = (request.url or "").partition("//")[2]
        said = f" {request.body!r}" if request.method not in ("GET", None) and "/connect/" not in target else ""
        self.story.append(f"{self.clock.now:%d %H:%M:%S.%f} {who}: {request.method} {target}{said[:2000]} → {what}")
        self.requests.append((who, request.method or "", target))
        for look in self.watching:
            look((who, request.method or "", target, what))

    @property
    def writes(self) -> int:
        """How many requests of the integration could change something so far."""
        return sum(method != "GET" and "/connect/" not in target for _, method, target in self.requests)

    # Runs

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the integration's database."""
        with self.database.transaction() as connection:
            answer = connection.execute(sql, values)
            names = [column[0] for column in answer.description or ()]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def run(
        self,
        random: Random,
        *flows: str,
        occasion: Any = "sensor",
        at_step: Callable[[Process, str, int], None] = lambda _process, _what, _number: None,
    ) -> None:
        """Run flows side by side, as the daemon does; how each ended is in ``outcomes``.

        :param occasion: ``sensor`` runs a flow only when its sensor would; ``let pass`` lets pass what rails stopped;
            ``backfill`` reads the last days of sales whole
        :param at_step: what happens at each step, by its number
        """
        taken = 0

        def step(process: Process, what: str) -> None:
            nonlocal taken
            taken += 1
            at_step(process, what, taken)
            self._perhaps_kill(process)

        self.scheduler.at_step = step
        by_name = {flow.name: flow for flow in FLOWS}
        started = []
        for name in flows:
            self._runs += 1
            process = Process(f"{name} {self._runs}")
            started.append((process, self._begun(process, by_name[name], str(UUID(int=self._runs)), occasion)))
        self.is_running = True
        self.scheduler.run(random, *started)
        self.is_running = False
        for name, (process, _) in zip(flows, started, strict=True):
            self.outcomes[name] = self._outcome(process)
            self.story.append(f"{self.clock.now:%d %H:%M:%S.%f} {process.name}: {self.outcomes[name] or 'ended well'}")
        self.count("runs", len(flows))

    def _perhaps_kill(self, process: Process) -> None:
        if self.dies_in == 0:
            return
        self.dies_in -= 1
        if self.dies_in == 0:
            self.tell("machine", f"kills {process.name}")
            self.count("kills")
            self.scheduler.kill(process)

    def _outcome(self, process: Process) -> str | None:
        if process.is_dead:
            return "killed"
        if process.error is None:
            return None
        if isinstance(process.error, dg.Failure | IntegrationError):
            return f"failed: {process.error}".replace(str(self.folder), "…")
        raise process.error

    def _begun(self, process: Process, flow: Flow, run_id: str, occasion: Any) -> Callable[[], None]:
        def begin() -> None:
            settings = self.settings
            with opened(settings, self.database, utc_now) as shop:
                if occasion == "sensor":
                    why = left_over(flow, shop) or flow.source.news(shop)
                    self.story.append(f"{self.clock.now:%d %H:%M:%S.%f} {process.name}: {why or 'nothing to do'}")
                    if not why and self.outcomes.get(flow.name) is None:
                        return
                run = _asked_for(flow, settings, run_id, occasion)
                if self.launcher is None:
                    run_assets(flow.assets, shop, run)
            if self.launcher is not None:
                self.launcher.launch(flow, settings, run)

        return begin

    # The integration's machine

    @property
    def stopped(self) -> list[str]:
        """The flows of which guard rails stopped something."""
        if not self.settings.database.exists():
            return []
        return [row["flow"] for row in self.query(_STOPPED)]

    def back_up(self) -> bool:
        """Copy the database, as a nightly job of the shop does; whether there is one."""
        if not self.settings.database.exists():
            return False
        self._backups.append((self.clock.now, self.settings.database.read_bytes()))
        return True

    def restore(self, random: Random) -> datetime | None:
        """Put an earlier copy of the database back; of when it is, ``None`` without any."""
        if not self._backups:
            return None
        when, content = random.choice(self._backups)
        self._stop()
        self.settings.database.write_bytes(content)
        return when

    def lose(self) -> None:
        """The database is gone."""
        self._stop()
        self.settings.database.unlink(missing_ok=True)

    def _stop(self) -> None:
        engine_database._stop_idle()
        Path(f"{self.settings.database}.wal").unlink(missing_ok=True)

    @contextmanager
    def existing(self) -> Iterator[None]:
        """The world turns while the block lasts: clock, network, threads and the database are its own."""
        with self.clock.running(), replaced(self.scheduler, lambda: self.clock.seconds, self.seed) as patch:
            patch.setattr(http, "_session", self.network.session)
            patch.setattr(http, "Deadline", Deadline)
            if self.page_rows:
                make_small(patch, self.page_rows)
            patch.setattr(StateDatabase, "transaction", self._stepping(StateDatabase.transaction))
            make_database(self.settings.database)
            log = logging.getLogger("flows")
            log.addHandler(_ToStory(self))
            log.propagate = False
            try:
                yield
            finally:
                log.handlers.clear()
                engine_database._stop_idle()
                shutil.rmtree(self.folder)

    def _stepping(self, transaction: Callable[..., Any]) -> Callable[..., Any]:
        """A transaction with a step before and after it; a full disk refuses its commit."""

        @contextmanager
        def stepping(database: StateDatabase) -> Iterator[duckdb.DuckDBPyConnection]:
            self.scheduler.step("begin")
            with transaction(database) as connection:
                yield connection
                if self.clock.seconds < self.disk_is_full_until and self.scheduler.process():
                    raise duckdb.IOException("No space left on device")
            self.scheduler.step("committed")

        return stepping


def _asked_for(flow: Flow, settings: Settings, run_id: str, occasion: Any) -> Run:
    """A run of a flow with the config that it has on an occasion."""
    ops = configuration(flow, settings, let_pass=True) if occasion == "let pass" else flow.ops_of(occasion, settings)
    configs = {name: each["config"] for name, each in ops.items()} if occasion != "backfill" else {}
    last = today(settings, utc_now())
    days = books.last_days(date.fromisoformat(last), 5) if occasion == "backfill" else [last]
    return Run(run_id, sorted(map(str, days)), configs)


class _ToStory(logging.Handler):
    """What runs log is part of the story."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        self._world.story.append(f"{self._world.clock.now:%d %H:%M:%S.%f} log: {record.getMessage()[:300]}")


FLOW_NAMES: Sequence[str] = tuple(flow.name for flow in FLOWS)
