"""The documents of an order: a sale, its refunds, and a reversal, which agree with the store to the cent."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from solteq_woo_assets.flows.sales.orders import FEE, PRODUCT, Line, Order, ReceiptRules, StoreRefund, Unbookable
from solteq_woo_assets.flows.sales.payments import Payment, PaymentsLeft, goods_and_payments
from solteq_woo_assets.flows.sales.remainders import CENT, Part, Remainder, in_proportion, order_line
from solteq_woo_assets.flows.sales.vat_shares import shares

_UNIT = Decimal("0.0001")
_ZERO = Decimal(0)
REFUNDED = "refunded"
"""The status of a sale that was refunded in full: it was one, and so is booked."""
OLD = 0
"""The version of an order whose sale somebody else booked, before the first day: only its refunds are ours."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A document for Solteq, and what it stands for.

    :param document: of the contract, without the customer
    :param version: of the order; see the module
    :param refund_id: the store's refund; ``None`` of a sale and of a reversal
    :param content: fingerprint of what the store had, to tell when it changes
    :param notes: what somebody may want to know of it
    """

    external_id: str
    order_id: int
    type: str
    version: int
    document: Mapping[str, Any]
    content: str
    reason: str
    refund_id: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_reversal(self) -> bool:
        """Whether it ends its version."""
        return self.type == "Refund" and self.refund_id is None


def with_decimals(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document that was JSON, which says 5 where money is 5.00: numbers of lines are decimals again.

    :raises ValueError: a line lacks what a line has
    """
    names = ("quantity", "unitPrice", "discount", "vatRate", "vatAmount", "total")
    try:
        lines = [
            {**line, **{name: Decimal(line[name]) for name in names}, "lineId": line["lineId"], "kind": line["kind"]}
            for line in document["lines"]
        ]
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ValueError("a line lacks a number, its kind or its id") from error
    return {**document, "lines": lines}


def sale_id(shop: str, order_id: int, version: int) -> str:
    """The external id of a version's sale."""
    return f"woo:{shop}:order:{order_id}{f':version:{version}' if version > 1 else ''}"


def refund_id(shop: str, store_refund_id: int, version: int) -> str:
    """The external id of a refund of the store, of one version."""
    return f"woo:{shop}:refund:{store_refund_id}{f':version:{version}' if version > 1 else ''}"


def reversal_id(shop: str, order_id: int, version: int) -> str:
    """The external id of what ends a version."""
    return f"woo:{shop}:order:{order_id}:reversal:{version}"


def business_date(paid_at: datetime, zone: ZoneInfo, end_of_business_day: time) -> date:
    """The business day of a payment: with 04:00, 6.9. holds what was paid from 6.9. 04:00 to 7.9. 04:00 local time
    (contract, Business date).

    :param paid_at: naive UTC
    """
    local = paid_at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    return (local - timedelta(hours=end_of_business_day.hour, minutes=end_of_business_day.minute)).date()


def sale_content(order: Order) -> str:
    """Fingerprint of what a sale is made of. SKUs and names are not in it: the store shows those of today."""
    rates = {tax.rate_id: tax.percent for tax in order.taxes}
    parts = [str(order.currency), _plain(order.total)]
    for line in sorted(order.lines, key=lambda line: line.id):
        percents = [rates.get(rate_id, _ZERO) for rate_id in line.rate_ids]
        numbers = (line.quantity, line.subtotal, line.subtotal_tax, line.total, line.total_tax, *percents)
        parts.append(f"{line.id} {line.kind} {_plain(*numbers)}")
    return _fingerprint(parts)


def refund_content(refund: StoreRefund) -> str:
    """Fingerprint of a refund of the store."""
    lines = sorted(refund.lines, key=lambda line: line.id)
    parts = [f"{line.refunded_line} {_plain(line.quantity, line.total, line.total_tax)}" for line in lines]
    return _fingerprint([_plain(refund.amount), *parts])


def _fingerprint(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _plain(*numbers: Decimal) -> str:
    return " ".join(f"{number.normalize():f}" for number in numbers)


def sale_receipt(order: Order, version: int, rules: ReceiptRules, why: str = "") -> Receipt:
    """The sale of the order as it is now, as this version.

    :raises Unbookable: the order makes no sound document
    """
    if order.currency != "EUR":
        raise Unbookable("currency", f"it is in {order.currency or 'no currency'}", "currency-foreign")
    goods, payments = goods_and_payments(order, rules)
    lines, notes = _sale_lines(goods, order, rules)
    paid_at = order.paid_at or order.completed_at or order.created_at
    # A version that corrects another one carries the day of the correction: no closed month changes afterwards.
    day = _day(order.found_at if version > 1 else paid_at, rules)
    external_id = sale_id(rules.shop, order.id, version)
    document = _document("Sale", external_id, order, paid_at, day, lines, payments, rules)
    vat = sum((tax.total for tax in goods.taxes), _ZERO)
    if (document["totals"]["gross"], document["totals"]["vat"]) != (goods.total, vat):  # whatever the store did to it
        raise Unbookable("total", "its sums do not agree", "order-sums-differ")
    if order.paid_at is None:
        notes.append("the store has no time of payment")
    return Receipt(external_id, order.id, "Sale", version, document, sale_content(order), why, notes=tuple(notes))


def _day(at: datetime, rules: ReceiptRules) -> str:
    return business_date(at, rules.zone, rules.end_of_business_day).isoformat()


def _document(
    kind: str,
    external_id: str,
    order: Order,
    at: datetime,
    day: str,
    lines: Sequence[Mapping[str, Any]],
    payments: Sequence[Payment],
    rules: ReceiptRules,
    sale: Receipt | None = None,
) -> dict[str, Any]:
    """:param sale: of a refund"""
    gross, vat, discount = (sum((line[name] for line in lines), _ZERO) for name in ("total", "vatAmount", "discount"))
    return {
        "externalId": external_id,
        "type": kind,
        **({"refersTo": sale.external_id} if sale and sale.version != OLD else {}),
        "orderNumber": order.number,
        "businessDate": day,
        "paidAt": f"{at.isoformat()}Z",
        "storeId": rules.web_store,
        "currency": order.currency,
        "pricesIncludeVat": True,
        "lines": lines,
        "payments": payments,
        "totals": {"gross": gross, "net": gross - vat, "vat": vat, "discount": discount},
    }


def _sale_lines(goods: Order, order: Order, rules: ReceiptRules) -> tuple[list[dict[str, Any]], list[str]]:
    """The lines of a sale, and what is to be said of them. They add up to the order's total, and by rate to its VAT.

    :param goods: the order without its means of payment
    """
    notes: list[str] = []
    parts: list[Part] = []
    for line in goods.lines:
        if not line.quantity:
            raise Unbookable(f"line {line.id}", "it has no quantity", "line-without-quantity")
        parts += _parts(line, order, rules, notes)
    _carry_rounding(goods, parts, notes)
    return [_document_line(part) for part in parts], notes


def _parts(line: Line, order: Order, rules: ReceiptRules, notes: list[str]) -> list[Part]:
    """A line at each of its VAT rates."""
    found = shares(line, order)
    code = rules.code_of(line.sku) if line.kind == PRODUCT else None
    kind, quantity = line.kind, line.quantity
    if line.kind == PRODUCT and quantity < 0:
        notes.append(f"line {line.id}: {_plain(quantity)} pieces are sent as an amount, since a sale has none below 0")
        kind, quantity, code = FEE, Decimal(1), None
    elif line.kind == PRODUCT and code is None:
        notes.append(f"line {line.id}: SKU {line.sku or '(none)'} is not in Solteq, so it is sent by its name")
    full = line.subtotal + line.subtotal_tax
    discount = max(full - line.gross, _ZERO) if line.gross >= 0 and len(found) == 1 else _ZERO
    return [
        Part(
            share.rate,
            quantity,
            share.net + share.vat,
            share.vat,
            discount,
            line_id=str(line.id) if len(found) == 1 else f"{line.id}-{_plain(share.rate)}",
            kind=kind,
            code=code,
            name=line.name,
        )
        for share in found
    ]


def _carry_rounding(order: Order, parts: list[Part], notes: list[str]) -> None:
    """Put the store's own rounding differences on lines: of VAT by rate, then of the total (contract, 23)."""
    most = CENT * (len(parts) + 1)
    for percent in sorted({tax.percent for tax in order.taxes}):
        of_rate = [part for part in parts if part.rate == percent]
        due = sum((tax.total for tax in order.taxes if tax.percent == percent), _ZERO)
        difference = due - sum((part.vat for part in of_rate), _ZERO)
        if difference and (not of_rate or abs(difference) > most):
            reason = f"its VAT of {_plain(percent)} % and that of its lines differ by {difference}"
            raise Unbookable("tax_lines", reason, "order-sums-differ")
        if difference:  # VAT that exceeds its line would be nonsense
            bearing = [part for part in of_rate if 0 <= part.vat + difference <= part.gross]
            (bearing or of_rate)[-1].vat += difference
            notes.append(f"{difference} of rounded VAT of {_plain(percent)} % is carried on a line")
    difference = order.total - sum((part.gross for part in parts), _ZERO)
    if difference and (not parts or abs(difference) > most):
        raise Unbookable("total", f"its total and its lines differ by {difference}", "order-sums-differ")
    if difference:
        largest = max(part.rate for part in parts)
        of_rate = [part for part in parts if part.rate == largest]
        bearing = [part for part in of_rate if part.gross + difference >= part.vat >= 0]
        (bearing or of_rate)[-1].gross += difference
        notes.append(f"{difference} of rounding is carried on the last line of {_plain(largest)} %")


def _document_line(part: Part) -> dict[str, Any]:
    unit = ((part.gross + part.discount) / part.quantity).quantize(_UNIT, ROUND_HALF_UP)
    line = {
        "lineId": part.line_id,
        "kind": part.kind,
        "productCode": part.code,
        "name": part.name or part.kind,
        "quantity": Decimal(_plain(part.quantity)),  # without zeros at the end, and without an exponent
        "unitPrice": Decimal(_plain(unit)),
        "discount": part.discount.quantize(CENT),
        "vatRate": Decimal(_plain(part.rate)),
        "vatAmount": part.vat.quantize(CENT),
        "total": part.gross.quantize(CENT),
    }
    return {name: value for name, value in line.items() if value is not None}


def refund_receipt(
    order: Order,
    refund: StoreRefund,
    sale: Receipt,
    remainder: Remainder,
    payments: PaymentsLeft,
    went_back: Mapping[tuple[int, str], bool],
    rules: ReceiptRules,
) -> Receipt:
    """By line where the store refunded lines, the rest by VAT rate; never more than is left of the sale."""
    notes: list[str] = []
    given = payments.fees_given_back(refund, order)
    left = _refundable(order, refund, sale, remainder, sum(given.values(), _ZERO), notes)
    lines: list[dict[str, Any]] = []
    # Discounts that are lines of their own come back first: what they are taken from may then come back whole.
    for line in sorted(refund.lines, key=lambda line: -line.gross >= 0):
        for sold, gross, vat in _of_parts(line, remainder):
            part = remainder.take(sold.line_id, -line.quantity, gross, vat, left)
            left -= part.gross
            if part.gross or part.quantity:
                part = _as_of_today(part, order, rules)
                lines.append(_refund_line(part, went_back.get((refund.id, part.line_id))))
    for part in remainder.spread(left):
        line_id = f"refund-{refund.id}-{_plain(part.rate)}"
        lines.append(_refund_line(replace(part, line_id=line_id, kind=FEE, name="Refund")))
    paid = payments.give_back(-sum((line["total"] for line in lines), _ZERO), given)
    day = _day(refund.created_at, rules)
    if sale.version > 1:  # it belongs to a correction, or follows one
        day = max(day, sale.document["businessDate"])
    external_id = refund_id(rules.shop, refund.id, sale.version)
    document = _document("Refund", external_id, order, refund.created_at, day, lines, paid, rules, sale)
    content, why = refund_content(refund), "refunded in the store"
    return Receipt(external_id, order.id, "Refund", sale.version, document, content, why, refund.id, tuple(notes))


def reversal_receipt(
    order: Order, sale: Receipt, remainder: Remainder, payments: PaymentsLeft, rules: ReceiptRules, why: str
) -> Receipt:
    """A refund of all that is left of a sale: it ends the version.

    Its pieces go back on the shelf, but for a refunded order: the store leaves its stock as it is (contract, 37).
    """
    left = (_as_of_today(part, order, rules) for part in remainder.all_of_it())
    lines = [_refund_line(part, order.status != REFUNDED) for part in left]
    paid = payments.give_back(remainder.gross, {})
    external_id = reversal_id(rules.shop, order.id, sale.version)
    day = _day(order.found_at, rules)
    document = _document("Refund", external_id, order, order.found_at, day, lines, paid, rules, sale)
    return Receipt(external_id, order.id, "Refund", sale.version, document, sale.content, why)


def _refundable(
    order: Order, refund: StoreRefund, sale: Receipt, remainder: Remainder, given: Decimal, notes: list[str]
) -> Decimal:
    """What of the sale a refund takes back: what the store pays back by the order's method, and what goes back to
    other means of payment.

    A refund without lines that pays back the last of the order is of all of it, whatever it was paid with.
    """
    asked = refund.amount + given
    sofar = sum((each.amount for each in order.refunds if each.id <= refund.id), _ZERO)
    if not refund.lines and refund.amount and sofar >= order.total < sale.document["totals"]["gross"]:
        if remainder.gross > asked:
            notes.append(f"the order is refunded in full: {remainder.gross - asked} goes back to its other payments")
        return remainder.gross
    left = min(asked, remainder.gross)
    if left < asked:
        notes.append(f"the store refunded {asked}, of which {left} was left of the sale")
    return left


def _of_parts(line: Line, remainder: Remainder) -> list[tuple[Part, Decimal, Decimal]]:
    """A refund's line over what the sale has of the order's line: each part, its gross and its VAT."""
    parts = remainder.parts_of(str(line.refunded_line))
    if len(parts) <= 1:
        return [(part, -line.gross, -line.total_tax) for part in parts]
    sign = 1 if line.gross <= 0 else -1
    nets = in_proportion(abs(line.total), [abs(part.gross - part.vat) for part in parts])
    taxes = in_proportion(abs(line.total_tax), [abs(part.vat) for part in parts])
    return [(part, sign * (net + vat), sign * vat) for part, net, vat in zip(parts, nets, taxes, strict=True)]


def _as_of_today(part: Part, order: Order, rules: ReceiptRules) -> Part:
    """With the code that its product has in Solteq today: that of the sale may be gone, or of another product by now.

    The store shows the SKU of today for every order. A piece that was sold without a code goes back without one.
    """
    if part.code is None:
        return part
    skus = [line.sku for line in order.lines if str(line.id) == order_line(part.line_id)]
    return replace(part, code=next(filter(None, map(rules.code_of, [*skus, part.code])), None))


def _refund_line(part: Part, restock: bool | None = None) -> dict[str, Any]:
    """:param restock: whether its pieces went back on the shelf; ``None`` where that is not known"""
    if not part.quantity:  # money without a piece has no price per piece
        part = replace(part, kind=FEE, code=None, quantity=Decimal(1))
    line = _document_line(-part)
    return line if restock is None or part.kind != PRODUCT else line | {"restock": restock}
