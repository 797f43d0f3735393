"""``kill -9`` at any point: the store ends as if nothing had happened, and nothing is in it twice."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from solteq_woo_assets.sandbox import solteq as solteq_sandbox
from solteq_woo_assets.sandbox import woo as woo_sandbox
from solteq_woo_assets.sandbox.server import running
from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_assets_tests.sync.flows import STEPS, run_flows, run_until
from solteq_woo_assets_tests.sync.processes import exit_code, started


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


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """To be delivered: new products, simple and variable, a new price, a simple product that becomes variable, a
    product withdrawn and one on sale again, a hand edit to put right, and stock for them all."""
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
    shop.product("T-S", modelNumber="T", attributes={"Koko": "S"}, gtin="6412345678909", purchasePrice=4)
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
        shop.product(f"V-{size}", modelNumber="V", attributes={"Koko": size}, gtin=f"4006381333{ord(size):03}")
        shop.balance(f"V-{size}", 5)
    shop.balance("T-L", 1)
    shop.balance("PRICE", 3)


def picture(shop: Shop) -> dict[str, Any]:
    """What the store holds and what we remember of it, without what is another each time."""
    store = [*shop.store().values(), *shop.store("trash").values()]
    skus = {product.id: product.sku for product in store}
    shown = {
        product.sku: product.model_dump(exclude={"id", "parent_id", "date_modified_gmt", "attributes"})
        | {
            "parent": skus.get(product.parent_id),
            "attributes": [(a["name"], a.get("option"), a.get("options")) for a in product.attributes],
        }
        for product in store
    }
    flat = {f"{sku}: {field}": value for sku, fields in shown.items() for field, value in fields.items()}
    links = shop.rows("SELECT key, woo_id, status_before FROM sync.links ORDER BY key")
    return flat | {f"link of {key}": (skus.get(woo_id, woo_id), before) for key, woo_id, before in links}


def differing(now: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What is not as wanted: now, and as wanted."""
    return {name: (now.get(name), wanted.get(name)) for name in {*now, *wanted} if now.get(name) != wanted.get(name)}


def items(shop: Shop) -> int:
    """How many products and variations the store has, whatever their SKUs."""
    return shop.rows("SELECT count(*) FROM snapshot.woo_catalogue")[0][0]


WRITES = {"products": 14, "balances": 9}


@pytest.mark.parametrize(
    ("flow", "step"),
    [
        *(("products", step) for step in STEPS),
        *(("balances", step) for step in STEPS if "its" in step or "commit" in step),
    ],
)
def test_killed_at_each_step_the_next_run_ends_as_if_nothing_had_happened(
    template: Template, flow: str, step: str
) -> None:
    with template.copied(f"{flow} {step}") as ready:
        if flow == "balances":
            run_flows(ready.settings, "products first", "products")
        copies = Template(ready.folder, template.solteq_url)
        with copies.copied("undisturbed") as shop:
            told = run_flows(shop.settings, "undisturbed", flow)
            wanted, wanted_items = picture(shop), items(shop)
        delivered = told["woo_products" if flow == "products" else "woo_stock"]
        assert (delivered["created"] + delivered["updated"], wanted_items) == (WRITES[flow], 14)
        for number in count(1):
            with copies.copied(f"killed {number}") as shop:
                code = exit_code(started(run_until, shop.settings, flow, step, number))
                assert code in (0, -signal.SIGKILL)
                run_flows(shop.settings, "after", flow)
                assert (number, differing(picture(shop), wanted), items(shop)) == (number, {}, wanted_items)
                assert shop.rows("SELECT key FROM sync.deliveries WHERE state IN ('pending', 'retry', 'unsent')") == []
                assert shop.rows("SELECT flow FROM sync.leases") == []
                told = run_flows(shop.settings, "once more", "preview")
                left = told["product_delta" if flow == "products" else "balance_delta"]
                assert (left["created"], left["updated"]) == (0, 0), number
            if code == 0:
                assert number > 4, "it was killed too seldom for this to mean anything"
                return
