"""A shop to be copied."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_assets_tests.engine.flows import run_flows
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import solteq as solteq_sandbox
from solteq_woo_sandbox import woo as woo_sandbox
from solteq_woo_sandbox.catalogue import gtin


@dataclass
class Template:
    """A shop in step with Solteq, as files, and a Solteq that has moved on since."""

    folder: Path
    solteq_url: str

    @contextmanager
    def copied(self, name: str) -> Iterator[Shop]:
        """A shop of its own, that has yet to hear what is new."""
        folder = self.folder / name.replace(" ", "-")
        folder.mkdir()
        for file in (self.folder / "state.duckdb", *self.folder.glob("woo.sqlite*")):
            shutil.copy(file, folder)
        with running(woo_sandbox.create_app(folder / "woo.sqlite")) as woo_url:
            yield Shop(folder, self.solteq_url, woo_url)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """To be delivered: new products, simple and variable, a new price, a simple product that becomes variable, a
    product withdrawn and one on sale again, a hand edit to put right, a campaign, and stock for them all."""
    folder = tmp_path_factory.mktemp("template")
    with (
        running(solteq_sandbox.create_app(folder / "solteq.sqlite", seed=0)) as solteq_url,
        running(woo_sandbox.create_app(folder / "woo.sqlite")) as woo_url,
    ):
        _move_on(Shop(folder, solteq_url, woo_url))
        yield Template(folder, solteq_url)


def _move_on(shop: Shop) -> None:
    shop.product("PRICE")
    shop.product("GONE")
    shop.product("BACK", active=False)
    shop.product("HAND", salesPrice=15)
    shop.product("T-S", modelNumber="T", attributes={"Koko": "S"}, gtin="6412345678907", purchasePrice=4)
    for code in ("PRICE", "GONE", "HAND", "T-S"):
        shop.balance(code, 7)
    shop.product("BACK")
    run_flows(shop.settings, "before")
    for code in ("GONE", "T-S", "BACK"):
        shop.woo.patch(f"products/{shop.store()[code].id}", {"status": "publish"})
    shop.product("BACK", active=False)
    run_flows(shop.settings, "before")
    shop.product("BACK", active=True)
    shop.woo.patch(f"products/{shop.store()['HAND'].id}", {"regular_price": "1.00"})
    shop.product("PRICE", salesPrice=12, discountedPrice=9)
    shop.product("GONE", active=False)
    shop.product("T-L", modelNumber="T", attributes={"Koko": "L"})
    for code in ("NEW-1", "NEW-2", "NEW-3"):
        shop.product(code, purchasePrice=3)
        shop.balance(code, 2.9)
    for size in "SML":
        shop.product(f"V-{size}", modelNumber="V", attributes={"Koko": size}, gtin=gtin(ord(size)))
        shop.balance(f"V-{size}", 5)
    shop.campaign("c", "PRICE", "NEW-1", "HAND", "V", discountType="Amount", value=4, validTo="2999-01-01T00:00:00")
    shop.balance("T-L", 1)
    shop.balance("PRICE", 3)
