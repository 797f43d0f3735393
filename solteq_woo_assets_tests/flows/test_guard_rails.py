"""Guard rails: a slip in the back office, or a store restored from a backup, stops before it does harm."""

from decimal import Decimal
from typing import Any

import dagster as dg
import pytest

from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.guard_rails import LET_PASS_TAG
from solteq_woo_assets.flows.balances import guard_rails as of_balances
from solteq_woo_assets.flows.products import guard_rails as of_products
from solteq_woo_assets_tests.conftest import Shop, metadata, order_line

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
    """What the guard rail that did not pass says. What it stopped differs afterwards, which is a warning."""
    failed = [each for each in result.get_asset_check_evaluations() if not each.passed]
    (evaluation,) = [each for each in failed if each.severity == dg.AssetCheckSeverity.ERROR]
    assert evaluation.description
    return evaluation.description


def let_pass(delta: str, *rails: str) -> dict[str, Any]:
    """What is entered in the launchpad."""
    return {"ops": {delta: {"config": {"let_pass": list(rails)}}}}


def stopped(shop: Shop, delta: str) -> list[str]:
    """The keys that are stopped in a delta."""
    return [key for (key,) in shop.rows(f"SELECT key FROM delta.{delta} WHERE action = 'stopped' ORDER BY key")]


def tag(shop: Shop) -> str | None:
    """What the last run says that it let pass."""
    assert shop.instance is not None
    (run, *_) = shop.instance.get_runs(limit=1)
    return run.tags.get(LET_PASS_TAG)


def test_too_many_products_out_of_stock_are_stopped_until_they_are_let_pass(stocked: Shop) -> None:
    """An empty balance feed must not close the store."""
    for code in CODES[:11]:
        stocked.balance(code, 0)
    result = stocked.run("balances_to_woo")
    assert result.success
    said = failed_check(result)
    assert "it takes 11 of the 12 products that are in stock out of it" in said
    assert "SOLTEQ_WOO_OUT_OF_STOCK_PRODUCTS_PERCENT" in said
    assert "balance_delta: {config: {let_pass: [out_of_stock]}}" in said
    assert {product.stock_quantity for product in stocked.store().values()} == {5}
    assert stocked.run("balances_to_woo", asset_selection=[dg.AssetKey("woo_stock")]).success
    assert {product.stock_quantity for product in stocked.store().values()} == {5}, "nor by the delivery alone"
    for job in ("retry_quarantined", "reconcile_all"):
        assert stocked.run(job).success
        assert {product.stock_quantity for product in stocked.store().values()} == {5}, job
    assert stocked.run("balances_to_woo", run_config=let_pass("balance_delta", "out_of_stock")).success
    assert sorted(product.stock_quantity or 0 for product in stocked.store().values()) == [0] * 11 + [5]
    assert tag(stocked) == "balance_delta: out_of_stock"


def test_what_does_not_go_too_far_goes_on_in_the_same_run(stocked: Shop) -> None:
    """What the till has sold of one product does not wait for a slip in eleven others."""
    for code in CODES[:11]:
        stocked.balance(code, 0)
    stocked.balance("P11", 2)
    result = stocked.run("balances_to_woo")
    told = metadata(result)
    assert {sku: product.stock_quantity for sku, product in stocked.store().items()} == {
        **dict.fromkeys(CODES[:11], 5),
        "P11": 2,
    }
    assert (told["balance_delta"]["stopped"], told["woo_stock"]["stopped"], told["woo_stock"]["sent"]) == (11, 11, 1)
    check = next(each for each in result.get_asset_check_evaluations() if each.check_name == "out_of_stock")
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR), "it is red, and alerts"
    assert stopped(stocked, "balance_delta") == CODES[:11]


def test_a_look_right_before_sending_brings_nothing_back_that_was_stopped(stocked: Shop) -> None:
    """The delta is made anew when an order came meanwhile, and judged anew."""
    stocked.sync_sales()
    for code in CODES[:11]:
        stocked.balance(code, 0)
    stocked.balance("P11", 4)
    up_to_delta = [dg.AssetKey(name) for name in ("solteq_balances", "woo_catalogue", "balance_delta")]
    assert stocked.run("balances_to_woo", asset_selection=up_to_delta).success
    stocked.order(order_line("P11", "10.00"))
    for _ in range(2):
        assert stocked.run("balances_to_woo", asset_selection=[dg.AssetKey("woo_stock")]).success
        held = {sku: product.stock_quantity for sku, product in stocked.store().items()}
        assert held == {**dict.fromkeys(CODES[:11], 5), "P11": 3}
        assert stopped(stocked, "balance_delta") == CODES[:11]


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
    assert stocked.run("balances_to_woo", asset_selection=[dg.AssetKey("woo_stock")]).success
    held = {sku: product.stock_quantity for sku, product in stocked.store().items()}
    assert held == {"P00": 3, **dict.fromkeys(CODES[1:], 5)}
    assert "it takes 11 of the 12 products" in failed_check(stocked.run("balances_to_woo"))


def test_products_whose_stock_the_store_did_not_manage_are_guarded_too(shop: Shop) -> None:
    """They sold without a count until the first delivery of balances, which must not close the store either."""
    for code in CODES:
        shop.product(code)
        shop.balance(code, 0)
        shop.make(name=code, sku=code, type="simple", status="publish", regular_price="10.00", manage_stock=False)
    shop.sync("products_to_woo")
    result = shop.run("balances_to_woo")
    assert "it takes 12 of the 12 products that are in stock out of it" in failed_check(result)
    assert {product.stock_quantity for product in shop.store().values()} == {None}


def test_a_few_that_sell_out_stop_nothing(stocked: Shop) -> None:
    """In a small shop each is a large share, and stock that is not told is sold twice."""
    for code in CODES[:10]:
        stocked.balance(code, 0)
    stocked.sync("balances_to_woo")
    assert sum(product.stock_quantity == 0 for product in stocked.store().values()) == 10


def test_too_many_products_off_sale_are_stopped_until_they_are_let_pass(stocked: Shop) -> None:
    """Whoever deactivates a supplier by mistake does not empty the store."""
    for code in CODES[:11]:
        stocked.product(code, active=False)
    stocked.product("P11", salesPrice=9)
    result = stocked.run("products_to_woo")
    assert result.success
    said = failed_check(result)
    assert "it takes 11 of the store's 12 published products off sale" in said
    assert {product.status for product in stocked.store().values()} == {"publish"}
    assert stocked.store()["P11"].regular_price == 9
    assert stocked.run("products_to_woo", run_config=let_pass("product_delta", "unpublished")).success
    assert sum(product.status == "draft" for product in stocked.store().values()) == 11


def test_too_many_products_without_a_price_are_too_many_off_sale(stocked: Shop) -> None:
    """Whoever empties a column of prices by mistake does not empty the store."""
    for code in CODES[:11]:
        stocked.product(code, salesPrice=0)
    assert "it takes 11 of the store's 12 published products off sale" in failed_check(stocked.run("products_to_woo"))
    assert {product.status for product in stocked.store().values()} == {"publish"}


CHANGED: dict[str, Any] = {"woo_sales": {"config": {"changed_only": True, "recheck_days": 1}}}


def sales_run(shop: Shop, *rails: str) -> dg.ExecuteInProcessResult:
    """Book what changed."""
    result = shop.run(
        "sales_to_solteq", run_config={"ops": {**CHANGED, "sales_delta": {"config": {"let_pass": list(rails)}}}}
    )
    assert result.success
    return result


@pytest.mark.parametrize("how", ["deleted", "cancelled"])
def test_too_many_reversals_are_stopped_and_a_new_sale_is_booked(shop: Shop, how: str) -> None:
    """A store restored from last night's backup lacks today's orders; a plugin cancels all of them."""
    shop.with_settings(deleted_orders="reverse", reversals_at_once=1)
    shop.product("A")
    shop.sync("products_to_woo")
    orders = [shop.order(order_line("A", "10.00")) for _ in range(2)]
    shop.sync_sales()
    for order in orders:
        if how == "deleted":
            shop.delete_order(order)
        else:
            shop.edit_order(order, order_line("A", "10.00"), status="cancelled")
    shop.order(order_line("A", "10.00"))
    said = failed_check(sales_run(shop))
    gone = 2 if how == "deleted" else 0
    assert f"it reverses 2 booked sales, {gone} of them because their orders are gone from the store" in said
    assert "SOLTEQ_WOO_REVERSALS_AT_ONCE allows 1" in said
    assert [document["type"] for document in shop.booked()] == ["Sale"] * 3
    assert shop.run("retry_sales").success
    assert len(shop.booked()) == 3
    sales_run(shop, "reversals")
    assert [document["type"] for document in shop.booked()] == ["Sale"] * 3 + ["Refund"] * 2
    assert tag(shop) == "sales_delta: reversals"


def test_what_takes_the_place_of_a_stopped_reversal_waits_too(shop: Shop) -> None:
    """An edited order is reversed and booked anew: the new version alone would be booked beside the old one."""
    shop.with_settings(reversals_at_once=0)
    shop.product("A")
    shop.sync("products_to_woo")
    order = shop.order(order_line("A", "10.00"))
    shop.sync_sales()
    shop.edit_order(order, order_line("A", "20.00"))
    failed_check(sales_run(shop))
    assert len(stopped(shop, "sales_delta")) == 2
    assert len(shop.booked()) == 1
    sales_run(shop, "reversals")
    assert len(shop.booked()) == 3


def test_a_few_reversals_pass(shop: Shop) -> None:
    shop.with_settings(reversals_at_once=2)
    shop.product("A")
    shop.sync("products_to_woo")
    orders = [shop.order(order_line("A", "10.00")) for _ in range(2)]
    shop.sync_sales()
    for order in orders:
        shop.edit_order(order, order_line("A", "10.00"), status="cancelled")
    shop.sync_sales()
    assert len(shop.booked()) == 4


def test_variations_of_a_stopped_parent_wait_too(shop: Shop) -> None:
    """A product whose second variant is stopped stays what it is: it would lose its own price otherwise."""
    shop.with_settings(mind_purchase_price=True)
    shop.product("T-S", modelNumber="T", attributes={"Koko": "S"})
    shop.product("B")
    shop.sync("products_to_woo")
    shop.product("T-L", modelNumber="T", attributes={"Koko": "L"}, salesPrice=1, purchasePrice=5)
    shop.product("B", salesPrice=11)
    assert "below their purchase price" in failed_check(shop.run("products_to_woo"))
    assert stopped(shop, "product_delta") == ["T", "T-L", "T-S"]
    assert {sku: (product.type, product.regular_price) for sku, product in shop.store().items()} == {
        "T-S": ("simple", 10),
        "B": ("simple", 11),
    }


def test_two_that_are_let_pass_in_one_run_are_both_in_its_tags(stocked: Shop) -> None:
    stocked.product("P12")
    stocked.sync("products_to_woo")
    for code in [*CODES, "P12"]:
        stocked.product(code, salesPrice=1)
    for code in CODES[1:]:
        stocked.product(code, active=False)
    stocked.with_settings(new_product_status="publish", price_cut_products_percent=0)
    assert stocked.run("products_to_woo").success
    both = let_pass("product_delta", "price_cuts", "unpublished")
    assert stocked.run("products_to_woo", run_config=both).success
    assert sorted((tag(stocked) or "").split(", ")) == ["product_delta: price_cuts", "product_delta: unpublished"]


@pytest.mark.parametrize(
    ("delta", "rail", "wrong"),
    [
        ("product_delta", "no_sku_twice", [("A1", 1, "regular_price", "5"), ("a1 ", 2, "regular_price", "6")]),
        ("product_delta", "prices_are_positive", [("A1", 1, "regular_price", "0.00")]),
        ("product_delta", "prices_are_positive", [("A1", 1, "sale_price", "-1.00")]),
        ("balance_delta", "no_stock_twice", [("A1", 1, "stock_quantity", "5"), ("A2", 1, "stock_quantity", "6")]),
    ],
)
def test_rows_that_nobody_can_mean_are_never_sent_and_stop_no_other(
    shop: Shop, delta: str, rail: str, wrong: list[tuple[str, int, str, str]]
) -> None:
    """One wrong record stopped the whole delivery. Nobody can let it pass."""
    field, value = wrong[0][2], "7"
    with shop.database.transaction() as connection:
        for key, woo_id, name, new in [*wrong, ("SOUND", 9, field, value)]:
            connection.execute(
                f"INSERT INTO delta.{delta} (key, action, kind, woo_id, changes, reason) "
                "VALUES ($key, 'update', 'simple', $id, [{'field': $field, 'old': NULL, 'new': $new}], 'it differs')",
                {"key": key, "id": woo_id, "field": name, "new": new},
            )
        rails = (of_products if delta == "product_delta" else of_balances).GUARD_RAILS
        changes, verdicts = rails.guard(connection, shop.settings, utc_now(), let_pass=[rail])
    (verdict,) = [each for each in verdicts if each.rail == rail]
    assert set(verdict.keys) == {row[0] for row in wrong}
    actions = dict(changes.select("key", "action").iter_rows())
    assert actions.pop("SOUND") == "update"
    assert set(actions.values()) == {"stopped"}


def test_a_price_that_rounds_to_nothing_is_not_sent_and_the_rest_arrives(shop: Shop) -> None:
    shop.product("FREE", salesPrice=Decimal("0.004"))
    shop.product("A1", salesPrice=5)
    shop.run("products_to_woo")
    assert set(shop.store()) == {"A1"}


def test_a_price_that_is_stopped_does_not_come_with_its_campaign(shop: Shop) -> None:
    """The campaigns' flow writes the price, too, and one product is within its own share."""
    shop.with_settings(new_product_status="publish")
    for number in range(30):
        shop.product(f"G{number}", salesPrice=100)
    shop.campaign("C", "G1", value=10)
    shop.sync("products_to_woo", "campaigns_to_woo")
    for number in range(20):
        shop.product(f"G{number}", salesPrice=10)
    assert shop.run("products_to_woo").success
    result = shop.run("campaigns_to_woo")
    assert "products that product_delta may not write" in failed_check(result)
    held = shop.store()["G1"]
    assert (held.regular_price, held.sale_price) == (100, 90)


# A window over all runs


def deep_cuts(shop: Shop) -> list[str]:
    """Products that cost less than half of their sales price."""
    return [sku for sku, held in sorted(shop.store().items()) if held.sale_price and held.sale_price < 50]


def test_five_campaigns_of_three_products_each_cut_no_more_than_one_of_all(shop: Shop) -> None:
    """They took twenty of twenty products to -99 %, run by run."""
    codes = [f"G{number:02}" for number in range(20)]
    for code in codes:
        shop.product(code, salesPrice=100)
    shop.sync("products_to_woo")
    said = ""
    for number in range(5):
        shop.campaign(f"slip {number}", *codes[number * 3 : number * 3 + 3], value=99)
        result = shop.run("campaigns_to_woo")
        said = failed_check(result) if number else said
    assert deep_cuts(shop) == codes[:3]
    assert "12 of the store's 20 products by more than 50 %, and 3 more went so within the last 24 hours" in said
    assert "allows 20 %, 4)" in said


def test_a_slip_that_comes_by_both_flows_and_in_steps_is_one_slip(shop: Shop) -> None:
    codes = [f"G{number:02}" for number in range(10)]
    for code in codes:
        shop.product(code, salesPrice=100)
    shop.sync("products_to_woo")
    for price in (60, 40):  # neither step is a deep cut
        for code in codes[:2]:
            shop.product(code, salesPrice=price)
        shop.sync("products_to_woo")
    shop.campaign("slip", codes[5], value=99)
    said = failed_check(shop.run("campaigns_to_woo"))
    assert "1 of the store's 10 products by more than 50 %, and 2 more went so" in said
    assert deep_cuts(shop) == []


@pytest.mark.slow
def test_accounts_removed_one_a_run_are_no_more_than_at_once(shop: Shop) -> None:
    """Twenty of forty accounts went, one a run; whichever direction runs between."""
    numbers = range(1, 41)
    for number in numbers:
        shop.customer(number)
        shop.account(f"aino{number}@example.com")
    shop.sync_customers()
    shop.with_settings(deleted_customers="remove")
    for number in range(1, 7):
        shop.edit_customer(number, deleted=True)
        assert shop.run("customers_to_woo").success
        assert shop.run("customers_to_solteq").success
        assert shop.run("customers_to_woo", asset_selection=[dg.AssetKey("woo_customers")]).success
    assert len(shop.accounts()) == 37
    assert stopped(shop, "woo_customer_delta") == [f"C-{number}" for number in (4, 5, 6)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "arguments"),
    [
        ("customers_to_solteq", {}),
        ("customers_to_solteq", {"run_config": let_pass("solteq_customer_delta", "removals")}),
        ("retry_quarantined", {}),
        ("reconcile_all", {}),
        ("products_to_woo", {"run_config": let_pass("product_delta", "price_cuts", "unpublished")}),
    ],
)
def test_what_is_stopped_stays_so_whoever_else_runs(shop: Shop, job: str, arguments: dict[str, Any]) -> None:
    """The verdict belongs to the rows: what was to be let pass somewhere else frees none."""
    for number in range(1, 5):
        shop.customer(number)
        shop.account(f"aino{number}@example.com")
    shop.sync_customers()
    shop.with_settings(deleted_customers="remove")
    for number in range(1, 5):
        shop.edit_customer(number, deleted=True)
    assert shop.run("customers_to_woo").success
    assert shop.run(job, **arguments).success
    assert len(stopped(shop, "woo_customer_delta")) == 4
    assert shop.run("customers_to_woo", asset_selection=[dg.AssetKey("woo_customers")]).success
    assert len(shop.accounts()) == 4


def test_what_is_let_pass_is_only_what_was_stopped_and_only_once(stocked: Shop) -> None:
    """Eleven were seen. Two more that the same run reads are judged by themselves."""
    stocked.product("LAST")
    stocked.balance("LAST", 5)
    stocked.sync()
    for code in CODES[:11]:
        stocked.balance(code, 0)
    assert stocked.run("balances_to_woo").success
    for code in [CODES[11], "LAST"]:
        stocked.balance(code, 0)
    stocked.with_settings(new_product_status="publish", out_of_stock_products_percent=0)
    result = stocked.run("balances_to_woo", run_config=let_pass("balance_delta", "out_of_stock"))
    assert result.success
    held = {sku: product.stock_quantity for sku, product in stocked.store().items()}
    assert held == {**dict.fromkeys(CODES, 0), "LAST": 0}, "two are few"
    for code in CODES[:11]:
        stocked.balance(code, 5)
    stocked.sync("balances_to_woo")
    for code in CODES[:11]:
        stocked.balance(code, 0)
    assert "it takes 11 of the 13 products" in failed_check(stocked.run("balances_to_woo"))


def test_a_look_ahead_uses_no_pass_up_and_a_delivery_that_fails_keeps_it(stocked: Shop) -> None:
    for code in CODES[:11]:
        stocked.balance(code, 0)
    assert stocked.run("balances_to_woo").success
    passing = let_pass("balance_delta", "out_of_stock")
    up_to_delta = [dg.AssetKey(name) for name in ("solteq_balances", "woo_catalogue", "balance_delta")]
    assert stocked.run("balances_to_woo", asset_selection=up_to_delta, run_config=passing).success
    assert {product.stock_quantity for product in stocked.store().values()} == {5}
    stocked.woo.fault(method="POST", path="/products/batch", times=None, status=503)
    assert not stocked.run("balances_to_woo").success
    stocked.woo.heal()
    assert stocked.run("balances_to_woo").success
    assert sum(product.stock_quantity == 0 for product in stocked.store().values()) == 11


@pytest.mark.slow
def test_reversals_one_a_run_are_no_more_than_at_once(shop: Shop) -> None:
    shop.with_settings(reversals_at_once=2)
    shop.product("A")
    shop.sync("products_to_woo")
    orders = [shop.order(order_line("A", "10.00")) for _ in range(4)]
    shop.sync_sales()
    runs = []
    for order in orders:
        shop.edit_order(order, order_line("A", "10.00"), status="cancelled")
        runs.append(sales_run(shop))
    assert len(shop.booked()) == 6
    assert "it reverses 2 booked sales, 0 of them because their orders are gone from the store, and 2 more went so" in (
        failed_check(runs[-1])
    )


def test_a_shop_with_many_sales_may_reverse_its_share(shop: Shop) -> None:
    """Twenty a day are too few for five hundred orders a day."""
    shop.with_settings(reversals_at_once=0, reversals_percent=50)
    shop.product("A")
    shop.sync("products_to_woo")
    orders = [shop.order(order_line("A", "10.00")) for _ in range(4)]
    shop.sync_sales()
    for order in orders[:2]:
        shop.edit_order(order, order_line("A", "10.00"), status="cancelled")
    shop.sync_sales()
    assert len(shop.booked()) == 6
