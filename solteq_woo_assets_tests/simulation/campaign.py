"""Many histories, on every core; the sums, and a short story of each that broke a promise."""

import atexit
import multiprocessing
import os
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count, islice

from solteq_woo_assets_tests.simulation.history import History, play
from solteq_woo_assets_tests.simulation.through_dagster import Launcher

_HISTORIES_OF_A_PROCESS = 40
"""A killed run stays in memory for as long as its process."""


@dataclass
class Campaign:
    """The sums of histories, and those that broke a promise. ``ends``: in how many each end of a guarantee was met."""

    histories: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    broken: list[History] = field(default_factory=list)

    def add(self, history: History) -> None:
        self.histories += 1
        self.counts.update(history.counts)
        self.ends.update({name.removeprefix("end: "): 1 for name in history.counts if name.startswith("end: ")})
        if history.broken:
            self.broken.append(history)

    def line_of_ends(self) -> str:
        """Where guarantees ended, and in how many histories."""
        met = ", ".join(f"{name} in {times}" for name, times in self.ends.most_common())
        return f"Ends that were met: {met or 'none'}."

    def line(self) -> str:
        """How it went, in a line."""
        told = self.counts
        return (
            f"{self.histories} histories, {told['events']} events, {told['faults']} faults, {told['kills']} kills, "
            f"{told['restores']} restores: {len(self.broken)} broken"
        )


def played(seed: str, through_dagster: bool = False) -> History:
    """A history; one that crashes has broken a promise, too."""
    try:
        return play(seed, launcher=Launcher() if through_dagster else None)
    except Exception:
        return History(seed, [], broken=[f"crash: {traceback.format_exc(limit=-6)}"])


def seeds_from(first: int, number: int | None) -> Iterator[str]:
    """Seeds in a row."""
    return (str(seed) for seed in (count(first) if number is None else range(first, first + number)))


def begin() -> None:
    """A process that ends lets go of what killed runs had; DuckDB would print each piece of it."""
    atexit.register(os._exit, 0)


def campaign(seeds: Iterable[str], seconds: float | None = None, through_dagster: bool = False) -> Iterator[History]:
    """Play them on every core, in the order in which they end.

    :param seconds: begin no other after so long
    """
    until = None if seconds is None else time.monotonic() + seconds
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, context, begin, max_tasks_per_child=_HISTORIES_OF_A_PROCESS) as pool:
        due = iter(seeds)
        running = {pool.submit(played, seed, through_dagster) for seed in islice(due, cores + 1)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
                if until is None or time.monotonic() < until:
                    running |= {pool.submit(played, seed, through_dagster) for seed in islice(due, 1)}
