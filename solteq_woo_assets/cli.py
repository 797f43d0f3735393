"""The command line, ``solteq-woo``: run the flows, the sandbox, and the Dagster UI."""

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import click
import dagster as dg
import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text
from starlette.types import ASGIApp

from solteq_woo_assets.assets import campaigns, customers, products, sales
from solteq_woo_assets.automation.jobs import (
    CHANGED_SALES,
    DELIVERY_ASSETS,
    DELTA_ASSETS,
    FLOW_JOBS,
    RETRY_SALES,
    partition_of,
)
from solteq_woo_assets.clients.connections import solteq_client, woo_client
from solteq_woo_assets.clients.woo import StoreProduct
from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.doctor import Finding, examine, is_ill
from solteq_woo_assets.errors import ConfigurationError, IntegrationError
from solteq_woo_assets.rules import skus
from solteq_woo_assets.rules.pricing import LOWEST_PRICE_META, instant_of
from solteq_woo_assets.sandbox import solteq as solteq_sandbox
from solteq_woo_assets.sandbox import woo as woo_sandbox
from solteq_woo_assets.sandbox.server import running, serve
from solteq_woo_assets.settings import SANDBOX, Settings
from solteq_woo_assets.sync import erasure, sales_history
from solteq_woo_assets.sync.lease import FlowLeases
from solteq_woo_assets.sync.links import sku_key
from solteq_woo_assets.sync.state import StateDatabase, utc_now

FIRST_YEAR, LAST_YEAR = 1971, 2999  # beyond, zones and the database disagree or overflow
SANDBOX_DATA = Path(".sandbox")
SANDBOX_TAX_CLASSES = {"reduced-rate-10": 10}
"""WooCommerce has one reduced class when new; Finland has two reduced rates, and a shopkeeper adds the other."""
ROWS_SHOWN = 50
GUARD_RAILS = {campaigns.FLOW: "price_cuts", products.FLOW: "price_cuts", customers.TO_WOO: "removals"}
UNDELIVERED = ("refused", "retried_next_run", "waiting")
console = Console(stderr=True)


class _Commands(click.Group):
    """Our errors are one line on the terminal, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except IntegrationError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Commands)
@click.version_option(package_name="solteq-woo-assets")
def main() -> None:
    """Keeps Solteq Commerce Cloud and WooCommerce in step."""


@main.command()
@click.argument("flows", nargs=-1, type=click.Choice(list(FLOW_JOBS)), metavar="[FLOW]...")
@click.option("--dry-run", is_flag=True, help="Stop at the deltas: show what would be written, send nothing.")
@click.option("--let-pass", is_flag=True, help="Send also what a guard rail would stop: price cuts, removed accounts.")
def sync(flows: tuple[str, ...], dry_run: bool, let_pass: bool) -> None:
    """Run flows in this process, all of them or those that are named.

    campaigns, products, balances, customers_to_woo, customers_to_solteq, sales

    Exits with 1 when anything was not delivered: a run failed, the store refused a write, or a record is in
    quarantine.
    """
    settings = _settings()
    definitions = dg.Definitions.merge(
        build_definitions(settings), dg.Definitions(loggers={"console": dg.LoggerDefinition(_terminal_logger)})
    )
    chosen = [flow for flow in FLOW_JOBS if flow in flows or not flows]
    complete = True
    with _standing_in(settings), _instance() as instance:
        for flow in chosen:
            job = definitions.resolve_job_def(FLOW_JOBS[flow].name)
            console.print(f"[bold]{job.name}[/bold]{' (dry run)' if dry_run else ''}")
            selection = _up_to_delta(job, flow) if dry_run else None
            result = job.execute_in_process(
                run_config={"loggers": {"console": {}}, "ops": _configuration(flow, let_pass and not dry_run)},
                partition_key=partition_of(job.name, settings, utc_now()),
                instance=instance,
                asset_selection=selection,
                raise_on_error=False,
            )
            _print_summary(result)
            complete &= result.success and (dry_run or _all_delivered(result, flow))
            if dry_run and _metadata(result, DELTA_ASSETS[flow]):
                with StateDatabase(settings.database).transaction() as connection:
                    delta = connection.table(f"delta.{DELTA_ASSETS[flow]}").pl()
                _print_delta(customers.masked_changes(delta) if flow in customers.DIRECTIONS else delta)
        _print_quarantine(settings)
        complete &= dry_run or not _quarantined(settings, chosen)
    sys.exit(0 if complete else 1)


@main.command()
@click.argument("flow", type=click.Choice([campaigns.FLOW]))
@click.option("--at", metavar="TIME", help="Local time such as 2026-11-27T00:00. Default: now.")
def preview(flow: str, at: str | None) -> None:
    """Show the campaign delta of another time.

    By what was last read of both sides; nothing is kept or sent.
    """
    settings = _settings()
    now = _instant(at, settings)
    with StateDatabase(settings.database).transaction() as connection:
        delta = campaigns.compare(connection, settings, now)
    console.print(f"[bold]campaign_price_delta at {_local(now, settings)}[/bold]")
    _print_delta(delta.changes)
    if delta.changes.is_empty():
        console.print("Nothing to write.")
    _print_table(["campaign", "field", "held back because", "to mend"], delta.quarantine.rows())


@main.command()
@click.argument("what", nargs=-1, required=True, metavar="SKU | order NUMBER")
@click.option("--at", metavar="TIME", help="Of a price: local time such as 2026-11-27T00:00. Default: now.")
def explain(what: tuple[str, ...], at: str | None) -> None:
    """Say why a product's price is what it is, or what became of an order.

    Of a product: campaigns, the calendar of 60 days, what shoppers were shown, what was sent in which run, by what was
    last read from Solteq; and what the store holds now. Of an order: what the store has, by what was last read, what
    was sent when, and what Solteq answered.
    """
    match what:
        case ("order", number):
            _explain_order(number)
        case (sku,):
            _explain_price(sku, at)
        case _:
            raise click.UsageError("Name a SKU, or write: explain order NUMBER")


def _explain_order(number: str) -> None:
    settings = _settings()
    with StateDatabase(settings.database).transaction() as connection:
        history = sales_history.history_of(connection, number, settings.timezone)
    if history is None:
        raise click.ClickException(f"Order {number} has not been read from the store.")
    console.print(f"[bold]Order {history.order_id} in the store[/bold], as it was read {history.read_at}")
    for title, columns, rows in history.tables():
        console.print(f"\n[bold]{title}[/bold]")
        _print_table(columns, rows) if rows else console.print("Nothing.")


def _explain_price(sku: str, at: str | None) -> None:
    settings = _settings()
    now = _instant(at, settings)
    key = sku_key(sku)
    with StateDatabase(settings.database).transaction() as connection:
        explanation = campaigns.explain(connection, settings, [sku], now)
        parameters = {"key": key, "zone": settings.timezone}
        shown = connection.sql(_SHOWN, params=parameters).fetchall()
        sent = connection.sql(_SENT, params=parameters).fetchall()
    if explanation.prices.is_empty():
        raise click.ClickException(f"{sku} is not on sale in Solteq, by what was last read.")
    console.print(f"[bold]The price at {_local(now, settings)}[/bold]")
    columns = ["code", "sales price", "sale price", "set by", "lowest price of 30 days"]
    _print_table(columns, explanation.prices.rows())
    verdicts, calendar = (frame.drop("code").rows() for frame in (explanation.verdicts, explanation.calendar))
    for title, columns, rows in (
        ("Campaigns", ["campaign", "for", "when", "price", "what becomes of it"], verdicts),
        ("The coming 60 days", ["from", "until", "price", "set by"], calendar),
        ("Shown to shoppers", ["price", "regular price", "from", "until"], shown),
        ("Sent to the store", ["when", "run", "flow", "field: old → new", "state"], sent),
    ):
        console.print(f"\n[bold]{title}[/bold]")
        _print_table(columns, rows) if rows else console.print("Nothing.")
    with _standing_in(settings), closing(woo_client(settings)) as woo:
        held = woo.find_by_sku([sku])
    console.print("\n[bold]The store now[/bold]")
    columns = ["id", "status", "regular price", "sale price", "from (UTC)", "until (UTC)", "lowest price of 30 days"]
    _print_table(columns, [_store_row(product) for product in held]) if held else console.print("It is not there.")


_SHOWN = """
SELECT price::DECIMAL(18,2)::VARCHAR, regular_price::DECIMAL(18,2)::VARCHAR,
    strftime(valid_from AT TIME ZONE 'UTC' AT TIME ZONE $zone, '%-d.%-m.%Y %H:%M:%S'),
    coalesce(strftime(valid_to AT TIME ZONE 'UTC' AT TIME ZONE $zone, '%-d.%-m.%Y %H:%M:%S'), '')
FROM sync.price_history WHERE sku = $key ORDER BY valid_from DESC LIMIT 20
"""
_SENT = f"""
SELECT strftime(created_at AT TIME ZONE 'UTC' AT TIME ZONE $zone, '%-d.%-m.%Y %H:%M:%S'), run_id, flow,
    array_to_string(list_transform(prices, lambda c:
        c.field || ': ' || coalesce(nullif(c.old, ''), '–') || ' → ' || coalesce(nullif(c.new, ''), '–')), ', '), state
FROM (
    SELECT *, list_filter(changes, lambda c: c.field LIKE '%price%' OR c.field LIKE 'date_on_sale%') AS prices
    FROM sync.deliveries WHERE {skus.sku_key("key")} = $key
) WHERE len(prices) > 0 ORDER BY created_at DESC LIMIT 20
"""


def _store_row(product: StoreProduct) -> tuple[str, ...]:
    prices = (product.regular_price, product.sale_price)
    times = (product.date_on_sale_from_gmt, product.date_on_sale_to_gmt)
    return (
        str(product.id),
        product.status,
        *("" if price is None else f"{price:.2f}" for price in prices),
        *("" if time is None else time.isoformat() for time in times),
        product.meta.get(LOWEST_PRICE_META, ""),
    )


def _instant(text: str | None, settings: Settings) -> datetime:
    """Local time, unless it says its zone, in UTC without a zone."""
    if text is None:
        return utc_now()
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("write the time as 2026-11-27T00:00", param_hint="--at") from None
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise click.BadParameter(f"choose a year from {FIRST_YEAR} to {LAST_YEAR}", param_hint="--at")
    if time.tzinfo is not None:
        return time.astimezone(UTC).replace(tzinfo=None)
    return instant_of(time, ZoneInfo(settings.timezone))


def _local(instant: datetime, settings: Settings) -> str:
    local = instant.replace(tzinfo=UTC).astimezone(ZoneInfo(settings.timezone))
    return f"{local:%-d.%-m.%Y %H:%M} {settings.timezone}"


@main.group()
def retry() -> None:
    """Send again what was refused."""


@retry.command("sales")
@click.argument("orders", nargs=-1, metavar="[ORDER]...")
def retry_sales(orders: tuple[str, ...]) -> None:
    """Send again the sales that Solteq refused: all, or those of these orders or external ids.

    Exits with 1 when anything was refused again.
    """
    settings = _settings()
    definitions = dg.Definitions.merge(
        build_definitions(settings), dg.Definitions(loggers={"console": dg.LoggerDefinition(_terminal_logger)})
    )
    job = definitions.resolve_job_def(RETRY_SALES.name)
    config = {"retry": list(orders)} if orders else {"retry_refused": True}
    with _standing_in(settings), _instance() as instance:
        result = job.execute_in_process(
            run_config={"loggers": {"console": {}}, "ops": {"sales_delta": {"config": config}}},
            partition_key=partition_of(job.name, settings, utc_now()),
            instance=instance,
            raise_on_error=False,
        )
        _print_summary(result)
        _print_quarantine(settings)
    sys.exit(0 if result.success and _all_delivered(result, sales.FLOW) else 1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of the lines.")
def doctor(as_json: bool) -> None:
    """Look at both systems, the settings and the database, and say what to mend. Changes nothing anywhere.

    Exits with 1 when anything is red.
    """
    findings: list[Finding] = []
    for finding in _findings():
        findings.append(finding)
        if not as_json:
            _print_finding(finding)
    if as_json:
        document = {"healthy": not is_ill(findings), "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    sys.exit(1 if is_ill(findings) else 0)


def _findings() -> Iterator[Finding]:
    try:
        settings = Settings.load()
    except ConfigurationError as error:
        yield Finding("settings", "red", str(error), "Mend them in the environment or in .env; .env.example lists all.")
        return
    with _standing_in(settings):
        yield from examine(settings)


def _print_finding(finding: Finding) -> None:
    line = Table.grid(padding=(0, 2))
    line.add_column(width=6, style=finding.level)
    line.add_column(width=22)
    line.add_column(overflow="fold")
    line.add_row(finding.level, Text(finding.check), Text(finding.words))
    if finding.mend:
        line.add_row("", "", Text(f"→ {finding.mend}", style="bold"))
    console.print(line)


@main.command()
@click.option("--customer", required=True, metavar="ID|EMAIL", help="Solteq's id, woo:ID of an account, or an e-mail.")
@click.confirmation_option(prompt="Everything personal of this customer is erased from the database for good. Go on?")
def erase(customer: str) -> None:
    """Erase everything personal of one customer from this integration's database.

    Solteq and the store are not touched: erase there first, or the person goes on being a customer there. The ids
    stay here, so that no later run brings the person back.
    """
    database = StateDatabase(_settings().database)
    with FlowLeases(database) as leases:
        leases.take(customers.FLOW, "erase")
        people = erasure.erase(database, customer)
    if not people:
        raise click.ClickException("Nobody is known by that.")
    for person in people:
        console.print(f"Erased: {person}.", highlight=False)


@main.command()
@click.argument("system", type=click.Choice(["solteq", "woo", "both"]))
@click.option(
    "--port",
    type=click.IntRange(1, 65534),
    help="Port of the system; with both, of Solteq, and the store has the next one.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of Solteq's catalogue; 0 is an empty one.")
@click.option("--data", type=click.Path(path_type=Path), default=SANDBOX_DATA, show_default=True, help="Folder.")
def sandbox(system: str, port: int | None, seed: int, data: Path) -> None:
    """Stand in for Solteq, the web store or both, on this machine, until Ctrl-C.

    Prints the addresses and credentials as NAME=value lines, ready for a .env file.
    """
    data.mkdir(parents=True, exist_ok=True)
    apps = {}
    lines = []
    if system in ("solteq", "both"):
        solteq_port = port or _port("SOLTEQ_API_URL")
        apps[solteq_port] = solteq_sandbox.create_app(data / "solteq.sqlite", seed=seed)
        url = f"http://127.0.0.1:{solteq_port}"
        lines += [f"SOLTEQ_API_URL={url}", f"SOLTEQ_IDENTITY_URL={url}"]
        lines += [f"{name}={SANDBOX[name]}" for name in ("SOLTEQ_CLIENT_ID", "SOLTEQ_CLIENT_SECRET")]
    if system in ("woo", "both"):
        woo_port = (port + (system == "both")) if port else _port("WOO_URL")
        apps[woo_port] = _woo_app(data / "woo.sqlite")
        lines += [f"WOO_URL=http://127.0.0.1:{woo_port}"]
        lines += [f"{name}={SANDBOX[name]}" for name in ("WOO_CONSUMER_KEY", "WOO_CONSUMER_SECRET")]
    for taken in filter(_is_listening, apps):
        raise click.ClickException(f"Port {taken} is taken. Stop what uses it, or choose another with --port.")
    click.echo("\n".join(lines))
    serve(apps)


@main.command()
@click.option("--port", type=int, default=3000, show_default=True, help="Port of the Dagster UI.")
def run(port: int) -> None:
    """Start the Dagster UI with its daemon, and the sandbox for each side that has no address, until Ctrl-C."""
    settings = _settings()
    build_definitions(settings)  # what is wrong with a cron is better said here than in Dagster's log
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(Path(".dagster").absolute())))
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists() and Path("dagster.yaml").exists():
        shutil.copy("dagster.yaml", home)
    if _is_listening(port):
        raise click.ClickException(f"Port {port} is taken. Stop what uses it, or choose another with --port.")
    with _standing_in(settings):
        log = home / "dagster.log"
        _print_welcome(settings, port, log)
        code = _run_dagster(port, log)
    if code:
        console.print(log.read_text(errors="replace")[-4000:], highlight=False, markup=False)
        raise click.ClickException(f"Dagster ended with {code}; the end of {log} is above.")


def _run_dagster(port: int, log: Path) -> int:
    """``dagster dev`` in a process group of its own, so that one SIGINT stops the whole tree; its exit code."""
    command = [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
    if not Path("workspace.yaml").exists():
        command += ["-m", "solteq_woo_assets.definitions"]
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603
            command, start_new_session=True, stdout=output, stderr=subprocess.STDOUT
        )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    code = process.wait()
    return 0 if code in (0, -signal.SIGINT, -signal.SIGTERM) else code


def _print_welcome(settings: Settings, port: int, log: Path) -> None:
    url = f"http://127.0.0.1:{port}"
    lines = [
        f"\n[bold]The Dagster UI comes up at {url}[/bold] (in about 15 seconds)",
        f"1. {url}/asset-groups is the lineage: products, campaigns and stock flow to the store, sales to Solteq.",
        f"2. {url}/runs fills as the sensors see a change; the metadata of a delta shows it field by field.",
    ]
    if settings.solteq_is_sandbox:
        shuffle = f'{settings.solteq_api_url}/_sandbox/shuffle -d \'{{"prices": 3, "balances": 3}}\''
        lines.append(f"3. Change some prices and balances in the sandbox and watch them arrive: curl -X POST {shuffle}")
        if settings.woo_is_sandbox:
            orders = f"{settings.woo_url}/_sandbox/orders/shuffle -d '{{\"orders\": 5}}'"
            lines.append(f"   Let somebody buy, and watch the sales being booked: curl -X POST {orders}")
    else:
        lines.append(f"3. {url}/automation is where you turn on the sensors when you are ready to send.")
    lines.append(f"Ctrl-C stops everything. Dagster's own log is {log}.\n")
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


def _settings() -> Settings:
    """The settings, once they are seen to make sense: before anything starts, and not run by run."""
    settings = Settings.load()
    with closing(solteq_client(settings)), closing(woo_client(settings)):
        return settings


@contextmanager
def _standing_in(settings: Settings) -> Iterator[None]:
    """The sandbox for each side that has no address, unless one is running there already."""
    with ExitStack() as stack:
        sides = (
            (settings.solteq_is_sandbox, "SOLTEQ_API_URL", solteq_sandbox.create_app, "solteq.sqlite"),
            (settings.woo_is_sandbox, "WOO_URL", _woo_app, "woo.sqlite"),
        )
        for is_sandbox, name, create_app, file in sides:
            if not is_sandbox:
                continue
            if _is_listening(_port(name)):
                console.print(f"{name} is not set: {SANDBOX[name]} is used, where a sandbox runs already.")
            else:
                SANDBOX_DATA.mkdir(parents=True, exist_ok=True)
                stack.enter_context(running(create_app(SANDBOX_DATA / file), port=_port(name)))
                console.print(f"The sandbox stands in at {SANDBOX[name]} ({name} is not set).")
        yield


def _woo_app(database: Path) -> ASGIApp:
    return woo_sandbox.create_app(database, tax_classes=SANDBOX_TAX_CLASSES)


def _port(name: str) -> int:
    port = urlsplit(SANDBOX[name]).port
    if port is None:
        raise ConfigurationError(f"{name} of the sandbox has no port")
    return port


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _instance() -> Iterator[dg.DagsterInstance]:
    """The instance of ``DAGSTER_HOME``, so that the runs are in its UI, or one that is gone afterwards."""
    if os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.get() as instance:
            yield instance
    else:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance


class _TerminalHandler(logging.Handler):
    """Steps as they begin, and what they say."""

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        if event is None and record.levelno >= logging.INFO:
            console.print(f"    {meta.get('orig_message', record.getMessage())}", highlight=False, markup=False)
        elif event is None:
            return
        elif event.event_type == dg.DagsterEventType.STEP_START:
            console.print(f"  {event.step_key}", highlight=False, markup=False)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                self._print_failure(check.check_name, check.description)
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
            failure = event.step_failure_data
            metadata = failure.user_failure_data
            words = metadata.description if metadata else failure.error.message if failure.error else event.message
            self._print_failure(event.step_key, words)
        elif event.event_type == dg.DagsterEventType.RUN_FAILURE and (error := event.job_failure_data.error):
            self._print_failure(meta.get("job_name"), (error.cause or error).message)  # it failed outside of any step

    def _print_failure(self, what: object, why: str | None) -> None:
        console.print(f"  [red]{what} failed:[/red] ", end="")
        console.print((why or "").strip(), highlight=False, markup=False)


def _terminal_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("solteq_woo_terminal", level=logging.DEBUG)  # steps begin at that level
    logger.addHandler(_TerminalHandler())
    return logger


def _configuration(flow: str, let_pass: bool) -> Mapping[str, object]:
    if flow == sales.FLOW:
        return CHANGED_SALES["ops"]
    if not let_pass or flow not in GUARD_RAILS:
        return {}
    return {f"{DELTA_ASSETS[flow]}_{GUARD_RAILS[flow]}": {"config": {"let_pass": True}}}


def _up_to_delta(job: dg.JobDefinition, flow: str) -> list[dg.AssetKey]:
    delivery = dg.AssetKey(DELIVERY_ASSETS[flow])
    return [key for key in job.asset_layer.executable_asset_keys if key != delivery]


def _metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    for event in result.get_asset_materialization_events():
        if event.asset_key == dg.AssetKey(asset):
            return {name: value.value for name, value in event.materialization.metadata.items()}
    return {}


def _print_summary(result: dg.ExecuteInProcessResult) -> None:
    rows: list[Sequence[str]] = []
    for event in result.get_asset_materialization_events():
        metadata = {
            name: value.value
            for name, value in event.materialization.metadata.items()
            if not isinstance(value, dg.MarkdownMetadataValue)
        }
        requests, seconds = metadata.pop("requests", ""), metadata.pop("seconds", "")
        counts = ", ".join(f"{name} {value}" for name, value in metadata.items() if value)
        name = event.asset_key.to_user_string() if event.asset_key else ""
        rows.append((name, counts or "nothing", str(requests), str(seconds)))
    _print_table(["asset", "what", "requests", "seconds"], rows)


def _all_delivered(result: dg.ExecuteInProcessResult, flow: str) -> bool:
    metadata = _metadata(result, DELIVERY_ASSETS[flow])
    return not any(metadata.get(name) for name in UNDELIVERED)


def _print_delta(changes: pl.DataFrame) -> None:
    ordered = changes.sort(pl.col("action").is_in(["wait", "skip"]), "key").head(ROWS_SHOWN).to_dicts()
    rows = [
        (
            row["key"],
            row["action"],
            ", ".join(f"{c['field']}: {c['old'] or '–'} → {c['new'] or '–'}" for c in row["changes"]),
            row["reason"],
        )
        for row in ordered
    ]
    _print_table(["key", "action", "field: old → new", "why"], rows)
    if changes.height > ROWS_SHOWN:
        console.print(f"… and {changes.height - ROWS_SHOWN} rows more.", highlight=False)


def _print_quarantine(settings: Settings) -> None:
    with StateDatabase(settings.database).transaction() as connection:
        rows = connection.execute(
            "SELECT flow, key, field, reason, mend FROM sync.quarantine ORDER BY flow, key"
        ).fetchall()
    if rows:
        console.print("\nQuarantine")
    _print_table(["flow", "key", "field", "held back because", "to mend"], rows[:ROWS_SHOWN])
    if len(rows) > ROWS_SHOWN:
        console.print(f"… and {len(rows) - ROWS_SHOWN} more in sync.quarantine.", highlight=False)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
    """Rows as they are: a product's name may hold what rich takes for markup, and nothing is cut off."""
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell or "") for cell in row))
    console.print(table)


def _quarantined(settings: Settings, flows: list[str]) -> int:
    with StateDatabase(settings.database).transaction() as connection:
        return connection.execute(
            "SELECT count(*) FROM sync.quarantine WHERE list_contains($flows, flow)", {"flows": flows}
        ).fetchall()[0][0]
