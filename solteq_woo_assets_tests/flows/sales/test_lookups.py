"""What Solteq holds of an order counts, not what our ledger remembers: a restored backup, a lost file, another shop."""

import shutil
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from solteq_woo_assets.doctor.examination import examine
from solteq_woo_assets_tests.conftest import CommandLine, Shop, order_line
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import woo as woo_sandbox

HUNDRED, EIGHTY = order_line("A1", "100.00"), order_line("A1", "80.00")


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    """What Solteq sells."""
    for code in ("A1", "B1"):
        shop.product(code)


def gross(shop: Shop) -> Decimal:
    """What Solteq's books hold in all."""
    return sum((document["totals"]["gross"] for document in shop.booked()), Decimal(0))


def lose(shop: Shop) -> None:
    """The file of the database is gone."""
    shop.settings.database.unlink()


def backed_up(shop: Shop) -> Path:
    copy = shop.settings.database.with_suffix(".backup")
    shutil.copy(shop.settings.database, copy)
    return copy


def restore(shop: Shop, copy: Path) -> None:
    shutil.copy(copy, shop.settings.database)


def held(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.rows("SELECT key, code, reason FROM sync.quarantine ORDER BY key")


def test_an_order_that_is_cancelled_after_a_backup_was_restored_is_reversed(shop: Shop) -> None:
    """The backup is of before the booking: 100.00 stayed in Solteq for ever."""
    shop.sync_sales()
    copy = backed_up(shop)
    order = shop.order(HUNDRED)
    shop.sync_sales()
    restore(shop, copy)
    shop.edit_order(order, HUNDRED, status="cancelled")
    told = shop.sync_sales()
    assert told["sales_delta"]["found_in_solteq"] == 1
    assert gross(shop) == 0
    assert held(shop) == []


def test_an_edited_order_that_is_cancelled_after_the_file_was_lost_is_reversed(shop: Shop) -> None:
    """Its second version, 80.00, stayed in Solteq for ever."""
    order = shop.order(HUNDRED)
    shop.sync_sales()
    shop.edit_order(order, EIGHTY)
    shop.sync_sales()
    assert gross(shop) == 80
    lose(shop)
    shop.edit_order(order, EIGHTY, status="cancelled")
    told = shop.sync_sales()
    assert told["sales_delta"]["found_in_solteq"] == 3
    assert gross(shop) == 0
    assert [each["externalId"].split(":", 3)[3] for each in shop.booked()][-1] == f"{order}:reversal:2"


def test_refunds_that_solteq_has_are_not_refunded_again(shop: Shop) -> None:
    order = shop.order(HUNDRED)
    shop.sync_sales()
    refund = {"id": 9001, "amount": "30.00", "line_items": []}
    shop.edit_order(order, HUNDRED, _refunds=[refund])
    shop.sync_sales()
    assert gross(shop) == 70
    before = shop.booked()
    lose(shop)
    told = shop.sync_sales()
    assert told["sales_delta"]["found_in_solteq"] == 2
    assert shop.booked() == before
    shop.edit_order(order, HUNDRED, _refunds=[refund, {"id": 9002, "amount": "20.00", "line_items": []}])
    shop.sync_sales()
    assert gross(shop) == 50


def test_a_ledger_that_is_behind_learns_the_rest_from_solteq(shop: Shop) -> None:
    """The backup knows the first version alone; what followed is in Solteq."""
    order = shop.order(HUNDRED)
    shop.sync_sales()
    copy = backed_up(shop)
    shop.edit_order(order, EIGHTY)
    shop.sync_sales()
    restore(shop, copy)
    shop.edit_order(order, EIGHTY, status="cancelled")
    shop.sync_sales()
    shop.sync_sales()
    assert gross(shop) == 0
    assert held(shop) == []


def test_the_reconciliation_finds_what_a_restored_ledger_does_not_know(shop: Shop) -> None:
    """Edited there and back again: by the ledger nothing is due, and Solteq has two versions."""
    order = shop.order(HUNDRED)
    shop.sync_sales()
    copy = backed_up(shop)
    shop.edit_order(order, EIGHTY)
    shop.sync_sales()
    restore(shop, copy)
    shop.edit_order(order, HUNDRED, date_paid_gmt=paid(shop, order))
    shop.sync_sales()
    assert gross(shop) == 80, "nobody has looked"
    assert shop.run("reconcile_all").success
    assert gross(shop) == 100


def paid(shop: Shop, order: int) -> str:
    ((at,),) = shop.rows("SELECT paid_at FROM snapshot.woo_sales WHERE id = ?", order)
    return at.isoformat()


def test_what_solteq_has_nothing_of_is_asked_for_once(shop: Shop) -> None:
    """A cancelled order that was never paid, and one that is held back."""
    shop.order(HUNDRED, status="cancelled", date_paid_gmt=None)
    shop.order(HUNDRED, currency="SEK")
    shop.order(HUNDRED, status="pending", date_paid_gmt=None)
    shop.sync_sales()
    asked = [each for each in shop.solteq.asked() if each["path"].endswith("/sales")]
    assert len(asked) == 2
    shop.sync_sales()
    assert [each for each in shop.solteq.asked() if each["path"].endswith("/sales")] == []


@pytest.fixture
def twin(shop: Shop, tmp_path: Path):
    """A second web store of the same Solteq, whose integration is called the same."""
    folder = tmp_path / "twin"
    folder.mkdir()
    with ExitStack() as stack:
        woo = stack.enter_context(running(woo_sandbox.create_app(folder / "woo.sqlite")))
        twin = Shop(folder, shop.solteq.url, woo)
        twin.instance = shop.instance
        yield twin


@pytest.mark.parametrize("total", ["100.00", "55.00"])
def test_two_shops_of_one_name_are_told_and_stay_told(shop: Shop, twin: Shop, total: str) -> None:
    """With the same total the second one's sale counted as delivered; with another the quarantine forgot it."""
    shop.order(HUNDRED, id=77, date_paid_gmt="2026-11-24T10:00:00")
    shop.sync_sales()
    twin.order(order_line("A1", total), id=77, date_paid_gmt="2026-11-24T11:30:00")
    other = twin.order(order_line("B1", "7.00"), id=78)
    twin.sync_sales()
    assert [each["externalId"] for each in shop.booked()] == ["woo:shop:order:77", f"woo:shop:order:{other}"]
    for _ in range(3):
        result = twin.run("sales_to_solteq", run_config={"ops": {"woo_sales": {"config": {"changed_only": True}}}})
        (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "no_conflicts"]
        assert not check.passed
        ((key, code, reason),) = held(twin)
        assert (key, code) == ("order 77", "sale-conflict")
        assert "it was paid at 2026-11-24T10:00:00Z" in reason
    (finding,) = [each for each in examine(twin.settings) if each.check == "sales conflicts"]
    assert finding.level == "red"
    assert "order 77" in finding.words
    assert gross(twin) == 107


def test_a_conflict_that_was_solved_in_solteq_is_booked_when_it_is_tried_again(shop: Shop, twin: Shop) -> None:
    shop.order(HUNDRED, id=77, date_paid_gmt="2026-11-24T10:00:00")
    shop.sync_sales()
    twin.order(HUNDRED, id=77, date_paid_gmt="2026-11-24T11:30:00")
    twin.sync_sales()
    assert len(held(twin)) == 1
    twin.with_settings(shop="outlet")
    lose(twin)
    twin.sync_sales()
    assert held(twin) == []
    assert gross(twin) == 200


def test_another_total_of_the_same_order_is_held_while_the_ledger_knows_nothing(shop: Shop) -> None:
    """It may have been edited while the file was lost, or be another store's: nobody can tell, and nothing is lost."""
    order = shop.order(HUNDRED)
    shop.sync_sales()
    lose(shop)
    shop.edit_order(order, EIGHTY, date_paid_gmt=shop.booked()[0]["paidAt"].rstrip("Z"))
    shop.sync_sales()
    assert gross(shop) == 100
    assert [row[:2] for row in held(shop)] == [(f"order {order}", "sale-conflict")]
    shop.edit_order(order, HUNDRED, date_paid_gmt=shop.booked()[0]["paidAt"].rstrip("Z"))
    assert shop.run("reconcile_all").success
    assert held(shop) == []


def test_an_order_that_comes_with_another_time_of_making_is_another_order(shop: Shop) -> None:
    """A store that was installed again counts from where it counted before: never an edit."""
    order = shop.order(HUNDRED)
    shop.sync_sales()
    shop.edit_order(order, EIGHTY, date_created_gmt="2026-11-24T08:00:00")
    shop.order(order_line("B1", "5.00"))
    shop.sync_sales()
    assert gross(shop) == 105, "the other order is held, and the rest goes on"
    for _ in range(2):
        ((key, code, reason),) = held(shop)
        assert (key, code) == (f"order {order}", "order-replaced")
        assert "it was made at 2026-11-24 08:00:00Z" in reason
        shop.sync_sales()
    ((made,),) = shop.rows("SELECT created_at FROM snapshot.woo_sales WHERE id = ?", order)
    shop.edit_order(order, EIGHTY, date_created_gmt=made.isoformat())
    shop.sync_sales()
    assert held(shop) == []
    assert gross(shop) == 85


def test_the_orders_of_a_lost_file_are_not_shown_as_new(shop: Shop, solteq_woo: CommandLine) -> None:
    """The delta is what will be sent: nothing."""
    shop.order(HUNDRED)
    shop.sync_sales()
    lose(shop)
    result = solteq_woo("sync", "sales", "--dry-run")
    assert result.exit_code == 0, result.output
    assert f"woo:{shop.settings.shop}:order:" not in result.output


def test_an_order_that_is_edited_after_its_sale_left_without_an_answer_is_corrected(shop: Shop) -> None:
    """What arrived is what was sent from here, though the order is another one by now: no conflict."""
    order = shop.order(HUNDRED)
    shop.solteq.fault(method="POST", path="/sales", drop="after")
    shop.solteq.fault(method="GET", path="/sales", skip=1, times=None, status=503)
    shop.run("sales_to_solteq", run_config={"ops": {"woo_sales": {"config": {"changed_only": True}}}})
    assert shop.rows("SELECT state FROM sync.sales") == [("pending",)]
    shop.solteq.heal()
    shop.edit_order(order, EIGHTY)
    shop.sync_sales()
    assert held(shop) == []
    assert gross(shop) == 80


def test_a_sale_that_solteq_cannot_take_is_freed_by_an_edit_of_its_order(shop: Shop) -> None:
    """It left without an answer, and is not there: the order is booked as it is now."""
    order = shop.order(HUNDRED)
    shop.solteq.fault(method="POST", path="/sales", times=None, status=500)
    shop.run("sales_to_solteq", run_config={"ops": {"woo_sales": {"config": {"changed_only": True}}}})
    shop.solteq.heal()
    shop.edit_order(order, EIGHTY)
    shop.sync_sales()
    assert [each["totals"]["gross"] for each in shop.booked()] == [80]


def test_pieces_that_solteq_shows_are_not_subtracted_again_after_the_file_was_lost(shop: Shop) -> None:
    """They were booked some time before they were found: the balances that are read then show them."""
    shop.balance("A1", 10)
    shop.sync("products_to_woo", "balances_to_woo")
    shop.sync_sales()
    shop.order(order_line("A1", "30.00", 3))
    shop.sync_sales()
    lose(shop)
    shop.sync_sales()
    shop.sync("products_to_woo", "balances_to_woo")
    assert shop.store()["A1"].stock_quantity == 7
