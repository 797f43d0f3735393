"""Stock balances from Solteq to the store, through Dagster and over HTTP."""

from solteq_woo_assets_tests.conftest import Shop


def test_balance_arrives_and_the_second_run_writes_nothing(shop: Shop) -> None:
    shop.product("A1")
    shop.balance("A1", 2.9)
    shop.balance("A1", 4, store="2", reservedBalance=1)
    shop.sync()
    product = shop.store()["A1"]
    assert (product.manage_stock, product.stock_quantity) == (True, 6)
    assert '"reserved":1.0' in product.meta["_solteq_store_balances"]
    shop.woo.asked()
    shop.sync()
    assert shop.woo.writes() == []


def test_balance_waits_for_its_product_and_is_delivered_when_it_arrives(shop: Shop) -> None:
    shop.balance("A1", 5)
    (before,) = shop.sync("balances_to_woo")
    assert before["balance_delta"]["waiting"] == 1
    shop.product("A1")
    shop.sync("products_to_woo")
    (after,) = shop.sync("balances_to_woo")
    assert after["balance_delta"]["waiting"] == 0
    assert shop.store()["A1"].stock_quantity == 5


def test_stock_of_variations_goes_through_their_parents_batch(shop: Shop) -> None:
    for size in "SML":
        shop.product(f"T-{size}", modelNumber="T", attributes={"Koko": size})
        shop.balance(f"T-{size}", 3)
    shop.sync("products_to_woo")
    shop.woo.asked()
    shop.sync("balances_to_woo")
    parent = shop.store()["T"].id
    assert [(write["path"], write["items"]) for write in shop.woo.writes()] == [
        (f"/wp-json/wc/v3/products/{parent}/variations/batch", 3)
    ]
    assert {shop.store()[f"T-{size}"].stock_quantity for size in "SML"} == {3}


def test_nothing_but_stock_is_sent(shop: Shop) -> None:
    shop.product("A1")
    shop.balance("A1", 5)
    shop.sync("products_to_woo")
    shop.product("A1", salesPrice=99)
    before = shop.store()["A1"]
    shop.sync("balances_to_woo")
    after = shop.store()["A1"]
    unmoved = {"stock_quantity", "meta", "date_modified_gmt", "stock_status"}
    assert before.model_dump(exclude=unmoved) == after.model_dump(exclude=unmoved)


def test_vanished_balance_keeps_its_last_value(shop: Shop) -> None:
    shop.product("A1")
    shop.balance("A1", 5)
    shop.sync()
    shop.sync("reconcile_all")
    assert shop.store()["A1"].stock_quantity == 5
