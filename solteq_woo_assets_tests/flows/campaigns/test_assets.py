"""Campaign prices from Solteq to the store, through Dagster and over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest

from solteq_woo_assets.engine import delivery
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.guard_rails import LET_PASS_TAG
from solteq_woo_assets.engine.lease import FlowLeases
from solteq_woo_assets_tests.conftest import Shop, product_document

GUARDED = "campaign_price_delta"


def sale(shop: Shop, sku: str) -> Decimal | None:
    """The store's sale price."""
    return shop.store()[sku].sale_price


def guarded(shop: Shop, job: str = "campaigns_to_woo", **arguments: Any) -> tuple[bool, str]:
    """Whether nothing was stopped, and what the guard rail said."""
    result = shop.run(job, **arguments)
    assert result.success
    (said,) = [
        evaluation.description or "" for evaluation in result.get_asset_check_evaluations()
        if evaluation.check_name == "price_cuts"
    ]  # fmt: skip
    return all(
        evaluation.passed
        for evaluation in result.get_asset_check_evaluations()
        if evaluation.check_name == "price_cuts"
    ), said


def test_a_campaign_arrives_and_the_second_run_writes_nothing(shop: Shop) -> None:
    shop.product("A", productGroup="Kahvi")
    shop.product("B")
    shop.sync()
    shop.woo.asked()
    shop.campaign("c", "Kahvi", level="ProductGroup", validTo="2999-01-01T00:00:00")
    (told,) = shop.sync("campaigns_to_woo")
    assert [(write["path"], write["items"]) for write in shop.woo.writes()] == [("/wp-json/wc/v3/products/batch", 1)]
    assert told["woo_campaign_prices"]["updated"] == 1
    assert "sets the price" in told["campaign_price_delta"]["why"]
    product = shop.store()["A"]
    assert (product.sale_price, product.date_on_sale_from_gmt) == (Decimal(8), None)
    assert product.date_on_sale_to_gmt == datetime(2998, 12, 31, 21, 59, 59)  # noqa: DTZ001
    assert sale(shop, "B") is None
    for job in ("campaigns_to_woo", "products_to_woo", "campaigns_to_woo"):
        shop.sync(job)
    assert shop.woo.writes() == []


def test_variations_get_it_through_their_parent(shop: Shop) -> None:
    for size in "SL":
        shop.product(f"T-{size}", modelNumber="T", attributes={"Koko": size})
    shop.sync()
    shop.campaign("c", "T")
    shop.sync("campaigns_to_woo")
    assert (sale(shop, "T-S"), sale(shop, "T-L"), sale(shop, "T")) == (Decimal(8), Decimal(8), None)


@pytest.mark.parametrize(
    ("change", "price"),
    [
        ({"deleted": True}, None),
        ({"active": False}, None),
        ({"targets": ["B"]}, None),
        ({"validTo": "2026-01-01T00:00:00"}, None),
        ({"customerGroups": ["Kanta-asiakkaat"]}, None),
        ({"value": 30}, Decimal(7)),
    ],
)
def test_a_campaign_that_changes_or_ends_is_put_right_in_the_next_run(
    shop: Shop, change: dict[str, Any], price: Decimal | None
) -> None:
    shop.product("A")
    shop.campaign("c", "A")
    shop.sync()
    assert sale(shop, "A") == Decimal(8)
    shop.campaign("c", "A", **change) if "targets" not in change else shop.campaign("c", *change["targets"])
    assert shop.tick("campaigns") == (True, "1 changed campaigns in Solteq")
    shop.sync("campaigns_to_woo")
    assert sale(shop, "A") == price
    assert shop.tick("campaigns")[0] is False


def test_a_bare_tombstone_withdraws_a_campaign(shop: Shop) -> None:
    shop.product("A")
    shop.campaign("c", "A")
    shop.sync()
    later = (utc_now() + timedelta(seconds=1)).isoformat(timespec="milliseconds")
    shop.solteq.put("campaigns", {"documents": [{"raw": f'{{"id": "c", "deleted": true, "modifiedAt": "{later}Z"}}'}]})
    shop.sync("campaigns_to_woo")
    assert sale(shop, "A") is None


def test_a_campaign_that_cannot_be_read_is_quarantined_and_the_rest_goes_on(shop: Shop) -> None:
    shop.product("A")
    shop.campaign("good", "A")
    shop.campaign("bad", "A", validFrom="2026-11-27T00:00:00Z", value=50)
    (told,) = shop.sync("campaigns_to_woo")
    assert told["solteq_campaigns"]["quarantined"] == 1
    assert shop.rows("SELECT key, field FROM sync.quarantine") == [("bad", "validFrom")]
    assert shop.rows("SELECT id FROM snapshot.solteq_campaigns") == [("good",)]


def test_a_campaign_with_a_restriction_that_is_not_known_is_shown_and_not_sent(shop: Shop) -> None:
    shop.product("A")
    shop.campaign("c", "A", description="Syysale", createdAt="2026-11-01", minimumQuantity=2, channels=[], terms=None)
    shop.sync("products_to_woo")
    (told,) = shop.sync("campaigns_to_woo")
    assert sale(shop, "A") is None
    assert shop.rows("SELECT key, action, reason FROM delta.campaign_price_delta") == [
        ("c", "skip", "campaign Kampanja c: it is restricted in a way that cannot be expressed: minimumQuantity")
    ]
    assert shop.rows("SELECT * FROM sync.quarantine") == []
    assert told["campaign_price_delta"]["skipped"] == 1
    shop.with_settings(harmless_campaign_fields=["description", "createdAt", "minimumQuantity"])
    shop.sync("campaigns_to_woo")
    assert sale(shop, "A") == Decimal(8)


def test_a_campaign_that_gets_a_restriction_is_withdrawn(shop: Shop) -> None:
    shop.product("A")
    shop.campaign("c", "A")
    shop.sync()
    assert sale(shop, "A") == Decimal(8)
    shop.campaign("c", "A", loyaltyLevel="gold")
    shop.sync("campaigns_to_woo")
    assert sale(shop, "A") is None


def test_a_sale_set_by_hand_is_put_right_and_the_delta_says_whose_it_was(shop: Shop) -> None:
    shop.product("A")
    shop.campaign("c", "A")
    shop.sync()
    shop.woo.patch(f"products/{shop.store()['A'].id}", {"sale_price": "1.00"})
    shop.sync("campaigns_to_woo")
    assert sale(shop, "A") == Decimal(8)
    ((reason,),) = shop.rows("SELECT reason FROM delta.campaign_price_delta")
    assert reason == "campaign Kampanja c (c); the store's 1.00 was set by hand"


def test_a_new_product_under_a_campaign_has_its_sale_from_the_start(shop: Shop) -> None:
    shop.campaign("c", "A")
    shop.sync("campaigns_to_woo")
    shop.product("A")
    shop.sync("products_to_woo")
    assert sale(shop, "A") == Decimal(8)
    shop.woo.asked()
    assert shop.tick("campaigns")[0] is False


def test_a_run_of_products_that_knew_less_of_the_campaigns_is_refused(shop: Shop) -> None:
    """The last word must be that of the newest comparison. Runs hold a lease; a preview of earlier is seen."""
    shop.product("A")
    shop.campaign("c", "A")
    shop.sync()
    shop.product("A", salesPrice=20)
    job_up_to_delta = [dg.AssetKey(name) for name in ("solteq_products", "woo_catalogue", "product_delta")]
    assert shop.run("products_to_woo", asset_selection=job_up_to_delta).success
    shop.campaign("c", "A", value=50)
    shop.sync("campaigns_to_woo")
    assert sale(shop, "A") == Decimal(10)
    result = shop.run("products_to_woo", asset_selection=[dg.AssetKey("woo_products")])
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert "Materialize product_delta again, or run products_to_woo." in str(failed.step_failure_data.user_failure_data)
    assert sale(shop, "A") == Decimal(10), "the older comparison was not sent"
    assert shop.tick("campaigns") == (False, "Nothing new: asked Solteq for changed campaigns.")
    shop.sync("products_to_woo")
    assert sale(shop, "A") == Decimal(10)


@pytest.mark.slow
def test_an_edge_is_kept_while_a_long_first_sync_runs(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The delivery of products gives way between two lots, and the next run sends the rest."""
    monkeypatch.setattr(delivery, "LOTS_AHEAD", 2)
    shop.with_settings(requests_in_flight=1)
    start = datetime(2026, 11, 26, 21, 59)  # noqa: DTZ001
    shop.set_clock(start)
    shop.product("A")
    shop.campaign("c", "A", validFrom="2026-11-27T00:00:00")
    shop.sync()
    codes = [f"P{number:04}" for number in range(2_500)]
    shop.solteq.put("products", {"documents": [product_document(code) for code in codes]})
    shop.woo.fault(method="POST", path="products/batch", times=None, delay_seconds=5)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(shop.run, "products_to_woo")
        while shop.rows("SELECT count(*) FROM sync.deliveries WHERE key LIKE 'P%' AND state = 'delivered'") == [(0,)]:
            assert not first.done()
        shop.set_clock(start + timedelta(minutes=1))
        assert shop.tick("campaigns") == (True, "a sale begins or ends at 2026-11-26T22:00:00Z")
        shop.sync("campaigns_to_woo")
        assert first.result().success
    products = shop.store()
    assert products["A"].sale_price == Decimal(8)
    assert 0 < len(products) - 1 < len(codes)
    shop.woo.heal()
    assert shop.tick("products")[0] is True
    shop.sync("products_to_woo")
    assert set(shop.store()) == {"A", *codes}


def test_no_run_of_products_is_requested_while_another_writes_prices(shop: Shop) -> None:
    shop.product("A")
    with FlowLeases(shop.database) as held:
        held.take("prices", "a run of campaigns")
        assert shop.tick("products") == (False, "Another run writes prices.")
    assert shop.tick("products")[0] is True


def test_the_next_edge_wakes_the_sensor(shop: Shop) -> None:
    start = datetime(2026, 11, 26, 21, 59)  # noqa: DTZ001
    shop.set_clock(start)
    shop.product("A")
    shop.campaign("c", "A", validFrom="2026-11-27T00:00:00")
    shop.sync()
    assert shop.tick("campaigns")[0] is False
    shop.set_clock(start + timedelta(minutes=1))
    assert shop.tick("campaigns") == (True, "a sale begins or ends at 2026-11-26T22:00:00Z")
    shop.sync("campaigns_to_woo")
    assert shop.tick("campaigns")[0] is False


def test_too_many_deep_cuts_are_stopped_until_they_are_let_pass(shop: Shop) -> None:
    for code in "ABCDE":
        shop.product(code)
    shop.sync()
    shop.campaign("slip", "A", "B", value=60)
    success, said = guarded(shop)
    assert not success
    assert "2 of the store's 5 products by more than 50 %" in said
    assert f"{GUARDED}: {{config: {{let_pass: [price_cuts]}}}}" in said
    assert sale(shop, "A") is None
    let_pass = {"ops": {GUARDED: {"config": {"let_pass": ["price_cuts"]}}}}
    success, _ = guarded(shop, run_config=let_pass)
    assert success
    assert sale(shop, "A") == Decimal(4)
    assert shop.instance is not None
    (run, *_) = shop.instance.get_runs(limit=1)
    assert run.tags[LET_PASS_TAG] == "campaign_price_delta: price_cuts"


def test_reconciling_sends_a_sale_once(shop: Shop) -> None:
    """Either flow would send it; campaigns are compared when the products have been delivered."""
    shop.product("A")
    shop.sync()
    shop.campaign("slip", "A")
    shop.woo.asked()
    shop.sync("reconcile_all")
    assert sale(shop, "A") == Decimal(8)
    assert len(shop.woo.writes()) == 1


def test_cuts_within_the_limits_pass(shop: Shop) -> None:
    for code in "ABCDE":
        shop.product(code)
    shop.sync()
    shop.campaign("one deep cut", "A", value=60)
    shop.campaign("all a little", "B", "C", "D", "E", value=50)
    assert guarded(shop) == (True, "")


def test_a_slip_in_sales_prices_is_stopped_in_the_other_flow_too(shop: Shop) -> None:
    """One rule makes the prices, so one guard rail watches them, whichever flow runs."""
    for code in "AB":
        shop.product(code)
    shop.sync()
    for code in "AB":
        shop.product(code, salesPrice=1)
    success, said = guarded(shop, "products_to_woo")
    assert (success, "product_delta: {config" in said) == (False, True)
    assert shop.store()["A"].regular_price == Decimal(10)


@pytest.mark.parametrize("minded", [False, True])
def test_below_the_purchase_price_only_when_told_to_mind_it(shop: Shop, minded: bool) -> None:
    shop.with_settings(mind_purchase_price=minded)
    shop.product("A", purchasePrice=9)
    shop.sync()
    shop.campaign("c", "A")
    success, said = guarded(shop)
    assert success is not minded
    assert ("below their purchase price" in said) is minded


def test_a_campaign_to_come_is_guarded_when_it_is_sent_not_when_it_begins(shop: Shop) -> None:
    for code in "AB":
        shop.product(code)
    shop.sync()
    shop.campaign("c", "A", "B", value=90, validFrom="2998-01-01T00:00:00")
    assert guarded(shop)[0] is False


@pytest.mark.parametrize("down", ["solteq", "woo"])
def test_a_side_that_is_down_fails_in_words_and_the_next_run_carries_on(shop: Shop, down: str) -> None:
    shop.product("A")
    shop.sync()
    shop.campaign("c", "A")
    side = shop.solteq if down == "solteq" else shop.woo
    side.fault(status=403, times=99)
    result = shop.run("campaigns_to_woo")
    assert not result.success
    side.heal()
    shop.sync("campaigns_to_woo")
    assert sale(shop, "A") == Decimal(8)


def test_a_store_whose_cron_is_never_late_begins_and_ends_the_sale_itself(shop: Shop) -> None:
    """It takes the beginning away and empties the sale as we would: there is nothing left to write."""
    start = datetime(2037, 11, 26, 21)  # noqa: DTZ001  yet to come: the store changes the product itself
    shop.set_clock(start)
    shop.product("A")
    shop.campaign("c", "A", validFrom="2037-11-27T00:00:00", validTo="2037-11-28T00:00:00")
    shop.sync()
    shop.woo.asked()
    for hours, price in ((2, Decimal(8)), (26, None)):
        shop.set_clock(start + timedelta(hours=hours))
        shop.sync("campaigns_to_woo")
        assert sale(shop, "A") == price
    assert shop.woo.writes() == []


@pytest.mark.parametrize("fields", [{}, {"active": False}, {"deleted": True}, {"type": "Bundle"}])
def test_a_mistyped_campaign_does_not_stop_the_others(shop: Shop, fields: dict[str, Any]) -> None:
    shop.product("A")
    shop.sync()
    shop.campaign("slip", "A", value=1990, **fields)
    shop.campaign("good", "A")
    shop.sync("campaigns_to_woo")
    assert sale(shop, "A") == Decimal(8)


def test_an_edge_is_due_until_the_campaigns_have_been_compared(shop: Shop) -> None:
    """The products flow may compare right after it and send nothing: a preview, a quarantine, a guard rail."""
    start = datetime(2026, 11, 26, 21, 59)  # noqa: DTZ001
    shop.set_clock(start)
    shop.product("A")
    shop.campaign("c", "A", validFrom="2026-11-27T00:00:00", validTo="2026-11-28T00:00:00")
    shop.sync()
    shop.set_clock(start + timedelta(minutes=1))
    preview = [dg.AssetKey(name) for name in ("solteq_products", "woo_catalogue", "product_delta")]
    assert shop.run("products_to_woo", asset_selection=preview).success
    assert shop.tick("campaigns") == (True, "a sale begins or ends at 2026-11-26T22:00:00Z")
    shop.sync("campaigns_to_woo")
    assert shop.tick("campaigns")[0] is False


def test_a_stopped_delta_is_not_sent_by_the_delivery_alone(shop: Shop) -> None:
    for code in "AB":
        shop.product(code)
    shop.sync()
    shop.campaign("slip", "A", "B", value=90)
    assert guarded(shop)[0] is False
    assert shop.run("campaigns_to_woo", asset_selection=[dg.AssetKey("woo_campaign_prices")]).success
    assert sale(shop, "A") is None


def test_a_deep_sale_that_is_only_moved_forward_is_guarded_too(shop: Shop) -> None:
    for code in "AB":
        shop.product(code)
    shop.sync()
    for code in "AB":
        shop.woo.patch(
            f"products/{shop.store()[code].id}",
            {"sale_price": "1.00", "date_on_sale_from_gmt": "2998-01-01T00:00:00"},
        )
    shop.campaign("slip", "A", "B", value=90)
    assert guarded(shop)[0] is False
