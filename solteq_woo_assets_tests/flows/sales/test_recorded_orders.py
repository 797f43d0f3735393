"""Every order of the recorded lives of orders becomes documents that agree with the store to the cent."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from solteq_woo_assets.clients.woo_orders import OrderDocument, RefundDocument
from solteq_woo_assets.flows.sales.orders import Order, Unbookable
from solteq_woo_assets.flows.sales.receipts import Receipt
from solteq_woo_assets.flows.sales.rules import is_sale
from solteq_woo_assets_tests.flows.sales.test_rules import RULES, assert_sound, booked_all, sums, through_the_tables

# How often a step shows a sale: protects the tests below from looking at none.
SALES_SHOWN = {"orders": 4, "orders_lifecycle": 51, "meta_payment": 41, "fulfillments": 2, "more_products": 1}
_WHOLE = {"id", "status", "total", "line_items", "tax_lines", "refunds", "date_modified_gmt"}

JSON = dict[str, Any]


@dataclass
class Store:
    """What the recorded store has shown of its orders so far."""

    orders: dict[int, JSON] = field(default_factory=dict)
    refunds: dict[int, JSON] = field(default_factory=dict)

    def learn(self, step: JSON) -> int | None:
        """The order that an answer shows, with its refunds; ``None`` when it shows none."""
        path, body = step["request"]["path"].split("/")[3:], step["response"]["body"]
        if path[:1] != ["orders"] or step["response"]["status"] >= 400 or "dp" in step["request"]["query"]:
            return None
        if path[2:3] == ["refunds"]:
            self.refunds |= {each["id"]: each for each in (body if isinstance(body, list) else [body])}
        elif len(path) <= 2 and isinstance(body, dict):
            known = self.orders.get(body["id"], {}) | body
            if known.keys() >= _WHOLE:
                self.orders[body["id"]] = known
                return body["id"] if "refunds" in body else None
        return None

    def order(self, identifier: int) -> Order | None:
        """As the project reads it; ``None`` while a refund of it was not shown yet."""
        shown = self.orders[identifier]
        wanted = [each["id"] for each in shown["refunds"]]
        if not self.refunds.keys() >= set(wanted):
            return None
        refunds = [RefundDocument.model_validate(self.refunds[each]) for each in wanted]
        return through_the_tables(OrderDocument.model_validate(shown), refunds)


def shown_orders(shared: Path, scenario: str) -> Iterator[tuple[str, Order]]:
    """Each order as it was after each step that showed it, with the step."""
    recorded = json.loads((shared / "woo-recordings" / f"{scenario}.json").read_text(), parse_float=Decimal)
    store = Store()
    for number, step in enumerate(recorded["steps"]):
        if (identifier := store.learn(step)) and (order := store.order(identifier)):
            yield f"{number} {step['note']}", order


def refunded(order: Order) -> Decimal:
    return sum((each.amount for each in order.refunds), Decimal(0))


@pytest.mark.parametrize("scenario", SALES_SHOWN)
def test_every_sale_of_a_recording_is_booked_to_the_cent_and_by_rate(shared: Path, scenario: str) -> None:
    """As each step showed it, booked then for the first time."""
    sales = [(where, order) for where, order in shown_orders(shared, scenario) if is_sale(order, RULES)]
    for where, order in sales:
        if order.currency != "EUR":
            with pytest.raises(Unbookable) as refused:
                booked_all(order)
            assert refused.value.code == "currency-foreign", where
            continue
        receipts = booked_all(order)
        for receipt in receipts:
            assert_sound(receipt)
        assert sums(receipts[:1])[0] == order.total, where
        assert sums(receipts[:1])[1] == {tax.percent: tax.total for tax in order.taxes if tax.total}, where
        assert sums(receipts)[0] == order.total - refunded(order), where
    assert len(sales) == SALES_SHOWN[scenario]


@pytest.mark.parametrize("scenario", SALES_SHOWN)
def test_a_run_after_every_step_of_a_recording_agrees_with_the_store(shared: Path, scenario: str) -> None:
    """Refunds that come and go, edits, cancellations, the bin: what is booked adds up to what the store holds."""
    booked: dict[int, list[Receipt]] = {}
    for where, order in shown_orders(shared, scenario):
        if order.currency != "EUR":
            continue
        booked[order.id] = booked_all(order, booked.get(order.id, []))
        for receipt in booked[order.id]:
            assert_sound(receipt)
        held = sums(booked[order.id])[0]
        if is_sale(order, RULES):
            assert held == order.total - refunded(order), where
        elif order.status == "cancelled":
            assert held == 0, where
