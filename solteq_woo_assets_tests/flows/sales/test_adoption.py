"""From what Solteq holds, a lost ledger is found again; protects the books from a restored backup and another shop."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import simplejson
from hypothesis import given, settings
from hypothesis import strategies as st

from solteq_woo_assets.flows.sales.adoption import AnotherOrder, differs, find_documents
from solteq_woo_assets.flows.sales.orders import Order
from solteq_woo_assets.flows.sales.receipts import Receipt
from solteq_woo_assets.flows.sales.rules import due_receipts
from solteq_woo_assets_tests.flows.sales.test_rules import (
    PAID,
    RULES,
    back,
    booked_all,
    line,
    order,
    random_orders,
    refund,
    refunded_more,
    sums,
)


def wire(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as Solteq gives it back."""
    return simplejson.loads(simplejson.dumps(document, use_decimal=True), use_decimal=True)


def found(shown: Order, booked: Sequence[Receipt], *, is_ours: bool = False) -> list[Receipt]:
    """What is found of an order when Solteq has these documents."""
    books = {receipt.external_id: wire(receipt.document) for receipt in booked}
    steps = find_documents(shown, RULES, is_ours=is_ours)
    try:
        external_id = next(steps)
        while True:
            external_id = steps.send(books.get(external_id))
    except StopIteration as end:
        return end.value


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_lost_ledger_is_found_again_and_nothing_is_booked_twice(data: st.DataObject) -> None:
    """Whatever happened to the order before: what is due by the found ledger is what was due by the lost one."""
    shown = data.draw(random_orders())
    booked = booked_all(shown)
    for number in range(data.draw(st.integers(0, 5))):
        match data.draw(st.sampled_from(["refund", "edit", "cancel", "pay"])):
            case "refund":
                shown = data.draw(refunded_more(shown, 100 + number))
            # What was refunded in full has no reversal, so of its later edit Solteq knows nothing: that is a conflict.
            case "edit" if shown.status != "cancelled" or (booked and booked[-1].is_reversal):
                other = data.draw(random_orders())
                shown = replace(shown, lines=other.lines, taxes=other.taxes, total=other.total, refunds=())
            case "cancel":
                shown = replace(shown, status="cancelled")
            case "pay":
                shown = replace(shown, status="processing")
        booked = booked_all(shown, booked)
    ledger = found(shown, booked)
    known = {receipt.external_id for receipt in ledger}
    assert {receipt.external_id for receipt in booked if receipt.refund_id is None} <= known
    assert due_receipts(shown, ledger, RULES) == []
    after = replace(shown, status="cancelled")
    lost = [receipt for receipt in booked if receipt.external_id not in known]  # refunds that were in no order any more
    assert sums([*lost, *booked_all(after, ledger)]) == (Decimal(0), {})


def test_what_solteq_does_not_have_is_not_found() -> None:
    assert found(order(line(1, "10.00")), []) == []


@pytest.mark.parametrize(
    "other",
    [
        order(line(1, "100.00"), number="8"),
        order(line(1, "100.00"), paid_at=PAID + timedelta(seconds=1), created_at=PAID + timedelta(seconds=1)),
        order(line(1, "80.00")),
        order(line(1, "60.00"), line(2, "40.00")),
    ],
    ids=["number", "time of payment", "total", "lines"],
)
def test_the_sale_of_another_order_is_never_built_on(other: Order) -> None:
    booked = booked_all(other)
    with pytest.raises(AnotherOrder) as conflict:
        found(order(line(1, "100.00")), booked)
    assert conflict.value.external_id == "woo:shop:order:7"


def test_an_edited_order_that_the_ledger_knows_is_ours() -> None:
    """The ledger is behind: what is found is corrected as any edit is."""
    booked = booked_all(order(line(1, "100.00")))
    shown = order(line(1, "80.00"))
    ledger = found(shown, booked, is_ours=True)
    assert sums(booked_all(shown, ledger))[0] == 80


def test_a_sale_paid_on_delivery_is_ours_though_it_was_paid_later() -> None:
    """It was booked by the time at which it was made; the store has a time of payment only since it was delivered."""
    made = order(line(1, "100.00"), paid_at=None, payment_method="cod")
    delivered = replace(made, paid_at=PAID + timedelta(days=3), completed_at=PAID + timedelta(days=3))
    assert due_receipts(delivered, found(delivered, booked_all(made)), RULES) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"orderNumber": "8"}, "the order number 8, not 7"),
        ({"paidAt": "2026-11-23T10:00:01Z"}, "it was paid at 2026-11-23T10:00:01Z"),
        ({"totals": {"gross": Decimal(90), "vat": Decimal("20.32")}}, "its total is 90.00, not 100.00"),
        ({"lines": []}, "its lines are others"),
    ],
)
def test_another_document_is_told_by_what_counts_in_the_books(changed: dict[str, Any], words: str) -> None:
    (sale,) = booked_all(order(line(1, "100.00")))
    said = differs({**wire(sale.document), **changed}, sale.document)
    assert said is not None
    assert words in said


@pytest.mark.parametrize(
    "broken", [{"lines": [{"lineId": "1", "total": "free"}]}, {"lines": None}, {"payments": None}, {"payments": [{}]}]
)
def test_a_document_that_cannot_be_read_is_nobodys(broken: dict[str, Any]) -> None:
    """It holds its order, and no other."""
    (sale,) = booked_all(order(line(1, "100.00")))
    broken_sale = replace(sale, document={**sale.document, **broken})
    with pytest.raises(AnotherOrder, match="it cannot be read"):
        found(order(line(1, "100.00")), [broken_sale])


def test_the_same_document_may_be_spelled_in_another_way() -> None:
    """Other names and forms of the same numbers and times, and fields of Solteq's own."""
    sale, *_ = booked_all(order(line(1, "100.00"), refunds=(refund(1, "10.00"),)))
    held: dict[str, Any] = wire(sale.document) | {"paidAt": "2026-11-23T12:00:00.000+02:00", "id": "S-1"}
    held["lines"] = [{**each, "name": "Kahvi", "total": Decimal("100.0000")} for each in held["lines"]]
    assert differs(held, sale.document) is None


def test_what_was_refunded_in_full_and_edited_after_its_end_is_a_conflict_once_the_ledger_is_lost() -> None:
    """Nothing of the edit was booked, and no reversal shows that it was this order: it is told, and not built on."""
    sold = line(1, "100.00")
    whole = order(sold, refunds=(refund(100, "100.00", back(sold)),))
    booked = booked_all(whole, booked_all(order(sold)))
    edited = replace(order(line(1, "80.00")), status="cancelled")
    assert booked_all(edited, booked) == booked
    with pytest.raises(AnotherOrder):
        found(edited, booked)
