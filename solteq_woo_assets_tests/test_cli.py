"""The command line: what it runs, what it says, and with which code it ends."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import requests
from click.testing import CliRunner
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from solteq_woo_assets.cli import main, terminal
from solteq_woo_assets.cli.jobs import settle_home
from solteq_woo_assets.engine.problems import PROBLEMS
from solteq_woo_assets.flows.tables import TABLES
from solteq_woo_assets.settings import SANDBOX
from solteq_woo_assets_tests.conftest import CommandLine, Shop, order_line
from solteq_woo_sandbox import solteq as solteq_sandbox
from solteq_woo_sandbox import woo as woo_sandbox
from solteq_woo_sandbox.server import running

SECRETS = (solteq_sandbox.CLIENT_SECRET, woo_sandbox.CONSUMER_SECRET)
EVERY_SETTING_OF_A_SANDBOX = list(SANDBOX)


def free_port() -> int:
    """A port that is free, and so is the next one."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def dotenv(lines: Sequence[str]) -> dict[str, str]:
    """NAME=value lines as a mapping."""
    return dict(line.split("=", 1) for line in lines)


def module(*arguments: str, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """``python -m solteq_woo_assets`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "solteq_woo_assets", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def sandbox_process(*arguments: str, cwd: Path, lines: int) -> Iterator[list[str]]:
    """``solteq-woo sandbox`` in a process of its own; gives its first lines, and wants it to end well on SIGINT."""
    command = [str(Path(sys.executable).with_name("solteq-woo")), "sandbox", *arguments]
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        printed = [process.stdout.readline().strip() for _ in range(lines)]
        yield printed
        _wait_until_served([value for value in dotenv(printed).values() if value.startswith("http")])
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
        assert (process.returncode, rest, errors) == (0, "", "")
    finally:
        process.kill()
        process.communicate()


def _wait_until_served(urls: Sequence[str]) -> None:
    """It prints a moment before it listens; a client of ours would try again, too."""
    for url in urls:
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(max_retries=Retry(connect=20, backoff_factor=0.05)))
            session.get(f"{url}/_sandbox/requests", timeout=60).raise_for_status()


# sync


def test_sync_runs_all_flows_and_says_so(shop: Shop, solteq_woo: CommandLine) -> None:
    shop.product("A1")
    shop.balance("A1", 5)
    result = solteq_woo("sync")
    assert result.exit_code == 0, result.output
    assert shop.store()["A1"].stock_quantity == 5
    steps = ["solteq_campaigns", "woo_catalogue", "campaign_price_delta", "woo_campaign_prices"]
    steps += ["solteq_products", "woo_catalogue", "product_delta", "woo_products"]
    steps += ["solteq_balances", "woo_catalogue", "balance_delta", "woo_stock"]
    lines = result.output.splitlines()
    progress = [line.strip() for line in lines if line.strip() in steps]
    assert sorted(progress) == sorted(steps), "each step as it begins"
    assert "    1 of 1 products settled" in lines
    summary = {line.split()[0]: " ".join(line.split()[1:]) for line in lines if line and line[0] != " "}
    assert summary["woo_products"].startswith("records_in 1, sent 1, created 1 1 ")
    assert summary["woo_stock"].startswith("records_in 1, sent 1, updated 1 1 ")


def test_sync_of_one_flow_leaves_the_other_alone(shop: Shop, solteq_woo: CommandLine) -> None:
    shop.product("A1")
    shop.balance("A1", 5)
    result = solteq_woo("sync", "products")
    assert result.exit_code == 0, result.output
    assert shop.store()["A1"].stock_quantity == 0
    assert "balances_to_woo" not in result.output


def test_flows_run_once_and_in_their_order(shop: Shop, solteq_woo: CommandLine) -> None:
    """Balances need their products."""
    shop.product("A1")
    shop.balance("A1", 5)
    result = solteq_woo("sync", "balances", "products", "balances")
    assert result.exit_code == 0, result.output
    jobs = [line for line in result.output.splitlines() if line.endswith("_to_woo")]
    assert jobs == ["products_to_woo", "balances_to_woo"]
    assert shop.store()["A1"].stock_quantity == 5


def test_an_unknown_flow_is_refused_with_those_there_are(shop: Shop, solteq_woo: CommandLine) -> None:
    result = solteq_woo("sync", "prices")
    assert result.exit_code == 2
    assert "'prices' is not one of 'campaigns', 'products', 'balances'" in result.output
    assert shop.solteq.asked() == shop.woo.asked() == []


def test_nothing_to_do_is_success(solteq_woo: CommandLine) -> None:
    result = solteq_woo("sync")
    assert result.exit_code == 0
    assert "Quarantine" not in result.output


def test_a_quarantined_product_is_1_and_the_rest_arrives(shop: Shop, solteq_woo: CommandLine) -> None:
    shop.product("GOOD")
    shop.product("BAD", salesPrice=-1)
    result = solteq_woo("sync", "products")
    assert result.exit_code == 1
    assert set(shop.store()) == {"GOOD"}
    assert "BAD" in result.output
    assert "the price is negative" in result.output
    assert solteq_woo("sync", "balances").exit_code == 0, "it is none of the other flow's"
    shop.product("BAD", salesPrice=1)
    assert solteq_woo("sync", "products").exit_code == 0


def test_a_refused_write_is_1_until_it_is_mended(shop: Shop, solteq_woo: CommandLine) -> None:
    shop.product("GOOD")
    shop.product("BAD")
    shop.woo.fault(method="POST", path="products/batch", times=1, status=400)  # the batch, and then, halved, the first
    shop.woo.fault(method="POST", path="products/batch", times=1, status=400)
    result = solteq_woo("sync", "products")
    assert result.exit_code == 1
    assert set(shop.store()) == {"GOOD"}
    assert "refused 1" in result.output
    assert solteq_woo("sync", "products").exit_code == 1, "it is held back, and still not in the store"
    shop.product("BAD", salesPrice=11)
    assert solteq_woo("sync", "products").exit_code == 0


@pytest.mark.parametrize(
    ("side", "hint"), [("woo", "WOO_CONSUMER_SECRET"), ("solteq", "SOLTEQ_CLIENT_SECRET")], ids=["store", "solteq"]
)
def test_a_side_that_is_away_is_1_in_words(shop: Shop, solteq_woo: CommandLine, side: str, hint: str) -> None:
    shop.product("A1")
    getattr(shop, side).fault(times=None, status=401)
    result = solteq_woo("sync", "products")
    assert result.exit_code == 1
    assert "failed:" in result.output
    assert hint in result.output.replace("\n", "")
    assert "Traceback" not in result.output
    getattr(shop, side).heal()
    assert solteq_woo("sync", "products").exit_code == 0


def test_a_failed_flow_does_not_keep_the_others_from_running(shop: Shop, solteq_woo: CommandLine) -> None:
    shop.product("A1")
    assert solteq_woo("sync", "products", "balances").exit_code == 0
    shop.balance("A1", 5)
    shop.solteq.fault(path="/catalog/", times=None, status=401)
    assert solteq_woo("sync", "products", "balances").exit_code == 1
    assert shop.store()["A1"].stock_quantity == 5


def test_names_that_look_like_markup_are_shown_as_they_are(shop: Shop, solteq_woo: CommandLine) -> None:
    shop.product("A1", name="Paita [/b] [red]XL[/red]", salesPrice=-1)
    shop.product("[B1]", name="[/i]")
    result = solteq_woo("sync", "products", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "[B1]" in result.output
    assert "[/i]" in result.output


# sync --dry-run


def test_dry_run_shows_the_delta_and_sends_nothing(shop: Shop, solteq_woo: CommandLine) -> None:
    shop.product("A1", salesPrice=19.9)
    shop.balance("A1", 5)
    result = solteq_woo("sync", "products", "balances", "--dry-run")
    assert result.exit_code == 0, result.output
    assert shop.woo.writes() == []
    shown = result.output.replace("\n", " ")
    assert "19.90" in shown
    assert "new in Solteq" in shown
    assert "not in the store yet" in shown
    assert solteq_woo("sync", "products", "balances").exit_code == 0
    assert shop.store()["A1"].stock_quantity == 5


@pytest.mark.slow
def test_dry_run_keeps_nothing(shop: Shop, solteq_woo: CommandLine) -> None:
    """What it reads, links and parts is gone with it, also on a fresh machine and where the store is away."""
    shop.database.path.unlink()
    shop.product("A1")
    solteq_woo("sync", "--dry-run")
    assert not shop.settings.database.exists()
    shop.customer(1)
    shop.account("person1@example.com")
    assert solteq_woo("sync").exit_code == 0
    before = everything(shop)
    shop.product("A1", salesPrice=12)
    shop.product("B1", salesPrice=-1)
    shop.balance("A1", 5)
    shop.campaign("K1", "A1")
    shop.edit_customer(1, deleted=True)
    shop.order(order_line("A1", "5.00"))
    assert solteq_woo("sync", "--dry-run").exit_code == 0
    shop.woo.fault(times=None, status=401)
    assert solteq_woo("sync", "--dry-run").exit_code == 1
    assert everything(shop) == before
    private = shop.settings.database.with_name(f"{shop.settings.database.name}.tmp")
    assert list(private.rglob("*")) == []


def everything(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, but for who holds a lease."""
    tables = {table.name for table in TABLES} - {"sync.leases"}
    return {table: sorted(shop.rows(f"FROM {table}"), key=str) for table in tables}


def test_dry_run_of_many_says_how_many_are_not_shown(shop: Shop, solteq_woo: CommandLine) -> None:
    for number in range(52):
        shop.product(f"A{number}")
    result = solteq_woo("sync", "products", "--dry-run")
    assert "… and 2 rows more." in result.output


def test_dry_run_with_the_store_away_shows_no_old_delta(shop: Shop, solteq_woo: CommandLine) -> None:
    shop.product("A1", salesPrice=19.9)
    solteq_woo("sync", "products", "--dry-run")
    shop.woo.fault(times=None, status=401)
    result = solteq_woo("sync", "products", "--dry-run")
    assert result.exit_code == 1
    assert "19.90" not in result.output


# Prices


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that breaks no line."""
    monkeypatch.setattr(terminal.console, "width", 400)


@pytest.mark.usefixtures("wide")
def test_a_guard_rail_says_how_to_let_pass_and_is_let_pass(shop: Shop, solteq_woo: CommandLine) -> None:
    shop.product("A1")
    shop.product("A2")
    solteq_woo("sync", "products")
    shop.campaign("slip", "A1", "A2", value=90)
    stopped = solteq_woo("sync", "campaigns")
    assert stopped.exit_code == 1
    assert (
        "These writes are stopped, the others are sent: it cuts the price of 2 of the store's 2 products"
        in stopped.output
    )
    assert "--let-pass" in stopped.output
    assert shop.store()["A1"].sale_price is None
    assert solteq_woo("sync", "campaigns", "--let-pass").exit_code == 0
    assert shop.store()["A1"].sale_price == 1


@pytest.mark.usefixtures("wide")
def test_explain_tells_the_campaigns_the_calendar_what_was_sent_and_what_the_store_holds(
    shop: Shop, solteq_woo: CommandLine
) -> None:
    shop.product("A1", discountedPrice=9, productGroup="Kahvi")
    shop.campaign("c-1", "A1", name="Kuukauden löytö", validTo="2998-01-01T00:00:00")
    shop.campaign("c-2", "Kahvi", level="ProductGroup", name="Jäsenille", customerGroups=["K"])
    solteq_woo("sync", "campaigns", "products")
    shop.woo.patch(f"products/{shop.store()['A1'].id}", {"sale_price": "7.77", "status": "publish"})
    result = solteq_woo("explain", " a1 ")
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    for words in (
        "A1 10.00 8.00 Kuukauden löytö",
        "sets the price",
        "its discounted price",
        "is beaten by 8.00",
        "does not apply: it is for certain customers only, not public",
        "delivered",
        "publish 10.00 7.77",
    ):
        assert words in told, words
    then = " ".join(solteq_woo("explain", "A1", "--at", "2998-01-01T00:00").output.split())
    assert "A1 10.00 9.00 its discounted" in then


def test_explain_of_what_is_not_there_and_of_no_time_is_one_line(shop: Shop, solteq_woo: CommandLine) -> None:
    shop.sync("products_to_woo")
    result = solteq_woo("explain", "nowhere")
    assert (result.exit_code, "nowhere is not on sale in Solteq" in result.output) == (1, True)
    result = solteq_woo("explain", "A1", "--at", "tomorrow")
    assert (result.exit_code, "write the time as 2026-11-27T00:00" in result.output) == (2, True)


@pytest.mark.usefixtures("wide")
def test_preview_shows_the_delta_of_another_time_and_keeps_and_sends_nothing(
    shop: Shop, solteq_woo: CommandLine
) -> None:
    shop.product("A1")
    shop.campaign("c", "A1", name="Uusivuosi", validFrom="2998-01-01T00:00:00", validTo="2998-01-02T00:00:00")
    solteq_woo("sync", "campaigns", "products")
    shop.woo.asked()
    kept = shop.rows("FROM delta.campaign_price_delta")
    during = solteq_woo("preview", "campaigns", "--at", "2998-01-01T12:00")
    assert during.exit_code == 0
    assert "1.1.2998 12:00 Europe/Helsinki" in during.output
    assert "date_on_sale_from_gmt: 2997-12-31T22:00:00 → –" in " ".join(during.output.split())
    after = solteq_woo("preview", "campaigns", "--at", "2998-01-02T00:00+02:00")
    assert "sale_price: 8.00 → –" in " ".join(after.output.split())
    assert "Nothing to write." in solteq_woo("preview", "campaigns").output
    assert shop.rows("FROM delta.campaign_price_delta") == kept
    assert shop.woo.writes() == []


# A fresh machine


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "A1"),
        ("explain", "order", "1"),
        ("preview", "campaigns"),
        ("quarantine", "list"),
        ("quarantine", "show", "A1"),
        ("quarantine", "dismiss", "A1"),
        ("erase", "--customer", "C-1", "--yes"),
        ("rebind", "--yes"),
    ],
    ids=" ".join,
)
def test_a_look_into_a_database_that_is_not_there_makes_none(
    no_settings: Path, solteq_woo: CommandLine, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """It was made, and then it had nothing to say of the SKU."""
    monkeypatch.setenv("SOLTEQ_WOO_DATABASE", "state.duckdb")
    result = solteq_woo(*arguments)
    assert result.exit_code == 1
    assert result.output == "Error: There is no database yet: state.duckdb. Run solteq-woo sync first.\n"
    assert list(no_settings.iterdir()) == []


def test_a_home_of_dagster_gets_settings_without_telemetry(
    no_settings: Path, solteq_woo: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also away from the repository: its dagster.yaml was only found there, and only by solteq-woo run."""
    home = no_settings / "home"
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    result = solteq_woo("sync", "campaigns")
    assert result.exit_code == 0, result.output
    assert "telemetry" not in result.output.lower()
    with dg.DagsterInstance.get() as instance:
        assert (instance.telemetry_enabled, instance.nux_enabled) == (False, False)


def test_settings_of_dagster_in_the_working_folder_go_before_ours(no_settings: Path) -> None:
    (no_settings / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    settle_home(no_settings / "home")
    assert (no_settings / "home" / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


@pytest.mark.usefixtures("wide")
def test_customers_are_both_directions(solteq_woo: CommandLine) -> None:
    result = solteq_woo("sync", "customers", "--dry-run")
    assert result.exit_code == 0, result.output
    assert re.findall(r"^(\w+) \(dry run\)$", result.output, re.M) == ["customers_to_woo", "customers_to_solteq"]


# What can be wrong


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOLTEQ_WOO_STOCK_BUFFER", "sesame"),
        ("SOLTEQ_WOO_PRODUCTS_CRON", "sesame"),
        ("SOLTEQ_API_URL", "http://sesame.example"),
        ("WOO_URL", "sesame.example"),
    ],
)
@pytest.mark.parametrize("command", ["sync", "run"])
def test_a_wrong_setting_is_one_line_that_names_it(
    shop: Shop, solteq_woo: CommandLine, monkeypatch: pytest.MonkeyPatch, command: str, name: str, value: str
) -> None:
    """Never its value, which may be a secret in the wrong place."""
    monkeypatch.setenv(name, value)
    result = solteq_woo(command)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith(f"Error: {name}")
    assert "sesame" not in line
    assert shop.solteq.asked() == shop.woo.asked() == []


def test_a_wrong_setting_is_one_line_in_a_process_of_its_own_too(no_settings: Path) -> None:
    """Settings are not read on import: there, nobody could catch what is wrong with them."""
    ended = module("sync", cwd=no_settings, SOLTEQ_WOO_TIMEZONE="sesame")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "Error: SOLTEQ_WOO_TIMEZONE: not a TZ database name; Europe/Helsinki is one\n"


def test_a_database_that_cannot_be_opened_is_1_in_words(shop: Shop, solteq_woo: CommandLine) -> None:
    shop.database.path.write_bytes(b"not a database")
    result = solteq_woo("sync")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert str(shop.database.path) in result.output.replace("\n", "")


def test_the_module_is_the_command(no_settings: Path) -> None:
    with_module = module("--help", cwd=no_settings, COLUMNS="80")  # of which click uses 78
    in_process = CliRunner().invoke(main, ["--help"], prog_name="python -m solteq_woo_assets", terminal_width=78)
    assert with_module.stdout == in_process.output
    assert all(command in with_module.stdout for command in ("sync", "sandbox", "run"))


# Secrets


@pytest.mark.slow
def test_secrets_are_nowhere(shop: Shop, solteq_woo: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in what is printed, not in the database, not in Dagster's storage; also when the other side repeats them."""
    home = shop.folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    shop.product("A1")
    shop.product("BAD", salesPrice=-1)
    outputs = [solteq_woo("sync", "--dry-run").output, solteq_woo("sync").output]
    for side, secret in ((shop.woo, woo_sandbox.CONSUMER_SECRET), (shop.solteq, solteq_sandbox.CLIENT_SECRET)):
        side.fault(times=None, status=401, body=f'{{"code": "no", "message": "no {secret}", "error": "{secret}"}}')
        outputs.append(solteq_woo("sync").output)
        side.heal()
    assert all(outputs)
    with sqlite3.connect(shop.folder / "solteq.sqlite") as database:
        secrets = [*SECRETS, *(token for (token,) in database.execute("SELECT token FROM tokens"))]
    database.close()
    assert len(secrets) > len(SECRETS), "tokens are secrets too"
    written = "\n".join([*outputs, *_contents(shop.database.path)])
    files = [path for path in (*home.rglob("*"), shop.database.path) if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    for secret in secrets:
        assert secret not in written
        assert [path for path in files if secret.encode() in path.read_bytes()] == []


def _contents(path: Path) -> Iterator[str]:
    """Every row of every table, as text: in the file they may be compressed."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()
        for (table,) in tables:
            yield str(connection.execute(f"FROM {table}").fetchall())


# The sandbox


@pytest.mark.slow
def test_what_the_sandbox_prints_makes_a_dotenv_that_works(no_settings: Path) -> None:
    port = free_port()
    arguments = ("both", "--port", str(port), "--seed", "0", "--data", "deep/data")
    with sandbox_process(*arguments, cwd=no_settings, lines=len(SANDBOX)) as lines:
        printed = dotenv(lines)
        assert list(printed) == EVERY_SETTING_OF_A_SANDBOX
        assert (printed["SOLTEQ_API_URL"], printed["WOO_URL"]) == (
            f"http://127.0.0.1:{port}",
            f"http://127.0.0.1:{port + 1}",
        )
        (no_settings / ".env").write_text("\n".join(lines))
        first = module("sync", cwd=no_settings)
        assert first.returncode == 0, first.stderr
        assert "stands in" not in first.stderr, "it is the one that was started"
        product = {"code": "A1", "name": "Tuote", "productType": "Basic", "vatRate": 10, "salesPrice": 3}
        sound = {**product, "categories": [], "attributes": {}, "active": True, "deleted": False}
        put = f"{printed['SOLTEQ_API_URL']}/_sandbox/products"
        requests.put(put, json={"documents": [sound]}, timeout=60).raise_for_status()
        second = module("sync", "products", cwd=no_settings)
        assert second.returncode == 0, second.stderr
        assert "created 1" in second.stderr
    assert {path.name for path in (no_settings / "deep" / "data").glob("*.sqlite")} == {"solteq.sqlite", "woo.sqlite"}


@pytest.mark.parametrize(
    ("system", "names"),
    [("solteq", EVERY_SETTING_OF_A_SANDBOX[:4]), ("woo", EVERY_SETTING_OF_A_SANDBOX[4:])],
)
def test_one_system_alone(no_settings: Path, system: str, names: list[str]) -> None:
    port = free_port()
    with sandbox_process(system, "--port", str(port), cwd=no_settings, lines=len(names)) as lines:
        assert list(dotenv(lines)) == names
        assert f":{port}" in lines[0]


@pytest.mark.slow
def test_the_seed_makes_the_catalogue(no_settings: Path) -> None:
    """The same seed, the same shop."""
    catalogues: list[str] = []
    for arguments in (("--seed", "5", "--data", "a"), ("--seed", "5", "--data", "b"), ("--seed", "6", "--data", "c")):
        with sandbox_process("solteq", "--port", str(free_port()), *arguments, cwd=no_settings, lines=4):
            pass
        with sqlite3.connect(no_settings / arguments[3] / "solteq.sqlite") as database:
            catalogues.append(str(database.execute("SELECT document FROM products ORDER BY place").fetchall()))
        database.close()
    assert catalogues[0] == catalogues[1] != catalogues[2]


def test_a_taken_port_is_said_before_anything_is_printed_for_a_dotenv(no_settings: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in (("sandbox", "woo"), ("run",)):
            result = CliRunner().invoke(main, [*command, "--port", str(port)])
            assert result.exit_code == 1
            assert result.stdout == ""
            assert result.stderr == f"Error: Port {port} is taken. Stop what uses it, or choose another with --port.\n"


@pytest.mark.parametrize("port", ["0", "65535", "-1"])
def test_a_port_that_is_none_is_refused(no_settings: Path, port: str) -> None:
    assert CliRunner().invoke(main, ["sandbox", "both", "--port", port]).exit_code == 2


@pytest.fixture
def sandbox_ports(monkeypatch: pytest.MonkeyPatch) -> int:
    """The sandbox's own addresses, moved to free ports: the fixed ones may be in use, by a demo or another test."""
    port = free_port()
    for name in ("SOLTEQ_API_URL", "SOLTEQ_IDENTITY_URL"):
        monkeypatch.setitem(SANDBOX, name, f"http://127.0.0.1:{port}")
    monkeypatch.setitem(SANDBOX, "WOO_URL", f"http://127.0.0.1:{port + 1}")
    return port


def test_a_sandbox_that_is_not_installed_is_named(no_settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "solteq_woo_sandbox", None)
    for command in (("sandbox", "both"), ("run",), ("sync",)):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 1
        assert "The sandbox is not installed (solteq_woo_sandbox is missing). Install solteq-woo" in result.stderr


@pytest.mark.slow
def test_without_addresses_the_sandbox_stands_in(no_settings: Path, sandbox_ports: int) -> None:
    """The first thing that someone tries, in an empty folder; the made-up shop has a few bad records on purpose."""
    first = CliRunner().invoke(main, ["sync"])
    assert f"The sandbox stands in at http://127.0.0.1:{sandbox_ports} (SOLTEQ_API_URL is not set)." in first.output
    assert f"The sandbox stands in at http://127.0.0.1:{sandbox_ports + 1} (WOO_URL is not set)." in first.output
    assert "failed" not in first.output
    assert first.exit_code == 1
    assert "Quarantine" in first.output
    assert {path.name for path in no_settings.iterdir()} == {".sandbox"}, "a real shop later begins with a fresh file"
    assert (no_settings / ".sandbox" / "solteq_woo.duckdb").exists()
    second = CliRunner().invoke(main, ["sync"])
    assert "settled" not in second.output, "the sandbox remembers, and the second run writes nothing"


def test_a_sandbox_that_is_running_is_used(no_settings: Path, sandbox_ports: int) -> None:
    with (
        running(solteq_sandbox.create_app(no_settings / "solteq.sqlite", seed=0), sandbox_ports),
        running(woo_sandbox.create_app(no_settings / "woo.sqlite"), sandbox_ports + 1),
    ):
        result = CliRunner().invoke(main, ["sync"])
    assert result.exit_code == 0, result.output
    assert "stands in" not in result.output
    assert not list((no_settings / ".sandbox").glob("*.sqlite")), "none of its own was started"


# Quarantine


@pytest.fixture
def held(shop: Shop) -> Shop:
    """A shop with one product in order, one without a price, and one that cannot be read."""
    shop.product("GOOD")
    shop.product("HELD", salesPrice=0)
    shop.product("TORN", salesPrice="a lot")
    shop.sync("products_to_woo")
    return shop


@pytest.mark.usefixtures("wide", "held")
def test_the_quarantine_is_listed_and_each_record_says_what_to_do(solteq_woo: CommandLine) -> None:
    listed = solteq_woo("quarantine", "list")
    assert listed.exit_code == 0, listed.output
    assert "price-missing" in listed.output
    assert "document-unreadable" in listed.output
    shown = solteq_woo("quarantine", "show", "HELD")
    for words in ("price-missing", PROBLEMS["price-missing"].meaning, PROBLEMS["price-missing"].mend, "salesPrice"):
        assert words in shown.output
    assert "a lot" in solteq_woo("quarantine", "show", "p-TORN").output, "the document itself"
    assert solteq_woo("quarantine", "show", "GOOD").exit_code == 1


@pytest.mark.usefixtures("wide")
def test_what_is_dismissed_is_told_no_more_until_it_changes(held: Shop, solteq_woo: CommandLine) -> None:
    """It stays held back, and the command line exits with 0 when nothing else is wrong."""
    assert solteq_woo("sync", "products").exit_code == 1
    assert solteq_woo("quarantine", "dismiss", "HELD", "p-TORN").exit_code == 0
    assert solteq_woo("quarantine", "dismiss", "GOOD").exit_code == 1
    assert "Nothing is held back." in solteq_woo("quarantine", "list").output
    assert "HELD" in solteq_woo("quarantine", "list", "--all").output
    result = solteq_woo("sync", "products")
    assert (result.exit_code, "Quarantine" in result.output) == (0, False), result.output
    assert set(held.store()) == {"GOOD"}
    held.product("HELD", salesPrice=-1)
    assert solteq_woo("sync", "products").exit_code == 1, "it is another problem now"


@pytest.mark.parametrize("command", [("quarantine", "retry", "NOSUCH"), ("retry", "sales", "99999")])
def test_what_is_not_there_is_not_tried_again(shop: Shop, solteq_woo: CommandLine, command: tuple[str, ...]) -> None:
    """It says so and sends nothing; on a new machine it makes no database."""
    shop.database.path.unlink()
    fresh = solteq_woo(*command)
    assert (fresh.exit_code, "There is no database yet" in fresh.output) == (1, True), fresh.output
    assert not shop.settings.database.exists()
    shop.product("A1")
    shop.sync("products_to_woo")
    shop.product("A1", salesPrice=5)
    shop.woo.asked()
    result = solteq_woo(*command)
    assert (result.exit_code, f"{command[-1]}: no" in result.output) == (1, True), result.output
    assert shop.woo.asked() == []


@pytest.mark.usefixtures("wide")
def test_retrying_a_key_runs_its_flow_alone(held: Shop, solteq_woo: CommandLine) -> None:
    held.sync("products_to_woo")
    held.solteq.asked()
    held.product("TORN")
    held.solteq.asked()
    solteq_woo("quarantine", "retry", "p-TORN")
    assert "TORN" in held.store()
    read = {each["path"].rpartition("/")[2] for each in held.solteq.asked() if each["method"] == "GET"}
    assert read == {"products"}


@pytest.mark.usefixtures("wide")
def test_retry_reads_again_what_could_not_be_read_and_sends_again_what_was_refused(
    held: Shop, solteq_woo: CommandLine
) -> None:
    """Without a key everything; with keys what was refused of these alone."""
    error = {"code": "product_invalid_sku", "message": "Invalid or duplicated SKU.", "data": {}}
    refusal = {"create": [{"id": 0, "error": error}, {"id": 0, "error": error}]}
    held.product("X")
    held.product("Y")
    held.woo.fault(method="POST", path="products/batch", status=200, body=json.dumps(refusal))
    held.sync("products_to_woo", "products_to_woo")
    assert {"X", "Y"}.isdisjoint(held.store()), "the same writes are not sent again by themselves"
    solteq_woo("quarantine", "retry", "X")
    assert ("X" in held.store(), "Y" in held.store()) == (True, False)
    held.solteq.asked()
    solteq_woo("quarantine", "retry")
    assert "Y" in held.store()
    feeds = [each["query"] for each in held.solteq.asked() if each["path"].endswith("/products")]
    assert all("modified" not in query.lower() for query in feeds), "all products are read, for one could not be read"
