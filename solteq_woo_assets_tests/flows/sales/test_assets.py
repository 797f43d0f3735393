"""The sales flow through Dagster, against both sandboxes over HTTP: every paid order is booked once, to the cent."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from solteq_woo_assets.clients.woo_orders import RefundDocument, WooOrders
from solteq_woo_assets.clients.woo_pages import Page
from solteq_woo_assets_tests.conftest import CHANGED_SALES, CommandLine, Shop, order_document, order_line


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    """What Solteq sells."""
    for code in ("A1", "B1", "C1"):
        shop.product(code)


def gross(documents: list[dict[str, Any]]) -> Decimal:
    return sum((document["totals"]["gross"] for document in documents), Decimal(0))


def test_a_paid_order_is_booked_once(shop: Shop) -> None:
    order = shop.order(order_line("A1", "24.90", 2), order_line("B1", "10.00", rate="13.5"))
    shop.order(order_line("A1", "24.90"), status="pending", date_paid_gmt=None)
    told = shop.sync_sales()
    (booked,) = shop.booked()
    assert booked["externalId"] == f"woo:shop:order:{order}"
    assert booked["totals"]["gross"] == Decimal("34.90")
    assert booked["customer"] == {"email": "aino@example.com", "name": "Aino Esimerkki"}
    assert told["solteq_sales"]["created"] == 1
    shop.solteq.asked()
    again = shop.sync_sales()
    assert again["solteq_sales"]["created"] == 0
    assert [each for each in shop.solteq.writes() if "token" not in each["path"]] == []
    assert shop.tick("sales") == (False, "Nothing new: asked the store for changed orders.")


def test_a_customer_is_named_though_somebody_without_an_account_was_erased(shop: Shop) -> None:
    shop.sync_sales()
    shop.rows(
        "INSERT INTO sync.customers (solteq_id, state, why, since) VALUES ('c-1', 'erased', '', now()::TIMESTAMP)"
    )
    shop.order(order_line("A1", "24.90"))
    shop.sync_sales()
    (booked,) = shop.booked()
    assert booked["customer"] == {"email": "aino@example.com", "name": "Aino Esimerkki"}


@pytest.mark.parametrize(
    "fault",
    [{"drop": "before"}, {"drop": "after"}, {"status": 500}, {"status": 503}, {"status": 429}],
    ids=str,
)
def test_a_lost_answer_is_asked_for_and_nothing_is_booked_twice(shop: Shop, fault: dict[str, Any]) -> None:
    """The write may or may not have happened: Solteq is asked by the externalId first."""
    orders = [shop.order(order_line("A1", f"{number}.00")) for number in range(1, 6)]
    shop.solteq.fault(method="POST", path="/sales", skip=1, times=2, **fault)
    shop.sync_sales()
    assert sorted(each["externalId"] for each in shop.booked()) == sorted(f"woo:shop:order:{n}" for n in orders)
    assert gross(shop.booked()) == 15
    assert shop.rows("SELECT DISTINCT state FROM sync.sales") == [("booked",)]


def test_solteq_away_fails_the_run_in_words_and_the_next_one_carries_on(shop: Shop) -> None:
    for number in range(1, 6):
        shop.order(order_line("A1", f"{number}.00"))
    shop.solteq.fault(path="/sales", times=None, status=403)
    result = shop.run("sales_to_solteq", run_config=CHANGED_SALES)
    assert not result.success
    assert shop.booked() == []
    assert shop.rows("SELECT count(*) FROM sync.sales WHERE state = 'booked'") == [(0,)]
    assert shop.tick("sales")[0] is False, "a pause after a failure"
    shop.solteq.heal()
    shop.sync_sales()
    assert gross(shop.booked()) == 15
    assert shop.rows("SELECT count(*) FROM sync.deliveries WHERE state = 'pending'") == [(0,)]


def test_a_duplicate_settles_with_what_solteq_holds(shop: Shop) -> None:
    """The database was lost, say: what Solteq has already is not booked again."""
    order = shop.order(order_line("A1", "24.90"))
    shop.sync_sales()
    (first,) = shop.booked()
    shop.settings.database.unlink()
    shop.sync_sales()
    assert shop.booked() == [first]
    assert shop.rows("SELECT external_id, state, solteq_id FROM sync.sales") == [
        (f"woo:shop:order:{order}", "booked", first["id"])
    ]


def test_what_solteq_refuses_is_held_back_with_its_words_and_sent_again_when_asked(
    shop: Shop, solteq_woo: CommandLine
) -> None:
    """The rest goes on; nothing follows a refused sale."""
    shop.order(order_line("A1", "5.00"))
    refused = shop.order(order_line("NEW", "7.00"))
    shop.sync_sales()
    (row,) = shop.rows("SELECT key, reason FROM sync.quarantine WHERE stage = 'delivery'")
    assert row == (f"woo:shop:order:{refused}", "lines[0].productCode: … is no product")
    assert gross(shop.booked()) == 5
    shop.solteq.asked()
    shop.sync_sales()
    assert [each for each in shop.solteq.writes() if "sales" in each["path"]] == []
    assert solteq_woo("retry", "sales", str(refused)).exit_code == 1, "Solteq still lacks the product"
    shop.product("NEW")
    result = solteq_woo("retry", "sales")
    assert result.exit_code == 0, result.output
    assert gross(shop.booked()) == 12
    assert shop.rows("SELECT * FROM sync.quarantine") == []


def test_an_order_in_another_currency_is_held_back_and_the_rest_goes_on(shop: Shop) -> None:
    shop.order(order_line("A1", "5.00"))
    foreign = shop.order(order_line("A1", "7.00"), currency="SEK")
    told = shop.sync_sales()
    assert gross(shop.booked()) == 5
    assert told["sales_delta"]["quarantined"] == 1
    assert shop.rows("SELECT key, field, reason FROM sync.quarantine") == [
        (f"order {foreign}", "currency", "it is in SEK")
    ]


def test_an_unreadable_order_stops_no_other(shop: Shop) -> None:
    shop.order(order_line("A1", "5.00"))
    broken = shop.order(order_line("A1", "7.00"), total="seven")
    told = shop.sync_sales()
    assert told["woo_sales"]["quarantined"] == 1
    assert gross(shop.booked()) == 5
    assert shop.rows("SELECT key, field FROM sync.quarantine") == [(f"order {broken}", "total")]


def test_an_edited_order_is_reversed_and_booked_anew(shop: Shop) -> None:
    order = shop.order(order_line("A1", "30.00", 3))
    shop.sync_sales()
    shop.edit_order(order, order_line("A1", "20.00", 2))
    assert shop.tick("sales") == (True, "1 new or changed orders in the store")
    shop.sync_sales()
    assert [(each["externalId"].split(":", 3)[3], each["totals"]["gross"]) for each in shop.booked()] == [
        (f"{order}", Decimal("30.00")),
        (f"{order}:reversal:1", Decimal("-30.00")),
        (f"{order}:version:2", Decimal("20.00")),
    ]


def test_a_cancelled_order_is_refunded_in_full(shop: Shop) -> None:
    order = shop.order(order_line("A1", "30.00", 3))
    shop.sync_sales()
    shop.edit_order(order, order_line("A1", "30.00", 3), status="cancelled")
    shop.sync_sales()
    assert gross(shop.booked()) == 0
    shop.sync_sales()
    assert len(shop.booked()) == 2


@pytest.mark.parametrize(
    ("product", "sku_now", "codes"),
    [
        ({"code": "A1-NEW"}, "A1-NEW", {"A1-NEW"}),
        ({"code": "A1-NEW"}, "", set()),
        ({"deleted": True}, "A1", set()),
        ({}, "BY-HAND", {"A1"}),
    ],
    ids=["its code changed", "its code changed and its page is gone", "deleted", "its SKU was changed by hand"],
)
def test_what_was_sold_by_a_code_that_is_gone_can_be_taken_back(
    shop: Shop, product: dict[str, Any], sku_now: str, codes: set[str]
) -> None:
    """Solteq refuses a code that it does not know: the order would stay booked for ever."""
    refunded, cancelled = (shop.order(order_line("A1", "30.00", 3)) for _ in range(2))
    shop.sync("products_to_woo")
    shop.sync_sales()
    shop.solteq.put("products", {"documents": [{"id": "p-A1", **product}]})
    shop.sync("products_to_woo")
    line = order_line("A1", "30.00", 3) | {"sku": sku_now}
    shop.edit_order(refunded, line, _refunds=[refund("10.00", back(100, "A1", "10.00", 1), id=5001)])
    shop.edit_order(cancelled, line, status="cancelled")
    shop.sync_sales()
    taken = [each for each in shop.booked() if each["type"] == "Refund"]
    assert gross(taken) == -40
    assert {line["productCode"] for each in taken for line in each["lines"] if "productCode" in line} == codes
    assert shop.rows("SELECT key FROM sync.quarantine WHERE flow = 'sales'") == []


def test_what_is_sold_before_the_store_knows_new_codes_is_booked_to_the_right_product(shop: Shop) -> None:
    """Products change codes in Solteq. Until the store has the new SKUs, shoppers buy by the old ones."""
    shop.sync("products_to_woo")
    shop.solteq.put("products", {"documents": [{"id": "p-A1", "code": "B1"}, {"id": "p-B1", "code": "A1"}]})
    shop.solteq.put("products", {"documents": [{"id": "p-C1", "code": "C2"}]})
    shop.woo.fault(method="POST", path="/products", status=503, times=None)
    assert not shop.run("products_to_woo").success
    shop.order(order_line("A1", "30.00", 3), order_line("C1", "10.00"))
    shop.sync_sales()
    (booked,) = shop.booked()
    assert [line["productCode"] for line in booked["lines"]] == ["B1", "C2"]


def test_a_write_that_changes_nothing_is_not_a_change(shop: Shop) -> None:
    """The store moves the time of an order at every write, a plugin's meta for one (contract, 5)."""
    order = shop.order(order_line("A1", "30.00", 3))
    shop.sync_sales()
    shop.edit_order(order, order_line("A1", "30.00", 3), date_paid_gmt=paid(shop, order))
    assert shop.tick("sales")[0]
    told = shop.sync_sales()
    assert (told["woo_sales"]["changed"], told["sales_delta"]["created"]) == (0, 0)
    assert shop.tick("sales") == (False, "Nothing new: asked the store for changed orders.")


def paid(shop: Shop, order: int) -> str:
    ((at,),) = shop.rows("SELECT paid_at FROM snapshot.woo_sales WHERE id = ?", order)
    return at.isoformat()


def test_an_order_that_is_dated_ahead_hides_none_that_follows(shop: Shop) -> None:
    """The store's clock was wrong for a while, or a plugin wrote the time of a zone as UTC."""
    shop.order(order_line("A1", "1.00"), date_modified_gmt="2031-01-01T00:00:00")
    shop.sync_sales()
    shop.order(order_line("A1", "2.00"))
    assert shop.tick("sales")[0]
    shop.sync_sales()
    assert gross(shop.booked()) == 3


def test_older_orders_are_booked_when_their_days_are_backfilled_and_not_before(shop: Shop) -> None:
    """Whoever connects a running shop has booked its past already."""
    days = ["2026-11-02", "2026-11-03", "2026-11-03", "2026-11-05"]
    for number, day in enumerate(days, start=1):
        shop.order(order_line("A1", f"{number}.00"), date_created_gmt=f"{day}T10:00:00")
    shop.sync_sales()
    assert shop.booked() == []
    told = shop.sync_sales("2026-11-03", "2026-11-04", "2026-11-05")
    assert gross(shop.booked()) == 2 + 3 + 4
    assert told["solteq_sales"]["created"] == 3
    assert sorted(each["businessDate"] for each in shop.booked()) == ["2026-11-03", "2026-11-03", "2026-11-05"]
    shop.sync_sales("2026-11-03", "2026-11-04", "2026-11-05")
    shop.sync_sales()
    assert len(shop.booked()) == 3


def test_an_older_order_that_is_paid_since_the_first_day_is_booked(shop: Shop) -> None:
    """An invoice of last week: who booked before is turned off, and nobody else would book it."""
    line, made = order_line("A1", "30.00"), "2026-11-03T10:00:00"
    invoice = shop.order(line, status="on-hold", date_created_gmt=made, date_paid_gmt=None)
    on_delivery = shop.order(line, payment_method="cod", date_created_gmt=made, date_paid_gmt=None)
    shop.order(line, date_created_gmt=made)
    shop.sync_sales()
    assert shop.booked() == []
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    shop.edit_order(invoice, line, date_created_gmt=made, date_paid_gmt=now)
    shop.edit_order(on_delivery, line, payment_method="cod", date_created_gmt=made, date_paid_gmt=now)
    told = shop.sync_sales()
    assert [sale["externalId"] for sale in shop.booked()] == [f"woo:shop:order:{invoice}"]
    assert told["solteq_sales"]["created"] == 1


OLD = {"date_created_gmt": "2026-11-03T10:00:00"}


def old_orders(shop: Shop) -> list[int]:
    """Orders that others booked, paid a while ago, which are refunded and cancelled now; and one that nobody paid."""
    line = order_line("A1", "30.00", 3)
    partly, cancelled = (shop.order(line, **OLD) for _ in range(2))
    unpaid = shop.order(line, **OLD, date_paid_gmt=None, status="pending")
    shop.sync_sales()
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    shop.edit_order(partly, line, **OLD, _refunds=[refund("4.00", id=6001, date_created_gmt=now)])
    shop.edit_order(cancelled, line, **OLD, status="cancelled")
    shop.edit_order(unpaid, line, **OLD, date_paid_gmt=None, status="cancelled")
    return [partly, cancelled]


def test_refunds_and_cancellations_of_older_orders_are_told_with_what_to_do(shop: Shop) -> None:
    """Their sales were booked by others: nothing here took the money back, and nobody was told."""
    partly, cancelled = old_orders(shop)
    shop.sync_sales()
    assert shop.booked() == []
    assert shop.rows("SELECT key, field, code FROM sync.quarantine ORDER BY key, field") == [
        (f"order {partly}", "refund 6001", "old-order-refunded"),
        (f"order {cancelled}", "status", "old-order-refunded"),
    ]
    assert shop.run("reconcile_all").success
    told = shop.rows("SELECT key, why FROM sync.reconciliation WHERE flow = 'sales' ORDER BY key")
    assert told == [(f"order {number}", "quarantined") for number in (partly, cancelled)]


def test_refunds_and_cancellations_of_older_orders_are_booked_by_a_setting(shop: Shop) -> None:
    shop.with_settings(old_order_refunds="book")
    partly, cancelled = old_orders(shop)
    shop.sync_sales()
    assert {(each["orderNumber"], each["totals"]["gross"], "refersTo" in each) for each in shop.booked()} == {
        (f"{partly}", Decimal("-4.00"), False),
        (f"{cancelled}", Decimal("-30.00"), False),
    }
    shop.sync_sales()
    assert len(shop.booked()) == 2
    assert shop.rows("SELECT * FROM sync.quarantine") == []


def test_cash_on_delivery_that_is_refunded_is_refunded_in_solteq(shop: Shop) -> None:
    """It has no time of payment while it is processing, and so was taken for no sale once it was refunded."""
    line = order_line("A1", "30.00", 3)
    order = shop.order(line, payment_method="cod", date_paid_gmt=None)
    shop.sync_sales()
    unpaid = {"payment_method": "cod", "date_paid_gmt": None, "status": "refunded"}
    shop.edit_order(order, line, **unpaid, _refunds=[refund("30.00", id=6001)])
    shop.sync_sales()
    assert [each["totals"]["gross"] for each in shop.booked()] == [Decimal("30.00"), Decimal("-30.00")]
    assert check(shop, "reconcile_all") == (True, "1 orders agree.")


def test_an_order_paid_by_gift_card_of_a_plugin_is_booked_with_both_payments(shop: Shop) -> None:
    shop.with_settings(payment_meta={"_gift": "GiftCard"}, payment_types={"paytrail": "Card"})
    gift = {"id": 1, "key": "_gift", "value": "10.00"}
    shop.order(
        order_line("A1", "30.00"), total="20.00", payment_method="paytrail", meta_data=[gift, {**gift, "key": "_other"}]
    )
    shop.sync_sales()
    (sale,) = shop.booked()
    assert [(each["type"], each["amount"]) for each in sale["payments"]] == [
        ("Card", Decimal("20.00")),
        ("GiftCard", Decimal("10.00")),
    ]
    assert shop.rows("SELECT payment_meta FROM snapshot.woo_sales") == [('{"_gift": "10.00"}',)]


def test_a_document_on_another_business_date_is_found(shop: Shop) -> None:
    """The sums of the order agree, and those of a day's books do not."""
    order = shop.order(order_line("A1", "30.00"))
    shop.sync_sales()
    ((day,),) = shop.rows("SELECT document->>'$.businessDate' FROM sync.sales")
    shop.rows("UPDATE sync.sales SET document = replace(document, ?, '2026-11-02')", day)
    assert check(shop, "reconcile_all") == (False, f"1 of 1 orders differ: {order}")


def test_each_day_has_its_numbers(shop: Shop) -> None:
    """Numbers, so that the UI plots them; of days that the run was for, and of others that it touched."""
    shop.order(order_line("A1", "25.10"), date_created_gmt="2026-11-03T10:00:00")
    shop.order(order_line("A1", "10.00"), date_created_gmt="2026-11-04T21:59:59")
    shop.order(order_line("A1", "5.00"), date_created_gmt="2026-11-04T22:00:00")
    ends = {"dagster/asset_partition_range_start": "2026-11-03", "dagster/asset_partition_range_end": "2026-11-04"}
    assert shop.run("sales_to_solteq", tags=ends).success
    sales, booked = (numbers_by_day(shop, asset) for asset in ("woo_sales", "solteq_sales"))
    assert {day: (each["orders"], each["gross"], each["vat"]) for day, each in sales.items()} == {
        "2026-11-03": (1, 25.1, 5.1),
        "2026-11-04": (1, 10.0, 2.03),
    }
    assert {day: (each["booked"], each["gross"], each["waiting_documents"]) for day, each in booked.items()} == {
        "2026-11-03": (1, 25.1, 0),
        "2026-11-04": (1, 10.0, 0),
    }
    order = shop.order(order_line("A1", "7.00"))
    changed = {"ops": {"woo_sales": {"config": {"changed_only": True}}}}
    assert shop.run("sales_to_solteq", run_config=changed).success
    assert numbers_by_day(shop, "woo_sales").keys() == {*sales, "2026-11-05", str(day_of(shop, order))}


def numbers_by_day(shop: Shop, asset: str) -> dict[str, dict[str, Any]]:
    """The newest numbers of each partition."""
    assert shop.instance
    records = shop.instance.fetch_materializations(dg.AssetKey(asset), limit=100).records
    told = [each.asset_materialization for each in reversed(records)]
    return {
        each.partition: {name: value.value for name, value in each.metadata.items()}
        for each in told
        if each and each.partition and "gross" in each.metadata
    }


def day_of(shop: Shop, order: int) -> Any:
    ((day,),) = shop.rows("SELECT day FROM snapshot.woo_sales WHERE id = ?", order)
    return day


def test_a_run_for_what_changed_and_one_for_the_days_end_in_the_same_rows(shop: Shop) -> None:
    tables = ("woo_sales", *(f"woo_sales_{each}" for each in ("lines", "taxes", "refunds", "payments")))
    for number in range(1, 120):
        shop.order(order_line("A1", f"{number}.00"), order_line("B1", "3.00", rate="13.5"))

    def held() -> list[Any]:
        return [shop.rows(f"SELECT * EXCLUDE (read_at) FROM snapshot.{each} ORDER BY ALL") for each in tables[:1]] + [
            shop.rows(f"FROM snapshot.{each} ORDER BY ALL") for each in tables[1:]
        ]

    shop.sync_sales()
    changed = held()
    shop.settings.database.unlink()
    ((today,),) = {(day,) for (*_, day) in [(*row, row[2]) for row in changed[0]]}
    shop.sync_sales(str(today))
    assert held() == changed
    assert len(shop.booked()) == 119


@pytest.mark.parametrize("status", ["trash", None], ids=["binned", "deleted"])
def test_a_deleted_order_is_reported_and_reversed_when_somebody_decides_so(shop: Shop, status: str | None) -> None:
    order = shop.order(order_line("A1", "30.00"))
    shop.order(order_line("A1", "5.00"))
    shop.sync_sales()
    if status:
        shop.edit_order(order, order_line("A1", "30.00"), status=status)
    else:
        shop.delete_order(order)
    shop.sync_sales(recheck_days=2)
    word = "binned" if status else "deleted"
    assert shop.rows("SELECT key, reason FROM sync.quarantine") == [
        (f"order {order}", f"it was {word} in the store after it was booked")
    ]
    assert gross(shop.booked()) == 35
    shop.with_settings(deleted_orders="reverse")
    shop.sync_sales()
    assert gross(shop.booked()) == 5
    assert shop.rows("SELECT * FROM sync.quarantine") == []


def test_the_days_are_compared_and_a_difference_names_the_order(shop: Shop) -> None:
    order = shop.order(order_line("A1", "30.00"))
    shop.order(order_line("B1", "5.00", rate="13.5"))
    assert check(shop, "sales_to_solteq", run_config=CHANGED_SALES) == (True, "2 orders agree.")
    shop.rows("UPDATE sync.sales SET document = replace(document, '30.00', '31.00') WHERE order_id = ?", order)
    config = {"ops": {**CHANGED_SALES["ops"], "solteq_sales_days_agree": {"config": {"last_days": 2}}}}
    passed, words = check(shop, "sales_to_solteq", run_config=config)
    assert (passed, words) == (False, f"1 of 2 orders differ: {order}")
    assert check(shop, "reconcile_all") == (True, "2 orders agree."), "it asks Solteq itself"


def test_refunds_edits_and_cancellations_agree_too(shop: Shop) -> None:
    """What came and went in Solteq for one order cancels out; its refunds are those of the order as it is now."""
    line = order_line("A1", "30.00", 3)
    edited, cancelled = (shop.order(line, _refunds=[refund("4.00", id=number)]) for number in (5001, 5002))
    shop.sync_sales()
    shop.edit_order(edited, order_line("A1", "20.00", 2), _refunds=[refund("4.00", id=5001), refund("1.00", id=5003)])
    shop.edit_order(cancelled, line, status="cancelled", _refunds=[refund("4.00", id=5002)])
    assert check(shop, "sales_to_solteq", run_config=CHANGED_SALES) == (True, "1 orders agree.")
    shop.rows("DELETE FROM sync.sales WHERE refund_id = 5003")
    config = {"ops": {**CHANGED_SALES["ops"], "solteq_sales_days_agree": {"config": {"last_days": 2}}}}
    shop.rows("UPDATE sync.settled_orders SET content = 'as if nothing were due'")
    shop.solteq.fault(method="POST", path="/sales", times=None, status=503)
    shop.solteq.fault(method="GET", path="/sales", times=None, status=404)
    assert not shop.run("sales_to_solteq", run_config=config).success
    shop.solteq.heal()
    assert check(shop, "reconcile_all") == (True, "1 orders agree."), "the duplicate settles"


def check(shop: Shop, job: str, **arguments: Any) -> tuple[bool, str | None]:
    result = shop.run(job, **arguments)
    assert result.success
    (found,) = (each for each in result.get_asset_check_evaluations() if each.check_name == "days_agree")
    return found.passed, found.description


def test_nothing_personal_is_shown(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.order(order_line("A1", "30.00"), billing={"first_name": "Zyxaino", "email": "zyx@example.com"})
    shop.order(order_line("NEW", "30.00"), billing={"first_name": "Zyxaino", "email": "zyx@example.com"})
    result = shop.run("sales_to_solteq", run_config=CHANGED_SALES)
    told = str([str(event) for event in result.all_events])
    said = capsys.readouterr()
    tables = ("sync.sales", "sync.quarantine", "sync.deliveries", "delta.sales_delta")
    rows = [shop.rows(f"SELECT held::VARCHAR FROM {table} AS held") for table in tables]
    for text in (told, said.out, said.err, str(rows)):
        assert "zyxaino" not in text.lower()
        assert "zyx@" not in text.lower(), "a picture may hold any three letters"
    assert "zyx" in str(shop.booked()).lower()


def test_explain_order_tells_what_was_sent_and_what_solteq_said(shop: Shop, solteq_woo: CommandLine) -> None:
    order = shop.order(order_line("A1", "30.00", 3), number="1234")
    shop.sync_sales()
    shop.edit_order(order, order_line("A1", "20.00", 2), number="1234")
    shop.sync_sales()
    result = solteq_woo("explain", "order", "1234")
    assert result.exit_code == 0, result.output
    for text in (f"Order {order} in the store", ":reversal", ":version", "-30.00", "booked", "A1"):
        assert text in result.output
    assert "aino" not in result.output.lower()
    assert solteq_woo("explain", "order", "999").exit_code == 1


def refund(amount: str, *lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A refund as the store shows it; lines as ``back`` makes them."""
    lines_of_it = {"line_items": list(lines), "shipping_lines": [], "fee_lines": []}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {"id": 5000 + int(Decimal(amount)), "amount": amount, "date_created_gmt": now, **lines_of_it, **fields}


def back(line_id: int, sku: str, total: str, pieces: int) -> dict[str, Any]:
    """A refunded line."""
    line = order_line(sku, total, pieces)
    amounts = {name: f"-{line[name]}" for name in ("subtotal", "subtotal_tax", "total", "total_tax")}
    meta = [{"id": 1, "key": "_refunded_item_id", "value": str(line_id)}]
    return line | amounts | {"id": 900 + line_id, "quantity": -pieces, "meta_data": meta}


def test_refunds_are_documents_of_their_own_each_once(shop: Shop) -> None:
    line = order_line("A1", "30.00", 3)
    order = shop.order(line)
    shop.sync_sales()
    first = refund("10.00", back(100, "A1", "10.00", 1), id=5001)
    shop.edit_order(order, line, _refunds=[first])
    shop.sync_sales()
    shop.edit_order(order, line, _refunds=[first, refund("5.00", id=5002)])
    shop.woo.asked()
    shop.sync_sales()
    assert [(each["externalId"], each["totals"]["gross"]) for each in shop.booked()] == [
        (f"woo:shop:order:{order}", Decimal("30.00")),
        ("woo:shop:refund:5001", Decimal("-10.00")),
        ("woo:shop:refund:5002", Decimal("-5.00")),
    ]
    asked = [each["query"] for each in shop.woo.asked() if each["path"].endswith("refunds")]
    asked = [query for query in asked if "include=" in query]
    assert len(asked) == 1, "a refund that is known is not read again"
    assert "5001" not in asked[0]
    shop.sync_sales()
    assert len(shop.booked()) == 3


def test_a_refund_that_is_blocked_after_its_sale_arrived_is_sent_again_when_asked(
    shop: Shop, solteq_woo: CommandLine
) -> None:
    """The order was taken for settled, since all that was answered had arrived."""
    shop.order(order_line("A1", "30.00", 3), _refunds=[refund("4.00", id=5001)])
    shop.solteq.fault(method="POST", path="/sales", content="refund:5001", times=None, status=403, body="{}")
    shop.sync_sales()
    assert gross(shop.booked()) == 30
    assert shop.rows("SELECT key, code FROM sync.quarantine") == [("woo:shop:refund:5001", "write-blocked")]
    shop.solteq.heal()
    result = solteq_woo("retry", "sales")
    assert result.exit_code == 0, result.output
    assert gross(shop.booked()) == 26


def test_a_refund_is_found_though_the_order_does_not_say_that_it_changed(shop: Shop) -> None:
    """Some releases do not move an order's time when it is refunded (contract, 6): the list of refunds is swept."""
    line = order_line("A1", "30.00", 3)
    order = shop.order(line, date_modified_gmt="2026-11-01T10:00:00")
    shop.order(order_line("B1", "1.00"))
    shop.sync_sales()
    shop.woo.put(
        "orders",
        {
            "orders": [
                order_document(line, id=order, date_modified_gmt="2026-11-01T10:00:00", _refunds=[refund("4.00")])
            ]
        },
    )
    shop.sync_sales()
    assert gross(shop.booked()) == 30 + 1 - 4


def test_a_release_without_a_list_of_refunds_is_asked_order_by_order(shop: Shop) -> None:
    shop.woo.fault(path="/wc/v3/refunds", times=None, status=404, body='{"code": "rest_no_route", "message": "no"}')
    shop.order(order_line("A1", "30.00", 3), _refunds=[refund("4.00"), refund("6.00", back(100, "A1", "6.00", 1))])
    shop.sync_sales()
    assert gross(shop.booked()) == 20


def test_a_refund_that_the_store_deleted_is_taken_back(shop: Shop) -> None:
    line = order_line("A1", "30.00", 3)
    order = shop.order(line, _refunds=[refund("4.00", id=5001), refund("6.00", id=5002)])
    shop.sync_sales()
    shop.edit_order(order, line, _refunds=[refund("6.00", id=5002)])
    shop.sync_sales()
    assert gross(shop.booked()) == 24
    assert [each["externalId"] for each in shop.booked()][3:] == [
        f"woo:shop:order:{order}:reversal:1",
        f"woo:shop:order:{order}:version:2",
        "woo:shop:refund:5002:version:2",
    ]


def test_an_edit_that_the_store_does_not_date_is_found_when_the_last_days_are_read_whole(shop: Shop) -> None:
    """Line edits did not move an order's time in some releases (contract, 6)."""
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    line = order_line("A1", "30.00", 3)
    order = shop.order(line, date_created_gmt=created, date_modified_gmt="2026-11-01T10:00:00")
    shop.sync_sales(recheck_days=2)
    edited = order_document(order_line("A1", "20.00", 2), id=order, date_created_gmt=created)
    shop.woo.put("orders", {"orders": [edited | {"date_modified_gmt": "2026-11-01T10:00:00"}]})
    shop.sync_sales()
    assert gross(shop.booked()) == 30
    shop.sync_sales(recheck_days=2)
    assert gross(shop.booked()) == 20


def test_a_refund_that_two_flows_find_new_at_once_is_stored_and_booked_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stock flow has read the refund; before it stores it the sales flow reads, stores and books the same one.

    The order was edited in between, within the same second, so that both have something to store.
    """
    line = order_line("A1", "30.00", 3)
    order = shop.order(line)
    shop.balance("A1", 5)
    shop.sync("products_to_woo")
    shop.sync_sales()
    modified = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
    refunded = {"date_modified_gmt": modified, "_refunds": [refund("10.00", back(100, "A1", "10.00", 1), id=5001)]}
    shop.edit_order(order, line, **refunded)
    read = WooOrders.refunds
    beside = ThreadPoolExecutor(1)

    def read_while_sales_run(orders: WooOrders, *asked: Any) -> Iterator[Page[RefundDocument]]:
        found = list(read(orders, *asked))
        monkeypatch.setattr(WooOrders, "refunds", read)
        shop.edit_order(order, line, transaction_id="tx-2", **refunded)
        beside.submit(shop.sync_sales).result()
        yield from found

    monkeypatch.setattr(WooOrders, "refunds", read_while_sales_run)
    shop.sync("balances_to_woo")
    assert len(shop.booked()) == 2, "sales have run meanwhile"
    assert shop.rows("SELECT order_id, refund_id FROM snapshot.woo_sales_refunds") == [(order, 5001)]
    assert shop.rows("SELECT quantity FROM snapshot.woo_sales_lines WHERE refund_id = 5001") == [(-1,)]
    shop.order(order_line("B1", "7.00"))
    shop.sync_sales()
    assert [each["totals"]["gross"] for each in shop.booked()] == [30, -10, 7]


def test_a_document_that_would_be_booked_twice_holds_its_order_and_no_other(shop: Shop) -> None:
    """The ledger has it as another order's, say: a mistake that nobody foresaw must not stop the books."""
    shop.sync_sales()
    wrong = shop.order(order_line("A1", "5.00"))
    shop.order(order_line("A1", "7.00"))
    shop.rows(
        "INSERT INTO sync.sales VALUES (?, 999999, NULL, 1, 'Sale', '{\"lines\": []}', 'x', [], 'booked', 's', 'r', "
        "TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-01')",
        f"woo:shop:order:{wrong}",
    )
    result = shop.run("sales_to_solteq", run_config=CHANGED_SALES)
    assert result.success
    assert gross(shop.booked()) == 7
    assert shop.rows("SELECT key, code FROM sync.quarantine") == [(f"order {wrong}", "document-twice")]
    (check,) = (each for each in result.get_asset_check_evaluations() if each.check_name == "no_document_twice")
    assert not check.passed
    assert check.metadata["orders"].value == [f"order {wrong}"]


def test_a_first_day_that_is_moved_back_books_the_days_since_then(shop: Shop) -> None:
    """Their orders were made and changed before the watermark."""
    days_ago = [datetime.now(UTC) - timedelta(days=number) for number in range(4)]
    for when in days_ago[1:]:
        second = when.strftime("%Y-%m-%dT%H:%M:%S")
        shop.order(order_line("A1", f"{when.day}.00"), date_created_gmt=second, date_modified_gmt=second)
    shop.sync_sales()
    assert shop.booked() == []
    zone = ZoneInfo(shop.settings.timezone)
    shop.with_settings(sales_from=days_ago[2].astimezone(zone).date())
    assert shop.tick("sales") == (True, "sales were read by other settings")
    shop.sync_sales()
    assert gross(shop.booked()) == days_ago[1].day + days_ago[2].day
    assert shop.tick("sales")[0] is False
    shop.with_settings(sales_from=days_ago[1].astimezone(zone).date())
    assert shop.tick("sales")[0] is False, "all of it was read"


def test_a_new_order_is_seen_by_the_sensor_however_many_changed_before_it(shop: Shop) -> None:
    """More orders than a page changed within the minute that is read again."""
    second = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    many = [
        order_document(order_line("A1", "1.00"), status="pending", date_paid_gmt=None, date_modified_gmt=second)
        for _ in range(120)
    ]
    shop.woo.put("orders", {"orders": many})
    shop.sync_sales()
    assert shop.tick("sales")[0] is False
    later = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
    shop.order(order_line("A1", "7.00"), date_modified_gmt=later)
    assert shop.tick("sales") == (True, "1 new or changed orders in the store")
