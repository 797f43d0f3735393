"""Orders become documents that agree with the store to the cent; protects the retailer's books and VAT return."""

# ruff: noqa: DTZ001  naive UTC, as the database keeps it

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solteq_woo_assets.clients.woo_orders import OrderDocument, RefundDocument
from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.problems import PROBLEMS
from solteq_woo_assets.flows.sales.books import orders_by_day
from solteq_woo_assets.flows.sales.frames import order_of, sales_frames
from solteq_woo_assets.flows.sales.orders import Line, Order, ReceiptRules, StoreRefund, Tax, Unbookable
from solteq_woo_assets.flows.sales.receipts import Receipt, business_date
from solteq_woo_assets.flows.sales.remainders import in_proportion
from solteq_woo_assets.flows.sales.rules import (
    due_receipts,
    is_deleted_after_booking,
    is_sale,
    old_order_receipts,
    old_refunds_deleted,
    standing_receipts,
)
from solteq_woo_assets.flows.tables import state_database

SALES = "solteq_woo_assets.flows.sales"
HELSINKI = ZoneInfo("Europe/Helsinki")
RULES = ReceiptRules("shop", "verkko", HELSINKI, payment_types={"paytrail": "Card", "bacs": "Invoice"})
CENT = Decimal("0.01")
PAID = datetime(2026, 11, 23, 10, 0)
RATES = {1: Decimal("25.5"), 2: Decimal("13.5"), 3: Decimal(0)}


def line(number: int, gross: str, *, kind: str = "Product", rate: int = 1, quantity: str = "1", full: str = "") -> Line:
    """A line with this price, VAT included, as the store would split it."""
    parts = [_split(Decimal(amount), RATES[rate]) for amount in (full or gross, gross)]
    return Line(number, kind, f"Tuote {number}", f"T-{number}", Decimal(quantity), *parts[0], *parts[1], (rate,))


def _split(gross: Decimal, percent: Decimal) -> tuple[Decimal, Decimal]:
    vat = (gross * percent / (100 + percent)).quantize(CENT, ROUND_HALF_UP)
    return gross - vat, vat


def taxes_of(lines: Iterable[Line]) -> tuple[Tax, ...]:
    """What the store's tax lines say where it rounds by line."""
    totals: defaultdict[int, Decimal] = defaultdict(Decimal)
    for each in lines:
        for rate, tax in zip(each.rate_ids, each.rate_taxes or (each.total_tax,), strict=False):
            totals[rate] += tax
    return tuple(Tax(rate, RATES[rate], total) for rate, total in sorted(totals.items()))


def order(*lines: Line, **fields: Any) -> Order:
    """A paid order of these lines."""
    given: dict[str, Any] = {
        "id": 7,
        "number": "7",
        "status": "processing",
        "currency": "EUR",
        "created_at": PAID,
        "found_at": PAID,
        "paid_at": PAID,
        "completed_at": None,
        "total": sum((each.total + each.total_tax for each in lines), Decimal(0)),
        "payment_method": "paytrail",
        "payment_method_title": "Paytrail",
        "transaction_id": "tx-1",
        "lines": lines,
        "taxes": taxes_of(lines),
    }
    return Order(**given | fields)


def refund(number: int, amount: str, *lines: Line) -> StoreRefund:
    """A refund; its lines are given as ``back`` makes them."""
    return StoreRefund(number, PAID + timedelta(hours=number), Decimal(amount), lines)


def back(sold: Line, gross: str = "", quantity: str = "") -> Line:
    """The line of a refund that takes back a line, or a part of it."""
    amount = Decimal(gross) if gross else sold.total + sold.total_tax
    net, vat = _split(amount, RATES[sold.rate_ids[0]])
    if not gross:
        net, vat = sold.total, sold.total_tax
    pieces = Decimal(quantity) if quantity else sold.quantity
    amounts = (-pieces, -net, -vat, -net, -vat)
    return Line(900 + sold.id, sold.kind, sold.name, sold.sku, *amounts, sold.rate_ids, refunded_line=sold.id)


def booked_all(shown: Order, booked: Sequence[Receipt] = (), rules: ReceiptRules = RULES) -> list[Receipt]:
    """What Solteq has once all that is due was sent; and nothing is due then."""
    after = [*booked, *due_receipts(shown, booked, rules)]
    assert due_receipts(shown, after, rules) == []
    return after


def sums(receipts: Iterable[Receipt]) -> tuple[Decimal, dict[Decimal, Decimal]]:
    """What documents add up to: gross, and VAT by rate."""
    gross, vat = Decimal(0), defaultdict(Decimal)
    for receipt in receipts:
        for each in receipt.document["lines"]:
            gross += each["total"]
            vat[each["vatRate"]] += each["vatAmount"]
    return gross, {rate: amount for rate, amount in vat.items() if amount}


def assert_sound(receipt: Receipt) -> None:
    """The sums of the contract, and what a bookkeeper would check by eye."""
    document: Mapping[str, Any] = receipt.document
    lines, totals = document["lines"], document["totals"]
    assert totals["gross"] == sum(each["total"] for each in lines)
    assert totals["gross"] == sum((each["amount"] for each in document["payments"]), Decimal(0))
    assert totals["vat"] == sum(each["vatAmount"] for each in lines)
    assert totals["net"] == totals["gross"] - totals["vat"]
    assert totals["discount"] == sum(each["discount"] for each in lines)
    assert len({each["lineId"] for each in lines}) == len(lines)
    sign = 1 if receipt.type == "Sale" else -1
    for each in lines:
        assert each["quantity"] * sign > 0
        assert "restock" not in each or (receipt.type == "Refund" and each["kind"] == "Product")
        worth = each["quantity"] * each["unitPrice"] - each["discount"]
        assert abs(worth - each["total"]) <= Decimal("0.00005") * abs(each["quantity"])
        assert each["discount"] >= 0
        assert (-each["unitPrice"].as_tuple().exponent) <= 4  # type: ignore[operator]
        if receipt.type == "Refund" and each["total"] > 0:
            assert each["unitPrice"] < 0, "only a discount that is a line of its own comes back as money"


def test_the_real_orders_and_refunds_agree_to_the_cent_and_by_rate(shared: Path) -> None:
    """Each of the 80 recorded orders, through the tables of the database, as in a run."""
    counted = [0, 0]
    for name in ("orders_vat", "orders_vat_round_at_subtotal"):
        for each in json.loads((shared / "woo-recordings" / f"{name}.json").read_text(), parse_float=Decimal)["orders"]:
            document = OrderDocument.model_validate(each["order"])
            refunds = [RefundDocument.model_validate(one) for one in each["refunds"]]
            shown = through_the_tables(document, refunds)
            sale, *others = booked_all(shown)
            assert_sound(sale)
            assert sale.document["totals"]["gross"] == Decimal(each["order"]["total"])
            by_rate = {tax.percent: tax.total for tax in shown.taxes if tax.total}
            assert sums([sale])[1] == by_rate
            counted[0] += 1
            for refunded, one in zip(others, sorted(each["refunds"], key=lambda one: one["id"]), strict=True):
                assert_sound(refunded)
                assert refunded.document["totals"]["gross"] == -Decimal(one["amount"])
                assert refunded.document["refersTo"] == sale.external_id
                stored = sum((Decimal(tax["tax_total"]) for tax in one["tax_lines"]), Decimal(0))
                if one["line_items"]:
                    assert refunded.document["totals"]["vat"] == stored
                counted[1] += 1
            assert_never_more_than_sold([sale, *others])
    assert counted == [80, 49]


def through_the_tables(document: OrderDocument, refunds: Sequence[RefundDocument]) -> Order:
    refunds = [refund.model_copy(update={"parent_id": document.id}) for refund in refunds]
    frames = sales_frames([document], refunds, HELSINKI)
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA snapshot")
        for table, frame in frames.items():
            connection.register("frame", frame)
            connection.execute(f"CREATE TABLE snapshot.{table} AS FROM frame")
        connection.execute("CREATE TEMP TABLE chosen AS SELECT *, modified_at AS read_at FROM snapshot.woo_sales")
        (row,) = connection.sql(sql.query(SALES, "orders")).pl().to_dicts()
    return order_of(row)


def assert_never_more_than_sold(receipts: Sequence[Receipt]) -> None:
    """Of each version, what is refunded is at most what was sold: in all, and by rate, money and VAT."""
    for version in {receipt.version for receipt in receipts}:
        of_version = [receipt for receipt in receipts if receipt.version == version]
        (sale,) = (receipt for receipt in of_version if receipt.type == "Sale")
        left: defaultdict[Decimal, Decimal] = defaultdict(Decimal)
        pieces: defaultdict[str, Decimal] = defaultdict(Decimal)
        for each in sale.document["lines"]:
            left[each["vatRate"]] += each["total"]
            pieces[each["lineId"]] += each["quantity"]
        for receipt in of_version:
            if receipt.type == "Refund":
                assert receipt.document["totals"]["gross"] <= 0
                for each in receipt.document["lines"]:
                    left[each["vatRate"]] += each["total"]
                    if each["kind"] == "Product":
                        pieces[each["lineId"]] += each["quantity"]
        assert sum(left.values()) >= 0
        if all(each["total"] >= 0 for each in sale.document["lines"]):
            assert all(amount >= 0 for amount in left.values())
        assert all(count >= 0 for count in pieces.values())


def test_a_sale_says_what_the_contract_asks() -> None:
    shirt, posti = line(1, "39.80", quantity="2", full="49.80"), line(2, "4.90", kind="Shipping")
    (sale,) = due_receipts(order(shirt, posti), [], RULES)
    assert sale.document == {
        "externalId": "woo:shop:order:7",
        "type": "Sale",
        "orderNumber": "7",
        "businessDate": "2026-11-23",
        "paidAt": "2026-11-23T10:00:00Z",
        "storeId": "verkko",
        "currency": "EUR",
        "pricesIncludeVat": True,
        "lines": [
            {
                "lineId": "1",
                "kind": "Product",
                "productCode": "T-1",
                "name": "Tuote 1",
                "quantity": Decimal(2),
                "unitPrice": Decimal("24.9"),
                "discount": Decimal("10.00"),
                "vatRate": Decimal("25.5"),
                "vatAmount": Decimal("8.09"),
                "total": Decimal("39.80"),
            },
            {
                "lineId": "2",
                "kind": "Shipping",
                "name": "Tuote 2",
                "quantity": Decimal(1),
                "unitPrice": Decimal("4.9"),
                "discount": Decimal("0.00"),
                "vatRate": Decimal("25.5"),
                "vatAmount": Decimal("1.00"),
                "total": Decimal("4.90"),
            },
        ],
        "payments": [{"type": "Card", "amount": Decimal("44.70"), "reference": "tx-1"}],
        "totals": {
            "gross": Decimal("44.70"),
            "net": Decimal("35.61"),
            "vat": Decimal("9.09"),
            "discount": Decimal("10.00"),
        },
    }


@pytest.mark.parametrize(
    ("paid_at", "end", "expected"),
    [
        (datetime(2026, 9, 7, 0, 59), time(4), date(2026, 9, 6)),  # 03:59 in Helsinki, of the day before
        (datetime(2026, 9, 7, 1, 0), time(4), date(2026, 9, 7)),
        (datetime(2026, 9, 6, 21, 0), time(0), date(2026, 9, 7)),  # midnight in Helsinki
        (datetime(2026, 9, 6, 20, 59), time(0), date(2026, 9, 6)),
        (datetime(2026, 10, 25, 1, 59), time(4), date(2026, 10, 24)),  # the night that has an hour twice
        (datetime(2026, 10, 25, 2, 0), time(4), date(2026, 10, 25)),
        (datetime(2026, 3, 29, 0, 59), time(4), date(2026, 3, 28)),  # the night that lacks one
        (datetime(2026, 3, 29, 1, 0), time(4), date(2026, 3, 29)),
    ],
)
def test_the_business_day_ends_when_the_shop_says(paid_at: datetime, end: time, expected: date) -> None:
    assert business_date(paid_at, HELSINKI, end) == expected


@pytest.mark.parametrize("status", ["pending", "on-hold", "draft", "failed", "cancelled", "checkout-draft", "own"])
def test_what_is_not_paid_is_not_booked(status: str) -> None:
    assert due_receipts(order(line(1, "10.00"), status=status), [], RULES) == []


def test_which_statuses_are_sales_is_a_setting() -> None:
    rules = replace(RULES, sale_statuses=["shipped"])
    assert due_receipts(order(line(1, "10.00")), [], rules) == []
    assert len(due_receipts(order(line(1, "10.00"), status="shipped"), [], rules)) == 1


def test_an_order_refunded_in_full_before_we_saw_it_is_a_sale_and_a_refund() -> None:
    shirt = line(1, "10.00")
    shown = order(shirt, status="refunded", refunds=(refund(8, "10.00", back(shirt)),))
    sale, refunded = booked_all(shown)
    assert (sale.external_id, refunded.external_id) == ("woo:shop:order:7", "woo:shop:refund:8")
    assert sums([sale, refunded]) == (0, {})


def test_an_unknown_payment_method_goes_by_its_name() -> None:
    (sale,) = due_receipts(order(line(1, "10.00"), payment_method="mystery", payment_method_title="Outo"), [], RULES)
    assert sale.document["payments"] == [{"type": "Other", "amount": Decimal("10.00"), "reference": "Outo"}]


def test_a_product_that_solteq_lacks_goes_by_its_name_and_is_reported() -> None:
    (sale,) = due_receipts(order(line(1, "10.00")), [], replace(RULES, code_of=lambda sku: None))
    assert "productCode" not in sale.document["lines"][0]
    assert sale.document["lines"][0]["name"] == "Tuote 1"
    assert sale.notes == ("line 1: SKU T-1 is not in Solteq, so it is sent by its name",)


def test_an_order_that_costs_nothing_is_booked_for_its_pieces() -> None:
    (sale,) = due_receipts(order(line(1, "0.00", full="10.00")), [], RULES)
    assert_sound(sale)
    assert (sale.document["payments"], sale.document["totals"]["discount"]) == ([], Decimal("10.00"))


def test_rounding_is_carried_and_noted() -> None:
    """As on a store that rounds at subtotal level: VAT by rate is the tax line's, the total is the order's."""
    lines = (line(1, "10.00"), line(2, "10.00", rate=2), line(3, "5.00", rate=2))
    taxes = taxes_of(lines)
    shown = order(*lines, taxes=(taxes[0], replace(taxes[1], total=taxes[1].total + CENT)), total=Decimal("25.01"))
    (sale,) = due_receipts(shown, [], RULES)
    assert_sound(sale)
    assert sums([sale]) == (Decimal("25.01"), {tax.percent: tax.total for tax in shown.taxes})
    assert [each["total"] for each in sale.document["lines"]] == [Decimal("10.01"), Decimal("10.00"), Decimal("5.00")]
    assert sale.notes == (
        "0.01 of rounded VAT of 13.5 % is carried on a line",
        "0.01 of rounding is carried on the last line of 25.5 %",
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": "SEK"}, "currency"),
        ({"total": Decimal("99.00")}, "total"),
        ({"taxes": (Tax(1, Decimal("25.5"), Decimal("9.00")),)}, "tax_lines"),
        ({"taxes": ()}, "line 1"),
    ],
)
def test_what_makes_no_sound_document_is_held_back(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Unbookable) as raised:
        due_receipts(order(line(1, "10.00"), **changes), [], RULES)
    assert raised.value.field == field
    assert raised.value.code in PROBLEMS


def test_a_refund_by_line_and_one_by_amount() -> None:
    shirt, book = line(1, "30.00", quantity="3"), line(2, "10.00", rate=2)
    shown = order(shirt, book, refunds=(refund(8, "10.00", back(shirt, "10.00", "1")), refund(9, "6.00")))
    sale, by_line, by_amount = booked_all(shown)
    assert [(each["lineId"], each["quantity"], each["total"]) for each in by_line.document["lines"]] == [
        ("1", Decimal(-1), Decimal("-10.00"))
    ]
    assert by_line.document["lines"][0]["productCode"] == "T-1"
    assert [(each["kind"], each["vatRate"], each["total"]) for each in by_amount.document["lines"]] == [
        ("Fee", Decimal("13.5"), Decimal("-2.00")),
        ("Fee", Decimal("25.5"), Decimal("-4.00")),
    ]
    for receipt in (sale, by_line, by_amount):
        assert_sound(receipt)


def test_money_off_a_product_brings_no_piece_back() -> None:
    shirt = line(1, "30.00")
    shown = order(shirt, refunds=(refund(8, "5.00", back(shirt, "5.00", "0")),))
    _, refunded = booked_all(shown)
    (only,) = refunded.document["lines"]
    assert (only["kind"], only["total"], "productCode" in only) == ("Fee", Decimal("-5.00"), False)


def test_refunds_beyond_what_was_sold_are_cut_and_noted() -> None:
    shirt = line(1, "30.00")
    shown = order(shirt, refunds=(refund(8, "25.00"), refund(9, "30.00", back(shirt))))
    sale, first, second = booked_all(shown)
    assert sums([sale, first, second])[0] == 0
    assert second.notes == ("the store refunded 30.00, of which 5.00 was left of the sale",)


def test_an_edited_order_is_reversed_and_booked_anew() -> None:
    before = booked_all(order(line(1, "30.00", quantity="3")))
    after = booked_all(order(line(1, "20.00", quantity="2")), before)
    assert [receipt.external_id for receipt in after] == [
        "woo:shop:order:7",
        "woo:shop:order:7:reversal:1",
        "woo:shop:order:7:version:2",
    ]
    assert sums(after)[0] == Decimal("20.00")
    assert after[1].document["refersTo"] == "woo:shop:order:7"


def test_an_edit_after_a_refund_books_the_refund_again_with_the_new_sale() -> None:
    shirt = line(1, "30.00", quantity="3")
    shown = order(shirt, refunds=(refund(8, "10.00", back(shirt, "10.00", "1")),))
    edited = replace(shown, lines=(line(1, "27.00", quantity="3"),), total=Decimal("27.00"))
    edited = replace(edited, taxes=taxes_of(edited.lines))
    after = booked_all(edited, booked_all(shown))
    assert [receipt.external_id for receipt in after][2:] == [
        "woo:shop:order:7:reversal:1",
        "woo:shop:order:7:version:2",
        "woo:shop:refund:8:version:2",
    ]
    assert sums(after)[0] == Decimal("17.00")
    assert_never_more_than_sold(after)


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_cancelled_sale_is_reversed_once(status: str) -> None:
    shirt = line(1, "30.00", quantity="3")
    shown = order(shirt, refunds=(refund(8, "10.00"),))
    after = booked_all(replace(shown, status=status), booked_all(shown))
    assert sums(after) == (0, {})
    assert (
        sum(each["quantity"] for receipt in after for each in receipt.document["lines"] if each["lineId"] == "1") == 0
    )
    again = booked_all(shown, after)
    assert sums(again)[0] == Decimal("20.00")
    assert again[-2].external_id == "woo:shop:order:7:version:2"


@pytest.mark.parametrize("status", ["pending", "on-hold", "processing", "completed", "shipped", "refunded", "draft"])
@pytest.mark.parametrize("paid_at", [PAID, None], ids=["paid", "cash on delivery"])
def test_what_is_booked_is_a_sale_until_its_documents_say_otherwise(status: str, paid_at: datetime | None) -> None:
    """Cash on delivery has no time of payment until it is completed: its refund was never booked."""
    shirt = line(1, "30.00", quantity="3")
    shown = order(shirt, paid_at=paid_at)
    booked = booked_all(shown)
    assert due_receipts(replace(shown, status=status), booked, RULES) == []
    part = replace(shown, status=status, refunds=(refund(8, "10.00", back(shirt, "10.00", "1")),))
    booked = booked_all(part, booked)
    assert sums(booked)[0] == Decimal("20.00")
    edited = replace(part, lines=(line(1, "27.00", quantity="3"),), total=Decimal("27.00"))
    edited = replace(edited, taxes=taxes_of(edited.lines))
    assert sums(booked_all(edited, booked))[0] == Decimal("17.00")
    whole = replace(part, refunds=(*part.refunds, refund(9, "20.00")))
    assert sums(booked_all(whole, booked)) == (0, {})


def test_an_order_that_was_never_a_sale_and_is_refunded_is_none() -> None:
    """Somebody refunds an order that nobody paid; the store takes that."""
    shown = order(line(1, "10.00"), status="refunded", paid_at=None, refunds=(refund(8, "10.00"),))
    assert due_receipts(shown, [], RULES) == []


@pytest.mark.parametrize("kind", ["Fee", "Shipping", "Product"])
@pytest.mark.parametrize("then", ["cancelled", "edited"])
def test_what_was_refunded_in_parts_is_reversed_with_quantities_of_the_right_sign(kind: str, then: str) -> None:
    """Two refunds of a fee took it back twice: its reversal had a quantity above 0, and was refused for ever."""
    sold, other = line(1, "10.00", kind=kind), line(2, "5.00")
    parts = [refund(number, "3.00", back(sold, "3.00", "1" if kind != "Product" else "0")) for number in (8, 9)]
    shown = order(sold, other, refunds=tuple(parts))
    booked = booked_all(shown)
    if then == "cancelled":
        after = booked_all(replace(shown, status="cancelled"), booked)
    else:
        changed = (line(1, "10.00", kind=kind), line(2, "6.00"))
        after = booked_all(replace(shown, lines=changed, taxes=taxes_of(changed), total=Decimal("16.00")), booked)
    for receipt in after:
        assert_sound(receipt)
    assert sums(after)[0] == (0 if then == "cancelled" else 10)


@pytest.mark.parametrize("gone", ["binned", "deleted"])
def test_a_deleted_order_is_reported_until_somebody_decides(gone: str) -> None:
    booked = booked_all(order(line(1, "30.00")))
    shown = order(line(1, "30.00"), gone=gone)
    assert due_receipts(shown, booked, RULES) == []
    assert is_deleted_after_booking(shown, booked)
    after = booked_all(shown, booked, replace(RULES, deleted_orders="reverse"))
    assert sums(after)[0] == 0
    assert not is_deleted_after_booking(shown, after)


def test_a_new_sku_name_or_setting_changes_nothing_that_is_booked() -> None:
    """The store shows the SKUs of today: a renamed product must not reverse its old sales."""
    booked = booked_all(order(line(1, "30.00")))
    shown = order(replace(line(1, "30.00"), sku="", name="Uusi nimi"), payment_method="bacs", found_at=PAID)
    assert due_receipts(shown, booked, replace(RULES, payment_types={}, end_of_business_day=time(4))) == []


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=8), st.integers(0, 900_000))
def test_shares_add_up_and_exceed_nothing(weights: list[int], amount: int) -> None:
    of = [weight * CENT for weight in weights]
    due = min(amount * CENT, sum(of, Decimal(0)))
    shares = in_proportion(due, of)
    assert sum(shares) == due
    assert all(0 <= share <= weight for share, weight in zip(shares, of, strict=True))


CORRECTED = datetime(2026, 12, 3, 8, 0)  # in another month


def test_both_documents_of_a_correction_carry_its_date_and_no_closed_month_changes() -> None:
    shirt = line(1, "30.00", quantity="3")
    shown = order(shirt, refunds=(refund(8, "10.00", back(shirt, "10.00", "1")),))
    booked = booked_all(shown)
    edited = replace(shown, lines=(line(1, "27.00", quantity="3"),), total=Decimal("27.00"), found_at=CORRECTED)
    edited = replace(edited, taxes=taxes_of(edited.lines))
    after = booked_all(edited, booked)
    assert {receipt.document["businessDate"] for receipt in booked} == {"2026-11-23"}
    assert {receipt.document["businessDate"] for receipt in after[2:]} == {"2026-12-03"}
    assert [receipt.document["paidAt"] for receipt in after[2:]] == [
        "2026-12-03T08:00:00Z",
        "2026-11-23T10:00:00Z",
        "2026-11-23T18:00:00Z",
    ]
    late = replace(edited, refunds=(*edited.refunds, refund(9, "1.00")))
    assert booked_all(late, after)[-1].document["businessDate"] == "2026-12-03", "not before the sale that it is of"
    cancelled = replace(shown, status="cancelled", found_at=CORRECTED)
    assert booked_all(cancelled, booked)[-1].document["businessDate"] == "2026-12-03"
    ended = booked_all(cancelled, booked)
    again = booked_all(replace(shown, found_at=CORRECTED), ended)
    assert {receipt.document["businessDate"] for receipt in again[len(ended) :]} == {"2026-12-03"}


def stocked(sold: Line, *, held: str, back_on_shelf: str) -> Line:
    """What the store remembers of the line's pieces."""
    return replace(sold, reduced_stock=Decimal(held), restocked=Decimal(back_on_shelf))


def restocks(receipts: Iterable[Receipt]) -> list[Any]:
    return [each.get("restock") for receipt in receipts for each in receipt.document["lines"]]


def test_a_refund_says_whether_its_pieces_went_back_on_the_shelf() -> None:
    """As the store was recorded: one piece back, one not, and then one by default (order 4 of orders_lifecycle)."""
    shirt = stocked(line(1, "30.00", quantity="5"), held="4", back_on_shelf="1")
    refunds = [refund(number, "6.00", back(shirt, "6.00", "1")) for number in (8, 9, 10)]
    first = booked_all(order(shirt, refunds=tuple(refunds[:1])))
    shirt = stocked(shirt, held="4", back_on_shelf="1")
    second = booked_all(order(shirt, refunds=tuple(refunds[:2])), first)
    shirt = stocked(shirt, held="3", back_on_shelf="2")
    third = booked_all(order(shirt, refunds=tuple(refunds)), second)
    assert restocks(third) == [None, True, False, True]
    together = booked_all(order(shirt, refunds=tuple(refunds)))
    assert sum(each is True for each in restocks(together)) == 2, "which of them cannot be told"
    unmanaged = stocked(shirt, held="0", back_on_shelf="0")
    assert restocks(booked_all(order(unmanaged, refunds=tuple(refunds)))) == [None] * 4
    by_amount = booked_all(order(stocked(shirt, held="5", back_on_shelf="0"), refunds=(refund(8, "30.00"),)))
    assert restocks(by_amount) == [None, None], "no piece came back"


def test_pieces_that_went_back_or_not_are_told_once_of_an_order_that_is_edited() -> None:
    """The stock in Solteq: what was sold, less what came back, whatever the order went through."""
    shirt = stocked(line(1, "30.00", quantity="3"), held="3", back_on_shelf="0")
    shown = order(shirt, refunds=(refund(8, "10.00", back(shirt, "10.00", "1")),))
    booked = booked_all(shown)
    edited = replace(shown, lines=(replace(shirt, total=shirt.total + 1),), total=shown.total + 1)
    after = booked_all(edited, booked)
    moved = sum(
        each["quantity"]
        for receipt in after
        for each in receipt.document["lines"]
        if each["kind"] == "Product" and each.get("restock") is not False
    )
    assert moved == 3
    cancelled = booked_all(replace(shown, status="cancelled"), booked)
    assert restocks(cancelled[-1:]) == [True]


def fee(number: int, net: str, vat: Mapping[int, str], name: str = "Gift card") -> Line:
    """A negative fee as the store spreads it over the rates."""
    taxes = {rate: Decimal(tax) for rate, tax in vat.items()}
    amounts = (Decimal(net), sum(taxes.values(), Decimal(0)))
    return Line(number, "Fee", name, "", Decimal(1), *amounts, *amounts, tuple(taxes), None, tuple(taxes.values()))


def gift_card_order(**fields: Any) -> Order:
    """Order 16 of meta_payment: 62.30 of goods at two rates, 24.58 of it by gift card."""
    pot, bread = line(5, "49.80", quantity="2"), line(6, "12.50", rate=2)
    taxes = (Tax(1, RATES[1], Decimal("6.13")), Tax(2, RATES[2], Decimal("0.90")))
    lines = (pot, bread, fee(7, "-20.00", {1: "-3.99", 2: "-0.59"}))
    return order(*lines, **{"taxes": taxes, "total": Decimal("37.72"), **fields})


AS_PAYMENT = replace(RULES, payment_fees={"gift CARD": "GiftCard"})


def test_a_negative_fee_is_split_over_the_rates_as_the_store_spread_it() -> None:
    (sale,) = due_receipts(gift_card_order(), [], RULES)
    assert_sound(sale)
    assert [(each["lineId"], each["vatRate"], each["vatAmount"], each["total"]) for each in sale.document["lines"]][
        2:
    ] == [
        ("7-25.5", Decimal("25.5"), Decimal("-3.99"), Decimal("-19.65")),
        ("7-13.5", Decimal("13.5"), Decimal("-0.59"), Decimal("-4.93")),
    ]
    assert sums([sale]) == (Decimal("37.72"), {Decimal("25.5"): Decimal("6.13"), Decimal("13.5"): Decimal("0.90")})
    assert sale.document["payments"] == [{"type": "Card", "amount": Decimal("37.72"), "reference": "tx-1"}]


def test_a_gift_card_that_pays_it_all_leaves_nothing_at_any_rate() -> None:
    given = gift_card_order()
    whole = fee(7, "-50.69", {1: "-10.12", 2: "-1.49"})
    zero = replace(given, lines=(*given.lines[:2], whole), taxes=taxes_of_zero(given), total=Decimal(0))
    (sale,) = due_receipts(zero, [], RULES)
    by_rate: defaultdict[Decimal, Decimal] = defaultdict(Decimal)
    for each in sale.document["lines"]:
        by_rate[each["vatRate"]] += each["total"]
    assert set(by_rate.values()) == {0}
    paid = booked_all(zero, rules=AS_PAYMENT)
    assert paid[0].document["payments"] == [{"type": "GiftCard", "amount": Decimal("62.30"), "reference": "Gift card"}]
    assert sums(booked_all(replace(zero, status="refunded"), paid, AS_PAYMENT)) == (0, {}), "the store makes no refund"


def taxes_of_zero(shown: Order) -> tuple[Tax, ...]:
    return tuple(replace(tax, total=Decimal(0)) for tax in shown.taxes)


def test_a_fee_over_goods_without_vat_has_a_part_without_vat() -> None:
    """The store gives that part no rate at all: 10.00 of 30.00 is at 25.5, the rest has no VAT."""
    goods = (line(1, "12.55"), line(2, "20.00", rate=3))
    goods = (goods[0], replace(goods[1], rate_ids=()))
    off = fee(3, "-9.00", {1: "-0.77"}, "Alennus")
    tax = (Tax(1, RATES[1], Decimal("1.78")),)
    (sale,) = due_receipts(order(*goods, off, taxes=tax, total=Decimal("22.78")), [], RULES)
    assert_sound(sale)
    assert [(each["vatRate"], each["total"]) for each in sale.document["lines"]][2:] == [
        (Decimal("25.5"), Decimal("-3.77")),
        (Decimal(0), Decimal("-6.00")),
    ]


def test_taxes_that_lie_on_top_of_each_other_are_held_back() -> None:
    """Two taxes of the whole amount, as some countries have: no line of Solteq's can say that."""
    both = fee(2, "-10.00", {1: "-2.55", 2: "-1.35"}, "Alennus")
    goods = (line(1, "125.50"), line(3, "113.50", rate=2))
    taxes = (Tax(1, RATES[1], Decimal("22.95")), Tax(2, RATES[2], Decimal("12.15")))
    with pytest.raises(Unbookable, match="several rates"):
        due_receipts(order(*goods, both, taxes=taxes, total=Decimal("225.10")), [], RULES)


def test_a_fee_that_is_a_means_of_payment_pays() -> None:
    """VAT is that of the goods, before the negative VAT that the store gave the fee."""
    shown = gift_card_order()
    (sale,) = due_receipts(shown, [], AS_PAYMENT)
    assert_sound(sale)
    assert sums([sale]) == (Decimal("62.30"), {Decimal("25.5"): Decimal("10.12"), Decimal("13.5"): Decimal("1.49")})
    assert sale.document["payments"] == [
        {"type": "Card", "amount": Decimal("37.72"), "reference": "tx-1"},
        {"type": "GiftCard", "amount": Decimal("24.58"), "reference": "Gift card"},
    ]
    assert due_receipts(shown, [sale], RULES) == [], "another setting changes nothing that is booked"
    assert sums(standing_receipts(shown, booked_all(shown), AS_PAYMENT))[0] == Decimal("37.72"), "as it was booked"


def paid_back(receipts: Iterable[Receipt]) -> dict[str, Decimal]:
    """What is left of each type of payment."""
    left: defaultdict[str, Decimal] = defaultdict(Decimal)
    for receipt in receipts:
        for each in receipt.document["payments"]:
            left[each["type"]] += each["amount"]
    return dict(left)


@pytest.mark.parametrize(
    ("refunds", "left"),
    [
        ((refund(8, "12.50", back(gift_card_order().lines[1])),), {"Card": "25.22", "GiftCard": "24.58"}),
        ((refund(8, "37.72", *map(back, gift_card_order().lines)),), {"Card": "0", "GiftCard": "0"}),
        ((refund(8, "37.72"),), {"Card": "0", "GiftCard": "0"}),
        ((refund(8, "7.72"),), {"Card": "30.00", "GiftCard": "24.58"}),
        ((refund(8, "7.72"), refund(9, "30.00")), {"Card": "0", "GiftCard": "0"}),
    ],
    ids=["a line", "all lines and the fee", "all of it by amount", "an amount", "the rest by amount"],
)
def test_refunds_give_back_to_what_paid(refunds: tuple[StoreRefund, ...], left: dict[str, str]) -> None:
    after = booked_all(gift_card_order(refunds=refunds), rules=AS_PAYMENT)
    for receipt in after:
        assert_sound(receipt)
    assert paid_back(after) == {kind: Decimal(amount) for kind, amount in left.items()}
    cancelled = booked_all(gift_card_order(refunds=refunds, status="cancelled"), after, AS_PAYMENT)
    assert set(paid_back(cancelled).values()) == {0}
    assert sums(cancelled) == (0, {})


META = replace(RULES, payment_meta={"_gift": "GiftCard"})


@pytest.mark.parametrize(
    "value", [20, "20.00", Decimal("20.0"), {"LAHJA-1234": 20}, [{"code": "A", "amount": "20.00"}]]
)
@pytest.mark.parametrize(("total", "by_card"), [("62.30", "42.30"), ("42.30", "42.30")], ids=["left in", "taken off"])
def test_a_gift_card_in_meta_pays_whether_the_total_has_it_or_not(value: Any, total: str, by_card: str) -> None:
    given = order(*gift_card_order().lines[:2], total=Decimal(total), payment_meta={"_gift": value})
    after = booked_all(given, rules=META)
    assert_sound(after[0])
    assert sums(after)[0] == Decimal("62.30")
    assert paid_back(after) == {"Card": Decimal(by_card), "GiftCard": Decimal(20)}
    whole = replace(given, status="refunded", refunds=(refund(8, total),))
    assert sums(booked_all(whole, after, META)) == (0, {})


@pytest.mark.parametrize(
    ("value", "total", "field"),
    [
        ("twenty", "62.30", "meta _gift"),
        ('a:1:{s:5:"LAHJA";d:20;}', "62.30", "meta _gift"),
        ([{"code": "A"}], "62.30", "meta _gift"),
        ("-5", "62.30", "meta _gift"),
        ("1e99", "62.30", "meta _gift"),
        ("20", "50.00", "total"),
        ("70", "62.30", "total"),
    ],
)
def test_a_gift_card_in_meta_that_does_not_agree_is_held_back_in_words(value: Any, total: str, field: str) -> None:
    given = order(*gift_card_order().lines[:2], total=Decimal(total), payment_meta={"_gift": value})
    with pytest.raises(Unbookable) as raised:
        due_receipts(given, [], META)
    assert (raised.value.field, raised.value.code) == (field, "payment-unclear")
    without = replace(given, payment_meta={}, total=Decimal("62.30"))
    assert paid_back(due_receipts(without, [], META)) == {"Card": Decimal("62.30")}


OLD_DAY = datetime(2026, 11, 24, 0, 0)  # the first day begins after the order was paid


def test_refunds_of_an_order_that_others_booked_are_documents_that_name_its_number() -> None:
    shirt = line(1, "30.00", quantity="3")
    early = StoreRefund(8, PAID, Decimal("10.00"), (back(shirt, "10.00", "1"),))
    late = StoreRefund(9, OLD_DAY, Decimal("5.00"))
    shown = order(shirt, refunds=(early, late))
    (receipt,) = old_order_receipts(shown, [], RULES, OLD_DAY)
    assert_sound(receipt)
    assert (receipt.external_id, receipt.version) == ("woo:shop:refund:9", 0)
    assert ("refersTo" in receipt.document, receipt.document["orderNumber"]) == (False, "7")
    assert old_order_receipts(shown, [receipt], RULES, OLD_DAY) == []
    ended = old_order_receipts(replace(shown, status="cancelled"), [receipt], RULES, OLD_DAY)
    assert [(each.external_id, each.document["totals"]["gross"]) for each in ended] == [
        ("woo:shop:order:7:reversal:0", Decimal("-15.00"))
    ]
    again = booked_all(shown, [receipt, *ended])
    assert sums(again)[0] == -20 + 15, "with the 20.00 that others have booked it is what the store has"


def test_an_old_order_that_was_never_paid_or_is_gone_has_nothing_due() -> None:
    refunds = (StoreRefund(9, OLD_DAY, Decimal("5.00")),)
    for fields in ({"paid_at": None}, {"paid_at": None, "status": "cancelled"}, {"gone": "binned"}):
        shown = order(line(1, "30.00"), refunds=refunds, **fields)
        assert old_order_receipts(shown, [], RULES, OLD_DAY) == []


def test_an_old_order_whose_day_is_backfilled_keeps_its_refunds() -> None:
    shown = order(line(1, "30.00"), refunds=(StoreRefund(9, OLD_DAY, Decimal("5.00")),))
    booked = old_order_receipts(shown, [], RULES, OLD_DAY)
    assert sums(booked_all(shown, booked))[0] == 25


_cents = st.integers(0, 50_000).map(lambda cents: cents * CENT)


@st.composite
def random_lines(draw: st.DrawFn, most: int) -> tuple[Line, ...]:
    """Lines of an order: any VAT, coupons, prices entered with or without VAT, discounts that are fees."""
    lines = []
    for number in range(1, draw(st.integers(1, most)) + 1):
        rate = draw(st.sampled_from(list(RATES)))
        kind = draw(st.sampled_from(["Product", "Product", "Product", "Shipping", "Fee"]))
        quantity = Decimal(draw(st.integers(1, 9))) if kind == "Product" else Decimal(1)
        net, off = draw(_cents), draw(st.sampled_from([0, 0, 10, 100]))
        if draw(st.booleans()):  # entered with VAT
            net -= (net * RATES[rate] / (100 + RATES[rate])).quantize(CENT, ROUND_HALF_UP)
        paid = (net * (100 - off) / 100).quantize(CENT, ROUND_HALF_UP)
        tax, paid_tax = ((each * RATES[rate] / 100).quantize(CENT, ROUND_HALF_UP) for each in (net, paid))
        lines.append(Line(number, kind, f"R{number}", f"T-{number}", quantity, net, tax, paid, paid_tax, (rate,)))
    total = sum((each.total + each.total_tax for each in lines), Decimal(0))
    if total > 1 and draw(st.booleans()):  # a discount given as a fee
        gross = -min(total - 1, Decimal(draw(st.integers(1, 500))) * CENT)
        lines.append(line(len(lines) + 1, str(gross), kind="Fee", rate=draw(st.sampled_from([1, 2]))))
    elif total > 1 and draw(st.booleans()):
        lines.append(spread_fee(lines, len(lines) + 1, Decimal(draw(st.integers(1, 100))) / 100))
    return tuple(lines)


def spread_fee(lines: Sequence[Line], number: int, part: Decimal) -> Line:
    """A negative fee as the store makes it: so much of the goods, at their rates in proportion."""
    costs: defaultdict[int, Decimal] = defaultdict(Decimal)
    for each in lines:
        costs[each.rate_ids[0]] += each.total
    net = (sum(costs.values(), Decimal(0)) * part).quantize(CENT)
    shares = {rate: net * cost / (sum(costs.values(), Decimal(0)) or 1) for rate, cost in costs.items()}
    taxes = {rate: str((-share * RATES[rate] / 100).quantize(CENT, ROUND_HALF_UP)) for rate, share in shares.items()}
    return fee(number, str(-net), taxes)


@st.composite
def random_orders(draw: st.DrawFn, most: int = 12) -> Order:
    """A paid order, rounded by line or at its subtotal as stores do."""
    lines = draw(random_lines(most))
    taxes = taxes_of(lines)
    total = sum((each.total for each in lines), Decimal(0))
    if draw(st.booleans()):
        off = [CENT * draw(st.integers(-1, 1)) for _ in taxes]
        taxes = tuple(
            replace(tax, total=tax.total + cent) if tax.total > CENT else tax
            for tax, cent in zip(taxes, off, strict=True)
        )
    total += sum((tax.total for tax in taxes), Decimal(0))
    return order(*lines, taxes=taxes, total=max(total, Decimal(0)))


@st.composite
def refunded_more(draw: st.DrawFn, shown: Order, number: int) -> Order:
    """The order with one more refund, as WooCommerce allows it: never more in all than its total."""
    left = shown.total - sum((each.amount for each in shown.refunds), Decimal(0))
    if left <= 0:
        return shown
    if draw(st.booleans()):
        amount = draw(st.sampled_from([left, (left / 3).quantize(CENT), CENT]))
        return replace(shown, refunds=(*shown.refunds, StoreRefund(number, PAID, min(max(amount, CENT), left))))
    chosen = draw(st.lists(st.sampled_from(shown.lines), min_size=1, max_size=3, unique_by=lambda each: each.id))
    taken = []
    for sold in chosen:
        pieces = Decimal(draw(st.integers(0, int(sold.quantity))))
        part = back(sold) if draw(st.booleans()) else back(sold, str((sold.total / 2).quantize(CENT)), str(pieces))
        taken.append(part)
    gross = -sum((each.total + each.total_tax for each in taken), Decimal(0))
    amount = min(max(gross, Decimal(0)), left)
    return replace(shown, refunds=(*shown.refunds, StoreRefund(number, PAID, amount, tuple(taken))))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_happens_to_an_order_the_books_agree_with_the_store(data: st.DataObject) -> None:
    """Refunds in any order, edits, cancellations, deleted refunds, the bin and back, with bookings in between."""
    shown = data.draw(random_orders())
    booked: list[Receipt] = []
    for number in range(data.draw(st.integers(1, 7))):
        match data.draw(st.sampled_from(["book", "refund", "refund", "edit", "cancel", "pay", "unrefund"])):
            case "refund":
                shown = data.draw(refunded_more(shown, 100 + number))
            case "edit":
                other = data.draw(random_orders())
                shown = replace(shown, lines=other.lines, taxes=other.taxes, total=other.total, refunds=())
            case "cancel":
                shown = replace(shown, status="cancelled")
            case "pay":
                shown = replace(shown, status="processing")
            case "unrefund":
                shown = replace(shown, refunds=shown.refunds[1:])
            case _:
                pass
        booked = booked_all(shown, booked)
        for receipt in booked:
            assert_sound(receipt)
        assert_never_more_than_sold(booked)
        assert len({receipt.external_id for receipt in booked}) == len(booked)
        refunded = sum((each.amount for each in shown.refunds), Decimal(0))
        due = shown.total - refunded if shown.status == "processing" else Decimal(0)
        assert sums(booked)[0] == due
        if not due and shown.total:
            assert sums(booked) == (0, {})


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_gift_cards_pay_what_they_paid_whatever_happens_to_the_order(data: st.DataObject) -> None:
    """Fees over several rates as payments: what the order's method paid is what the store has, and a gift card gets
    back at most what it paid. Corrections carry their own date.
    """
    shown = data.draw(random_orders(most=5))
    booked: list[Receipt] = []
    for number in range(data.draw(st.integers(1, 6))):
        shown = replace(shown, found_at=PAID + timedelta(days=number))
        match data.draw(st.sampled_from(["refund", "refund", "edit", "cancel", "pay", "wait", "unrefund"])):
            case "refund":
                shown = data.draw(refunded_more(shown, 100 + number))
            case "edit":
                other = data.draw(random_orders(most=5))
                shown = replace(shown, lines=other.lines, taxes=other.taxes, total=other.total, refunds=())
            case "unrefund":
                shown = replace(shown, refunds=shown.refunds[1:])
            case what:
                shown = replace(shown, status={"cancel": "cancelled", "pay": "processing", "wait": "on-hold"}[what])
        before, booked = booked, booked_all(shown, booked, AS_PAYMENT)
        assert_dated_by_the_correction(booked[len(before) :], shown)
        for receipt in booked:
            assert_sound(receipt)
        assert_never_more_than_sold(booked)
        left = paid_back(booked)
        assert left.pop("GiftCard", 0) >= 0
        stands = bool(standing_receipts(shown, booked, AS_PAYMENT))
        refunded = sum((each.amount for each in shown.refunds), Decimal(0))
        assert left.get("Card", 0) == (shown.total - refunded if stands else 0)
        assert sums(standing_receipts(shown, booked, AS_PAYMENT))[0] == sums(booked)[0]
        if not stands:
            assert sums(booked) == (0, {})


def assert_dated_by_the_correction(new: Sequence[Receipt], shown: Order) -> None:
    day = business_date(shown.found_at, HELSINKI, time(0)).isoformat()
    for receipt in new:
        if receipt.is_reversal or (receipt.version > 1 and receipt.type == "Sale"):
            assert receipt.document["businessDate"] == day


@settings(max_examples=10, deadline=None)
@given(random_orders(most=500))
def test_long_orders_agree_too(shown: Order) -> None:
    (sale,) = booked_all(shown)
    assert_sound(sale)
    assert sums([sale]) == (shown.total, {tax.percent: tax.total for tax in shown.taxes if tax.total})


def test_an_old_order_is_never_refunded_beyond_its_total() -> None:
    """A refund that was booked and that the store deleted since stays in Solteq: the cancellation leaves it out."""
    shown = order(line(1, "20.00"), refunds=(StoreRefund(9, OLD_DAY, Decimal("5.00")),))
    booked = old_order_receipts(shown, [], RULES, OLD_DAY)
    assert sums(booked)[0] == -5
    after = replace(shown, refunds=(), status="cancelled")
    assert old_refunds_deleted(after, booked) == booked
    ended = old_order_receipts(after, booked, RULES, OLD_DAY)
    assert sums([*booked, *ended])[0] == -20


def test_queries_and_rules_agree_on_when_an_order_is_a_sale(tmp_path: Path) -> None:
    """The documents ask the rules; the numbers of a day and the stock under way ask the macro."""
    statuses = ("processing", "completed", "refunded", "cancelled", "failed", "on-hold", "pending")
    states = list(product(statuses, (None, "binned"), (None, PAID), (Decimal(0), Decimal(5)), (False, True)))
    names = ("status", "gone", "paid_at", "total", "is_booked")
    rows = pl.DataFrame(states, schema=names, orient="row").with_row_index("place")
    database = state_database(tmp_path / "state.duckdb")
    with database.transaction() as connection, sql.steps(connection, f"{SALES}.rules", states=rows):
        query = f"SELECT is_sale({', '.join(names)}, $sale_statuses) FROM states ORDER BY place"
        said = connection.execute(query, {"sale_statuses": list(RULES.sale_statuses)}).fetchall()
    for (status, gone, paid_at, total, is_booked), (is_one,) in zip(states, said, strict=True):
        shown = order(status=status, gone=gone, paid_at=paid_at, total=total)
        assert is_sale(shown, RULES, is_booked=is_booked) is is_one, shown


@pytest.mark.parametrize(("total", "sales"), [(Decimal(0), 0), (Decimal(5), 1)])
def test_a_booked_order_is_a_sale_of_its_day_until_all_of_it_is_refunded_without_a_refund(
    tmp_path: Path, total: Decimal, sales: int
) -> None:
    """The store makes no refund of what a gift card paid: the sale is reversed, and the day has one less."""
    day = date(2026, 11, 23)
    with state_database(tmp_path / "state.duckdb").transaction() as connection:
        connection.execute(
            "INSERT INTO snapshot.woo_sales BY NAME SELECT 7 AS id, $day AS day, 'refunded' AS status, $at AS paid_at, "
            "$at AS created_at, $at AS modified_at, $at AS read_at, '' AS content, $total AS total",
            {"day": day, "at": PAID, "total": total},
        )
        connection.execute(
            "INSERT INTO sync.sales BY NAME SELECT 'woo:shop:order:7' AS external_id, 7 AS order_id, 1 AS version, "
            "'Sale' AS type, '{}' AS document, '' AS content, [] AS notes, 'booked' AS state, '' AS run_id, "
            "$at AS sent_at",
            {"at": PAID},
        )
        assert orders_by_day(connection, [day], RULES)[day]["sales"] == sales
