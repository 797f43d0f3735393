"""What is replaced of the product's surroundings: threads, locks, sleep, chance. The product itself runs as it is."""

import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import duckdb
import filelock
import pytest
import stamina

from solteq_woo_assets.clients import http, solteq_access, woo, woo_customers, woo_orders, woo_pages
from solteq_woo_assets.engine import blame, database, delivery, lease, turns, writes
from solteq_woo_assets.flows.customers import outbox_woo
from solteq_woo_assets.flows.products import outbox as product_outbox
from solteq_woo_assets.flows.sales import lookups
from solteq_woo_assets_tests.simulation.scheduler import Process, Scheduler


class Future(futures.Future[Any]):
    """One that gives way while it is waited for. A set of them has the same order each time: the hash is a number."""

    def __init__(self, scheduler: Scheduler, number: int) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._number = number

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other

    def result(self, timeout: float | None = None) -> Any:
        self._scheduler.wait_for(self.done)
        return super().result(0)


class Executor:
    """A pool whose threads are tasks of the process that made it."""

    def __init__(self, scheduler: Scheduler, most: int) -> None:
        self._scheduler = scheduler
        self._most = most
        self._running = 0
        self._made = 0
        self._queue: deque[tuple[Future, Callable[[], Any]]] = deque()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future:
        self._made += 1
        future = Future(self._scheduler, self._made)
        self._queue.append((future, lambda: function(*arguments, **named)))
        process = self._scheduler.process()
        assert process is not None, "a pool belongs to a process"
        if self._running < self._most:
            self._running += 1
            self._scheduler.spawn(process, self._work)
        return future

    def map(self, function: Callable[..., Any], *iterables: Iterable[Any]) -> Iterator[Any]:
        made = [self.submit(function, *each) for each in zip(*iterables, strict=False)]
        return (future.result() for future in made)

    def _work(self) -> None:
        while self._queue:
            future, function = self._queue.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)
        self._running -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            for future, _ in self._queue:
                future.cancel()
        if wait:
            self._scheduler.wait_for(lambda: self._running == 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


class Lock:
    """A lock between the threads of a process, or a semaphore."""

    def __init__(self, scheduler: Scheduler, places: int = 1) -> None:
        self._scheduler = scheduler
        self._free = places

    def __enter__(self) -> None:
        self._scheduler.wait_for(lambda: self._free > 0)
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1


class FileLocks:
    """The locks on files, as the operating system keeps them: those of a process that has ended are free."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self._held: dict[str, tuple[object, Process | None]] = {}

    def is_free(self, path: str) -> bool:
        holder = self._held.get(path)
        return holder is None or (holder[1] is not None and holder[1].has_ended)

    def take(self, path: str, lock: object) -> None:
        self._held[path] = (lock, self.scheduler.process())

    def give(self, path: str, lock: object) -> None:
        if self._held.get(path, (None, None))[0] is lock:
            del self._held[path]

    def made(self, path: str | Path, timeout: float = -1, **_: Any) -> "FileLock":
        return FileLock(self, str(path), timeout)


class FileLock:
    """As much of :class:`filelock.FileLock` as is used."""

    def __init__(self, locks: FileLocks, path: str, timeout: float) -> None:
        self._locks, self._path, self._timeout = locks, path, timeout
        self._count = 0

    def acquire(self, timeout: float | None = None) -> Self:
        if self._count == 0:
            Path(self._path).touch(mode=0o600)
            seconds = self._timeout if timeout is None else timeout
            free = self._locks.scheduler.wait_for(
                lambda: self._locks.is_free(self._path), None if seconds < 0 else seconds
            )
            if not free:
                raise filelock.Timeout(self._path)
            self._locks.take(self._path, self)
        self._count += 1
        return self

    def release(self) -> None:
        self._count -= 1
        if self._count == 0:
            self._locks.give(self._path, self)

    def __enter__(self) -> Self:
        return self if self._count else self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@contextmanager
def replaced(scheduler: Scheduler, seconds: Callable[[], float], seed: str) -> Iterator[pytest.MonkeyPatch]:
    """Threads, locks, sleep and chance are the simulation's while the block lasts.

    :param seconds: the time, for lives of tokens
    """
    chance = random.Random(seed)
    locks = FileLocks(scheduler)

    def wait(given: Iterable[Future], timeout: float | None = None, return_when: str = futures.ALL_COMPLETED) -> Any:
        each = list(given)
        enough = any if return_when == futures.FIRST_COMPLETED else all
        scheduler.wait_for(lambda: enough(future.done() for future in each))
        return futures.wait(each, timeout=0)

    def connect(path: str = ":memory:", **given: Any) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(path, **given)
        connection.execute("SET threads = 1")  # the order of rows is the same each time
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", scheduler.sleep)
        patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=chance.getrandbits(128), version=4))
        patch.setattr(writes, "uuid4", uuid.uuid4)
        patch.setattr(solteq_access.TokenCache.__init__, "__defaults__", (seconds,))
        for module in (delivery, lookups, woo_orders):
            patch.setattr(module, "ThreadPoolExecutor", lambda most, **_: Executor(scheduler, most))
        patch.setattr(delivery, "wait", wait)
        threads = SimpleNamespace(
            Lock=lambda: Lock(scheduler), Semaphore=lambda places: Lock(scheduler, places), local=threading.local
        )
        for module in (http, solteq_access, lease, blame, turns):
            patch.setattr(module, "threading", threads)
        for module in (database, lease):
            patch.setattr(module, "FileLock", locks.made)
        patch.setattr(database, "duckdb", _with(duckdb, connect=connect))
        patch.setattr("stamina._core.random", random.Random(seed))  # what is imported late draws from everybody's
        told = stamina.instrumentation.get_on_retry_hooks()
        stamina.instrumentation.set_on_retry_hooks([])
        yield patch
        stamina.instrumentation.set_on_retry_hooks(told)


def make_small(patch: pytest.MonkeyPatch, rows: int) -> None:
    """Let the store's lists have several pages, and deliveries several lots, in a shop of a few products."""
    for module in (woo_pages, woo, woo_customers, woo_orders):
        patch.setattr(module, "PAGE_ROWS", rows)
    patch.setattr(product_outbox, "BATCH_SIZE", rows)
    patch.setattr(outbox_woo.AccountOutbox, "batch_size", rows)


def _with(module: Any, **replacements: Any) -> Any:
    return SimpleNamespace(**{**vars(module), **replacements})
