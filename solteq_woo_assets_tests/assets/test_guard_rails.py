"""Guard rails: a slip in the back office, or a store restored from a backup, stops before it does harm."""

from typing import Any

import dagster as dg
import pytest

from solteq_woo_assets.assets.guard_rails import LET_PASS_TAG
from solteq_woo_assets_tests.conftest import Shop, order_line

CODES = [f"P{number:02}" for number in range(12)]


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """Twelve published products, five pieces of each."""
    shop.with_settings(new_product_status="publish")
    for code in CODES:
        shop.product(code)
        shop.balance(code, 5)
    shop.sync()
    return shop


def failed_check(result: dg.ExecuteInProcessResult) -> str:
    """What the check that did not pass says."""
    (evaluation,) = [each for each in result.get_asset_check_evaluations() if not each.passed]
    assert evaluation.description
    return evaluation.description


def let_pass(check: str) -> dict[str, Any]:
    """What is entered in the launchpad."""
    return {"ops": {check: {"config": {"let_pass": True}}}}


def tag(shop: Shop) -> str | None:
    """What the last run says that it let pass."""
    assert shop.instance is not None
    (run, *_) = shop.instance.get_runs(limit=1)
    return run.tags.get(LET_PASS_TAG)


def test_too_many_products_out_of_stock_stop_the_delivery_until_they_are_let_pass(stocked: Shop) -> None:
    """An empty balance feed must not close the store."""
    for code in CODES[:11]:
        stocked.balance(code, 0)
    result = stocked.run("balances_to_woo")
    assert not result.success
    said = failed_check(result)
    assert "it takes 11 of the 12 products that are in stock out of it" in said
    assert "SOLTEQ_WOO_OUT_OF_STOCK_PRODUCTS_PERCENT" in said
    assert "balance_delta_out_of_stock: {config: {let_pass: true}}" in said
    assert {product.stock_quantity for product in stocked.store().values()} == {5}
    assert stocked.run("balances_to_woo", asset_selection=[dg.AssetKey("woo_stock")]).success
    assert {product.stock_quantity for product in stocked.store().values()} == {5}, "nor by the delivery alone"
    assert stocked.run("balances_to_woo", run_config=let_pass("balance_delta_out_of_stock")).success
    assert sorted(product.stock_quantity or 0 for product in stocked.store().values()) == [0] * 11 + [5]
    assert tag(stocked) == "balance_delta: out_of_stock"


def test_what_differs_only_when_the_delivery_looks_again_waits_for_the_guard_rail(stocked: Shop) -> None:
    """An order right before a lot leaves makes the delta anew; what no check has seen does not go with it."""
    stocked.sync_sales()
    stocked.balance("P00", 4)
    up_to_delta = [dg.AssetKey(name) for name in ("solteq_balances", "woo_catalogue", "balance_delta")]
    assert stocked.run("balances_to_woo", asset_selection=up_to_delta).success
    for code in CODES[1:]:
        stocked.balance(code, 0)
    assert stocked.run("full_refresh_solteq_balances").success
    stocked.order(order_line("P00", "10.00"))
    assert stocked.run("balances_to_woo", asset_selection=[dg.AssetKey("woo_stock")]).success
    held = {sku: product.stock_quantity for sku, product in stocked.store().items()}
    assert held == {"P00": 3, **dict.fromkeys(CODES[1:], 5)}
    result = stocked.run("balances_to_woo")
    assert not result.success
    assert "it takes 11 of the 12 products" in failed_check(result)


def test_products_whose_stock_the_store_did_not_manage_are_guarded_too(shop: Shop) -> None:
    """They sold without a count until the first delivery of balances, which must not close the store either."""
    for code in CODES:
        shop.product(code)
        shop.balance(code, 0)
        shop.make(name=code, sku=code, type="simple", status="publish", regular_price="10.00", manage_stock=False)
    shop.sync("products_to_woo")
    result = shop.run("balances_to_woo")
    assert not result.success
    assert "it takes 12 of the 12 products that are in stock out of it" in failed_check(result)
    assert {product.stock_quantity for product in shop.store().values()} == {None}


def test_a_few_that_sell_out_stop_nothing(stocked: Shop) -> None:
    """In a small shop each is a large share, and stock that is not told is sold twice."""
    for code in CODES[:10]:
        stocked.balance(code, 0)
    stocked.sync("balances_to_woo")
    assert sum(product.stock_quantity == 0 for product in stocked.store().values()) == 10


def test_too_many_products_off_sale_stop_the_delivery_until_they_are_let_pass(stocked: Shop) -> None:
    """Whoever deactivates a supplier by mistake does not empty the store."""
    for code in CODES[:11]:
        stocked.product(code, active=False)
    result = stocked.run("products_to_woo")
    assert not result.success
    said = failed_check(result)
    assert "it takes 11 of the store's 12 published products off sale" in said
    assert {product.status for product in stocked.store().values()} == {"publish"}
    assert stocked.run("products_to_woo", run_config=let_pass("product_delta_unpublished")).success
    assert sum(product.status == "draft" for product in stocked.store().values()) == 11


def test_too_many_orders_that_are_gone_stop_the_delivery(shop: Shop) -> None:
    """A store that was restored from last night's backup lacks today's orders; their sales stay booked."""
    shop.with_settings(deleted_orders="reverse", deleted_orders_at_once=1)
    shop.product("A")
    shop.sync("products_to_woo")
    orders = [shop.order(order_line("A", "10.00")) for _ in range(2)]
    shop.sync_sales()
    for order in orders:
        shop.delete_order(order)
    config: dict[str, Any] = {"woo_sales": {"config": {"changed_only": True, "recheck_days": 1}}}
    result = shop.run("sales_to_solteq", run_config={"ops": config})
    assert not result.success
    assert "it reverses 2 sales because their orders are gone from the store" in failed_check(result)
    assert len(shop.booked()) == 2
    config["sales_delta_reversals"] = {"config": {"let_pass": True}}
    assert shop.run("sales_to_solteq", run_config={"ops": config}).success
    assert len(shop.booked()) == 4
    assert tag(shop) == "sales_delta: reversals"


def test_two_that_are_let_pass_in_one_run_are_both_in_its_tags(stocked: Shop) -> None:
    for code in CODES:
        stocked.product(code, salesPrice=1)
    for code in CODES[1:]:
        stocked.product(code, active=False)
    stocked.with_settings(new_product_status="publish", price_cut_products_percent=0)
    both = {**let_pass("product_delta_price_cuts")["ops"], **let_pass("product_delta_unpublished")["ops"]}
    assert stocked.run("products_to_woo", run_config={"ops": both}).success
    assert sorted((tag(stocked) or "").split(", ")) == ["product_delta: price_cuts", "product_delta: unpublished"]
