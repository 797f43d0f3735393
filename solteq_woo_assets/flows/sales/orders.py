"""An order of the web store, as the rules of the books read it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

PRODUCT, SHIPPING, FEE = "Product", "Shipping", "Fee"
"""The kinds of lines."""
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order, or of a refund, where all is negative. Amounts as the store has them: VAT beside the rest.

    :param kind: Product, Shipping or Fee
    :param rate_ids: of the order's tax lines
    :param refunded_line: of a refund's line, the order's line
    :param rate_taxes: the VAT at each of ``rate_ids``; the store may have six decimals
    :param reduced_stock: pieces that the store holds as taken from its stock
    :param restocked: pieces that refunds put back on the shelf; ``None`` when that was not read
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
    rate_taxes: tuple[Decimal, ...] = ()
    reduced_stock: Decimal = _ZERO
    restocked: Decimal | None = None

    @property
    def gross(self) -> Decimal:
        """With VAT."""
        return self.total + self.total_tax


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

    :param found_at: when its present state was found; a correction is dated by it, since the store does not move its
        own time with every edit
    :param gone: ``binned`` or ``deleted`` when the store lists it no more
    :param payment_meta: values of the meta keys that the settings name, as the store has them
    """

    id: int
    number: str
    status: str
    currency: str
    created_at: datetime
    found_at: datetime
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
    payment_meta: Mapping[str, Any] = field(default_factory=dict)


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
    payment_fees: Mapping[str, str] = field(default_factory=dict)
    payment_meta: Mapping[str, str] = field(default_factory=dict)
    deleted_orders: str = "keep"
    old_order_refunds: str = "report"
    code_of: Callable[[str], str | None] = lambda sku: sku or None


class Unbookable(Exception):
    """An order that makes no sound document.

    :param code: of the catalogue of problems
    """

    def __init__(self, field: str, reason: str, code: str) -> None:
        super().__init__(reason)
        self.field, self.reason, self.code = field, reason, code
