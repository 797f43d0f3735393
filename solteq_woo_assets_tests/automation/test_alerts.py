"""Alerts: what fails in Dagster for real reaches a real mailbox and a real webhook, once, and so does its end."""

import traceback
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import simplejson
from pydantic import SecretStr

from solteq_woo_assets.automation import alerts
from solteq_woo_assets.automation.alerts import Alert
from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.errors import AlertError, StateError
from solteq_woo_assets_tests.clients.mail import Mailbox, free_port, mail_server
from solteq_woo_assets_tests.clients.wire import Answer, Wire, serving
from solteq_woo_assets_tests.conftest import Shop

pytestmark = pytest.mark.usefixtures("no_settings")

FAILED = "[shop] products_to_woo failed"
WORKS = "[shop] products_to_woo works again"
STOPPED = "[shop] The check price_cuts of product_delta did not pass"
PASSES = "[shop] The check price_cuts of product_delta passes again"
MINUTE = timedelta(minutes=1)


class Watched:
    """A shop whose alerts go to a mailbox, the sensors' cursors, and a clock that is set by hand."""

    def __init__(self, shop: Shop, mailbox: Mailbox, **settings: Any) -> None:
        self.shop = shop
        self.mailbox = mailbox
        self.now = utc_now()
        self.cursors: dict[str, str | None] = {}
        self.set(
            alert_email_to=["aino@example.com"],
            alert_email_from="shop@example.com",
            smtp_host="127.0.0.1",
            smtp_port=mailbox.port,
            smtp_security="none",
            dagster_url="https://dagster.example/",
            **settings,
        )
        self.tick("failed_runs_sensor")  # Dagster's first tick only finds out where the events end

    def set(self, **settings: Any) -> None:
        """Settings that hold from here on."""
        self.settings = self.shop.with_settings(**settings)
        self.definitions = build_definitions(self.settings, lambda: self.now)

    def tick(self, name: str) -> str:
        """A tick of a sensor; what it says."""
        definitions = self.definitions
        with dg.build_sensor_context(
            instance=self.shop.instance,
            repository_def=definitions.get_repository_def(),
            cursor=self.cursors.get(name),
            resources=dict(definitions.resources or {}),
        ) as context:
            ticked = definitions.resolve_sensor_def(name).evaluate_tick(context)
        self.cursors[name] = ticked.cursor
        problems = [reaction.error.message for reaction in ticked.dagster_run_reactions or [] if reaction.error]
        assert problems == []
        return ticked.skip_message or ""

    def look(self, after: timedelta = MINUTE) -> list[str]:
        """Both sensors tick; the subjects that arrived by e-mail."""
        self.now += after
        before = len(self.mailbox.mails)
        self.tick("failed_runs_sensor")
        self.tick("alerts_sensor")
        return self.mailbox.subjects[before:]

    def fail(self) -> str:
        """Products fail since the store refuses the key; the run's id."""
        self.shop.woo.fault(path="/wp-json/", times=None, status=401, body='{"code": "x", "message": "no", "data": {}}')
        result = self.shop.run("products_to_woo")
        self.shop.woo.heal()
        assert not result.success
        return result.run_id

    def succeed(self) -> None:
        """Products succeed."""
        assert self.shop.run("products_to_woo").success

    def slip(self) -> str:
        """A slip in the back office, which the guard rail stops; the run's id."""
        for code in ("A", "B"):
            self.shop.product(code)
        assert self.shop.run("products_to_woo").success
        for code in "AB":
            self.shop.product(code, salesPrice=1)
        result = self.shop.run("products_to_woo")
        assert result.success, "what a guard rail does not stop is sent"
        return result.run_id

    def text(self) -> str:
        """The text of the last e-mail."""
        return self.mailbox.mails[-1].get_content().replace("\r\n", "\n")


@pytest.fixture
def watched(shop: Shop, tmp_path: Path) -> Iterator[Watched]:
    """A shop with an instance that lasts, and a mailbox."""
    (tmp_path / "dagster").mkdir()
    with dg.instance_for_test(temp_dir=str(tmp_path / "dagster")) as instance, mail_server(Mailbox()) as mailbox:
        shop.instance = instance
        yield Watched(shop, mailbox)


def said(wire: Wire) -> list[str]:
    """The first lines of what arrived at the webhook."""
    return [simplejson.loads(asked.body)["text"].partition("\n")[0].strip("*") for asked in wire.asked]


def test_a_failed_run_is_told_and_so_is_its_end(watched: Watched) -> None:
    """What, since when, why and what to do, and where to look; nobody has to open Dagster to know."""
    run_id = watched.fail()
    assert watched.look() == [FAILED]
    text = watched.text()
    assert "products_to_woo failed.\nSince: " in text
    assert "Europe/Helsinki\nReason: " in text
    assert "WOO_CONSUMER_KEY" in text
    assert f"Run: https://dagster.example/runs/{run_id}\n" in text
    assert watched.look() == []
    watched.succeed()
    assert watched.look() == [WORKS]
    assert watched.text().startswith("products_to_woo works again since ")
    assert watched.look() == []


def test_what_a_guard_rail_stopped_is_one_alert(watched: Watched) -> None:
    """The run succeeds, since the rest was sent; the check does not pass, and that is told."""
    run_id = watched.slip()
    assert watched.look() == [STOPPED]
    text = watched.text()
    assert (
        "Reason: These writes are stopped, the others are sent: it cuts the price of 2 of the store's 2 products"
        in text
    )
    assert "let_pass: [price_cuts]" in text
    assert run_id in text
    assert watched.look() == []
    watched.shop.product("A", salesPrice=10)
    watched.succeed()
    assert watched.look() == [PASSES]
    assert watched.shop.rows("SELECT * FROM sync.alerts WHERE cause LIKE 'run:%'") == []


def test_a_run_that_breaks_off_before_the_check_says_nothing_of_it(watched: Watched) -> None:
    """The check's last verdict stands until there is another, though a later run planned it and never came there."""
    watched.slip()
    watched.fail()
    assert sorted(watched.look()) == sorted([STOPPED, FAILED])
    watched.fail()
    assert watched.look() == []


def test_flapping_is_told_once_an_hour(watched: Watched) -> None:
    """Failed, over, failed, over within the hour; the next failure is told when the hour is over, if it lasts."""
    watched.fail()
    assert watched.look() == [FAILED]
    watched.succeed()
    assert watched.look() == [WORKS]
    watched.fail()
    assert watched.look() == []
    watched.succeed()
    assert watched.look() == []
    watched.fail()
    assert watched.look() == []
    assert watched.look(after=60 * MINUTE) == [FAILED]


def test_a_failure_that_lasts_is_told_once_a_pause(watched: Watched) -> None:
    """The pause is a setting; without another failure there is nothing to remind of."""
    watched.set(**watched.settings.model_dump(include=MAIL), alert_pause_minutes=30)
    watched.fail()
    assert watched.look() == [FAILED]
    watched.fail()
    assert watched.look(after=28 * MINUTE) == []
    assert watched.look(after=2 * MINUTE) == [FAILED]
    assert watched.look(after=60 * MINUTE) == []


MAIL = {"alert_email_to", "alert_email_from", "smtp_host", "smtp_port", "smtp_security", "dagster_url"}


def test_what_was_over_before_anybody_looked_is_not_told(watched: Watched) -> None:
    """The flow put itself right: there is nothing to do and nothing to read."""
    watched.fail()
    watched.succeed()
    assert watched.look() == []
    assert watched.look() == []
    assert watched.shop.rows("SELECT * FROM sync.alerts") == []


def test_a_mail_server_that_is_away_gets_it_later(watched: Watched) -> None:
    """Nothing is lost: the tick fails in words, and the next one sends it."""
    port = free_port()
    mail = watched.settings.model_dump(include=MAIL)
    watched.set(**mail | {"smtp_port": port})
    watched.fail()
    for _ in range(2):
        with pytest.raises(
            AlertError, match=rf"No e-mail was sent: the mail server 127.0.0.1:{port} cannot be reached"
        ):
            watched.look()
    with mail_server(watched.mailbox, port=port):
        assert watched.look() == [FAILED]
        assert watched.look() == []


def test_one_channel_that_is_down_neither_stops_nor_repeats_the_other(watched: Watched) -> None:
    """Each channel has its own memory."""
    with serving(Answer(500), Answer(500), Answer()) as wire:
        watched.set(
            **watched.settings.model_dump(include=MAIL), alert_webhook_url=SecretStr(f"{wire.url}/services/hush-hook")
        )
        watched.fail()
        for _ in range(2):
            with pytest.raises(AlertError, match="it answers 500") as raised:
                watched.look()
            assert "hush" not in "".join(traceback.format_exception(raised.value))
        assert watched.look() == []
        assert watched.mailbox.subjects == [FAILED]
        watched.succeed()
        assert watched.look() == [WORKS]
        assert said(wire) == [FAILED, FAILED, FAILED, WORKS]


def test_a_webhook_without_an_answer_is_not_asked_at_every_tick(watched: Watched) -> None:
    """It may have shown the message: again after the pause, and not before."""
    with serving(Answer(drop=True), Answer()) as wire:
        watched.set(alert_webhook_url=SecretStr(wire.url))
        watched.fail()
        with pytest.raises(AlertError, match="the connection broke off"):
            watched.look()
        watched.look()
        assert said(wire) == [FAILED]
        watched.look(after=60 * MINUTE)
        assert said(wire) == [FAILED, FAILED]


def test_a_tick_that_dies_while_it_sends_tells_nobody_twice(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the mail server's yes and the note of it, a full disk or a kill: not again at every tick."""
    watched.fail()
    watched.tick("failed_runs_sensor")
    real, seen = alerts.keep_told, []

    def full_disk(database: StateDatabase, alert: Alert) -> None:
        seen.append(alert)
        with database.transaction():
            if len(seen) > 1:  # the first says that it is about to leave
                raise duckdb.IOException("no space left on device")
        real(database, alert)

    with monkeypatch.context() as patched:
        patched.setattr(alerts, "keep_told", full_disk)
        assert watched.look() == [FAILED, "[shop] The database cannot be used"]
    assert watched.look() == ["[shop] The database can be used again"]
    assert watched.look() == []
    assert watched.look(after=60 * MINUTE) == [FAILED]


def test_a_database_that_is_held_open_is_told_once_an_hour(watched: Watched) -> None:
    """Somebody looked into it and left it open: every run fails, and no other alert can be noted."""
    watched.succeed()
    cannot, can = "[shop] The database cannot be used", "[shop] The database can be used again"
    other = watched.settings.database.with_name("held")
    watched.settings.database.rename(other)
    watched.settings.database.mkdir()
    for after in (MINUTE, MINUTE, 60 * MINUTE):
        watched.now += after
        watched.tick("alerts_sensor")
    assert watched.mailbox.subjects == [cannot, cannot]
    watched.settings.database.rmdir()
    other.rename(watched.settings.database)
    assert watched.look() == [can]
    assert watched.look() == []


def test_a_failure_that_cannot_be_noted_is_a_failed_tick(watched: Watched) -> None:
    """Dagster shows why; alerts_sensor tells that the database is the reason."""
    watched.fail()
    watched.settings.database.unlink()
    watched.settings.database.mkdir()
    with pytest.raises(AssertionError, match=StateError.__name__):
        watched.tick("failed_runs_sensor")


def test_an_error_that_is_not_ours_shows_only_its_class(watched: Watched) -> None:
    """Its words may hold anything, a customer's address or a password."""
    watched.shop.product("A")
    watched.shop.rows("ALTER TABLE snapshot.woo_store RENAME tax_classes TO unforeseen")
    assert not watched.shop.run("products_to_woo").success
    assert watched.look() == [FAILED]
    assert "Reason: An error that was not foreseen (BinderException). See the run." in watched.text()
    assert "tax_classes" not in watched.text()


def test_a_run_whose_process_is_gone_says_so(watched: Watched) -> None:
    """No step failed; whoever found out says what happened."""
    assert watched.shop.instance is not None
    run = watched.shop.instance.add_run(dg.DagsterRun(job_name="products_to_woo", status=dg.DagsterRunStatus.STARTED))
    alerts_of_a_crash = "The process of this run is gone. The next run carried on where it stopped."
    watched.shop.instance.report_run_failed(run, alerts_of_a_crash)
    assert watched.look() == [FAILED]
    assert f"Reason: {alerts_of_a_crash}" in watched.text()


def test_a_warning_alerts_nobody(watched: Watched) -> None:
    """What one run left to the next is no reason to wake anybody."""
    watched.shop.product("A")
    watched.succeed()
    watched.shop.product("A", salesPrice=9)
    watched.shop.delete(watched.shop.store()["A"])
    result = watched.shop.run("products_to_woo")
    assert result.success
    assert [each.severity for each in result.get_asset_check_evaluations() if not each.passed] == [
        dg.AssetCheckSeverity.WARN
    ]
    assert watched.look() == []


def test_a_check_that_stops_no_run_alerts_too(watched: Watched) -> None:
    """Severity decides, whatever became of the run; a check that says nothing is told as what it checks."""

    @dg.asset
    def reconciliation() -> None: ...

    @dg.asset_check(asset=reconciliation)
    def nothing_survives() -> dg.AssetCheckResult:
        """No difference is seen twice."""
        return dg.AssetCheckResult(passed=False)

    result = dg.materialize([reconciliation, nothing_survives], instance=watched.shop.instance)
    assert result.success
    definitions = dg.Definitions(assets=[reconciliation], asset_checks=[nothing_survives])
    with dg.build_sensor_context(watched.shop.instance, repository_def=definitions.get_repository_def()) as context:
        failing = alerts.failing_checks(context)
    check = failing["check:reconciliation:nothing_survives"]
    assert (check.words, check.run_id) == ("No difference is seen twice.", result.run_id)


def test_a_channel_that_is_taken_away_is_forgotten(watched: Watched) -> None:
    """Nobody is told a year later, when it is set again, of what is long over."""
    mail = watched.settings.model_dump(include=MAIL)
    with serving(Answer()) as wire:
        watched.set(**mail, alert_webhook_url=SecretStr(wire.url))
        watched.fail()
        watched.look()
        watched.set(**mail)
        watched.look()
        assert watched.shop.rows("SELECT channel FROM sync.alerts") == [("email",)]


def test_without_a_channel_there_are_no_sensors(watched: Watched) -> None:
    """And with one they run from the start, on a real shop, too: they write nothing to it."""
    names = {"alerts_sensor", "failed_runs_sensor"}
    sensors = {each.name: each for each in build_definitions(watched.settings).sensors or []}
    assert names <= set(sensors)
    assert {sensors[name].default_status for name in names} == {dg.DefaultSensorStatus.RUNNING}
    none = {each.name for each in build_definitions(watched.shop.with_settings()).sensors or []}
    assert names & none == set()


def test_times_are_the_shops(watched: Watched) -> None:
    """A shopkeeper does not think in UTC."""
    instant = datetime.fromisoformat("2026-07-01T21:30")
    assert alerts._local(instant, watched.settings) == "2026-07-02 00:30 Europe/Helsinki"
