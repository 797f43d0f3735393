"""Stock that counts web sales under way: what was sold a minute ago is not put back on the shelf and sold twice."""

from typing import Any

import dagster as dg
import pytest

from solteq_woo_assets_tests.conftest import CommandLine, Shop, metadata, order_line

BEFORE_DELIVERY = [dg.AssetKey(n) for n in ("solteq_balances", "woo_catalogue", "sales_under_way", "balance_delta")]

REFUSAL = '{"error": "validation", "details": [{"path": "lines", "message": "no"}]}'


@pytest.fixture(autouse=True)
def one_product(shop: Shop) -> None:
    """Ten pieces of one product, on sale in the store, and a sales flow that has begun."""
    shop.product("A1")
    shop.balance("A1", 10, "verkko")
    shop.sync("products_to_woo", "balances_to_woo")
    shop.sync_sales()


def on_the_shelf(shop: Shop) -> int | None:
    return shop.store()["A1"].stock_quantity


def buy(shop: Shop, pieces: int, sku: str = "A1", **fields: Any) -> int:
    """Somebody orders in the store, which takes the pieces from its stock."""
    product = shop.store()[sku]
    shop.woo.patch(f"products/{product.id}", {"stock_quantity": (product.stock_quantity or 0) - pieces})
    return shop.order(order_line(sku, f"{10 * pieces}.00", pieces), **fields)


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


def test_an_order_that_came_meanwhile_is_seen_by_all_requests_of_the_delivery(shop: Shop) -> None:
    """Products leave before variations. The look before the products finds the order, the one before the variations
    finds nothing new."""
    for size in ("S", "M"):
        shop.product(f"T-{size}", modelNumber="T", attributes={"Koko": size})
        shop.balance(f"T-{size}", 10, "verkko")
    shop.sync("products_to_woo", "balances_to_woo")
    for code in ("A1", "T-S", "T-M"):
        shop.balance(code, 8, "verkko")
    assert shop.run("balances_to_woo", asset_selection=BEFORE_DELIVERY).success
    buy(shop, 3, "T-S")
    assert shop.run("balances_to_woo", asset_selection=[dg.AssetKey("woo_stock")]).success
    assert {code: shop.store()[code].stock_quantity for code in ("A1", "T-S", "T-M")} == {"A1": 8, "T-S": 5, "T-M": 8}


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


@pytest.mark.parametrize("status", ["failed", "refunded"])
def test_an_order_that_failed_holds_what_the_store_did_not_put_back(shop: Shop, status: str) -> None:
    """Contract, 36 and 37: neither gives pieces back; before, only orders in some statuses counted."""
    buy(shop, 2, status=status, date_paid_gmt=None)
    shop.balance("A1", 10, "verkko")
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 8


def test_an_unpaid_order_in_the_bin_holds_its_pieces_until_it_is_dismissed(shop: Shop, solteq_woo: CommandLine) -> None:
    """Contract, 43: binning and deleting give nothing back. Nobody but the shop's people knows where the pieces are."""
    order = buy(shop, 2, status="on-hold", date_paid_gmt=None)
    shop.sync("balances_to_woo")
    shop.delete_order(order)
    shop.balance("A1", 10, "verkko")
    shop.sync_sales(recheck_days=2)
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 8
    told = metadata(shop.run("reconcile_all"))["reconciliation"]
    assert told["pieces_held"] == 2
    assert f"| {order} | A1 | 2" in told["held_by"]
    assert "deleted in the store, which put nothing back" in told["held_by"]
    assert solteq_woo("quarantine", "dismiss", f"order {order}", "--booked-elsewhere").exit_code == 0
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 10


def test_an_order_that_was_binned_before_anybody_read_it_holds_its_pieces(shop: Shop) -> None:
    """The store put nothing back on the shelf, and Solteq knows nothing of it."""
    order = buy(shop, 3)
    shop.edit_order(order, order_line("A1", "30.00", 3), status="trash")
    shop.woo.asked()
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 7
    reads = [each["query"] for each in shop.woo.asked() if f"include={order}" in each["query"]]
    assert len(reads) == 1, "it is read once"
    shop.sync_sales()
    assert shop.booked() == []
    shop.edit_order(order, order_line("A1", "30.00", 3), status="processing")
    shop.sync_sales()
    assert [each["externalId"] for each in shop.booked()] == [f"woo:shop:order:{order}"]


def test_an_order_that_was_cancelled_and_binned_between_two_readings_holds_nothing(shop: Shop) -> None:
    """The store put its pieces back when it was cancelled. No list but the bin shows that."""
    order = buy(shop, 2, status="on-hold", date_paid_gmt=None)
    shop.balance("A1", 10, "verkko")
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 8
    line = order_line("A1", "20.00", 2, meta_data=[])
    shop.edit_order(order, line, status="trash", date_paid_gmt=None)
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 10


def test_a_refund_without_restock_that_is_due_adds_no_piece_to_the_shelf(shop: Shop) -> None:
    """Sold 3, one of them refunded and not put back, nothing booked yet: 3 are off the shelf, not 2."""
    refund = {"id": 501, "date_created_gmt": "2026-11-24T10:00:00", "amount": "10.00"}
    line = {"id": 901, "quantity": -1, "total": "-7.97", "total_tax": "-2.03", "sku": "A1", "name": "Tuote A1"}
    line |= {"taxes": [], "meta_data": [{"id": 1, "key": "_refunded_item_id", "value": "100"}]}
    buy(shop, 3, _refunds=[{**refund, "line_items": [line]}], refunds=[{"id": 501, "reason": "", "total": "-10.00"}])
    shop.balance("A1", 10, "verkko")
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 7


def test_what_others_reserved_does_not_put_an_unpaid_order_back_on_the_shelf(shop: Shop) -> None:
    buy(shop, 2, status="on-hold", date_paid_gmt=None)
    shop.balance("A1", 8, "verkko", reservedBalance=2)
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 6, "the till parked two for somebody else"


@pytest.mark.parametrize(("answer", "shelf"), [("y\n", 8), ("n\n", 6), ("--booked-elsewhere", 8), ("--not-booked", 6)])
def test_a_held_sale_that_was_booked_elsewhere_gives_its_pieces_to_the_balance(
    shop: Shop, solteq_woo: CommandLine, answer: str, shelf: int
) -> None:
    order = buy(shop, 2, currency="SEK")
    shop.sync_sales()
    shop.balance("A1", 8, "verkko")  # somebody booked it at the till
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == 6
    options = [answer] if answer.startswith("--") else []
    told = solteq_woo("quarantine", "dismiss", f"order {order}", *options, input=None if options else answer)
    assert told.exit_code == 0, told.output
    assert "2 pieces" in told.output
    shop.sync_sales()
    shop.sync("balances_to_woo")
    assert on_the_shelf(shop) == shelf


def test_a_script_that_does_not_say_whether_it_was_booked_is_told_to(shop: Shop, solteq_woo: CommandLine) -> None:
    order = buy(shop, 2, currency="SEK")
    shop.sync_sales()
    told = solteq_woo("quarantine", "dismiss", f"order {order}")
    assert told.exit_code == 1
    assert "--booked-elsewhere or --not-booked" in told.output
    assert shop.rows("SELECT count(*) FROM sync.quarantine WHERE dismissed_at IS NOT NULL") == [(0,)]


def test_an_order_that_was_booked_elsewhere_is_not_booked_until_it_changes(shop: Shop, solteq_woo: CommandLine) -> None:
    """Refused by Solteq, booked by hand, and then completed: it is not booked twice. Refunded: somebody is told."""
    shop.solteq.fault(method="POST", path="/sales", status=400, body=REFUSAL)
    order = buy(shop, 2)
    shop.sync_sales()
    shop.solteq.heal()
    key = f"woo:shop:order:{order}"
    assert solteq_woo("quarantine", "dismiss", key, "--booked-elsewhere").exit_code == 0
    line = order_line("A1", "20.00", 2)
    shop.edit_order(order, line, status="completed")
    shop.sync_sales()
    assert shop.booked() == []
    shop.edit_order(order, line, status="cancelled")
    shop.sync_sales()
    assert shop.booked() == []
    assert shop.rows("SELECT key, code FROM sync.quarantine") == [(f"order {order}", "order-booked-elsewhere")]
    shop.edit_order(order, line, status="completed")
    assert solteq_woo("quarantine", "dismiss", f"order {order}", "--not-booked").exit_code == 0
    shop.sync_sales()
    assert [document["externalId"] for document in shop.booked()] == [key]


def test_a_stock_store_that_no_balance_has_is_refused_before_anything_is_sent(shop: Shop) -> None:
    """A slip in the setting took everything off the shelf without a word."""
    shop.with_settings(stock_stores=["verko"])
    result = shop.run("balances_to_woo")
    assert not result.success
    words = str([event.step_failure_data.error for event in result.all_events if event.is_step_failure])
    assert "no balance of the store verko" in words
    assert "stores verkko" in words
    assert on_the_shelf(shop) == 10
