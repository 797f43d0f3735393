"""What the store kept of an order, by the order and its refunds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from solteq_woo_assets_tests.simulation.witness import Document, meta, number

LINES = ("line_items", "shipping_lines", "fee_lines")
NOT_SOLD = ("cancelled", "failed")
UNTAXED = Decimal(-1)
"""In place of a rate: lines without VAT."""


def kept_of(order: Document) -> Decimal:
    """What the store kept of an order: its total less its refunds, and nothing once it is cancelled or failed."""
    if order["status"] in NOT_SOLD:
        return Decimal(0)
    refunded = sum((number(each["total"]) for each in order["refunds"]), Decimal(0))
    return max(Decimal(0), number(order["total"]) - abs(refunded))


def amount_of(refund: Document) -> Decimal:
    """The sum of a refund's lines, as a positive amount."""
    lines = [line for kind in LINES for line in refund[kind]]
    return -sum((number(line["total"]) + number(line["total_tax"]) for line in lines), Decimal(0))


def by_rate(pairs: Iterable[tuple[object, object]]) -> dict[Decimal, Decimal]:
    """Amounts summed by VAT rate; a rate without any is 0."""
    sums: dict[Decimal, Decimal] = defaultdict(Decimal)
    for rate, amount in pairs:
        sums[number(rate).normalize()] += number(amount)
    return sums


def vat_kept(order: Document, refunds: Sequence[Document], spread: Sequence[Document]) -> dict[Decimal, Decimal]:
    """VAT by rate of what the store kept; a refund without lines takes of each rate in proportion to its rest.

    What it kept of lines without VAT is there, too: VAT does not tell when more of them was refunded than was sold.
    """
    rates = {tax["rate_id"]: number(tax["rate_percent"]).normalize() for tax in order["tax_lines"]}
    vat = by_rate(
        (tax["rate_percent"], number(tax["tax_total"]) + number(tax["shipping_tax_total"]))
        for tax in order["tax_lines"]
    )
    vat[UNTAXED] = _untaxed(order)
    rest = number(order["total"])
    for refund in refunds:
        if refund in spread:
            share = min(Decimal(1), number(refund["amount"]) / rest) if rest else Decimal(0)
            for rate in vat:
                vat[rate] -= vat[rate] * share
        for tax in (tax for kind in LINES for line in refund[kind] for tax in line["taxes"]):
            vat[rates[tax["id"]]] += number(tax["total"])
        vat[UNTAXED] += _untaxed(refund)
        rest -= number(refund["amount"])
    return vat


def left_of_lines(order: Document, refunds: Sequence[Document]) -> dict[str, Decimal]:
    """What is left of each line of an order; negative when more of it was refunded than was sold."""
    left: dict[str, Decimal] = defaultdict(Decimal)
    for kind in LINES:
        for line in order[kind]:
            left[str(line["id"])] += abs(number(line["total"]) + number(line["total_tax"]))
        for line in (line for refund in refunds for line in refund[kind]):
            left[str(meta(line, "_refunded_item_id"))] -= abs(number(line["total"]) + number(line["total_tax"]))
    return left


def _untaxed(document: Document) -> Decimal:
    lines = [line for kind in LINES for line in document[kind]]
    return sum(
        (number(line["total"]) for line in lines if not any(number(tax["total"]) for tax in line["taxes"])), Decimal(0)
    )
