"""The reconciliation: what differs and why, for how long, and that it is put right."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from solteq_woo_assets_tests.conftest import Shop, metadata, order_line


def reconcile(shop: Shop) -> tuple[Mapping[str, Any], bool]:
    """Reconcile; the metadata of the table, and whether nothing survived."""
    result = shop.run("reconcile_all")
    assert result.success, [event.message for event in result.all_events if event.is_failure]
    (verdict,) = [each.passed for each in result.get_asset_check_evaluations() if each.check_name == "nothing_survives"]
    return metadata(result)["reconciliation"], verdict


def newest(shop: Shop) -> set[tuple[Any, ...]]:
    """The rows of the last reconciliation."""
    return set(
        shop.rows(
            "SELECT flow, key, field, held, expected, why FROM sync.reconciliation "
            "WHERE reconciled_at = (SELECT max(reconciled_at) FROM sync.reconciliation)"
        )
    )


def test_each_difference_has_its_reason_and_is_put_right(shop: Shop) -> None:
    """Somebody edited a price in the store, Solteq changed one, one is new, one is gone, one waits, one is held."""
    shop.with_settings(new_product_status="publish")
    for code in ("EDITED", "CHANGED", "GONE"):
        shop.product(code)
    shop.balance("EDITED", 5)
    shop.sync()
    shop.edit(shop.store()["EDITED"], regular_price="7.77")
    shop.product("CHANGED", salesPrice=12)
    shop.product("GONE", active=False)
    shop.product("NEW")
    shop.product("HELD", salesPrice=0)
    shop.balance("NEW", 3)
    order = shop.order(order_line("EDITED", "7.77"))
    told, sound = reconcile(shop)
    assert newest(shop) == {
        ("products", "EDITED", "regular_price", "7.77", "10.00", "edited"),
        ("products", "CHANGED", "regular_price", "10.00", "12.00", "changed"),
        ("products", "GONE", "(all)", None, None, "surplus"),
        ("products", "NEW", "(all)", None, None, "missing"),
        ("products", "HELD", "salesPrice", None, None, "quarantined"),
        ("balances", "NEW", "(all)", None, None, "waiting"),
        ("sales", f"woo:shop:order:{order}", "(all)", None, None, "missing"),
    } | {row for row in newest(shop) if row[0] == "balances" and row[1] == "EDITED"}
    assert (told["missing"], told["surplus"], told["edited"], told["waiting"]) == (2, 1, 1, 1)
    assert sound, "nobody has seen these differences before"
    assert shop.store()["EDITED"].regular_price == 10
    assert [sale["externalId"] for sale in shop.booked()] == [f"woo:shop:order:{order}"]


def test_what_survives_two_reconciliations_fails_its_check(shop: Shop) -> None:
    """What was put right does not come again, and what somebody dismissed is told no more."""
    shop.product("A")
    shop.product("HELD", salesPrice=0)
    assert reconcile(shop)[1]
    told, sound = reconcile(shop)
    assert (told["differing"], told["surviving"], sound) == (1, 1, False)
    assert newest(shop) == {("products", "HELD", "salesPrice", None, None, "quarantined")}
    shop.product("HELD", salesPrice=3)
    told, sound = reconcile(shop)
    assert (told["differing"], sound) == (1, True), "it is new now, and was missing until this run"
    told, sound = reconcile(shop)
    assert (told["differing"], sound) == (0, True)
    assert len(shop.rows("SELECT DISTINCT run_id FROM sync.reconciliation")) == 3, "history is kept"


def test_everything_is_reported_before_anything_is_put_right(shop: Shop) -> None:
    """The table depends on the snapshots alone, so that a guard rail that stops a flow does not hide it."""
    shop.product("A")
    shop.sync_sales()
    result = shop.run("reconcile_all")
    order = [event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key]
    reported = order.index("reconciliation")
    assert {name for name in order[:reported] if name.endswith("_delta")} == set()
    shop.with_settings(mind_purchase_price=True)
    shop.product("A", salesPrice=10, purchasePrice=100)
    shop.product("A", salesPrice=9, purchasePrice=100)
    stopped = shop.run("reconcile_all")
    failed = {each.check_name for each in stopped.get_asset_check_evaluations() if not each.passed}
    assert "price_cuts" in failed
    assert ("products", "A", "regular_price", "10.00", "9.00", "changed") in newest(shop)
    assert shop.store()["A"].regular_price == 10, "stopped"


def test_customers_are_reconciled_without_their_values_and_without_linking_them(shop: Shop) -> None:
    """The table is kept for a year."""
    shop.with_settings(customer_accounts="all")
    shop.customer(1)
    snapshots = [dg.AssetKey(name) for name in ("solteq_customers", "woo_customer_accounts")]
    assert shop.run("customers_to_woo", asset_selection=snapshots).success
    assert shop.run("reconcile_all", asset_selection=[dg.AssetKey("reconciliation")], run_config={}).success
    assert newest(shop) == {("customers_to_woo", "C-1", "(all)", None, None, "missing")}
    assert shop.rows("SELECT count(*) FROM sync.customers") == [(0,)]
    shop.sync("customers_to_woo")
    shop.edit_customer(1, phone="+358409999999")
    reconcile(shop)
    assert newest(shop) == {("customers_to_woo", "C-1", "phone", None, None, "changed")}
    assert "409999999" not in str(shop.rows("FROM sync.reconciliation"))


def report(shop: Shop) -> None:
    """The reconciliation alone, of what was read before."""
    selection = [dg.AssetKey("reconciliation")]
    result = shop.run("reconcile_all", asset_selection=selection, run_config={})
    assert result.success, [event.message for event in result.all_events if event.is_failure]


def test_it_runs_first_of_all_on_a_new_database(shop: Shop) -> None:
    """It makes the tables then, and forgetting what linking customers wrote must not forget those."""
    report(shop)
    assert newest(shop) == set()


def test_what_is_held_back_at_two_stages_is_told_once_however_often(shop: Shop) -> None:
    """Its rows would double each night otherwise, until the disk is full."""
    shop.sync("products_to_woo")
    with shop.database.transaction() as connection:
        for stage in ("feed", "delivery"):
            connection.execute(
                "INSERT INTO sync.quarantine BY NAME SELECT 'products' AS flow, $stage AS stage, 'A' AS key, "
                "'name' AS field, $stage AS reason, 'mend it' AS mend, TIMESTAMP '2026-01-01' AS first_seen, "
                "TIMESTAMP '2026-01-01' AS last_seen",
                {"stage": stage},
            )
    for _ in range(3):
        report(shop)
    assert shop.rows("SELECT count(*) FROM sync.reconciliation WHERE key = 'A'") == [(3,)]


def test_what_was_put_right_and_differs_anew_does_not_survive(shop: Shop) -> None:
    """Somebody takes a piece from the shelf each day; each night it is put right, and nobody needs to be woken."""
    shop.product("A")
    shop.balance("A", 5)
    shop.sync()
    for _ in range(2):
        shop.edit(shop.store()["A"], stock_quantity=4)
        told, sound = reconcile(shop)
        assert (told["differing"], sound) == (1, True)
        assert shop.store()["A"].stock_quantity == 5


def test_a_sale_price_that_two_flows_would_write_is_told_once(shop: Shop) -> None:
    """Products and campaigns both know of it; the campaigns say which, and that somebody edited it."""
    shop.product("A")
    shop.campaign("C", "A")
    shop.sync("products_to_woo", "campaigns_to_woo")
    shop.edit(shop.store()["A"], sale_price="1.00")
    reconcile(shop)
    assert [row[:3] for row in newest(shop)] == [("campaigns", "A", "sale_price")]


def test_a_feed_that_fails_hides_no_other(shop: Shop) -> None:
    """It is named, its flow is not compared, the others are put right, and the run fails at its end."""
    shop.product("A")
    shop.balance("A", 5)
    shop.customer(1)
    shop.sync()
    shop.edit(shop.store()["A"], stock_quantity=1)
    shop.solteq.fault(path="/customer/v1-ext/customers", times=None, status=400, body='{"error": "no"}')
    failed = shop.run("reconcile_all")
    assert not failed.success
    told = metadata(failed)["reconciliation"]
    assert told["not_compared"] == "customers_to_solteq, customers_to_woo"
    assert ("balances", "A", "stock_quantity", "1", "5", "edited") in newest(shop)
    unread = ("solteq_customers", "(all)", None, None, "unread")
    assert {("customers_to_woo", *unread), ("customers_to_solteq", *unread)} <= newest(shop)
    assert shop.store()["A"].stock_quantity == 5
    shop.solteq.heal()
    told, _ = reconcile(shop)
    assert (told["unread"], told["not_compared"]) == (0, "nothing")


def test_a_difference_survives_a_night_in_which_its_feed_failed(shop: Shop) -> None:
    shop.product("A")
    shop.sync("products_to_woo")
    shop.edit(shop.store()["A"], regular_price="1.00")

    def night(*snapshots: str) -> dg.ExecuteInProcessResult:
        selection = [dg.AssetKey(name) for name in (*snapshots, "reconciliation")]
        return shop.run("reconcile_all", asset_selection=selection, run_config={})

    edited = ("products", "A", "regular_price", "1.00", "10.00", "edited")
    assert night("woo_catalogue").success
    assert edited in newest(shop)
    shop.solteq.fault(path="/catalog/v1-ext/products", times=None, status=400, body='{"error": "no"}')
    failed = night("solteq_products")
    assert not failed.success
    assert newest(shop) == {
        (flow, "solteq_products", "(all)", None, None, "unread") for flow in ("products", "campaigns")
    }
    shop.solteq.heal()
    third = night("solteq_products")
    assert edited in newest(shop)
    assert metadata(third)["reconciliation"]["surviving"] == 1
