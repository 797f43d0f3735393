"""What Solteq lacks of an order of the web store: which documents are due.

An order is booked as a *version*: a sale, and the store's refunds of it. While the order's lines stay as they were,
refunds are added to the version. When they change, or the order is cancelled, what is left of the version is reversed,
and a changed order is booked anew as the next version. So no refund ever exceeds its sale, and what is booked of an
order adds up to what the store holds, whatever happened in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from solteq_woo_assets.flows.sales.orders import Order, ReceiptRules
from solteq_woo_assets.flows.sales.payments import PaymentsLeft
from solteq_woo_assets.flows.sales.receipts import (
    OLD,
    REFUNDED,
    Receipt,
    refund_content,
    refund_receipt,
    reversal_receipt,
    sale_content,
    sale_receipt,
)
from solteq_woo_assets.flows.sales.remainders import Remainder
from solteq_woo_assets.flows.sales.restocking import restocked

REVERSED_STATUSES = ("cancelled", "failed")


def is_sale(order: Order, rules: ReceiptRules, *, is_booked: bool = False) -> bool:
    """Whether the store holds the order as a sale. In queries it is the macro ``is_sale``; a test compares them.

    Its status is that of a sale, or it was refunded after it was paid. What is booked stays a sale until the store
    ends it, whatever its status.
    """
    if order.gone or is_ended(order, rules):
        return False
    was_paid = order.status == REFUNDED and order.paid_at is not None
    return is_booked or order.status in rules.sale_statuses or was_paid


def is_ended(order: Order, rules: ReceiptRules) -> bool:
    """Whether the order's status takes back what is booked. No other status does.

    The store makes no refund of a refunded order of which nothing was paid by its method.
    """
    if order.status in rules.sale_statuses:
        return False
    return order.status in REVERSED_STATUSES or (order.status == REFUNDED and not order.total)


def due_receipts(order: Order, booked: Sequence[Receipt], rules: ReceiptRules) -> list[Receipt]:
    """The documents that Solteq lacks of an order, in the order in which they must be sent.

    What is booked stays a sale until the store cancels, refunds or changes it, whatever its status: cash on delivery
    is refunded without ever having been paid.

    :param booked: what Solteq has, or was sent, of this order
    :raises Unbookable: the order makes no sound document
    """
    active = _active(booked)
    if order.gone:
        why = f"{order.gone} in the store after it was booked"
        return active.reversal(order, rules, why) if active and rules.deleted_orders == "reverse" else []
    if active is None:
        return _first_or_again(order, booked, rules) if is_sale(order, rules) else []
    if is_ended(order, rules):
        refunds = active.refunds(order, rules) if active.is_of(order) else []
        return [*refunds, *active.after(refunds).reversal(order, rules, f"{order.status} after it was booked")]
    if active.is_of(order):
        return active.refunds(order, rules)
    why = "changed in the store after it was booked"
    return [*active.reversal(order, rules, why), *_version(order, active.sale.version + 1, rules, why, booked)]


def _first_or_again(order: Order, booked: Sequence[Receipt], rules: ReceiptRules) -> list[Receipt]:
    if all(receipt.version == OLD and not receipt.is_reversal for receipt in booked):
        return _version(order, 1, rules, "paid", booked)
    last = max(1, *(receipt.version for receipt in booked))
    return _version(order, last + 1, rules, "a sale again", booked)


def standing_receipts(order: Order, booked: Sequence[Receipt], rules: ReceiptRules) -> list[Receipt]:
    """What the order comes to in Solteq as it is now: its documents as if nothing had happened in between.

    :raises Unbookable: the order makes no sound document
    """
    active = _active(booked)
    if not is_sale(order, rules, is_booked=active is not None):
        return []
    if active and active.is_paid_by_method_alone(order):  # as it was booked, though a setting may have changed since
        rules = replace(rules, payment_fees={}, payment_meta={})
    return _version(order, 1, rules, "", ())


def old_order_receipts(order: Order, booked: Sequence[Receipt], rules: ReceiptRules, since: datetime) -> list[Receipt]:
    """Refunds made since then, and the cancellation, of an order whose sale somebody else booked before.

    They refer to no document of ours, only to the order's number. An order that was never paid has none.

    :param since: naive UTC, the beginning of the first day
    :raises Unbookable: the order makes no sound document
    """
    if order.gone or order.paid_at is None:
        return []
    version = _Version(sale_receipt(order, OLD, rules, ""), [])
    refunds = version.refunds(order, rules)
    made = {refund.id: refund.created_at for refund in order.refunds}
    due = [receipt for receipt in refunds if receipt.refund_id is None or made[receipt.refund_id] >= since]
    if is_ended(order, rules):
        taken = [*refunds, *old_refunds_deleted(order, booked)]
        due += version.after(taken).reversal(order, rules, f"{order.status} since the first day")
    known = {receipt.external_id for receipt in booked}
    return [receipt for receipt in due if receipt.external_id not in known]


def old_refunds_deleted(order: Order, booked: Sequence[Receipt]) -> list[Receipt]:
    """Refunds of an order that somebody else booked, which were booked here and which the store has deleted since.

    No document can take them back: there is no sale of ours to book anew.
    """
    named = {refund.id for refund in order.refunds}
    refunds = [receipt for receipt in booked if receipt.version == OLD and receipt.refund_id is not None]
    return [receipt for receipt in refunds if receipt.refund_id not in named]


def is_deleted_after_booking(order: Order, booked: Sequence[Receipt]) -> bool:
    """Whether somebody has to decide what becomes of a booked sale that the store deleted."""
    active = _active(booked)
    return bool(order.gone) and active is not None and not active.left()[0].is_nothing


@dataclass(frozen=True)
class _Version:
    """What Solteq has of an order since it was last booked anew.

    :param told: documents of the order's earlier versions
    """

    sale: Receipt
    refunded: Sequence[Receipt]
    told: Sequence[Receipt] = ()

    def is_of(self, order: Order) -> bool:
        """Whether all of it is still so in the store."""
        held = {refund.id: refund_content(refund) for refund in order.refunds}
        same = all(held.get(receipt.refund_id or 0) == receipt.content for receipt in self.refunded)
        return same and self.sale.content == sale_content(order)

    def is_paid_by_method_alone(self, order: Order) -> bool:
        """Whether it was booked without means of payment beside the order's method."""
        payments = self.sale.document["payments"]
        return len(payments) <= 1 and self.sale.document["totals"]["gross"] == order.total

    def after(self, refunds: Sequence[Receipt]) -> "_Version":
        """With these refunds booked, too."""
        return replace(self, refunded=[*self.refunded, *refunds])

    def left(self) -> tuple[Remainder, PaymentsLeft]:
        """What is left of the sale, and of its payments."""
        remainder, payments = Remainder(self.sale.document["lines"]), PaymentsLeft(self.sale.document["payments"])
        for receipt in self.refunded:
            remainder.take_back(receipt.document["lines"])
            payments.take_back(receipt.document["payments"])
        return remainder, payments

    def refunds(self, order: Order, rules: ReceiptRules) -> list[Receipt]:
        """The store's refunds that are not booked yet."""
        remainder, payments = self.left()
        known = {receipt.refund_id for receipt in self.refunded}
        new = sorted((refund for refund in order.refunds if refund.id not in known), key=lambda refund: refund.id)
        went_back = _went_back(order, self.told, self.refunded) if new else {}
        receipts = [refund_receipt(order, refund, self.sale, remainder, payments, went_back, rules) for refund in new]
        return [receipt for receipt in receipts if receipt.document["lines"]]

    def reversal(self, order: Order, rules: ReceiptRules, why: str) -> list[Receipt]:
        """A refund of all that is left, if anything is."""
        remainder, payments = self.left()
        if remainder.is_nothing:
            return []
        return [reversal_receipt(order, self.sale, remainder, payments, rules, why)]


def _active(booked: Sequence[Receipt]) -> _Version | None:
    """The version that is not ended."""
    sales = [receipt for receipt in booked if receipt.type == "Sale"]
    if not sales:
        return None
    sale = max(sales, key=lambda receipt: receipt.version)
    refunds = [receipt for receipt in booked if receipt.type == "Refund"]
    others = [receipt for receipt in refunds if _counts_for(receipt, sale.version)]
    if any(receipt.is_reversal for receipt in others):
        return None
    return _Version(sale, others, [receipt for receipt in refunds if receipt not in others])


def _counts_for(receipt: Receipt, version: int) -> bool:
    """Whether a refund is one of this version. One that was booked before its sale was, is one of the first."""
    return receipt.version == version or (version == 1 and receipt.version == OLD and not receipt.is_reversal)


def _version(order: Order, version: int, rules: ReceiptRules, why: str, booked: Sequence[Receipt]) -> list[Receipt]:
    if not order.lines and not order.total:
        return []  # an order of nothing
    sale = sale_receipt(order, version, rules, why)
    refunds = [receipt for receipt in booked if receipt.type == "Refund"]
    known = [receipt for receipt in refunds if _counts_for(receipt, version)]
    return [sale, *_Version(sale, known, [each for each in refunds if each not in known]).refunds(order, rules)]


def _went_back(order: Order, told: Sequence[Receipt], refunded: Sequence[Receipt]) -> dict[tuple[int, str], bool]:
    """Whether the pieces of each refund went back on the shelf, by refund and line.

    A refund that an earlier version told of says yes: what is left of that version is taken back as a whole, and
    whether the refund's pieces went back has moved the stock already.
    """
    said: dict[tuple[int, str], tuple[bool, Decimal]] = {}
    for receipt in sorted((*told, *refunded), key=lambda receipt: receipt.version):
        for line in receipt.document["lines"] if receipt.refund_id is not None else ():
            if "restock" in line:
                said.setdefault((receipt.refund_id or 0, line["lineId"]), (line["restock"], -line["quantity"]))
    before = {receipt.refund_id for receipt in told}
    return {key: back or key[0] in before for key, back in restocked(order, said).items()}
