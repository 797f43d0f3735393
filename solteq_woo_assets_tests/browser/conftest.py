"""What ``make run`` starts, and a browser that looks at it: Debian's Chromium, driven by Playwright."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from solteq_woo_assets.settings import SANDBOX
from solteq_woo_assets_tests.conftest import Control

REPOSITORY = Path(__file__).parents[2]
IMAGES = REPOSITORY / "docs" / "images"
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
UP = 60_000
"""Milliseconds in which the UI comes up, or a run ends, on a machine that does other things, too."""
LOCATION = "/locations/solteq_woo_assets.definitions"
FLOWS = ("PRODUCTS", "CAMPAIGNS", "BALANCES", "CUSTOMERS_TO_WOO", "CUSTOMERS_TO_SOLTEQ", "SALES")
PERSON = {"first_name": "Zyxaino", "last_name": "Qvintusmäki", "email": "zyxaino@qvintus.example"}


@dataclass
class Site:
    """The UI, and the sandboxes behind it."""

    url: str
    folder: Path
    solteq: Control
    woo: Control


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """``solteq-woo run`` as a new user starts it, in an empty folder; the sandbox stands in for both sides."""
    for url in (SANDBOX["SOLTEQ_API_URL"], SANDBOX["WOO_URL"]):
        if _is_taken(int(url.rsplit(":", 1)[1])):
            pytest.skip(f"{url} is taken: stop what `make run` started")
    folder = tmp_path_factory.mktemp("run")
    port = _free_port()
    with (folder / "printed").open("w") as printed:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("solteq-woo")), "run", "--port", str(port)],
            cwd=folder,
            env=_environment(),
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Site(f"http://127.0.0.1:{port}", folder, Control(SANDBOX["SOLTEQ_API_URL"]), Control(SANDBOX["WOO_URL"]))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, (folder / "printed").read_text()
    finally:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """Nothing of ours is set but what the Makefile sets."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOLTEQ_", "WOO_", "DAGSTER_"))}
    return kept | {f"SOLTEQ_WOO_{flow}_POLL_SECONDS": "2" for flow in FLOWS}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Ui:
    """A browser's window on the UI, and what was on the pages that were left."""

    site: Site
    page: Page
    visited: list[str]

    def open(self, path: str) -> Page:
        self.note()
        self.page.goto(f"{self.site.url}{path}", wait_until="domcontentloaded")
        return self.page

    def note(self) -> None:
        """Remember the page as it is now."""
        self.visited.append(self.page.content())

    def picture(self, name: str) -> None:
        """Keep what is seen in the documentation, where ``make screenshots`` asks for it."""
        if os.environ.get("SCREENSHOTS"):
            self.page.screenshot(path=IMAGES / f"{name}.png")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def ui(browser: Any, site: Site) -> Iterator[Ui]:
    """A new browser window. When the test is done, nothing personal is on a page that it visited, nor in Dagster's
    storage and logs, which is all that the UI can show.
    """
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(UP)
    expect.set_options(timeout=UP)
    window = Ui(site, page, [])
    _wait_until_up(window)
    yield window
    window.note()
    page.close()
    stored = [
        file.read_bytes().decode(errors="replace") for file in (site.folder / ".dagster").rglob("*") if file.is_file()
    ]
    for text in (*window.visited, *stored):
        for personal in PERSON.values():
            assert personal.lower() not in text.lower()


def _wait_until_up(ui: Ui) -> None:
    """Dagster takes a while until it listens."""
    port = int(ui.site.url.rsplit(":", 1)[1])
    while not _is_taken(port):
        ui.page.wait_for_timeout(500)
