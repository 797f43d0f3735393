"""What the UI shows of a run: counts, previews with links, pictures."""

import base64
import re
from typing import Any

from solteq_woo_assets_tests.conftest import Shop, order_line

PNG = re.compile(r"!\[.+\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)")


def assert_picture(markdown: Any) -> None:
    """The Markdown is one picture that a browser can show."""
    found = PNG.fullmatch(markdown)
    assert found
    assert base64.b64decode(found[1]).startswith(b"\x89PNG")


def test_a_delivery_shows_what_it_sent_and_leads_to_the_store(shop: Shop) -> None:
    """Whoever asks what a run did need not look into the database."""
    shop.product("A")
    shop.product("V-1", productType="Variant", modelNumber="V", attributes={"Koko": "S"})
    shop.product("V-2", productType="Variant", modelNumber="V", attributes={"Koko": "M"})
    (run,) = shop.sync("products_to_woo")
    told = run["woo_products"]
    assert (told["records_in"], told["sent"], told["refused"], told["quarantined"]) == (4, 4, 0, 0)
    created = shop.store()["A"].id
    assert f"| [A]({shop.woo.url}/wp-admin/post.php?post={created}&action=edit) | create |" in told["preview"]
    assert "delivered" in told["preview"]
    shop.product("A", salesPrice=12)
    shop.product("V-1", productType="Variant", modelNumber="V", attributes={"Koko": "S"}, salesPrice=12)
    (run,) = shop.sync("products_to_woo")
    store = shop.store()
    for preview in (run["product_delta"]["preview"], run["woo_products"]["preview"]):
        assert f"[A]({shop.woo.url}/wp-admin/post.php?post={store['A'].id}&action=edit)" in preview
        assert "regular_price: 10.00 → 12.00" in preview
    parent = store["V-1"].parent_id
    assert f"[V-1]({shop.woo.url}/wp-admin/post.php?post={parent}&action=edit)" in run["product_delta"]["preview"]


def test_customers_are_shown_without_their_values(shop: Shop) -> None:
    shop.with_settings(customer_accounts="all")
    shop.customer(1)
    (run,) = shop.sync("customers_to_woo")
    assert run["woo_customers"]["sent"] == 1
    preview = run["woo_customers"]["preview"]
    assert "C-1" in preview
    assert "email" in preview
    for value in ("Aino", "Esimerkki", "aino1@example.com", "+358401234567", "Mallitie"):
        assert value not in preview


def test_prices_to_come_are_drawn(shop: Shop) -> None:
    shop.product("A")
    shop.sync("products_to_woo")
    shop.campaign("c", "A", value=30)
    (run,) = shop.sync("campaigns_to_woo")
    assert_picture(run["campaign_price_delta"]["timeline"])
    (run,) = shop.sync("campaigns_to_woo")
    assert "timeline" not in run["campaign_price_delta"], "nothing changes, nothing is drawn"


def test_sales_per_day_are_drawn_when_something_was_booked(shop: Shop) -> None:
    shop.product("A")
    shop.sync("products_to_woo")
    shop.order(order_line("A", "10.00"))
    told = shop.sync_sales()
    assert_picture(told["solteq_sales"]["last_30_days"])
    assert "last_30_days" not in shop.sync_sales()["solteq_sales"]
