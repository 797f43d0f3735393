"""The simulation itself: a seed always tells the same story, and what is replaced behaves as what it stands in for."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import filelock
import pytest

from solteq_woo_assets_tests.simulation.campaign import Campaign, begin, campaign, played
from solteq_woo_assets_tests.simulation.clock import VirtualClock
from solteq_woo_assets_tests.simulation.history import Event, History, plan
from solteq_woo_assets_tests.simulation.replaced import Executor, FileLocks
from solteq_woo_assets_tests.simulation.scheduler import Process, Scheduler, Stuck
from solteq_woo_assets_tests.simulation.seeds import mended
from solteq_woo_assets_tests.simulation.shrink import shrink


def stories(seeds: list[str]) -> list[History]:
    """Played in a process of its own, with its own order of sets."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, begin) as pool:
        return list(pool.map(played, seeds))


def test_a_seed_tells_the_same_story_whatever_was_played_before() -> None:
    (alone,), (_, after_another) = stories(["2"]), stories(["1", "2"])
    assert alone.story == after_another.story
    assert alone.broken == after_another.broken


def test_what_broke_once_holds_now() -> None:
    """Each seed that broke a promise, and was mended."""
    told = Campaign()
    for history in campaign(mended()):
        told.add(history)
    assert not told.broken, [(each.seed, each.broken) for each in told.broken]


@pytest.mark.slow
def test_a_history_goes_through_dagster() -> None:
    """What is below Dagster elsewhere is what its jobs do."""
    (told,) = campaign(["6201"], through_dagster=True)
    assert told.broken == []
    assert told.counts["runs"] >= 30


def test_the_events_of_a_seed_are_the_same_when_others_are_left_out() -> None:
    events = plan("7")
    assert events == plan("7") != plan("8")
    assert [event.number for event in events] == list(range(len(events)))


@pytest.mark.parametrize("guilty", [{3}, {3, 17}, {0, 39}, {5, 6, 7}])
def test_a_shrunk_history_has_only_the_events_that_matter(guilty: set[int]) -> None:
    events = [Event(number, "any") for number in range(40)]

    def fails(left: object) -> bool:
        assert isinstance(left, list)
        return guilty <= {event.number for event in left}

    assert {event.number for event in shrink(events, fails)} == guilty


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler(VirtualClock(datetime(2026, 3, 27, tzinfo=UTC).replace(tzinfo=None)))


def run(scheduler: Scheduler, *functions: Callable[[], object], seed: int = 0) -> list[Process]:
    processes = [Process(str(number)) for number in range(len(functions))]
    scheduler.run(Random(seed), *zip(processes, functions, strict=True))
    return processes


def test_seeds_reach_every_order_of_two_processes(scheduler: Scheduler) -> None:
    def steps(name: str, told: list[str]) -> Callable[[], None]:
        def go() -> None:
            for _ in range(2):
                told.append(name)
                scheduler.step("on")

        return go

    seen = set()
    for seed in range(200):
        told: list[str] = []
        run(scheduler, steps("a", told), steps("b", told), seed=seed)
        seen.add("".join(told))
    assert seen == {"aabb", "abab", "abba", "baab", "baba", "bbaa"}


def test_the_dead_clean_nothing_up_and_their_file_locks_are_free(scheduler: Scheduler, tmp_path: Path) -> None:
    locks, cleaned = FileLocks(scheduler), []

    def die() -> None:
        try:
            with locks.made(tmp_path / "lock"):
                process = scheduler.process()
                assert process is not None
                scheduler.kill(process)
        finally:
            cleaned.append("died")

    def follow() -> None:
        with locks.made(tmp_path / "lock", timeout=60):
            cleaned.append("followed")

    died, followed = run(scheduler, die, follow)
    assert died.is_dead
    assert not followed.is_dead
    assert cleaned == ["followed"]


def test_who_waits_for_a_lock_waits_in_the_virtual_time(scheduler: Scheduler, tmp_path: Path) -> None:
    locks = FileLocks(scheduler)

    def hold() -> None:
        with locks.made(tmp_path / "lock"):
            scheduler.sleep(100)

    def ask() -> None:
        scheduler.sleep(1)
        with pytest.raises(filelock.Timeout):
            locks.made(tmp_path / "lock", timeout=60).acquire()
        with locks.made(tmp_path / "lock", timeout=60):
            pass

    assert [process.error for process in run(scheduler, hold, ask)] == [None, None]


def test_a_pool_has_so_many_threads_and_tells_errors(scheduler: Scheduler) -> None:
    at_once: list[int] = []
    inside = 0

    def work(number: int) -> int:
        nonlocal inside
        inside += 1
        at_once.append(inside)
        scheduler.step("work")
        inside -= 1
        if number == 3:
            raise ValueError(number)
        return number

    def pool() -> None:
        with Executor(scheduler, 2) as executor:
            assert list(executor.map(work, range(3))) == [0, 1, 2]
            with pytest.raises(ValueError, match="3"):
                executor.submit(work, 3).result()

    for seed in range(10):
        assert [process.error for process in run(scheduler, pool, seed=seed)] == [None]
    assert max(at_once) == 2


def test_who_waits_for_what_never_comes_is_found(scheduler: Scheduler) -> None:
    with pytest.raises(Stuck):
        run(scheduler, lambda: scheduler.wait_for(lambda: False))
