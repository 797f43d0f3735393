"""A line of an order at each of its VAT rates.

WooCommerce spreads a negative fee (a gift card, store credit, a discount by hand) over the rates of the order's other
lines in proportion to their amounts, whether the fee is taxable or not. Some plugins spread shipping in the same way.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from solteq_woo_assets.flows.sales.orders import PRODUCT, Line, Order, Unbookable

_CENT = Decimal("0.01")
_HALF_CENT = Decimal("0.005")
_ZERO = Decimal(0)


@dataclass(slots=True)
class Share:
    """What of a line is taxed at one rate."""

    rate: Decimal
    net: Decimal
    vat: Decimal


def shares(line: Line, order: Order) -> list[Share]:
    """The line at each of its rates, to the cent: nets add up to its total, and VAT to its VAT. One share at least.

    :raises Unbookable: its VAT has no rate in the order, or cannot be told apart by rate
    """
    vat = _vat_by_rate(line, order)
    if not vat and line.total_tax:
        raise Unbookable(f"line {line.id}", "its VAT has no rate in the order", "order-sums-differ")
    costs = _costs(order)
    if len(vat) <= 1 and not _is_partly_untaxed(line, vat, costs):
        return [Share(next(iter(vat), _ZERO), line.total, line.total_tax)]
    if line.kind == PRODUCT or len(line.rate_taxes) != len(line.rate_ids):
        raise _several(line)
    found = _nets(line, vat, costs)
    _share_vat(line, vat, found)
    return [share for share in found if share.net or share.vat] or found[:1]


def _several(line: Line) -> Unbookable:
    return Unbookable(f"line {line.id}", "it is taxed at several rates", "line-of-several-vat-rates")


def _vat_by_rate(line: Line, order: Order) -> dict[Decimal, Decimal]:
    """The line's VAT by percent; a rate without VAT is in it, too. Zeros where the amounts were not read."""
    percents = {tax.rate_id: tax.percent for tax in order.taxes}
    taxes = dict(zip(line.rate_ids, line.rate_taxes, strict=False))
    vat: dict[Decimal, Decimal] = {}
    for rate_id in line.rate_ids:
        if rate_id in percents:
            percent = percents[rate_id]
            vat[percent] = vat.get(percent, _ZERO) + taxes.get(rate_id, _ZERO)
    return vat


def _costs(order: Order) -> dict[Decimal, Decimal]:
    """What the store reckons the proportions by: its lines that cost something, by their one rate."""
    percents = {tax.rate_id: tax.percent for tax in order.taxes}
    costs: defaultdict[Decimal, Decimal] = defaultdict(Decimal)
    for line in order.lines:
        rates = {percents[rate_id] for rate_id in line.rate_ids if rate_id in percents}
        if line.total > 0 and len(rates) <= 1:
            costs[next(iter(rates), _ZERO)] += line.total
    return dict(costs)


def _is_partly_untaxed(line: Line, vat: Mapping[Decimal, Decimal], costs: Mapping[Decimal, Decimal]) -> bool:
    """Whether a discount with one rate is spread over lines without VAT, too; those have no rate of their own."""
    is_discount = line.total < 0 if line.refunded_line is None else line.total > 0
    if line.kind == PRODUCT or not is_discount or not costs.get(_ZERO):
        return False
    return any(percent and abs(line.total * percent / 100 - line.total_tax) > _CENT for percent in vat)


def _nets(line: Line, vat: Mapping[Decimal, Decimal], costs: Mapping[Decimal, Decimal]) -> list[Share]:
    """In proportion to the order's lines, as far as the line's own VAT allows it."""
    sign = -1 if line.total < 0 else 1
    cost = sum(costs.values(), _ZERO)
    found: list[Share] = []
    tolerance = _ZERO
    for percent in sorted(vat, reverse=True):
        if not percent:
            continue
        spare = _HALF_CENT * 100 / percent
        by_vat = abs(vat[percent]) * 100 / percent
        in_proportion = abs(line.total) * costs.get(percent, _ZERO) / cost if cost else by_vat
        net = min(max(in_proportion, by_vat - spare), by_vat + spare)
        found.append(Share(percent, sign * max(net, _ZERO).quantize(_CENT, ROUND_HALF_UP), _ZERO))
        tolerance += spare + _CENT
    rest = line.total - sum((share.net for share in found), _ZERO)
    if rest * sign > 0 and (costs.get(_ZERO) or _ZERO in vat):
        found.append(Share(_ZERO, rest, _ZERO))
    elif abs(rest) > tolerance or not found:
        raise _several(line)
    else:
        max(found, key=lambda share: abs(share.net)).net += rest
    return found


def _share_vat(line: Line, vat: Mapping[Decimal, Decimal], found: list[Share]) -> None:
    """To the cent, the store's difference on the largest share."""
    for share in found:
        share.vat = vat.get(share.rate, _ZERO).quantize(_CENT, ROUND_HALF_UP)
    difference = line.total_tax - sum((share.vat for share in found), _ZERO)
    if abs(difference) > _CENT * len(found):
        reason = f"its VAT and that of its rates differ by {difference}"
        raise Unbookable(f"line {line.id}", reason, "order-sums-differ")
    max(found, key=lambda share: abs(share.net)).vat += difference
