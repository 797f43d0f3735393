"""What an order of the web store is in Solteq's books: sales and refunds that agree with the store to the cent.

An order is booked as a *version*: a sale, and the store's refunds of it. While the order's lines stay as they were,
refunds are added to the version. When they change, or the order is cancelled, what is left of the version is reversed,
and a changed order is booked anew as the next version. So no refund ever exceeds its sale, and what is booked of an
order adds up to what the store holds, whatever happened in between.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from solteq_woo_assets.rules.remainders import CENT, Part, Remainder

_UNIT = Decimal("0.0001")
_ZERO = Decimal(0)
REVERSED_STATUSES = ("cancelled", "failed")
_REFUNDED = "refunded"  # what the store calls a sale that was refunded in full: it was one, and so is booked
_PRODUCT, _FEE = "Product", "Fee"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order, or of a refund, where all is negative. Amounts as the store has them: VAT beside the rest.

    :param kind: Product, Shipping or Fee
    :param rate_ids: of the order's tax lines
    :param refunded_line: of a refund's line, the order's line
    """

    id: int
    kind: str
    name: str
    sku: str
    quantity: Decimal
    subtotal: Decimal
    subtotal_tax: Decimal
    total: Decimal
    total_tax: Decimal
    rate_ids: tuple[int, ...] = ()
    refunded_line: int | None = None


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax line of an order: a VAT rate, and the VAT of all its lines."""

    rate_id: int
    percent: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class StoreRefund:
    """A refund in the store. ``amount`` is positive, VAT included; ``lines`` may be none, or not add up to it."""

    id: int
    created_at: datetime
    amount: Decimal
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the store has it. Times are naive UTC.

    :param gone: ``binned`` or ``deleted`` when the store lists it no more
    """

    id: int
    number: str
    status: str
    currency: str
    created_at: datetime
    modified_at: datetime
    paid_at: datetime | None
    completed_at: datetime | None
    total: Decimal
    payment_method: str = ""
    payment_method_title: str = ""
    transaction_id: str = ""
    gone: str | None = None
    lines: tuple[Line, ...] = ()
    taxes: tuple[Tax, ...] = ()
    refunds: tuple[StoreRefund, ...] = ()


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


@dataclass(frozen=True)
class ReceiptRules:
    """The settings that the rules depend on; ``settings.py`` explains them.

    :param code_of: Solteq's code for a SKU, ``None`` when Solteq has no such product
    """

    shop: str
    web_store: str
    zone: ZoneInfo
    end_of_business_day: time = time(0, 0)
    sale_statuses: Sequence[str] = ("processing", "completed")
    payment_types: Mapping[str, str] = field(default_factory=dict)
    deleted_orders: str = "keep"
    code_of: Callable[[str], str | None] = lambda sku: sku or None


class Unbookable(Exception):
    """An order that makes no sound document.

    :param code: of the catalogue of problems
    """

    def __init__(self, field: str, reason: str, code: str) -> None:
        super().__init__(reason)
        self.field, self.reason, self.code = field, reason, code


def with_decimals(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document that was JSON, which says 5 where money is 5.00: numbers of lines are decimals again.

    :raises ValueError: a line lacks a number
    """
    names = ("quantity", "unitPrice", "discount", "vatRate", "vatAmount", "total")
    try:
        lines = [line | {name: Decimal(line[name]) for name in names} for line in document["lines"]]
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ValueError("a line lacks a number") from error
    return {**document, "lines": lines}


def sale_id(shop: str, order_id: int, version: int) -> str:
    """The external id of a version's sale."""
    return f"woo:{shop}:order:{order_id}{_numbered(version)}"


def refund_id(shop: str, store_refund_id: int, version: int) -> str:
    """The external id of a refund of the store, of one version."""
    return f"woo:{shop}:refund:{store_refund_id}{_numbered(version)}"


def reversal_id(shop: str, order_id: int, version: int) -> str:
    """The external id of what ends a version."""
    return f"woo:{shop}:order:{order_id}:reversal:{version}"


def _numbered(version: int) -> str:
    return f":version:{version}" if version > 1 else ""


def business_date(paid_at: datetime, zone: ZoneInfo, end_of_business_day: time) -> date:
    """The business day of a payment: with 04:00, 6.9. holds what was paid from 6.9. 04:00 to 7.9. 04:00 local time
    (contract, Business date).

    :param paid_at: naive UTC
    """
    local = paid_at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    return (local - timedelta(hours=end_of_business_day.hour, minutes=end_of_business_day.minute)).date()


def is_sale(order: Order, rules: ReceiptRules) -> bool:
    """Whether the order's status is a sale's; a refunded order was one if it was paid."""
    if order.gone:
        return False
    return order.status in rules.sale_statuses or (order.status == _REFUNDED and order.paid_at is not None)


def due_receipts(order: Order, booked: Sequence[Receipt], rules: ReceiptRules) -> list[Receipt]:
    """The documents that Solteq lacks of an order, in the order in which they must be sent.

    :param booked: what Solteq has, or was sent, of this order
    :raises Unbookable: the order makes no sound document
    """
    active = _active(booked)
    last = max((receipt.version for receipt in booked), default=0)
    if not is_sale(order, rules):
        return _ended(order, active, rules)
    if active is None:
        return _version(order, last + 1, rules, "paid" if last == 0 else "a sale again")
    if active.is_of(order):
        return active.refunds(order, rules)
    why = "changed in the store after it was booked"
    return [*active.reversal(order, rules, why), *_version(order, last + 1, rules, why)]


def is_deleted_after_booking(order: Order, booked: Sequence[Receipt]) -> bool:
    """Whether somebody has to decide what becomes of a booked sale that the store deleted."""
    active = _active(booked)
    return bool(order.gone) and active is not None and not active.remainder().is_nothing


def sale_content(order: Order) -> str:
    """Fingerprint of what a sale is made of. SKUs and names are not in it: the store shows those of today."""
    rates = {tax.rate_id: tax.percent for tax in order.taxes}
    parts = [str(order.currency), _plain(order.total)]
    for line in sorted(order.lines, key=lambda line: line.id):
        amounts = (line.quantity, line.subtotal, line.subtotal_tax, line.total, line.total_tax)
        percents = [rates.get(rate_id, _ZERO) for rate_id in line.rate_ids]
        parts.append(f"{line.id} {line.kind} {' '.join(map(_plain, (*amounts, *percents)))}")
    return _fingerprint(parts)


def refund_content(refund: StoreRefund) -> str:
    """Fingerprint of a refund of the store."""
    parts = [_plain(refund.amount)]
    for line in sorted(refund.lines, key=lambda line: line.id):
        parts.append(f"{line.refunded_line} {' '.join(map(_plain, (line.quantity, line.total, line.total_tax)))}")
    return _fingerprint(parts)


def _fingerprint(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


@dataclass(frozen=True)
class _Version:
    """What Solteq has of an order since it was last booked anew."""

    sale: Receipt
    refunded: Sequence[Receipt]

    def is_of(self, order: Order) -> bool:
        """Whether all of it is still so in the store."""
        held = {refund.id: refund_content(refund) for refund in order.refunds}
        same = all(held.get(receipt.refund_id or 0) == receipt.content for receipt in self.refunded)
        return same and self.sale.content == sale_content(order)

    def remainder(self) -> Remainder:
        """What is left of the sale."""
        remainder = Remainder(self.sale.document["lines"])
        for receipt in self.refunded:
            remainder.take_back(receipt.document["lines"])
        return remainder

    def refunds(self, order: Order, rules: ReceiptRules) -> list[Receipt]:
        """The store's refunds that are not booked yet."""
        remainder = self.remainder()
        known = {receipt.refund_id for receipt in self.refunded}
        new = sorted((refund for refund in order.refunds if refund.id not in known), key=lambda refund: refund.id)
        receipts = [_refund(order, refund, self.sale, remainder, rules) for refund in new]
        return [receipt for receipt in receipts if receipt.document["lines"]]

    def reversal(self, order: Order, rules: ReceiptRules, why: str) -> list[Receipt]:
        """A refund of all that is left, if anything is."""
        remainder = self.remainder()
        if remainder.is_nothing:
            return []
        lines = [_refund_line(part) for part in remainder.all_of_it()]
        document = _refund_document(order, order.modified_at, self.sale, lines, rules)
        external_id = reversal_id(rules.shop, order.id, self.sale.version)
        return [
            Receipt(
                external_id,
                order.id,
                "Refund",
                self.sale.version,
                {"externalId": external_id, **document},
                self.sale.content,
                why,
            )
        ]


def _active(booked: Sequence[Receipt]) -> _Version | None:
    """The version that is not ended."""
    sales = [receipt for receipt in booked if receipt.type == "Sale"]
    if not sales:
        return None
    sale = max(sales, key=lambda receipt: receipt.version)
    others = [receipt for receipt in booked if receipt.version == sale.version and receipt.type == "Refund"]
    if any(receipt.is_reversal for receipt in others):
        return None
    return _Version(sale, others)


def _ended(order: Order, active: _Version | None, rules: ReceiptRules) -> list[Receipt]:
    """What is due of an order that is no sale (any more)."""
    if active is None:
        return []
    if order.gone:
        why = f"{order.gone} in the store after it was booked"
        return active.reversal(order, rules, why) if rules.deleted_orders == "reverse" else []
    if order.status not in REVERSED_STATUSES:
        return []
    refunds = active.refunds(order, rules) if active.is_of(order) else []
    rest = _Version(active.sale, [*active.refunded, *refunds])
    return [*refunds, *rest.reversal(order, rules, f"{order.status} after it was booked")]


def _version(order: Order, version: int, rules: ReceiptRules, why: str) -> list[Receipt]:
    sale = _sale(order, version, rules, why)
    return [sale, *_Version(sale, []).refunds(order, rules)]


def current_sale(order: Order, version: int, rules: ReceiptRules) -> Receipt:
    """The sale of the order as it is now, as this version.

    :raises Unbookable: the order makes no sound document
    """
    return _sale(order, version, rules, "")


def _sale(order: Order, version: int, rules: ReceiptRules, why: str) -> Receipt:
    if order.currency != "EUR":
        raise Unbookable("currency", f"it is in {order.currency or 'no currency'}", "currency-foreign")
    lines, notes = _sale_lines(order, rules)
    paid_at = order.paid_at or order.completed_at or order.created_at
    external_id = sale_id(rules.shop, order.id, version)
    document = {
        "externalId": external_id,
        "type": "Sale",
        **_head(order, paid_at, rules),
        "lines": lines,
        "payments": _payments(order, order.total, rules),
        "totals": _totals(lines),
    }
    _check(document, order)
    if order.paid_at is None:
        notes.append("the store has no time of payment")
    return Receipt(external_id, order.id, "Sale", version, document, sale_content(order), why, notes=tuple(notes))


def _head(order: Order, at: datetime, rules: ReceiptRules) -> dict[str, Any]:
    return {
        "orderNumber": order.number,
        "businessDate": business_date(at, rules.zone, rules.end_of_business_day).isoformat(),
        "paidAt": f"{at.isoformat()}Z",
        "storeId": rules.web_store,
        "currency": order.currency,
        "pricesIncludeVat": True,
    }


def _sale_lines(order: Order, rules: ReceiptRules) -> tuple[list[dict[str, Any]], list[str]]:
    """The lines of a sale, and what is to be said of them. They add up to the order's total, and by rate to its VAT."""
    notes: list[str] = []
    parts: list[Part] = []
    for line in order.lines:
        gross, full = line.total + line.total_tax, line.subtotal + line.subtotal_tax
        discount = max(full - gross, _ZERO) if gross >= 0 else _ZERO
        if not line.quantity:
            raise Unbookable(f"line {line.id}", "it has no quantity", "line-without-quantity")
        parts.append(Part(_rate(line, order), line.quantity, gross, line.total_tax, discount))
    _carry_rounding(order, parts, notes)
    lines = []
    for line, part in zip(order.lines, parts, strict=True):
        code = rules.code_of(line.sku) if line.kind == _PRODUCT else None
        if line.kind == _PRODUCT and code is None:
            notes.append(f"line {line.id}: SKU {line.sku or '(none)'} is not in Solteq, so it is sent by its name")
        lines.append(_document_line(replace(part, line_id=str(line.id), kind=line.kind, code=code, name=line.name)))
    return lines, notes


def _rate(line: Line, order: Order) -> Decimal:
    rates = {tax.rate_id: tax.percent for tax in order.taxes}
    known = [rates[rate_id] for rate_id in line.rate_ids if rate_id in rates]
    if len(known) > 1:
        raise Unbookable(f"line {line.id}", "it is taxed at several rates", "line-of-several-vat-rates")
    if not known and line.total_tax:
        raise Unbookable(f"line {line.id}", "its VAT has no rate in the order", "order-sums-differ")
    return known[0] if known else _ZERO


def _carry_rounding(order: Order, parts: list[Part], notes: list[str]) -> None:
    """Put the store's own rounding differences on lines: of VAT by rate, then of the total (contract, 23)."""
    most = CENT * (len(parts) + 1)
    for percent in sorted({tax.percent for tax in order.taxes}):
        due = sum((tax.total for tax in order.taxes if tax.percent == percent), _ZERO)
        of_rate = [part for part in parts if part.rate == percent]
        difference = due - sum((part.vat for part in of_rate), _ZERO)
        if difference and (not of_rate or abs(difference) > most):
            reason = f"its VAT of {_plain(percent)} % and that of its lines differ by {difference}"
            raise Unbookable("tax_lines", reason, "order-sums-differ")
        if difference:
            # The last line that can bear it: VAT that exceeds its line would be nonsense.
            bearing = [part for part in of_rate if 0 <= part.vat + difference <= part.gross]
            (bearing or of_rate)[-1].vat += difference
            notes.append(f"{difference} of rounded VAT of {_plain(percent)} % is carried on a line")
    difference = order.total - sum((part.gross for part in parts), _ZERO)
    if difference and (not parts or abs(difference) > most):
        reason = f"its total and its lines differ by {difference}"
        raise Unbookable("total", reason, "order-sums-differ")
    if difference:
        largest = max(part.rate for part in parts)
        of_rate = [part for part in parts if part.rate == largest]
        bearing = [part for part in of_rate if part.gross + difference >= part.vat >= 0]
        (bearing or of_rate)[-1].gross += difference
        notes.append(f"{difference} of rounding is carried on the last line of {_plain(largest)} %")


def _document_line(part: Part) -> dict[str, Any]:
    unit = ((part.gross + part.discount) / part.quantity).quantize(_UNIT, ROUND_HALF_UP)
    line = {"lineId": part.line_id, "kind": part.kind, "productCode": part.code, "name": part.name or part.kind}
    numbers = {
        "quantity": _tidy(part.quantity),
        "unitPrice": _tidy(unit),
        "discount": part.discount.quantize(CENT),
        "vatRate": _tidy(part.rate),
        "vatAmount": part.vat.quantize(CENT),
        "total": part.gross.quantize(CENT),
    }
    return {name: value for name, value in line.items() if value is not None} | numbers


def _tidy(number: Decimal) -> Decimal:
    """Without zeros at the end, and without an exponent."""
    return Decimal(_plain(number))


def _payments(order: Order, amount: Decimal, rules: ReceiptRules) -> list[dict[str, Any]]:
    if not amount:
        return []
    amount = amount.quantize(CENT)
    known = rules.payment_types.get(order.payment_method)
    if known is None:
        reference = order.payment_method_title or order.payment_method or "no payment method"
        return [{"type": "Other", "amount": amount, "reference": reference}]
    payment: dict[str, Any] = {"type": known, "amount": amount}
    return [payment | {"reference": order.transaction_id} if order.transaction_id else payment]


def _totals(lines: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    gross, vat, discount = (sum((line[name] for line in lines), _ZERO) for name in ("total", "vatAmount", "discount"))
    return {"gross": gross, "net": gross - vat, "vat": vat, "discount": discount}


def _check(document: Mapping[str, Any], order: Order) -> None:
    """A document whose sums disagree is never sent, whatever the store did to its order."""
    vat = sum((tax.total for tax in order.taxes), _ZERO)
    if (document["totals"]["gross"], document["totals"]["vat"]) != (order.total, vat):
        raise Unbookable("total", "its sums do not agree", "order-sums-differ")


def _refund(order: Order, refund: StoreRefund, sale: Receipt, remainder: Remainder, rules: ReceiptRules) -> Receipt:
    """By line where the store refunded lines, the rest by VAT rate; never more than is left of the sale."""
    notes: list[str] = []
    left = min(refund.amount, remainder.gross)
    if left < refund.amount:
        notes.append(f"the store refunded {refund.amount}, of which {left} was left of the sale")
    lines: list[dict[str, Any]] = []
    # Discounts that are lines of their own come back first: what they are taken from may then come back whole.
    for line in sorted(refund.lines, key=lambda line: -(line.total + line.total_tax) >= 0):
        sold = remainder.line(str(line.refunded_line))
        if sold is None:
            continue
        gross, vat = -(line.total + line.total_tax), -line.total_tax
        part = remainder.take(sold.line_id, -line.quantity, gross, vat, left)
        left -= part.gross
        if part.gross or part.quantity:
            lines.append(_refund_line(part))
    for part in remainder.spread(left):
        line_id = f"refund-{refund.id}-{_plain(part.rate)}"
        lines.append(_refund_line(replace(part, line_id=line_id, kind=_FEE, name="Refund")))
    external_id = refund_id(rules.shop, refund.id, sale.version)
    document = {"externalId": external_id, **_refund_document(order, refund.created_at, sale, lines, rules)}
    return Receipt(
        external_id,
        order.id,
        "Refund",
        sale.version,
        document,
        refund_content(refund),
        "refunded in the store",
        refund.id,
        tuple(notes),
    )


def _refund_line(part: Part) -> dict[str, Any]:
    if not part.quantity:  # money without a piece has no price per piece
        part = replace(part, kind=_FEE, code=None, quantity=Decimal(1))
    return _document_line(-part)


def _refund_document(
    order: Order, at: datetime, sale: Receipt, lines: Sequence[dict[str, Any]], rules: ReceiptRules
) -> dict[str, Any]:
    totals = _totals(lines)
    paid = sale.document["payments"]
    payments = [{**paid[0], "amount": totals["gross"]}] if paid and totals["gross"] else []
    return {
        "type": "Refund",
        "refersTo": sale.external_id,
        **_head(order, at, rules),
        "lines": lines,
        "payments": payments,
        "totals": totals,
    }
