"""``kill -9`` at any point: the store ends as if nothing had happened, and nothing is in it twice."""

import signal
from itertools import count
from typing import Any

import pytest

from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_assets_tests.engine.conftest import Template
from solteq_woo_assets_tests.engine.flows import STEPS, run_flows, run_until
from solteq_woo_assets_tests.engine.processes import exit_code, started

pytestmark = pytest.mark.slow


def picture(shop: Shop) -> dict[str, Any]:
    """What the store holds and what we remember of it, without what is another each time."""
    store = [*shop.store().values(), *shop.store("trash").values()]
    skus = {product.id: product.sku for product in store}
    shown = {
        product.sku: product.model_dump(exclude={"id", "parent_id", "date_modified_gmt", "attributes"})
        | {
            "parent": skus.get(product.parent_id),
            "attributes": [(a.name, a.options) for a in product.attributes],
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


WRITES = {"products": 14, "balances": 9, "campaigns": 6}
DELIVERIES = {"products": "woo_products", "balances": "woo_stock", "campaigns": "woo_campaign_prices"}
DELTAS = {"products": "product_delta", "balances": "balance_delta", "campaigns": "campaign_price_delta"}


@pytest.mark.parametrize(
    ("flow", "step"),
    [
        *(("products", step) for step in STEPS),
        *((flow, step) for flow in ("balances", "campaigns") for step in STEPS if "its" in step or "commit" in step),
    ],
)
def test_killed_at_each_step_the_next_run_ends_as_if_nothing_had_happened(
    template: Template, flow: str, step: str
) -> None:
    with template.copied(f"{flow} {step}") as ready:
        if flow != "products":
            run_flows(ready.settings, "products first", "products")
        copies = Template(ready.folder, template.solteq_url)
        with copies.copied("undisturbed") as shop:
            told = run_flows(shop.settings, "undisturbed", flow)
            wanted, wanted_items = picture(shop), items(shop)
        delivered = told[DELIVERIES[flow]]
        assert (delivered["created"] + delivered["updated"], wanted_items) == (WRITES[flow], 14)
        # DuckDB reads its log back the same way, whatever is in it; and the flows share their commits.
        every = 3 if "log" in step else 2 if flow != "products" and "commit" in step else 1
        for number in count(1, every):
            with copies.copied(f"killed {number}") as shop:
                code = exit_code(started(run_until, shop.settings, flow, step, number))
                assert code in (0, -signal.SIGKILL)
                run_flows(shop.settings, "after", flow)
                assert (number, differing(picture(shop), wanted), items(shop)) == (number, {}, wanted_items)
                assert shop.rows("SELECT key FROM sync.deliveries WHERE state IN ('pending', 'retry', 'unsent')") == []
                assert shop.rows("SELECT flow FROM sync.leases") == []
                told = run_flows(shop.settings, "once more", "preview")
                left = told[DELTAS[flow]]
                assert (left["created"], left["updated"]) == (0, 0), number
            if code == 0:
                assert number > 4, "it was killed too seldom for this to mean anything"
                return
