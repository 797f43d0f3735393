"""Orders become documents that agree with the store to the cent; protects the retailer's books and VAT return."""

# ruff: noqa: DTZ001  naive UTC, as the database keeps it

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solteq_woo_assets.clients.woo import OrderDocument, RefundDocument
from solteq_woo_assets.rules.orders import Line, Order, ReceiptRules, StoreRefund, Tax, Unbookable
from solteq_woo_assets.rules.problems import PROBLEMS
from solteq_woo_assets.rules.receipts import (
    Receipt,
    business_date,
    due_receipts,
    is_deleted_after_booking,
)
from solteq_woo_assets.rules.remainders import in_proportion
from solteq_woo_assets.sync.sales_frames import ORDERS_QUERY, order_of, sales_frames

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
        totals[each.rate_ids[0]] += each.total_tax
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
    for each in lines:
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
        (row,) = connection.sql(ORDERS_QUERY).pl().to_dicts()
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


def test_a_sale_put_on_hold_stays_booked() -> None:
    booked = booked_all(order(line(1, "30.00")))
    assert due_receipts(order(line(1, "30.00"), status="on-hold"), booked, RULES) == []


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
    return tuple(lines)


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
        if not due:
            assert sums(booked) == (0, {})


@settings(max_examples=10, deadline=None)
@given(random_orders(most=500))
def test_long_orders_agree_too(shown: Order) -> None:
    (sale,) = booked_all(shown)
    assert_sound(sale)
    assert sums([sale]) == (shown.total, {tax.percent: tax.total for tax in shown.taxes if tax.total})
