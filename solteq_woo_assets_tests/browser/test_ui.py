"""What the people of a shop do in the Dagster UI, done in a real browser."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.settings import Settings
from solteq_woo_assets_tests.browser.conftest import LOCATION, PERSON, Ui
from solteq_woo_assets_tests.conftest import order_document, order_line, product_document

pytestmark = pytest.mark.xdist_group("browser")


def lineage_path() -> tuple[str, list[str]]:
    """The lineage with every group unfolded, and the names of all assets."""
    graph = build_definitions(Settings(_env_file=None)).resolve_asset_graph()  # type: ignore[call-arg]
    groups = sorted({node.group_name or "" for node in graph.asset_nodes})
    unfolded = quote(",".join(f"global@global:{group}" for group in groups), safe="")
    names = sorted(key.to_user_string() for key in graph.get_all_asset_keys())
    return f"/asset-groups/?direction=horizontal&expanded={unfolded}", names


def wait_for_first_sync(ui: Ui) -> None:
    """The sensors bring the sandbox's catalogue to the store by themselves."""
    page = ui.open("/assets/woo_stock?view=events")
    expect(page.get_by_text("Materialized in run").first).to_be_visible()


def show_preview(page: Page) -> None:
    """A preview that is long is behind a click."""
    folded = page.get_by_text("[Show Markdown]").first
    if folded.is_visible():
        folded.click()


def test_the_lineage_shows_every_asset(ui: Ui) -> None:
    wait_for_first_sync(ui)
    path, names = lineage_path()
    ui.page.set_viewport_size({"width": 3000, "height": 2000})
    page = ui.open(path)
    expect(page.get_by_text("solteq_products", exact=True).first).to_be_visible()
    for _ in range(4):  # what is outside the window is not there
        page.get_by_role("button", name="zoom_out").click()
    assert len(names) > 15
    for name in names:
        expect(page.get_by_text(name, exact=True).first).to_be_attached()
    ui.picture("lineage")


def test_a_change_arrives_and_its_preview_tells_what_it_was(ui: Ui) -> None:
    """Sensor, delta and delivery, by nothing but a change in Solteq."""
    wait_for_first_sync(ui)
    ui.site.solteq.put("products", {"documents": [product_document("UI-1", salesPrice=10)]})
    page = ui.open("/assets/woo_products?view=events")
    expect(page.get_by_text("UI-1").first).to_be_visible()
    ui.site.solteq.put("products", {"documents": [product_document("UI-1", salesPrice=12)]})
    page = ui.open("/assets/product_delta?view=events")
    expect(page.get_by_text("regular_price: 10.00 → 12.00").first).to_be_visible()
    link = page.get_by_role("link", name="UI-1", exact=True).first
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
    page = ui.open("/assets/solteq_sales?view=partitions")
    expect(page.get_by_text("Materialized (", exact=False)).not_to_have_text("Materialized (0)")
    for day in days:
        page = ui.open(f"/assets/solteq_sales?view=partitions&partition={day}")
        expect(page.get_by_text("Materialized in run").first).to_be_visible()
    ui.picture("backfill")
    booked = {sale["externalId"]: sale for sale in ui.site.solteq.get("sales")}
    assert {f"woo:shop:order:{order}" for order in ids} <= booked.keys()
    assert PERSON["email"] in str(booked), "what the UI never showed was there to be shown"


def test_a_guard_rail_stops_a_delivery_and_says_how_to_let_it_pass(ui: Ui) -> None:
    wait_for_first_sync(ui)
