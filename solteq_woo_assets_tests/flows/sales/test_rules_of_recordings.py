"""Orders of a real store, step by step as they were recorded, become documents that agree to the cent."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from solteq_woo_assets.clients.woo_orders import OrderDocument, RefundDocument
from solteq_woo_assets.flows.sales.orders import Order, ReceiptRules, Unbookable
from solteq_woo_assets.flows.sales.receipts import Receipt
from solteq_woo_assets.flows.sales.rules import due_receipts, is_sale, standing_receipts
from solteq_woo_assets_tests.flows.sales.test_rules import (
    RULES,
    assert_never_more_than_sold,
    assert_sound,
    booked_all,
    sums,
    through_the_tables,
)

SCENARIOS = ("orders_lifecycle", "meta_payment", "fulfillments")
_WHOLE = {"line_items", "tax_lines", "fee_lines", "refunds", "date_created_gmt", "date_modified_gmt", "total"}
GIFT_CARDS = replace(RULES, payment_fees={"Gift card": "GiftCard"})


def states(shared: Path, scenario: str, meta_keys: Sequence[str] = ()) -> Iterator[tuple[str, Order]]:
    """Each state in which an answer shows an order as a whole, with the refunds made so far; its step's note."""
    steps = json.loads((shared / "woo-recordings" / f"{scenario}.json").read_text(), parse_float=Decimal)["steps"]
    refunds: defaultdict[int, dict[int, RefundDocument]] = defaultdict(dict)
    known: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    for step in steps:
        body, path = step["response"]["body"], step["request"]["path"].split("/")
        if not isinstance(body, dict) or step["response"]["status"] >= 400:
            continue
        if path[-1] == "refunds" and step["request"]["method"] == "POST":
            refunds[int(path[-2])][body["id"]] = RefundDocument.model_validate(body)
        elif path[-1] == "orders" or path[-2] == "orders":
            before = known[body["id"]]
            is_whole = set(body) >= _WHOLE
            if not is_whole and (not before or _is_edited(before, body)):
                before.clear()
                continue
            before |= body  # some answers show some fields, which is the whole while nothing else has changed
            document = OrderDocument.model_validate(before)
            kept = [each for each in document.meta_data if each.key in meta_keys]
            document = document.model_copy(update={"meta_data": kept})
            made = [refunds[document.id][each.id] for each in document.refunds if each.id in refunds[document.id]]
            if len(made) == len(document.refunds):
                yield step["note"], through_the_tables(document, made)


def _is_edited(before: dict[str, Any], body: dict[str, Any]) -> bool:
    return body.get("total", before["total"]) != before["total"]


@pytest.mark.parametrize(
    ("scenario", "rules"), [*((scenario, RULES) for scenario in SCENARIOS), ("meta_payment", GIFT_CARDS)]
)
def test_every_paid_order_agrees_to_the_cent_or_is_in_another_currency(
    shared: Path, scenario: str, rules: ReceiptRules
) -> None:
    booked: defaultdict[int, list[Receipt]] = defaultdict(list)
    paid = 0
    for note, shown in states(shared, scenario):
        if not is_sale(shown, rules):
            continue
        paid += 1
        if shown.currency != "EUR":
            with pytest.raises(Unbookable, match="SEK"):
                due_receipts(shown, [], rules)
            continue
        booked[shown.id] = booked_all(shown, booked[shown.id], rules)
        for receipt in booked[shown.id]:
            assert_sound(receipt)
        assert_never_more_than_sold(booked[shown.id])
        by_fees = sum((-line.gross for line in shown.lines if line.name in rules.payment_fees), Decimal(0))
        refunded = sum((refund.amount for refund in shown.refunds), Decimal(0))
        assert sums(booked[shown.id])[0] == shown.total + by_fees - refunded, note
        assert sums(standing_receipts(shown, booked[shown.id], rules)) == sums(booked[shown.id]), note
        if not shown.refunds and not by_fees:
            assert sums(booked[shown.id])[1] == {tax.percent: tax.total for tax in shown.taxes if tax.total}, note
    assert paid


def test_the_meta_of_gift_card_plugins_pays_as_it_was_recorded(shared: Path) -> None:
    """The store keeps what it is given, and leaves the total as it is."""
    for key in ("_ywgc_applied_gift_cards", "_ywgc_applied_gift_cards_totals", "_wc_gift_cards"):
        rules = replace(RULES, payment_meta={key: "GiftCard"})
        shown = dict(states(shared, "meta_payment", [key]))["meta of gift-card plugins"]
        (sale,) = due_receipts(shown, [], rules)
        assert [(each["type"], each["amount"]) for each in sale.document["payments"]] == [
            ("Card", Decimal("42.30")),
            ("GiftCard", Decimal(20)),
        ]


def test_pieces_that_were_restocked_are_told_as_they_were_recorded(shared: Path) -> None:
    """Order 4: a piece of two lines restocked, then a piece of another one with api_restock false."""
    steps = json.loads((shared / "woo-recordings" / "orders_lifecycle.json").read_text(), parse_float=Decimal)["steps"]
    order: dict[str, Any] = {}
    refunds: list[RefundDocument] = []
    said: list[Any] = []
    booked: list[Receipt] = []
    for step in steps:
        body, path = step["response"]["body"], step["request"]["path"]
        if path == "/wc/v3/orders/22/refunds" and step["response"]["status"] == 201 and len(refunds) < 2:
            refunds.append(RefundDocument.model_validate(body))
        elif step["note"].startswith("order 4: processing, paid") or path == "/wc/v3/orders/22":
            order |= body
            names = [each["id"] for each in order["refunds"]]
            # The second refund leaves the lines' meta as it was; after the first one an answer shows it anew.
            is_whole = "line_items" in body or len(refunds) > 1
            if is_whole and names == [refund.id for refund in reversed(refunds)]:
                document = OrderDocument.model_validate(order)
                booked = booked_all(through_the_tables(document, refunds), booked)
    for receipt in booked:
        said += [each.get("restock") for each in receipt.document["lines"] if receipt.type == "Refund"]
    assert said[:2] == [True, True]
    assert said[2] is False
