"""Stock that counts web sales under way: what was sold a minute ago is not put back on the shelf and sold twice."""

from typing import Any

import dagster as dg
import pytest

from solteq_woo_assets_tests.conftest import Shop, order_line

BEFORE_DELIVERY = [dg.AssetKey(n) for n in ("solteq_balances", "woo_catalogue", "sales_under_way", "balance_delta")]


@pytest.fixture(autouse=True)
def one_product(shop: Shop) -> None:
    """Ten pieces of one product, on sale in the store, and a sales flow that has begun."""
    shop.product("A1")
    shop.balance("A1", 10, "verkko")
    shop.sync("products_to_woo", "balances_to_woo")
    shop.sync_sales()


def on_the_shelf(shop: Shop) -> int | None:
    return shop.store()["A1"].stock_quantity


def buy(shop: Shop, pieces: int, **fields: Any) -> int:
    """Somebody orders in the store, which takes the pieces from its stock."""
    product = shop.store()["A1"]
    shop.woo.patch(f"products/{product.id}", {"stock_quantity": (product.stock_quantity or 0) - pieces})
    return shop.order(order_line("A1", f"{10 * pieces}.00", pieces), **fields)


def test_a_sold_piece_stays_sold_from_the_order_to_the_balance(shop: Shop) -> None:
    buy(shop, 3)
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 7, "not booked yet"
    shop.sync_sales()
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 7, "booked, and in the balance now"
    assert shop.rows("SELECT free_balance FROM snapshot.solteq_balances") == [(7,)]
    buy(shop, 1)
    shop.balance("A1", 5, "verkko")
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 4, "two over the counter, one in the store"


def test_a_balance_from_before_the_booking_does_not_bring_the_piece_back(shop: Shop) -> None:
    buy(shop, 3)
    shop.sync_sales()
    shop.rows("UPDATE snapshot.solteq_balances SET free_balance = 10, modified_at = modified_at - INTERVAL 1 HOUR")
    shop.rows("UPDATE sync.watermarks SET position = now() + INTERVAL 1 DAY WHERE feed = 'snapshot.solteq_balances'")
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 7


def test_an_order_that_came_after_the_store_was_read_is_seen_before_it_is_written(shop: Shop) -> None:
    """The delta was made from an older reading; the order is found right before the quantity leaves."""
    shop.balance("A1", 8, "verkko")
    definition = shop.run("balances_to_woo", asset_selection=BEFORE_DELIVERY)
    assert definition.success
    buy(shop, 3)
    assert shop.run("balances_to_woo", asset_selection=[dg.AssetKey("woo_stock")]).success
    assert on_the_shelf(shop) == 5


def test_an_unpaid_order_holds_its_pieces(shop: Shop) -> None:
    order = buy(shop, 2, status="on-hold", date_paid_gmt=None)
    shop.balance("A1", 10, "verkko")
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 8
    line = order_line("A1", "20.00", 2, meta_data=[])  # the store puts them back
    shop.edit_order(order, line, status="cancelled", date_paid_gmt=None)
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 10


def test_nothing_is_subtracted_before_sales_are_booked_by_this_integration(shop: Shop) -> None:
    """Who books web sales by other means has them in Solteq's balances already."""
    shop.settings.database.unlink()
    buy(shop, 3)
    shop.sync("products_to_woo", "balances_to_woo")
    assert on_the_shelf(shop) == 10


def test_what_cannot_be_booked_is_held_from_the_shelf_too(shop: Shop) -> None:
    buy(shop, 2, currency="SEK")
    shop.sync_sales()
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 8
