"""What an order was paid with: its method, and gift cards or credit that the store keeps as fees or in its meta."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from solteq_woo_assets.flows.sales.orders import FEE, Line, Order, ReceiptRules, StoreRefund, Unbookable
from solteq_woo_assets.flows.sales.vat_shares import shares

_CENT = Decimal("0.01")
_ZERO = Decimal(0)
Payment = dict[str, Any]
"""As in a document: ``type``, ``amount`` and ``reference``."""


def goods_and_payments(order: Order, rules: ReceiptRules) -> tuple[Order, list[Payment]]:
    """The order without its means of payment, and all its payments, the one by the order's method first.

    Fees that the settings name are payments: their amount with VAT comes back to the total, their VAT to the rates.
    So the order's VAT is that of what was sold. An amount in the order's meta is a payment, too, whether the store
    took it off the total or not: its lines tell.

    :raises Unbookable: the amounts contradict each other
    """
    goods, payments = _without_fees(order, rules)
    by_meta = _meta_payments(order, rules)
    if by_meta:
        goods = replace(goods, total=_total_with(goods, sum((each["amount"] for each in by_meta), _ZERO)))
        payments += by_meta
    rest = goods.total - sum((each["amount"] for each in payments), _ZERO)
    if rest < 0:
        raise Unbookable("total", f"its payments exceed it by {-rest}", "payment-unclear")
    return goods, [*_by_method(order, rest, rules), *payments]


def _without_fees(order: Order, rules: ReceiptRules) -> tuple[Order, list[Payment]]:
    types = {name.strip().casefold(): kind for name, kind in rules.payment_fees.items()}
    fees = [line for line in order.lines if line.gross < 0 and _name(line) in types]
    if not fees:
        return order, []
    vat: dict[Decimal, Decimal] = {}
    for fee in fees:
        for share in shares(fee, order):
            vat[share.rate] = vat.get(share.rate, _ZERO) + share.vat
    taxes = [replace(tax, total=tax.total - vat.pop(tax.percent, _ZERO)) for tax in order.taxes]
    total = order.total - sum((fee.gross for fee in fees), _ZERO)
    lines = tuple(line for line in order.lines if line not in fees)
    payments = [{"type": types[_name(fee)], "amount": -fee.gross, "reference": fee.name} for fee in fees]
    return replace(order, lines=lines, taxes=tuple(taxes), total=total), payments


def _name(line: Line) -> str:
    """What a fee is matched by; of other lines nothing."""
    return line.name.strip().casefold() if line.kind == FEE else ""


def _meta_payments(order: Order, rules: ReceiptRules) -> list[Payment]:
    payments: list[Payment] = []
    for key, kind in rules.payment_meta.items():
        amount = _amount(order.payment_meta.get(key))
        if amount is None or amount < 0:
            raise Unbookable(f"meta {key}", "it is no amount", "payment-unclear")
        if amount:
            payments.append({"type": kind, "amount": amount, "reference": key})
    return payments


def _amount(value: Any) -> Decimal | None:
    """The amount of a meta value: a number, amounts by card, or a list of cards with their amounts; else ``None``."""
    if value in (None, "", [], {}):
        return _ZERO
    if isinstance(value, Mapping):
        return _sum(value.values())
    if isinstance(value, list):
        return _sum(each.get("amount") if isinstance(each, Mapping) else None for each in value)
    try:
        amount = Decimal(str(value).strip())
        return amount if amount == amount.quantize(_CENT) else None
    except InvalidOperation:
        return None


def _sum(values: Iterable[Any]) -> Decimal | None:
    total = _ZERO
    for value in values:
        amount = None if value is None or isinstance(value, Mapping | list) else _amount(value)
        if amount is None:
            return None
        total += amount
    return total


def _total_with(order: Order, amount: Decimal) -> Decimal:
    """What was sold in all: most plugins take the gift card off the total, others leave it in."""
    sold = sum((line.gross for line in order.lines), _ZERO)
    total = min(order.total + amount, order.total, key=lambda total: abs(sold - total))
    if abs(sold - total) > _CENT * (len(order.lines) + 1):
        reason = f"its lines come to {sold}, its total is {order.total}, and its meta says that {amount} was paid apart"
        raise Unbookable("total", reason, "payment-unclear")
    return total


def _by_method(order: Order, amount: Decimal, rules: ReceiptRules) -> list[Payment]:
    if not amount:
        return []
    amount = amount.quantize(_CENT)
    known = rules.payment_types.get(order.payment_method)
    if known is None:
        reference = order.payment_method_title or order.payment_method or "no payment method"
        return [{"type": "Other", "amount": amount, "reference": reference}]
    payment: Payment = {"type": known, "amount": amount}
    return [payment | {"reference": order.transaction_id} if order.transaction_id else payment]


class PaymentsLeft:
    """What is left of a sale's payments after its refunds.

    :param paid: of the sale's document
    """

    def __init__(self, paid: Iterable[Mapping[str, Any]]) -> None:
        self._left: list[Payment] = [dict(payment) for payment in paid]

    def take_back(self, payments: Iterable[Mapping[str, Any]]) -> None:
        """Reckon with a refund that was booked: its document's payments, all negative."""
        for payment in payments:
            same = [left for left in self._left if left | {"amount": 0} == {**payment, "amount": 0}]
            for left in (same or self._left)[:1]:
                left["amount"] += payment["amount"]

    def fees_given_back(self, refund: StoreRefund, order: Order) -> dict[str, Decimal]:
        """What a refund gives back to means of payment that the store keeps as fees, by their names."""
        names = {line.id: line.name for line in order.lines if line.kind == FEE}
        given: dict[str, Decimal] = {}
        for line in refund.lines:
            if line.kind == FEE and line.gross > 0:
                name = names.get(line.refunded_line or 0, line.name)
                left = sum((each["amount"] for each in self._left if each.get("reference") == name), _ZERO)
                given[name] = min(given.get(name, _ZERO) + line.gross, left)
        return given

    def give_back(self, amount: Decimal, given: Mapping[str, Decimal]) -> list[Payment]:
        """The payments of a refund, all negative: first to the fees' means of payment, then in the sale's order."""
        back = [_ZERO] * len(self._left)
        for name, of_name in given.items():
            self._share(back, of_name, [each.get("reference") == name for each in self._left])
        self._share(back, amount - sum(back, _ZERO), [True] * len(back))
        if back:
            back[0] += amount - sum(back, _ZERO)
        payments = [left | {"amount": -share} for left, share in zip(self._left, back, strict=True) if share]
        self.take_back(payments)
        return payments

    def _share(self, back: list[Decimal], amount: Decimal, is_meant: Sequence[bool]) -> None:
        for place, left in enumerate(self._left):
            if is_meant[place]:
                share = max(min(amount, left["amount"] - back[place]), _ZERO)
                back[place] += share
                amount -= share
