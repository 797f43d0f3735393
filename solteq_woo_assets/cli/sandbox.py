"""The sandbox, and everything at once: sandbox, daemon and UI."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import click

from solteq_woo_assets.cli.jobs import load_settings, settle_home
from solteq_woo_assets.cli.terminal import console
from solteq_woo_assets.errors import ConfigurationError
from solteq_woo_assets.settings import SANDBOX, SANDBOX_DATA, Settings

TAX_CLASSES = {"reduced-rate-10": 10}
"""WooCommerce has one reduced class when new; Finland has two reduced rates, and a shopkeeper adds the other."""


@click.command()
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
    with _is_asked_for():
        from solteq_woo_sandbox import server, solteq, woo
    data.mkdir(parents=True, exist_ok=True)
    apps = {}
    lines = []
    if system in ("solteq", "both"):
        solteq_port = port or port_of("SOLTEQ_API_URL")
        apps[solteq_port] = solteq.create_app(data / "solteq.sqlite", seed=seed)
        url = f"http://127.0.0.1:{solteq_port}"
        lines += [f"SOLTEQ_API_URL={url}", f"SOLTEQ_IDENTITY_URL={url}"]
        lines += [f"{name}={SANDBOX[name]}" for name in ("SOLTEQ_CLIENT_ID", "SOLTEQ_CLIENT_SECRET")]
    if system in ("woo", "both"):
        woo_port = (port + (system == "both")) if port else port_of("WOO_URL")
        apps[woo_port] = woo.create_app(data / "woo.sqlite", tax_classes=TAX_CLASSES)
        lines += [f"WOO_URL=http://127.0.0.1:{woo_port}"]
        lines += [f"{name}={SANDBOX[name]}" for name in ("WOO_CONSUMER_KEY", "WOO_CONSUMER_SECRET")]
    for taken in filter(is_listening, apps):
        raise click.ClickException(f"Port {taken} is taken. Stop what uses it, or choose another with --port.")
    click.echo("\n".join(lines))
    try:
        server.serve(apps)
    except OSError as error:
        raise ConfigurationError(str(error)) from error


@click.command()
@click.option("--port", type=int, default=3000, show_default=True, help="Port of the Dagster UI.")
def run(port: int) -> None:
    """Start the Dagster UI with its daemon, and the sandbox where it stands in, until Ctrl-C."""
    settings = load_settings()
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(Path(".dagster").absolute())))
    settle_home(home)
    if is_listening(port):
        raise click.ClickException(f"Port {port} is taken. Stop what uses it, or choose another with --port.")
    with standing_in(settings):
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


@contextmanager
def standing_in(settings: Settings) -> Iterator[None]:
    """The sandbox for each side that has no address, unless one is running there already."""
    if not (settings.solteq_is_sandbox or settings.woo_is_sandbox):
        yield
        return
    with _is_asked_for():
        from solteq_woo_sandbox import server, solteq, woo
    apps = {}
    if settings.solteq_is_sandbox:
        apps["SOLTEQ_API_URL"] = partial(solteq.create_app, SANDBOX_DATA / "solteq.sqlite")
    if settings.woo_is_sandbox:
        apps["WOO_URL"] = partial(woo.create_app, SANDBOX_DATA / "woo.sqlite", tax_classes=TAX_CLASSES)
    with ExitStack() as stack:
        for name, create_app in apps.items():
            if is_listening(port_of(name)):
                console.print(f"{name} is not set: {SANDBOX[name]} is used, where a sandbox runs already.")
            else:
                SANDBOX_DATA.mkdir(parents=True, exist_ok=True)
                stack.enter_context(server.running(create_app(), port=port_of(name)))
                console.print(f"The sandbox stands in at {SANDBOX[name]} ({name} is not set).")
        yield


@contextmanager
def _is_asked_for() -> Iterator[None]:
    """Around the import of the sandbox, an extra: who connects two real systems never needs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The sandbox is not installed ({error.name} is missing). Install solteq-woo-assets[sandbox], or set "
            "SOLTEQ_API_URL and WOO_URL to real systems"
        ) from error


def port_of(name: str) -> int:
    port = urlsplit(SANDBOX[name]).port
    if port is None:
        raise ConfigurationError(f"{name} of the sandbox has no port")
    return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
