"""What Solteq holds of an order, whoever remembers it: the documents of its versions, looked up one after the other.

The ledger can be lost, or be that of a backup; Solteq is asked then, and what it has counts. Documents are known by
their ``externalId`` alone, and two stores, or a store that was installed again, can come by the same one. So what is
found must be of this very order before anything is built on it.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import count
from typing import Any

from solteq_woo_assets.flows.sales.orders import Order, ReceiptRules, Unbookable
from solteq_woo_assets.flows.sales.receipts import (
    Receipt,
    refund_content,
    refund_id,
    reversal_id,
    sale_content,
    sale_id,
    sale_receipt,
    with_decimals,
)
from solteq_woo_assets.flows.sales.rules import due_receipts

Document = Mapping[str, Any]
Found = list[Receipt]
ADOPTED = "found in Solteq"
_CHANGED = "changed"
"""Content of what was booked when the order was another: it equals no fingerprint."""


class AnotherOrder(Exception):
    """Solteq has a document under an id of this order that is not of this order.

    :param external_id: the id
    """

    def __init__(self, external_id: str, reason: str) -> None:
        super().__init__(reason)
        self.external_id, self.reason = external_id, reason


def find_documents(
    order: Order, rules: ReceiptRules, *, is_ours: bool = False
) -> Generator[str, Document | None, Found]:
    """Ask for documents by external id until Solteq can have no more of them; gives what it has, oldest first.

    Yields the next id to look up and takes the document, ``None`` where there is none.

    :param is_ours: the ledger knows that the first document is of this order; else what is found has to show it
    :raises AnotherOrder: what is found is of another order
    """
    found: Found = []
    for version in count(1):
        of_version = yield from _version(order, version, rules, is_ours=is_ours)
        if not of_version:
            break
        found += of_version
    last = max((receipt.version for receipt in found), default=0)
    running = [receipt for receipt in found if receipt.version == last]
    is_another = bool(running) and running[0].content == _CHANGED and not running[-1].is_reversal
    if is_another and not is_ours:
        raise AnotherOrder(running[0].external_id, "its lines or totals are not those of the order")
    return found


def _version(
    order: Order, version: int, rules: ReceiptRules, *, is_ours: bool
) -> Generator[str, Document | None, Found]:
    """A version's sale, its refunds and what ends it; nothing where there is no such version.

    One that was refunded in full is followed by the next without a reversal.
    """

    def receipt(document: Document, kind: str, content: str, store_refund: int | None = None) -> Receipt:
        external_id = str(document["externalId"])
        return Receipt(external_id, order.id, kind, version, document, content, "", store_refund, (ADOPTED,))

    document = yield from _asked(sale_id(rules.shop, order.id, version))
    if document is None:
        return []
    _check_head(document, order, is_first=version == 1 and not is_ours)
    is_same = _is_same_sale(document, order, version, rules)
    sale = receipt(document, "Sale", sale_content(order) if is_same else _CHANGED)
    found = [sale]
    expected = _refunds_of(order, sale, rules) if is_same else {}
    for refund in sorted(order.refunds, key=lambda refund: refund.id):
        document = yield from _asked(refund_id(rules.shop, refund.id, version))
        if document is not None:
            is_so = _money(document, "gross") == expected.get(document["externalId"])
            found.append(receipt(document, "Refund", refund_content(refund) if is_so else _CHANGED, refund.id))
    document = yield from _asked(reversal_id(rules.shop, order.id, version))
    return [*found, receipt(document, "Refund", sale.content)] if document else found


def _asked(external_id: str) -> Generator[str, Document | None, Document | None]:
    document = yield external_id
    if document is None:
        return None
    try:
        return {**with_decimals(document), "externalId": external_id, "payments": list(_payments(document))}
    except ValueError as error:
        raise AnotherOrder(external_id, f"it cannot be read: {error}") from None


def _payments(document: Document) -> Iterator[Mapping[str, Any]]:
    payments = document.get("payments")
    for payment in payments if isinstance(payments, list) else [None]:
        if not isinstance(payment, Mapping) or "type" not in payment or _number(payment.get("amount")) is None:
            raise ValueError("a payment lacks its type or amount")
        yield payment


def differs(held: Document, sent: Document) -> str | None:
    """In what a stored document is another one than the one that was sent, in words; ``None`` when it is the same.

    What a system may spell in its own way, such as names, does not count.
    """
    if held.get("orderNumber") != sent["orderNumber"]:
        return f"it has the order number {held.get('orderNumber')}, not {sent['orderNumber']}"
    if _instant(held.get("paidAt")) != _instant(sent["paidAt"]):
        return f"it was paid at {held.get('paidAt')}, not at {sent['paidAt']}"
    if _money(held, "gross") != _money(sent, "gross") or _money(held, "vat") != _money(sent, "vat"):
        return f"its total is {_plain(_money(held, 'gross'))}, not {_plain(_money(sent, 'gross'))}"
    return None if _lines(held) == _lines(sent) else "its lines are others"


def _check_head(document: Document, order: Order, *, is_first: bool) -> None:
    """The order number, and of the first sale the time of payment, are the order's."""
    external_id = document["externalId"]
    if document.get("orderNumber") != order.number:
        words = f"it has the order number {document.get('orderNumber')}, the order has {order.number}"
        raise AnotherOrder(external_id, words)
    times = [at for at in (order.paid_at, order.completed_at, order.created_at) if at]
    if is_first and _instant(document.get("paidAt")) not in times:
        raise AnotherOrder(external_id, f"it was paid at {document.get('paidAt')}, and the order was not")


def _is_same_sale(document: Document, order: Order, version: int, rules: ReceiptRules) -> bool:
    """Whether the order as it is now would make this document; the store may have rounded its VAT in another way."""
    try:
        wanted = sale_receipt(order, version, rules).document
    except Unbookable:
        return False
    of_sale = ("quantity", "total", "vatRate")
    same_total = _money(document, "gross") == _money(wanted, "gross")
    return same_total and _lines(document, of_sale) == _lines(wanted, of_sale)


def _refunds_of(order: Order, sale: Receipt, rules: ReceiptRules) -> dict[str, Decimal | None]:
    """What each refund of the store comes to once it is booked, by external id, whatever became of the order."""
    as_sale = replace(order, gone=None, status=rules.sale_statuses[0])
    refunds = [receipt for receipt in due_receipts(as_sale, [sale], rules) if receipt.refund_id is not None]
    return {receipt.external_id: _money(receipt.document, "gross") for receipt in refunds}


def _lines(document: Document, numbers: Sequence[str] = ("quantity", "total", "vatAmount")) -> list[tuple[str, ...]]:
    """The lines by their ids and these numbers of theirs."""
    lines = document.get("lines")
    rows = [line for line in lines if isinstance(line, Mapping)] if isinstance(lines, list) else []
    return sorted((str(line.get("lineId")), *(str(_number(line.get(name))) for name in numbers)) for line in rows)


def _money(document: Document, name: str) -> Decimal | None:
    totals = document.get("totals")
    return _number(totals.get(name)) if isinstance(totals, Mapping) else None


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value)).normalize() + 0
    except InvalidOperation:
        return None


def _plain(number: Decimal | None) -> str:
    return "unknown" if number is None else f"{number:.2f}"


def _instant(text: Any) -> datetime | None:
    """Naive UTC."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC).replace(tzinfo=None)
