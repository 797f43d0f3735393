"""Sensors: they ask one cheap question, and wake a flow just as often as there is something to do."""

import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import dagster as dg
import pytest

from solteq_woo_assets.automation import sensors
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.lease import FlowLeases
from solteq_woo_assets.errors import SolteqError
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets_tests.conftest import CommandLine, Shop, order_line, product_document
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import solteq as solteq_sandbox

pytestmark = pytest.mark.usefixtures("no_settings")


def tick(shop: Shop, flow: str = "products") -> tuple[bool, str]:
    """What the flow's sensor says now."""
    return shop.tick(flow)


def runs_until_it_skips(shop: Shop, flow: str = "products", at_most: int = 5) -> int:
    """Let the sensor drive the flow; how many runs it takes until it has nothing more to ask for."""
    for number in range(at_most):
        requested, _ = tick(shop, flow)
        if not requested:
            return number
        shop.run(f"{flow}_to_woo")
    pytest.fail(f"the sensor asks for run after run: {tick(shop, flow)}")


def add_run(shop: Shop, status: dg.DagsterRunStatus, job: str = "products_to_woo") -> str:
    """A run in the instance, as another process would have it."""
    return instance_of(shop).add_run(dg.DagsterRun(job_name=job, status=status)).run_id


def instance_of(shop: Shop) -> dg.DagsterInstance:
    """Dagster's storage."""
    assert shop.instance is not None
    return shop.instance


@pytest.mark.parametrize("flow", [flow.name for flow in FLOWS])
def test_a_feed_that_was_never_read_is_read(shop: Shop, flow: str) -> None:
    assert tick(shop, flow) == (True, f"{flow} have never been read")


def test_nothing_new_is_one_request(shop: Shop) -> None:
    """A quiet shop is asked every few seconds, for years: Solteq, or the store for its newest accounts and orders."""
    shop.product("A1")
    shop.balance("A1", 5)
    shop.customer(1)
    shop.account("eero@example.com")
    shop.sync(*(flow.job for flow in FLOWS if not flow.is_by_day))
    shop.sync_sales()
    for flow in [flow.name for flow in FLOWS]:
        shop.solteq.asked()
        shop.woo.asked()
        requested, said = tick(shop, flow)
        assert (requested, said.partition(": ")[0]) == (False, "Nothing new")
        feeds = [request["path"] for request in shop.solteq.asked() if request["method"] == "GET"]
        of_the_store = flow in ("customers_to_solteq", "sales")
        assert (len(feeds), len(shop.woo.asked())) == ((0, 1) if of_the_store else (1, 0))


def test_a_change_wakes_the_flow_once(shop: Shop) -> None:
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.product("A1", salesPrice=12)
    assert tick(shop) == (True, "1 changed products in Solteq")
    assert runs_until_it_skips(shop) == 1


def test_a_short_interval_is_kept_between_the_daemons_rounds(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.with_settings(products_poll_seconds=2)
    shop.sync("products_to_woo")
    pauses: list[float] = []

    def change_meanwhile(seconds: float) -> None:
        pauses.append(seconds)
        shop.product("1")

    monkeypatch.setattr(sensors, "time", SimpleNamespace(monotonic=time.monotonic, sleep=change_meanwhile))
    is_woken, why = tick(shop)
    assert is_woken, why
    assert pauses == [2]


def test_a_changed_balance_wakes_the_balances_alone(shop: Shop) -> None:
    shop.product("A1")
    shop.balance("A1", 5)
    shop.sync()
    shop.balance("A1", 4)
    assert tick(shop)[0] is False
    assert tick(shop, "balances") == (True, "1 changed balances in Solteq")


def test_a_deletion_wakes_the_flow(shop: Shop) -> None:
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.product("A1", deleted=True)
    assert runs_until_it_skips(shop) == 1
    assert shop.rows("SELECT deleted FROM snapshot.solteq_products") == [(True,)]


def test_a_repeat_and_an_older_version_wake_nobody(shop: Shop) -> None:
    """Solteq delivers at least once and out of order."""
    shop.product("A1", salesPrice=12)
    shop.sync("products_to_woo")
    assert tick(shop)[0] is False
    a_minute_ago = (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="milliseconds")
    shop.product("A1", salesPrice=9, modifiedAt=a_minute_ago.replace("+00:00", "Z"))
    assert tick(shop)[0] is False


def test_a_document_that_cannot_be_read_wakes_the_flow_once(shop: Shop) -> None:
    """It stays in the feed, and in quarantine, until someone mends it."""
    shop.product("A1")
    shop.sync("products_to_woo")
    unreadable = [json.dumps(product_document(code, salesPrice="1,5")) for code in ("B1", "B2")]
    nameless = ['{"code": 1}', '{"code": 2}']
    shop.solteq.put("products", {"documents": [{"raw": text} for text in (*unreadable, *nameless)]})
    assert runs_until_it_skips(shop) == 1
    assert len(shop.rows("SELECT * FROM sync.quarantine WHERE stage = 'feed'")) == 4


def test_many_changes_at_once_are_settled_by_one_run(shop: Shop) -> None:
    """More than the page that the sensor looks at, and a page that holds repeats and old versions."""
    codes = [f"A{number}" for number in range(250)]
    shop.solteq.put("products", {"documents": [product_document(code) for code in codes]})
    shop.sync("products_to_woo")
    shop.solteq.put("products", {"documents": [{"id": f"p-{code}", "salesPrice": 11} for code in codes]})
    assert runs_until_it_skips(shop) == 1
    assert {product.regular_price for product in shop.store().values()} == {11}


# A queued run cannot be made without the daemon; it is in the same list.
@pytest.mark.parametrize("status", sensors.UNDER_WAY[1:], ids=lambda status: status.name)
def test_no_second_run_while_one_is_under_way(shop: Shop, status: dg.DagsterRunStatus) -> None:
    add_run(shop, status)
    assert tick(shop) == (False, "A run of products_to_woo is under way.")
    assert tick(shop, "balances")[0] is True, "other flows go on"


def test_after_a_failed_run_it_waits_and_then_tries_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the change is in the snapshot already, so that the feed has nothing new to say."""
    shop.sync("products_to_woo")
    shop.product("A1")
    shop.woo.fault(path="/wp-json/", times=None, status=401, body='{"code": "x", "message": "no", "data": {}}')
    assert not shop.run("products_to_woo").success
    shop.woo.heal()
    shop.solteq.asked()
    requested, words = tick(shop)
    assert (requested, words.split(";")[0]) == (False, "The last 1 run(s) of products_to_woo failed")
    assert shop.solteq.asked() == []
    monkeypatch.setattr(sensors, "LONGEST_PAUSE", timedelta(0))
    assert tick(shop) == (True, "the last run failed")
    assert runs_until_it_skips(shop) == 1
    assert set(shop.store()) == {"A1"}


def test_the_pause_doubles_with_each_failure_up_to_five_minutes(shop: Shop) -> None:
    now = datetime.now(UTC).timestamp()
    pauses = [
        sensors._pause(instance_of(shop), "products_to_woo", 60, failures, now) or "" for failures in (1, 2, 3, 8)
    ]
    seconds = [float(words.split(" in ")[1].removesuffix(" s.")) for words in pauses]
    assert seconds == pytest.approx([120, 240, 300, 300], abs=30)
    assert sensors._pause(instance_of(shop), "products_to_woo", 60, 1, now - 120) is None


def test_only_failures_in_a_row_count(shop: Shop) -> None:
    failed = [dg.DagsterRunStatus.FAILURE] * 2
    for status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS, *failed):
        add_run(shop, status)
    assert sensors._failures(instance_of(shop), "products_to_woo")[0] == 2
    assert sensors._failures(instance_of(shop), "balances_to_woo")[0] == 0


def test_a_crashed_run_is_marked_as_failed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is gone, so that nobody else will; until then the flow would look busy for ever."""
    monkeypatch.setattr(sensors, "LONGEST_PAUSE", timedelta(0))
    shop.product("A1")
    run_id = add_run(shop, dg.DagsterRunStatus.STARTED)
    shop.rows(
        "INSERT INTO sync.leases (flow, run_id, pid, since) VALUES ('products', ?, 1, now() AT TIME ZONE 'UTC')", run_id
    )
    assert tick(shop) == (True, "the last run failed")
    run = instance_of(shop).get_run_by_id(run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert runs_until_it_skips(shop) == 1


def test_waiting_balances_are_woken_when_their_product_arrives(shop: Shop) -> None:
    shop.balance("A1", 5)
    shop.sync("balances_to_woo")
    assert tick(shop, "balances")[0] is False, "waiting alone is no reason"
    shop.product("A1")
    shop.sync("products_to_woo")
    assert tick(shop, "balances") == (True, "1 balances were waiting for their product, which has arrived")
    assert runs_until_it_skips(shop, "balances") == 1
    assert shop.store()["A1"].stock_quantity == 5


def test_a_balance_that_may_not_go_to_the_page_with_its_code_wakes_nobody(shop: Shop) -> None:
    """The page was there when it was compared: the sensor once ran the flow at each tick for good."""
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.product("A1", id="another")
    shop.balance("A1", 5)
    shop.sync("products_to_woo", "balances_to_woo")
    assert shop.rows("SELECT action, reason FROM delta.balance_delta") == [("wait", "the code is on 2 active products")]
    assert tick(shop, "balances")[0] is False


def test_writes_that_did_not_arrive_wake_the_flow(shop: Shop) -> None:
    """The SKU was taken when the product was to be created; the next run adopts what is there, and that is all."""
    shop.sync("products_to_woo")
    other = Shop(shop.folder / "other", shop.solteq.url, shop.woo.url)
    other.instance = shop.instance
    shop.product("A1")
    other.sync("products_to_woo")
    product = shop.store()["A1"]
    shop.woo.patch(f"products/{product.id}", {"status": "trash"})
    shop.sync("products_to_woo")
    assert tick(shop) == (True, "1 writes of the last run did not arrive")
    assert runs_until_it_skips(shop) == 1
    assert shop.store()["A1"].id == product.id


def test_what_a_dry_run_has_shown_is_not_left_lying(shop: Shop) -> None:
    """The preview moved the watermark, so that the feed has nothing new to say."""
    shop.sync("products_to_woo")
    shop.product("A1")
    previewed = ["solteq_products", "woo_catalogue", "product_delta"]
    shop.run("products_to_woo", asset_selection=[dg.AssetKey(name) for name in previewed])
    assert tick(shop) == (True, "1 writes of the last delta were only previewed")
    assert runs_until_it_skips(shop) == 1


def test_what_the_store_refuses_wakes_nobody(shop: Shop) -> None:
    """A variable product whose SKU something else holds, and its variations, which wait for it."""
    shop.sync("products_to_woo")
    shop.product("T")
    shop.sync("products_to_woo")
    shop.woo.patch(f"products/{shop.store()['T'].id}", {"type": "external"})
    shop.product("T", deleted=True)
    for size in "SM":
        shop.product(f"T-{size}", modelNumber="T", attributes={"Koko": size})
    runs_until_it_skips(shop)
    assert "T-S" not in shop.store()
    assert tick(shop)[0] is False


def test_an_unreachable_solteq_is_a_failed_tick(shop: Shop) -> None:
    """The UI shows it with its reason; a quiet skip would look as if nothing had changed."""
    shop.sync("products_to_woo")
    shop.solteq.fault(times=None, status=401)
    with pytest.raises(SolteqError, match="SOLTEQ_CLIENT_SECRET"):
        tick(shop)


def test_sensors_alone_bring_the_sandbox_to_rest(shop: Shop) -> None:
    """As `make run` shows it: unruly feeds, bad records, products that wait; each change then takes one run a flow."""
    with running(solteq_sandbox.create_app(shop.folder / "seeded.sqlite", seed=1)) as solteq_url:
        seeded = Shop(shop.folder / "seeded", solteq_url, shop.woo.url)
        seeded.instance = shop.instance
        assert (runs_until_it_skips(seeded), runs_until_it_skips(seeded, "balances")) == (1, 1)
        assert tick(seeded)[0] is False
        seeded.solteq.post("shuffle", {"prices": 3, "balances": 2, "seed": 1})
        seeded.woo.asked()
        assert (runs_until_it_skips(seeded), runs_until_it_skips(seeded, "balances")) == (1, 1)
        assert sum(write["items"] for write in seeded.woo.writes()) == 5


def test_a_run_of_the_command_line_is_waited_for(shop: Shop) -> None:
    """It is in no list of Dagster's, yet its writes under way must not look as if they had been left."""
    with FlowLeases(shop.database) as held:
        held.take("products", "a run of the command line")
        assert tick(shop) == (False, "A run of products_to_woo is under way.")
    assert tick(shop)[0] is True


def test_a_feed_that_answers_by_another_setting_is_read_anew(shop: Shop) -> None:
    """A watermark says nothing of what another path, or another time zone, answers with."""
    shop.product("A1")
    shop.sync("products_to_woo")
    assert tick(shop)[0] is False
    shop.with_settings(timezone="Europe/Stockholm")
    assert tick(shop) == (True, "products were read by other settings")
    (told,) = shop.sync("products_to_woo")
    assert told["solteq_products"]["full_read"]
    assert tick(shop)[0] is False


def test_an_order_that_cannot_be_stored_wakes_the_sensor_once(shop: Shop) -> None:
    """It is not in the snapshot, and woke it at each tick: one that cannot be read, and one in another's place."""
    shop.product("A1")
    replaced = shop.order(order_line("A1", "5.00"))
    shop.sync_sales()
    shop.order(order_line("A1", "7.00"), total="seven")
    shop.edit_order(replaced, order_line("A1", "6.00"), date_created_gmt="2026-11-02T08:00:00")
    assert shop.tick("sales")[0]
    shop.sync_sales()
    assert shop.tick("sales") == (False, "Nothing new: asked the store for changed orders.")


@pytest.mark.parametrize("flow", [flow for flow in FLOWS if not flow.is_by_day], ids=lambda flow: flow.name)
def test_what_was_read_and_never_compared_wakes_the_flow(shop: Shop, flow: Flow) -> None:
    """Whoever read it and broke off: who asks the other side then hears of nothing new."""
    shop.product("A1")
    shop.campaign("K1", "A1")
    shop.balance("A1", 5)
    shop.customer(1)
    shop.sync(*(flow.job for flow in FLOWS if not flow.is_by_day))
    shop.product("A1", salesPrice=12)
    shop.campaign("K1", "A1", value=30)
    shop.balance("A1", 4)
    shop.edit_customer(1, firstName="Aino")
    shop.account("eero@example.com")
    read = [
        key
        for key in shop.definitions().resolve_job_def(flow.job).asset_layer.executable_asset_keys
        if key.path[0] not in (flow.delta, flow.delivery)
    ]
    shop.instance, ours = None, shop.instance
    assert shop.run(flow.job, asset_selection=read).success
    shop.instance = ours
    assert tick(shop, flow.name) == (True, f"{flow.name} were read and not compared: a run broke off")
    shop.sync(flow.job)
    assert tick(shop, flow.name)[0] is False


def test_a_run_of_the_command_line_that_failed_leaves_its_news(shop: Shop, solteq_woo: CommandLine) -> None:
    """The sensor counts the failures of Dagster's own runs alone."""
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.product("A1", salesPrice=12)
    shop.woo.fault(times=None, status=401)
    assert solteq_woo("sync", "products").exit_code == 1
    shop.woo.heal()
    assert tick(shop)[0] is True
    shop.sync("products_to_woo")
    assert [product.regular_price for product in shop.store().values()] == [12]
