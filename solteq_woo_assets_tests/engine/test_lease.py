"""Leases: runs of one flow never overlap, different flows do, and a crash gives back at once."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.engine.lease import FlowLeases
from solteq_woo_assets.errors import FlowBusyError, StateError
from solteq_woo_assets.settings import Settings
from solteq_woo_assets_tests.automation.test_sensors import tick
from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_assets_tests.engine.processes import exit_code, started


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "state.duckdb"


def leases(path: Path, wait_seconds: float = 0) -> FlowLeases:
    """Those of a run of its own."""
    return FlowLeases(StateDatabase(path), wait_seconds=wait_seconds)


def hold_and_die(path: Path, run_id: str) -> None:
    """Crash while holding the products' flow."""
    FlowLeases(StateDatabase(path)).take("products", run_id)
    os.kill(os.getpid(), signal.SIGKILL)


def take_in_turn(path: Path, times: int) -> None:
    """Hold the flow, and find nobody else in it."""
    inside = path.with_name("inside")
    for number in range(times):
        with leases(path, wait_seconds=60) as held:
            held.take("products", f"{os.getpid()} {number}")
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
            inside.unlink()


def test_four_processes_that_want_one_flow_are_never_in_it_together(path: Path) -> None:
    processes = [started(take_in_turn, path, 5) for _ in range(4)]
    assert [exit_code(process) for process in processes] == [0] * 4
    assert leases(path).crashed_run("products") is None


def test_a_busy_flow_is_said_to_be_busy_with_whom(path: Path) -> None:
    with leases(path) as first, leases(path) as second:
        first.take("products", "run-1")
        with pytest.raises(FlowBusyError, match=r"products is under way \(run-1\).*Run again when it has ended"):
            second.take("products", "run-2")
        assert second.crashed_run("products") is None
    with leases(path) as third:
        assert third.take("products", "run-3") is None


def test_different_flows_are_held_side_by_side(path: Path) -> None:
    with leases(path) as first, leases(path) as second:
        first.take("products", "run-1")
        assert second.take("balances", "run-2") is None


def test_a_run_takes_its_lease_once_however_many_steps_ask_for_it(path: Path) -> None:
    with leases(path) as held:
        assert [held.take("products", "run-1") for _ in range(3)] == [None] * 3


def test_a_crashed_holder_lets_go_at_once_and_is_named_once(path: Path) -> None:
    assert exit_code(started(hold_and_die, path, "run-1")) == -signal.SIGKILL
    assert leases(path).crashed_run("products") == "run-1"
    with leases(path) as held:
        assert held.take("products", "run-2") == "run-1"
        assert held.crashed_run("products") is None
    with leases(path) as held:
        assert held.take("products", "run-3") is None


def lease_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.products.lease")


@pytest.mark.parametrize("replaced", [False, True])
def test_a_deleted_lease_file_lets_nobody_else_in(path: Path, replaced: bool) -> None:
    with leases(path) as first, leases(path) as second:
        first.take("products", "run-1")
        lease_file(path).unlink()
        if replaced:
            lease_file(path).touch()
        with pytest.raises(FlowBusyError, match=r"under way \(run-1\), though its lease file was deleted"):
            second.take("products", "run-2")
        assert second.is_taken("products")
        assert second.crashed_run("products") is None
    with leases(path) as third:
        assert not third.is_taken("products")
        assert third.take("products", "run-3") is None


@pytest.mark.parametrize("number", ["free", "of another process"])
def test_a_crashed_holder_lets_go_though_its_lease_file_was_deleted(path: Path, number: str) -> None:
    """After a restart of the machine another process may have the crashed one's number."""
    assert exit_code(started(hold_and_die, path, "run-1")) == -signal.SIGKILL
    lease_file(path).rename(path.with_name("elsewhere"))  # as deleted, and its number is not used again
    if number == "of another process":
        with StateDatabase(path).transaction() as connection:
            connection.execute("UPDATE sync.leases SET pid = ?", [os.getpid()])
    with leases(path) as held:
        assert not held.is_taken("products")
        assert held.crashed_run("products") == "run-1"
        assert held.take("products", "run-2") == "run-1"


@pytest.fixture
def lasting(shop: Shop, tmp_path: Path) -> dg.DagsterInstance:
    """Dagster's storage on disk, which outlives a process."""
    shop.instance = dg.DagsterInstance.local_temp(str(tmp_path))
    return shop.instance


def start_and_die(settings: Settings, folder: str) -> None:
    """A run of Dagster's, killed in the middle of its last step."""
    from solteq_woo_assets.clients.woo import WooClient  # noqa: PLC0415
    from solteq_woo_assets.definitions import build_definitions  # noqa: PLC0415

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    WooClient.write = die  # type: ignore[method-assign]
    job = build_definitions(settings).resolve_job_def("products_to_woo")
    job.execute_in_process(instance=dg.DagsterInstance.local_temp(folder))


@pytest.mark.parametrize("by", ["the next run", "the sensor"])
def test_a_crashed_run_is_marked_failed(
    shop: Shop, lasting: dg.DagsterInstance, tmp_path: Path, no_settings: Path, by: str
) -> None:
    """It would look busy for ever, and keep the sensor from asking for another."""
    shop.product("A1")
    assert exit_code(started(start_and_die, shop.settings, str(tmp_path))) == -signal.SIGKILL
    (crashed,) = lasting.get_runs()
    assert crashed.status == dg.DagsterRunStatus.STARTED
    if by == "the sensor":
        tick(shop)
    else:
        shop.sync("products_to_woo")
        assert set(shop.store()) == {"A1"}
    after = lasting.get_run_by_id(crashed.run_id)
    assert after is not None
    assert after.status == dg.DagsterRunStatus.FAILURE


def test_who_holds_a_flow_sees_that_another_waits(path: Path) -> None:
    with leases(path) as holder, leases(path, wait_seconds=60) as waiting, ThreadPoolExecutor() as pool:
        holder.take("prices", "first")
        assert not holder.is_wanted("prices")
        taken = pool.submit(waiting.take, "prices", "second")
        while not holder.is_wanted("prices"):
            assert not taken.done()
        holder.release()
        assert taken.result() is None
        assert not waiting.is_wanted("prices")


def test_threads_that_ask_at_once_do_not_take_each_other_for_another_run(path: Path) -> None:
    """A delivery asks before each lot, from the threads that send: it would end early, for nobody."""
    with leases(path) as holder, ThreadPoolExecutor(8) as pool:
        holder.take("prices", "first")
        assert not any(pool.map(lambda _: holder.is_wanted("prices"), range(2000)))


def test_a_lease_that_could_not_be_written_down_is_given_back(path: Path) -> None:
    """A full disk, say: whoever catches the error in the same process must not keep the flow from everybody."""
    first = leases(path)
    first.take("products", "run-1")
    first.release()
    path.rename(path.with_name("away"))
    path.mkdir()
    with pytest.raises(StateError) as kept:
        first.take("products", "run-2")
    path.rmdir()
    path.with_name("away").rename(path)
    assert not leases(path).is_taken("products"), kept.value
