"""What the people of a shop do in the Dagster UI, done in a real browser."""

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.settings import Settings
from solteq_woo_assets_tests.browser.conftest import LOCATION, PERSON, Ui
from solteq_woo_assets_tests.conftest import order_document, order_line, product_document

pytestmark = pytest.mark.slow


def wait_for(ui: Ui, path: str, text: str | re.Pattern[str]) -> None:
    """Look again until it is there, as people do: a page keeps showing the event that it was opened with."""
    for _ in range(60):
        found = ui.open(path).get_by_text(text).first
        try:
            expect(found).to_be_visible(timeout=4_000)
        except AssertionError:
            continue
        return
    pytest.fail(f"{path} does not show {text}")


def wait_for_first_sync(ui: Ui) -> None:
    """The sensors bring the sandbox's catalogue to the store by themselves."""
    for delivery in ("woo_products", "woo_stock"):
        wait_for(ui, f"/assets/{delivery}?view=events", "Materialized in run")


def test_the_lineage_shows_every_asset(ui: Ui) -> None:
    wait_for_first_sync(ui)
    graph = build_definitions(Settings(_env_file=None)).resolve_asset_graph()  # type: ignore[call-arg]
    names_of = defaultdict(list)
    for node in graph.asset_nodes:
        names_of[node.group_name].append(node.key.path[-1])
    for group, names in names_of.items():
        page = ui.open(f"{LOCATION}/asset-groups/{group}/lineage")
        for name in names:
            expect(page.get_by_text(name, exact=True).first).to_be_attached()
    unfolded = quote(",".join(f"global@global:{group}" for group in names_of), safe="")
    ui.page.set_viewport_size({"width": 2000, "height": 3000})
    page = ui.open(f"/asset-groups/?direction=horizontal&expanded={unfolded}")
    for group in names_of:
        expect(page.get_by_text(str(group), exact=True).first).to_be_visible()
    expect(page.get_by_text("solteq_products", exact=True).first).to_be_visible()
    expect(page.get_by_text("Loading...")).to_have_count(0)
    ui.picture("lineage")


def test_a_change_arrives_and_its_preview_tells_what_it_was(ui: Ui) -> None:
    """Sensor, delta and delivery, by nothing but a change in Solteq."""
    wait_for_first_sync(ui)
    ui.site.solteq.put("products", {"documents": [product_document("UI-1", salesPrice=10)]})
    wait_for(ui, "/assets/woo_products?view=events", "UI-1")
    ui.site.solteq.put("products", {"documents": [product_document("UI-1", salesPrice=12)]})
    wait_for(ui, "/assets/product_delta?view=events", "regular_price: 10.00 → 12.00")
    link = ui.page.get_by_role("link", name="UI-1", exact=True).first
    assert f"{ui.site.woo.url}/wp-admin/post.php?post=" in (link.get_attribute("href") or "")
    ui.picture("delta")


def test_three_days_of_sales_are_backfilled_and_turn_green(ui: Ui) -> None:
    wait_for_first_sync(ui)
    ui.site.solteq.put("products", {"documents": [product_document("UI-2", salesPrice=10)]})
    days = [(datetime.now(UTC) - timedelta(days=back)).date() for back in (12, 11, 10)]
    orders = [
        order_document(order_line("UI-2", "10.00"), date_created_gmt=f"{day}T10:00:00", billing=PERSON) for day in days
    ]
    ids = ui.site.woo.put("orders", {"orders": orders})["ids"]
    page = ui.open(f"{LOCATION}/jobs/sales_to_solteq")
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    chosen = dialog.get_by_role("textbox").first
    chosen.fill(f"[{days[0]}...{days[-1]}]")
    chosen.press("Enter")
    expect(dialog.get_by_text("3 partitions")).to_be_visible()
    dialog.get_by_role("button", name="Launch backfill").click()
    expect(dialog).to_be_hidden()
    # one run for the range, so that the three turn green together; beside today, of the sensor
    wait_for(ui, "/assets/solteq_sales?view=partitions", re.compile(r"Materialized \([34]\)"))
    ui.picture("backfill")
    booked = {sale["externalId"]: sale for sale in ui.site.solteq.get("sales")}
    assert {f"woo:shop:order:{order}" for order in ids} <= booked.keys()
    assert PERSON["email"] in str(booked), "what the UI never showed was there to be shown"


def test_a_guard_rail_stops_prices_and_says_how_to_let_them_pass(ui: Ui) -> None:
    wait_for_first_sync(ui)
    codes = [f"RAIL-{number:03}" for number in range(140)]

    def priced(price: int) -> dict[str, Any]:
        return {"documents": [product_document(code, salesPrice=price) for code in codes]}

    ui.site.solteq.put("products", priced(100))
    wait_for(ui, "/assets/woo_products?view=events", re.compile("^140$"))
    ui.site.solteq.put("products", priced(10))
    wait_for(ui, "/assets/product_delta?view=checks", "Failed")
    ui.page.get_by_text("price_cuts", exact=True).first.click()
    told = ui.page.get_by_text("it cuts the price of 140 of the store's").first
    expect(told).to_be_visible()
    expect(ui.page.get_by_text("let_pass").first).to_be_visible()
    ui.picture("guard-rail")
    ui.site.solteq.put("products", priced(100))
