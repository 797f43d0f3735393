"""What is left of a sale after its refunds, by line and by VAT rate, so that no refund exceeds what was sold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from solteq_woo_assets.flows.sales.orders import PRODUCT

CENT = Decimal("0.01")
_ZERO = Decimal(0)


@dataclass(slots=True)
class Part:
    """Money and pieces at one VAT rate; ``gross`` with VAT. Of a line of a sale, also which.

    :param quantity: pieces of a product; of all else 1, however much of its money is left
    """

    rate: Decimal
    quantity: Decimal
    gross: Decimal
    vat: Decimal
    discount: Decimal = _ZERO
    line_id: str = ""
    kind: str = ""
    code: str | None = None
    name: str = ""

    def __neg__(self) -> "Part":
        return replace(self, quantity=-self.quantity, gross=-self.gross, vat=-self.vat)


class Remainder:
    """What is left of a sale.

    Amounts that were refunded without lines are taken from their VAT rate, not from any line: so a rate may have less
    left than its lines together.

    :param lines: of the sale's document
    """

    def __init__(self, lines: Iterable[Mapping[str, Any]]) -> None:
        self._lines = {line["lineId"]: _part(line) for line in lines}
        self._rates: dict[Decimal, list[Decimal]] = {}
        for part in self._lines.values():
            left = self._rates.setdefault(part.rate, [_ZERO, _ZERO])
            left[0] += part.gross
            left[1] += part.vat

    @property
    def gross(self) -> Decimal:
        """Money that may still be refunded."""
        return sum((gross for gross, _ in self._rates.values()), _ZERO)

    @property
    def is_nothing(self) -> bool:
        """Whether neither money nor pieces are left."""
        pieces = any(part.quantity for part in self._lines.values() if part.kind == PRODUCT)
        return not pieces and not any(gross or vat for gross, vat in self._rates.values())

    def parts_of(self, line_id: str) -> list[Part]:
        """What is left of a line of the order, at each of its rates; nothing when the sale has no such line."""
        return [part for part in self._lines.values() if order_line(part.line_id) == line_id]

    def take_back(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Reckon with a refund that was booked: its document's lines, all negative."""
        for line in lines:
            left = self._rates[line["vatRate"]]
            left[0] += line["total"]
            left[1] += line["vatAmount"]
            sold = self._lines.get(line["lineId"])
            if sold is None:
                continue
            sold.gross += line["total"]
            sold.vat += line["vatAmount"]
            if sold.kind == line["kind"] == PRODUCT:  # money off a product is booked as a fee, and brings no piece
                sold.quantity += line["quantity"]

    def take(self, line_id: str, quantity: Decimal, gross: Decimal, vat: Decimal, most: Decimal) -> Part:
        """Take pieces and money off a line, as much as is left of it, of its rate and of ``most``."""
        sold = self._lines[line_id]
        left_gross, left_vat = self._rates[sold.rate]
        if sold.gross >= 0:
            taken = max(min(gross, sold.gross, left_gross, most), _ZERO)
        else:  # a discount that is a line of its own
            taken = min(max(gross, sold.gross), _ZERO)
        if taken == left_gross and taken > 0:
            tax = left_vat  # the last cent of VAT goes with the last cent of the rate
        else:
            share = vat if taken == gross else _rounded(vat * taken / gross)
            tax = min(share, left_vat) if taken > 0 else share
        if sold.kind == PRODUCT:
            pieces = max(min(quantity, sold.quantity), _ZERO)
            sold.quantity -= pieces
        else:
            pieces = sold.quantity if taken else _ZERO
        part = replace(sold, quantity=pieces, gross=taken, vat=tax)
        sold.gross -= taken
        sold.vat -= tax
        self._rates[sold.rate] = [left_gross - taken, left_vat - tax]
        return part

    def spread(self, amount: Decimal) -> list[Part]:
        """Take an amount off the VAT rates, in proportion to what is left of each; all of it when that is all."""
        is_all = amount == self.gross
        rates = [rate for rate, (gross, _) in sorted(self._rates.items()) if gross > 0 or is_all]
        weights = [self._rates[rate][0] for rate in rates]
        shares = weights if is_all else in_proportion(amount, weights)
        parts: list[Part] = []
        for rate, share in zip(rates, shares, strict=True):
            if not share:
                continue
            gross, vat = self._rates[rate]
            tax = vat if share == gross else _rounded(vat * share / gross)
            self._rates[rate] = [gross - share, vat - tax]
            parts.append(Part(rate, Decimal(1), share, tax))
        return parts

    def all_of_it(self) -> list[Part]:
        """All that is left, line by line. What was refunded without lines is missing from the last ones of its rate."""
        parts: list[Part] = []
        for rate, (gross, vat) in self._rates.items():
            lines = [line for line in self._lines.values() if line.rate == rate]
            for line, amount in zip(lines, _allotted(gross, [line.gross for line in lines]), strict=True):
                tax = line.vat if amount == line.gross else _rounded(line.vat * amount / line.gross)
                parts.append(replace(line, gross=amount, vat=tax))
            if parts:  # the last cent of VAT goes with the last cent of the rate
                last = next((part for part in reversed(parts[-len(lines) :]) if part.gross), parts[-1])
                last.vat += vat - sum((part.vat for part in parts[-len(lines) :]), _ZERO)
        by_line = {part.line_id: part for part in parts}
        in_order = [by_line[line_id] for line_id in self._lines]
        return [part for part in in_order if part.gross or part.vat or (part.quantity and part.kind == PRODUCT)]


def _part(line: Mapping[str, Any]) -> Part:
    numbers = (line["vatRate"], line["quantity"], line["total"], line["vatAmount"])
    names = {"line_id": line["lineId"], "kind": line["kind"], "code": line.get("productCode"), "name": line["name"]}
    return Part(*numbers, **names)


def order_line(line_id: str) -> str:
    """The order's line that a line of a document is of: ``7`` of ``7``, and of ``7-25.5``, its share at a rate."""
    return line_id.partition("-")[0]


def _allotted(amount: Decimal, most: Sequence[Decimal]) -> list[Decimal]:
    """The amount over lines with so much left: all of it where that is the amount, else the first ones of its sign."""
    if sum(most, _ZERO) == amount:
        return list(most)
    shares = []
    for each in most:
        share = max(min(each, amount), _ZERO) if amount >= 0 else min(max(each, amount), _ZERO)
        shares.append(share)
        amount -= share
    return shares


def in_proportion(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Shares in whole cents that add up to the amount; none exceeds its weight while the amount does not exceed all.

    :param weights: positive
    """
    total = sum(weights, _ZERO)
    if not total or amount <= 0:
        return [_ZERO] * len(weights)
    amount = min(amount, total)
    exact = [amount * weight / total for weight in weights]
    shares = [each - each % CENT for each in exact]
    missing = int((amount - sum(shares, _ZERO)) / CENT)
    largest = sorted(range(len(weights)), key=lambda place: shares[place] - exact[place])
    for place in largest[:missing]:
        shares[place] += CENT
    return shares


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)
