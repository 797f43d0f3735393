"""A database belongs to the systems and the shop that it was made with: with others nothing is read or sent."""

from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest

from solteq_woo_assets.doctor.examination import examine
from solteq_woo_assets.engine.identity import Identity, Side, address
from solteq_woo_assets.errors import ForeignDatabaseError
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets.flows.rebinding import forgotten
from solteq_woo_assets.flows.tables import TABLES, state_database
from solteq_woo_assets_tests.conftest import CHANGED_SALES, CommandLine, Shop, environment_of, order_line
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import solteq as solteq_sandbox
from solteq_woo_sandbox import woo as woo_sandbox


@pytest.fixture
def other(tmp_path: Path):
    """A second pair of systems, with nothing in them."""
    folder = tmp_path / "other"
    folder.mkdir()
    with ExitStack() as stack:
        solteq = stack.enter_context(running(solteq_sandbox.create_app(folder / "solteq.sqlite", seed=0)))
        woo = stack.enter_context(running(woo_sandbox.create_app(folder / "woo.sqlite")))
        yield Shop(tmp_path, solteq, woo)


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the run says of why it failed."""
    (first, *_) = [event.step_failure_data for event in result.all_node_events if event.is_step_failure]
    return (first.user_failure_data.description if first.user_failure_data else None) or ""


def run(shop: Shop, job: str) -> dg.ExecuteInProcessResult:
    return shop.run(job, run_config=CHANGED_SALES if job == "sales_to_solteq" else None)


@pytest.mark.parametrize("side", ["solteq", "woo"])
def test_with_another_system_no_flow_reads_or_sends(shop: Shop, other: Shop, side: str) -> None:
    """Trying the sandbox and then setting .env in the same folder put made-up drafts into a real store."""
    shop.product("A1")
    shop.sync()
    setting = {"solteq": "SOLTEQ_API_URL", "woo": "WOO_URL"}[side]
    stranger = getattr(other, side)
    shop.with_settings(**{setting: stranger.url}, **({"SOLTEQ_IDENTITY_URL": stranger.url} if side == "solteq" else {}))
    stranger.asked()
    getattr(shop, side).asked()
    for flow in FLOWS:
        result = run(shop, flow.job)
        assert not result.success
        words = failure(result)
        assert str(shop.settings.database) in words
        assert f"{setting} now leads to" in words
        assert "solteq-woo rebind" in words
    paths = {request["path"] for request in stranger.asked()}
    assert not any("v1-ext" in path or "wc/v3" in path for path in paths), "it was asked who it is, and no more"
    with pytest.raises(Exception, match="belongs to others"):
        shop.tick("products")


def test_another_shop_name_stops_every_flow(shop: Shop) -> None:
    """External ids begin with it: every sale would be booked a second time."""
    shop.sync("products_to_woo")
    shop.with_settings(shop="outlet")
    result = run(shop, "sales_to_solteq")
    assert not result.success
    assert "it was made for the shop shop, and SOLTEQ_WOO_SHOP is now outlet" in failure(result)


def test_the_same_systems_at_another_address_are_the_same(shop: Shop, tmp_path: Path) -> None:
    """Solteq says its tenant; the token of the same tenant opens the database at any address."""
    shop.sync("products_to_woo")
    with running(solteq_sandbox.create_app(tmp_path / "solteq.sqlite", seed=0)) as url:
        shop.with_settings(SOLTEQ_API_URL=url, SOLTEQ_IDENTITY_URL=url)
        shop.sync("products_to_woo")


def test_an_address_is_known_without_what_may_change() -> None:
    """The scheme, www and what somebody added for the API."""
    assert address("https://www.Shop.example/wp-json/") == "shop.example"
    assert address("http://shop.example/fi/") == "shop.example/fi"
    assert address("https://user:secret@shop.example") == "shop.example"


def test_a_quiet_run_asks_nobody_who_it_is(shop: Shop) -> None:
    """The settings lead where they led a moment ago."""
    shop.sync("products_to_woo")
    shop.woo.asked()
    shop.sync("products_to_woo")
    assert not any(request["path"].rstrip("/").endswith("wp-json") for request in shop.woo.asked())


def test_after_a_day_everybody_is_asked_again(shop: Shop) -> None:
    shop.sync("products_to_woo")
    with shop.database.transaction() as connection:
        connection.execute("UPDATE sync.identity SET asked_at = asked_at - INTERVAL 25 HOUR, says = 'elsewhere'")
    assert "made with Solteq elsewhere" in failure(run(shop, "products_to_woo"))


def test_rebind_says_what_it_forgets_and_the_next_run_begins_anew(
    shop: Shop, other: Shop, solteq_woo: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.product("A1")
    other.product("B1")
    shop.sync()
    shop.order(order_line("A1", "5.00"))
    shop.sync_sales()
    assert solteq_woo("rebind").output == "The database belongs to these systems already.\n"
    other.with_settings(database=shop.settings.database)
    for name, value in environment_of(other).items():
        monkeypatch.setenv(name, value)
    told = solteq_woo("doctor").output
    assert "database owners" in told
    assert solteq_woo("sync", "products").exit_code == 1
    refused = solteq_woo("rebind")
    assert refused.exit_code == 1, "nobody said yes"
    assert "snapshot.solteq_products" in refused.output
    assert "sync.sales" in refused.output
    assert shop.rows("SELECT count(*) FROM sync.sales") == [(1,)]
    assert solteq_woo("rebind", "--yes").exit_code == 0
    assert shop.rows("SELECT count(*) FROM sync.sales") == [(0,)]
    result = solteq_woo("sync", "products")
    assert result.exit_code == 0, result.output
    assert set(other.store()) == {"B1"}


def test_rebind_that_keeps_forgets_nothing(
    shop: Shop, other: Shop, solteq_woo: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store moved to another address."""
    shop.product("A1")
    shop.sync()
    before = shop.rows("FROM sync.deliveries")
    monkeypatch.setenv("WOO_URL", other.woo.url)
    assert solteq_woo("rebind", "--keep", "--yes").exit_code == 0
    assert shop.rows("FROM sync.deliveries") == before
    shop.with_settings(WOO_URL=other.woo.url)
    assert run(shop, "products_to_woo").success


def test_what_is_forgotten_is_what_the_side_said_and_what_was_made_of_both() -> None:
    tables = {table.name for table in TABLES}
    solteq, woo, shop = (set(forgotten(TABLES, [name])) for name in ("solteq", "woo", "shop"))
    assert shop == solteq & woo
    assert {"snapshot.woo_catalogue", "sync.price_history"} <= woo - solteq
    assert {"snapshot.solteq_products", "snapshot.solteq_balances"} <= solteq - woo
    assert "sync.sales" in shop
    kept = {"version", "identity", "leases", "alerts", "watermarks", "rewrite_due"}
    assert tables - solteq - woo == {f"sync.{name}" for name in kept}


def test_the_doctor_says_whom_the_database_was_made_with(shop: Shop, other: Shop) -> None:
    """Without letting the stranger in."""
    shop.sync("products_to_woo")
    findings = {finding.check: finding for finding in examine(shop.settings)}
    assert findings["database owners"].level == "green"
    other.with_settings(database=shop.settings.database)
    before = shop.rows("FROM sync.identity")
    finding = {finding.check: finding for finding in examine(other.settings)}["database owners"]
    assert finding.level == "red"
    assert "it was made with the store" in finding.words
    assert shop.rows("FROM sync.identity") == before


def side(address: str, says: str | None) -> Side:
    return Side("woo", "the store", "WOO_URL", address, f"{address} {says}", lambda: says)


@pytest.mark.parametrize(
    ("before", "now", "is_stranger"),
    [
        (("a", "a (Europe/Helsinki)"), ("b", "a (Europe/Helsinki)"), False),
        (("a", "a (Europe/Helsinki)"), ("a", "a (Europe/Stockholm)"), True),
        (("a", "a (Europe/Helsinki)"), ("a", None), False),
        (("a", None), ("a", "a (Europe/Helsinki)"), False),
        (("a", None), ("b", None), True),
        (("a", "a (Europe/Helsinki)"), ("b", None), True),
    ],
)
def test_what_a_side_says_counts_before_its_address(
    tmp_path: Path, before: tuple[str, str | None], now: tuple[str, str | None], is_stranger: bool
) -> None:
    """A new database belongs to who was there first."""
    database = state_database(tmp_path / "state.duckdb")
    Identity(database, [side(*before)]).check()
    again = Identity(database, [side(*now)])
    if is_stranger:
        with pytest.raises(ForeignDatabaseError, match="it was made with the store a"):
            again.check()
    else:
        again.check()
        with database.transaction() as connection:
            told = connection.execute("SELECT says FROM sync.identity").fetchall()
        assert told == [(now[1] or before[1],)]
