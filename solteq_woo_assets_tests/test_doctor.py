"""The doctor over real HTTP: green on a healthy pair, and each fault turns its own line, with the mend."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from solteq_woo_assets.cli import main, terminal
from solteq_woo_assets.clients.woo_probes import TaxRate
from solteq_woo_assets.doctor.clocks import clock, time_zone
from solteq_woo_assets.doctor.database import free_space
from solteq_woo_assets.doctor.examination import examine
from solteq_woo_assets.doctor.findings import Finding
from solteq_woo_assets.doctor.taxes import vat_rate
from solteq_woo_assets.engine.database import Clock, utc_now
from solteq_woo_assets.engine.upgrades import VERSION
from solteq_woo_assets_tests.conftest import CommandLine, Shop
from solteq_woo_sandbox import solteq as solteq_sandbox
from solteq_woo_sandbox import woo as woo_sandbox

RATES = {"25.5": "", "13.5": "reduced-rate", "0": "zero-rate"}
HTML = {"headers": {"Content-Type": "text/html"}, "body": "<!DOCTYPE html><title>Forbidden</title>", "times": None}
NOWHERE = "http://127.0.0.1:1"
Levels = dict[str, str]


@pytest.fixture
def pair(shop: Shop) -> Shop:
    """A shop whose store has a tax class with the right rate for every VAT rate in the settings, before any run."""
    shop.with_settings(tax_classes=RATES)
    shop.database.path.unlink()
    return shop


@pytest.fixture
def read_pair(pair: Shop) -> Shop:
    """The same, once products and campaigns have gone through it."""
    pair.product("A1")
    pair.product("A2", vatRate=13.5)
    pair.campaign("c", "A1")
    pair.sync("campaigns_to_woo", "products_to_woo")
    return pair


def examined(shop: Shop, at: Clock = utc_now) -> dict[str, Finding]:
    """The findings by what they are about; nothing is said twice."""
    findings = list(examine(shop.settings, at))
    by_check = {finding.check: finding for finding in findings}
    assert len(by_check) == len(findings)
    return by_check


def turned(before: dict[str, Finding], after: dict[str, Finding]) -> Levels:
    """The lines that are no longer green, with their level."""
    green = {check for check, finding in before.items() if finding.level == "green"}
    return {
        check: finding.level
        for check, finding in after.items()
        if finding.level != "green" and (check in green or check not in before)
    }


def test_a_healthy_pair_is_green_in_every_line(read_pair: Shop) -> None:
    """Protects from a doctor who finds something wrong with everybody."""
    findings = examined(read_pair)
    assert {check: finding.words for check, finding in findings.items() if finding.level != "green"} == {}
    assert [check for check, finding in findings.items() if finding.mend] == []
    assert {"VAT 25.5 %", "VAT 13.5 %"} <= set(findings)
    assert "VAT 0 %" not in findings, "only the rates in use"
    assert findings["store batches"].words == "may hold 100 items"


# What can be wrong with the store


def store_set(**values: Any) -> Callable[[Shop], None]:
    """Somebody changes the store's settings."""
    return lambda shop: shop.woo.put("settings", values)


def store_fault(**fault: Any) -> Callable[[Shop], None]:
    """The store, or what stands in front of it, answers so for ever."""
    return lambda shop: shop.woo.fault(**{"times": None, **fault})


def ours(**values: Any) -> Callable[[Shop], None]:
    """Our own settings are others."""

    def change(shop: Shop) -> None:
        shop.with_settings(**{"tax_classes": RATES, **values})

    return change


NO_KEY = '{"code": "woocommerce_rest_cannot_batch", "message": "Sorry.", "data": {"status": 401}}'
NO_SETTINGS = '{"code": "woocommerce_rest_cannot_view", "message": "Sorry.", "data": {"status": 403}}'


@pytest.mark.parametrize(
    ("fault", "levels", "told"),
    [
        (
            store_set(key_permissions="read"),
            {"store write permission": "red", "store batches": "yellow"},
            "Read/Write permission",
        ),
        (
            store_fault(method="POST", path="/products/batch", status=401, body=NO_KEY),
            {"store write permission": "red", "store batches": "yellow"},
            "shop manager",
        ),
        (store_set(currency="SEK"), {"store currency": "red"}, "Settings > General"),
        (store_set(prices_include_tax=False), {"store prices": "red"}, "inclusive of tax"),
        (store_set(manage_stock=False), {"store stock": "red"}, "Products > Inventory"),
        (store_set(calc_taxes=False), {"store taxes": "red"}, "Turn on taxes"),
        (store_set(batch_limit=20), {"store batches": "yellow"}, "woocommerce_rest_batch_items_limit"),
        (
            store_fault(path="/wp-json", **HTML, status=404),
            {"store permalinks": "red", "store sign-in": "yellow"},
            "but Plain",
        ),
        (
            store_fault(path="/wp-json/?", status=200, body='{"namespaces": ["wp/v2"], "gmt_offset": 2}'),
            {"store time zone": "yellow", "store sign-in": "red", "store currency": "yellow"},
            "Turn on the plugin",
        ),
        (
            store_fault(path="/settings/", status=403, body=NO_SETTINGS),
            {"store currency": "red", "store prices": "yellow"},
            "the right to manage the store",
        ),
        (
            store_fault(path="/wp-json/?", status=401, body='{"code": "rest_login_required", "message": "No."}'),
            {"store": "red", "store sign-in": "yellow"},
            "in the plugin that closes it",
        ),
        (store_fault(path="/wp-json", **HTML, status=200), {"store": "red", "store sign-in": "yellow"}, "firewall"),
        (
            ours(WOO_CONSUMER_SECRET=SecretStr("sesame")),
            {"store sign-in": "red", "store currency": "yellow"},
            "WOO_CONSUMER_SECRET",
        ),
        (ours(WOO_URL=NOWHERE), {"store": "red", "store sign-in": "yellow"}, "Check"),
        (ours(timezone="Europe/Stockholm"), {"store time zone": "yellow"}, "SOLTEQ_WOO_TIMEZONE"),
        (ours(tax_classes={**RATES, "14": "sesame"}), {"VAT 14 %": "red"}, "Additional tax classes"),
        (ours(tax_classes={**RATES, "10": "reduced-rate"}), {"VAT 10 %": "red"}, "Set the rate"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_fault_of_the_store_turns_its_own_line_and_names_the_mend(
    pair: Shop, fault: Callable[[Shop], None], levels: Levels, told: str
) -> None:
    """Protects the shopkeeper from ten red lines for one cause, and from a line without what to do."""
    before = examined(pair)
    fault(pair)
    after = examined(pair)
    assert turned(before, after) == levels
    assert told in " ".join(after[check].mend for check in levels)


@pytest.mark.parametrize("status", [200, 403, 405, 501, 503])
def test_html_in_answer_to_post_is_a_firewall(pair: Shop, status: int) -> None:
    """Protects the first delivery: reads pass such a firewall, so nothing else would tell of it."""
    before = examined(pair)
    pair.woo.fault(method="POST", path="/wp-json/wc/v3", status=status, **HTML)
    after = examined(pair)
    assert turned(before, after) == {"store POST": "red", "store write permission": "yellow"}
    assert f"answered {status}" in after["store POST"].words
    assert "let POST and PUT under /wp-json/wc/v3 through" in after["store POST"].mend


@pytest.mark.parametrize("status", [200, 405])
def test_html_in_answer_to_put_is_yellow(pair: Shop, status: int) -> None:
    """Protects the exit code: nothing of ours goes to the store by PUT, so it works all the same."""
    before = examined(pair)
    pair.woo.fault(method="PUT", path="/wp-json/wc/v3", status=status, **HTML)
    after = examined(pair)
    assert turned(before, after) == {"store PUT": "yellow"}
    assert "firewall" in after["store PUT"].mend


def test_a_key_that_may_only_read_is_yellow_in_shadow_mode(pair: Shop) -> None:
    """Protects the weeks of shadow mode, for which a key that may only read is the safest one."""
    pair.with_settings(tax_classes=RATES, mode="shadow")
    pair.woo.put("settings", {"key_permissions": "read"})
    findings = examined(pair)
    assert findings["mode"].level == "yellow"
    assert findings["store write permission"].level == "yellow"
    assert findings["store write permission"].mend.startswith("Before going live: ")
    assert [finding for finding in findings.values() if finding.level == "red"] == []


def test_a_store_that_takes_larger_batches_is_asked_without_writing(pair: Shop) -> None:
    """Protects the store when its limit is above the probe: then each item is looked at, and refused."""
    pair.woo.put("settings", {"batch_limit": 500})
    before = contents(pair)
    assert examined(pair)["store batches"].words == "may hold more than 100 items"
    assert contents(pair) == before


# What can be wrong with Solteq


@pytest.mark.parametrize(
    ("fault", "levels", "told"),
    [
        (
            ours(solteq_feeds="balances=stock/v1-ext/balances sesame-api"),
            {"solteq balances": "red"},
            "Register the scope",
        ),
        (
            lambda shop: shop.solteq.fault(path="/stock/", status=403, body='{"error": "forbidden"}', times=None),
            {"solteq balances": "red"},
            "lacks a scope or a right",
        ),
        (ours(solteq_feeds="sales=order/v1-ext/sesame order-api"), {"solteq sales": "red"}, "the feed's path"),
        (
            ours(SOLTEQ_CLIENT_SECRET=SecretStr("sesame")),
            {"solteq sign-in": "red", "solteq products": "yellow", "solteq clock": "green"},
            "SOLTEQ_CLIENT_SECRET",
        ),
        (
            ours(SOLTEQ_API_URL=NOWHERE),
            {"solteq products": "red", "solteq balances": "yellow"},
            "Check",
        ),
        (
            ours(SOLTEQ_IDENTITY_URL=NOWHERE),
            {"solteq sign-in": "red", "solteq products": "yellow", "solteq clock": "yellow"},
            "Check",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_of_solteq_turns_its_own_line_and_names_the_mend(
    pair: Shop, fault: Callable[[Shop], None], levels: Levels, told: str
) -> None:
    """Protects who has to ask Solteq for a scope: the line says which one is missing, and the others still count."""
    before = examined(pair)
    fault(pair)
    after = examined(pair)
    assert turned(before, after) == {check: level for check, level in levels.items() if level != "green"}
    assert told in " ".join(after[check].mend for check in levels)


# Clocks and zones


@pytest.mark.parametrize(
    ("ahead", "level"), [(0, None), (90, "yellow"), (-90, "yellow"), (3600, "red"), (-3600, "red")]
)
def test_a_clock_that_is_off_is_told_of_both_systems(pair: Shop, ahead: int, level: str | None) -> None:
    """Protects incremental reads and signatures, which go by three clocks."""
    before = examined(pair)
    after = examined(pair, lambda: utc_now() + timedelta(seconds=ahead))
    assert turned(before, after) == ({"solteq clock": level, "store clock": level} if level else {})
    if level:
        assert "network" in after["store clock"].mend
        assert ("behind" if ahead > 0 else "ahead of") in after["store clock"].words


def test_a_side_that_does_not_say_the_time_is_yellow() -> None:
    """Protects from a crash where a proxy drops the Date header."""
    assert clock("store clock", "the store", None, datetime(2026, 7, 1)).level == "yellow"  # noqa: DTZ001


@pytest.mark.parametrize(
    ("index", "level"),
    [
        ({"timezone_string": "Europe/Helsinki", "gmt_offset": 2}, "green"),
        ({"timezone_string": "Europe/Mariehamn"}, "green"),
        ({"timezone_string": "Europe/Sesame"}, "yellow"),
        ({"timezone_string": "", "gmt_offset": 3}, "yellow"),
        ({"timezone_string": "", "gmt_offset": 2}, "yellow"),
        ({"timezone_string": "", "gmt_offset": "sesame"}, "yellow"),
        ({}, "yellow"),
    ],
)
def test_a_zone_is_the_same_when_its_clocks_are(index: dict[str, Any], level: str) -> None:
    """Protects sales days and sale windows: an offset is right for half of the year only."""
    finding = time_zone("store time zone", index, "Europe/Helsinki", datetime(2026, 7, 1))  # noqa: DTZ001
    assert finding.level == level
    assert ("hour off" in finding.words) == (index.get("gmt_offset") == 3)


# VAT


def rate(percent: str, **fields: Any) -> TaxRate:
    """A tax rate of the store."""
    return TaxRate(
        **{"id": 1, "country": "FI", "tax_class": "standard", "is_narrow": False, **fields}, rate=Decimal(percent)
    )


@pytest.mark.parametrize(
    ("percent", "rates", "level"),
    [
        ("25.5", [rate("25.5")], "green"),
        ("25.5", [rate("25.5000", country="")], "green"),
        ("25.5", [rate("25.5"), rate("0", country="SE")], "green"),
        ("25.5", [rate("25.5"), rate("0", is_narrow=True)], "green"),
        ("25.5", [rate("24"), rate("25.5", country="")], "red"),
        ("25.5", [rate("24"), rate("25.5", is_narrow=True)], "red"),
        ("25.5", [], "red"),
        ("0", [], "green"),
        ("10", [rate("10")], "red"),
    ],
)  # fmt: skip
def test_a_rate_is_what_its_class_charges_at_home(percent: str, rates: list[TaxRate], level: str) -> None:
    """Protects the VAT of every web sale."""
    wanted = {Decimal("25.5"): "", Decimal(0): ""}
    finding = vat_rate(Decimal(percent), wanted, ["standard"], rates, "FI")
    assert finding.level == level
    assert bool(finding.mend) == (level == "red")


# The database


def test_a_database_that_is_not_there_is_not_made(pair: Shop) -> None:
    """Protects the doctor's first visit, before anything has run."""
    findings = examined(pair)
    assert findings["database"].level == "green"
    assert findings["records"].mend.startswith("Run solteq-woo sync products")
    assert [path.name for path in pair.folder.iterdir() if path.name.startswith("state")] == []


def test_a_database_that_cannot_be_written_is_red(pair: Shop) -> None:
    """Protects the first run from failing after it has read everything."""
    before = examined(pair)
    file = pair.folder / "file"
    file.write_text("")
    pair.with_settings(tax_classes=RATES, database=file / "state.duckdb")
    after = examined(pair)
    assert turned(before, after) == {"database": "red"}
    assert "SOLTEQ_WOO_DATABASE" in after["database"].mend


@pytest.mark.parametrize(
    ("version", "level", "told"),
    [(VERSION + 1, "red", "matching release"), (VERSION - 1, "yellow", "Back it up"), (VERSION, "green", "")],
)
def test_a_database_of_another_version_is_told_and_left_alone(pair: Shop, version: int, level: str, told: str) -> None:
    """Protects a database of a newer installation, and who wants a copy before it is upgraded."""
    pair.rows("UPDATE sync.version SET version = ? RETURNING version", version)
    finding = examined(pair)["database"]
    assert finding.level == level
    assert told in finding.mend
    assert str(version) in finding.words
    assert pair.database.path.exists()
    if version < VERSION:
        assert pair.database.version() == version


def test_what_is_no_database_is_red(pair: Shop) -> None:
    """Protects from a traceback."""
    pair.database.path.write_bytes(b"not a database")
    assert examined(pair)["database"].level == "red"


@pytest.mark.parametrize(("free", "level"), [(50 << 30, "green"), (500 << 20, "yellow"), (50 << 20, "red")])
def test_a_full_disk_is_told_in_time(free: int, level: str) -> None:
    """Protects the ledger, which has to be written before anything is sent."""
    assert free_space(free).level == level


# What was last read


ITEM = "INSERT INTO snapshot.woo_catalogue BY NAME SELECT * REPLACE ({}) FROM snapshot.woo_catalogue WHERE sku = 'A1'"


@pytest.mark.parametrize(
    ("change", "check", "told"),
    [
        (ITEM.format("9001 AS id, ' a1 ' AS sku"), "duplicate SKUs", "a1"),
        (ITEM.format("9001 AS id, '' AS sku"), "products without SKU", "number 9001"),
        (
            ITEM.format("9001 AS id, 'variation' AS type, id AS parent_id, '' AS sku"),
            "variations without SKU",
            "number 9001",
        ),
        (ITEM.format("9001 AS id, 'variation' AS type, id AS parent_id"), "variations without SKU", "number 9001"),
        ("UPDATE snapshot.woo_catalogue SET status = 'trash' WHERE sku = 'A1'", "binned SKUs", "a1"),
        ("DELETE FROM snapshot.woo_catalogue WHERE sku = 'A1'", "missing SKUs", "a1"),
        (
            "INSERT INTO snapshot.solteq_products BY NAME SELECT * REPLACE ('x' AS id, 'a1' AS code) "
            "FROM snapshot.solteq_products WHERE code = 'A1'",
            "duplicate codes",
            "a1",
        ),
    ],
)
def test_a_sku_that_nothing_or_too_much_goes_by_is_yellow(read_pair: Shop, change: str, check: str, told: str) -> None:
    """Protects products that would silently keep an old price: nothing else complains of them."""
    before = examined(read_pair)
    with read_pair.database.transaction() as connection:
        connection.execute(change)
    after = examined(read_pair)
    assert turned(before, after) == {check: "yellow"}
    assert told in after[check].words
    assert after[check].mend


def test_a_campaign_that_cannot_be_expressed_is_yellow(read_pair: Shop) -> None:
    """Protects who planned it in Solteq and would wait for it in the store. One of other stores is nobody's loss."""
    before = examined(read_pair)
    read_pair.campaign("b", "A1", name="Kaksi yhden hinnalla", type="BuyXGetY")
    read_pair.campaign("d", "A1", name="Muualla", storeIds=["77"])
    read_pair.campaign("e", "A1", name="Mennyt", type="Bundle", validTo="2020-01-01T00:00:00")
    read_pair.sync("campaigns_to_woo")
    after = examined(read_pair)
    assert turned(before, after) == {"campaigns": "yellow"}
    assert after["campaigns"].words.startswith("1 running")
    assert "Kaksi yhden hinnalla: it cannot be expressed" in after["campaigns"].words


@pytest.mark.parametrize(
    ("stores", "level"), [(["1"], "green"), (["1", "sesame"], "red"), (["sesame"], "red"), ([], None)]
)
def test_a_stock_store_without_balances_is_red(read_pair: Shop, stores: list[str], level: str | None) -> None:
    """A misspelled id gave a quantity of 0 without a word."""
    read_pair.balance("A1", 5)
    read_pair.sync("balances_to_woo")
    read_pair.with_settings(tax_classes=RATES, stock_stores=stores)
    finding = examined(read_pair).get("stock stores")
    assert (finding and finding.level) == level
    if finding and level == "red":
        assert finding.mend == "Write them as Solteq does. Balances are of 1."
        assert "sesame" not in f"{finding}"


def test_a_vat_rate_of_an_active_product_without_a_class_is_red(read_pair: Shop) -> None:
    """Protects the product that somebody gives a new rate: the rates in use count, not those in the settings."""
    read_pair.product("A3", vatRate=14)
    read_pair.sync("products_to_woo")
    findings = examined(read_pair)
    assert findings["VAT 14 %"].level == "red"
    assert "SOLTEQ_WOO_TAX_CLASSES" in findings["VAT 14 %"].mend


# Alerts


@pytest.mark.parametrize(("roles", "level"), [(["till"], "green"), (["till", "kassa"], "red")])
def test_a_role_of_staff_that_the_store_does_not_have_is_red(pair: Shop, roles: list[str], level: str) -> None:
    pair.woo.put("settings", {"roles": ["till"]})
    pair.with_settings(staff_roles=roles)
    finding = examined(pair)["store staff roles"]
    assert (finding.level, "kassa" in finding.words) == (level, level == "red")


def test_alerts_are_told_without_their_addresses(pair: Shop) -> None:
    """Protects the addresses."""
    assert "alerts" not in examined(pair)
    both = {"alert_email_to": "aino@example.com", "alert_webhook_url": SecretStr("https://x/y")}
    pair.with_settings(tax_classes=RATES, **both, alert_email_from="shop@example.com")
    finding = examined(pair)["alerts"]
    assert (finding.level, "e-mail to 1 and a webhook" in finding.words) == ("green", True)


# The command


@pytest.mark.usefixtures("no_settings")
def test_the_command_prints_each_line_and_ends_with_its_code(
    shop: Shop, solteq_woo: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects scripts that go by the exit code, and people who read the lines."""
    monkeypatch.setattr(terminal.console, "width", 300)
    monkeypatch.setenv("SOLTEQ_WOO_TAX_CLASSES", "25.5=standard,13.5=reduced-rate,0=zero-rate")
    well = solteq_woo("doctor")
    assert well.exit_code == 0, well.output
    assert "green   store currency" in well.output
    assert "→ Run solteq-woo sync products" in well.output, "yellow is no reason to fail"
    shop.woo.put("settings", {"currency": "SEK"})
    ill = solteq_woo("doctor")
    assert ill.exit_code == 1
    assert "red     store currency          is SEK" in ill.output
    assert "→ Change it in WooCommerce > Settings > General." in ill.output


def test_json_is_whole_and_alone_on_stdout(shop: Shop, solteq_woo: CommandLine) -> None:
    """Protects monitoring that reads it, on a bad day above all."""
    shop.solteq.fault(path="/connect", status=503, times=None)
    shop.woo.fault(path="/wp-json", times=None, drop="before")
    result = solteq_woo("doctor", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["healthy"]) == (1, False)
    assert {tuple(finding) for finding in document["findings"]} == {("check", "level", "words", "mend")}
    checks = [finding["check"] for finding in document["findings"]]
    assert checks == list(examined(shop)), "the same lines in the same order"
    for name in ("mode", "database", "database disk", "solteq sign-in", "store", "records"):
        assert name in checks


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_settings_that_make_no_sense_are_a_finding(
    no_settings: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """Protects ``--json`` from ending without JSON."""
    monkeypatch.setenv("SOLTEQ_WOO_STOCK_BUFFER", "sesame")
    result = CliRunner().invoke(main, ["doctor", *arguments])
    assert result.exit_code == 1
    assert "SOLTEQ_WOO_STOCK_BUFFER" in result.output
    assert "sesame" not in result.output
    if arguments:
        assert json.loads(result.stdout)["findings"][0]["check"] == "settings"


def test_an_address_that_gives_the_secret_away_is_a_finding(
    shop: Shop, solteq_woo: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects the other side's lines from one side's wrong setting."""
    monkeypatch.setenv("SOLTEQ_API_URL", "http://solteq.example")
    document = json.loads(solteq_woo("doctor", "--json").stdout)
    levels = {finding["check"]: finding["level"] for finding in document["findings"]}
    assert (levels["solteq sign-in"], levels["store sign-in"]) == ("red", "green")


# What it must never do


def contents(shop: Shop) -> dict[str, tuple[Any, ...]]:
    """All that both systems hold, without the access tokens."""

    def tables(file: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
        with sqlite3.connect(shop.folder / file) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                yield name, tuple(sorted(map(str, database.execute(f"SELECT * FROM {name}"))))
        database.close()

    return {f"woo {name}": rows for name, rows in tables("woo.sqlite")} | {
        name: rows if name != "tokens" else () for name, rows in tables("solteq.sqlite")
    }


def test_nothing_is_changed_anywhere(read_pair: Shop) -> None:
    """Protects both shops and our own database: the doctor is called when something is wrong already."""
    held = contents(read_pair)
    file = read_pair.database.path.read_bytes()
    read_pair.woo.asked()
    read_pair.solteq.asked()
    examined(read_pair)
    assert contents(read_pair) == held
    assert read_pair.database.path.read_bytes() == file
    written = [
        (each["method"], each["path"].removeprefix("/wp-json/wc/v3"), each["items"]) for each in read_pair.woo.writes()
    ]
    assert written == [
        ("POST", "/products/batch", 0),
        ("PUT", "/products/2147483647", None),
        ("POST", "/products/batch", 101),
    ]
    assert {each["path"] for each in read_pair.solteq.writes()} == {"/connect/token"}


def test_neither_secrets_nor_people_are_shown(read_pair: Shop) -> None:
    """Protects what is pasted into a ticket: also when the other side repeats a secret or an address."""
    read_pair.customer(1)
    secrets = (solteq_sandbox.CLIENT_SECRET, woo_sandbox.CONSUMER_SECRET)
    said = f"no {' '.join(secrets)} aino1@example.com"
    body = json.dumps({"code": "no", "message": said, "error": said})
    shown = [str(examined(read_pair))]
    for path in ("/connect", "/catalog", "/customer"):
        read_pair.solteq.fault(path=path, status=401, body=body, times=None)
        shown.append(str(examined(read_pair)))
        read_pair.solteq.heal()
    for fault in ({"path": "/wp-json"}, {"path": "/wc/v3/products"}, {"path": "/settings"}, {"method": "POST"}):
        read_pair.woo.fault(**fault, status=401, body=body, times=None)
        shown.append(str(examined(read_pair)))
        read_pair.woo.heal()
    text = "\n".join(shown)
    assert "…@…" in text
    # Each side is trusted with its own secret alone, so it can repeat no other.
    assert solteq_sandbox.CLIENT_SECRET not in "\n".join(shown[:4])
    assert woo_sandbox.CONSUMER_SECRET not in "\n".join([shown[0], *shown[4:]])
    assert "example.com" not in text
