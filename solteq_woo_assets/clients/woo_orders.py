"""WooCommerce's orders and refunds, as they are read for the books."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from solteq_woo_assets.clients.bounds import Amount, Id, OptionalId, OptionalStoreTime, StoreTime
from solteq_woo_assets.clients.http import JsonResponse, JsonSession, Params
from solteq_woo_assets.clients.woo_pages import (
    PAGE_ROWS,
    Page,
    chunks_of_ids,
    in_seconds,
    modified_after,
    page_of,
    pages,
    total_of,
)
from solteq_woo_assets.errors import WooError

_PATH, _REFUNDS_PATH = "wc/v3/orders", "wc/v3/refunds"
_LINES = "line_items,shipping_lines,fee_lines"
ORDER_FIELDS = (
    "id,number,status,currency,prices_include_tax,date_created_gmt,date_modified_gmt,date_paid_gmt,"
    "date_completed_gmt,discount_total,discount_tax,total,total_tax,customer_id,billing,payment_method,"
    f"payment_method_title,transaction_id,{_LINES},tax_lines,coupon_lines,refunds"
)
_REFUND_FIELDS = f"id,parent_id,date_created_gmt,amount,{_LINES}"
PAGES_AHEAD = 16
"""Pages that may wait in memory, while those before them are stored."""
_DECIMALS = "2"  # whatever number of decimals the store shows: its totals are rounded to cents
_NOT_FOUND = 404


def _listed(value: object) -> object:
    return [] if value is None else value


Text = str | None  # plugins leave fields out, and put numbers where text is due


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, coerce_numbers_to_str=True)


class LineTax(_Row):
    """The VAT of a line at one rate; ``total`` is empty where the rate does not apply."""

    id: OptionalId
    total: Text = ""


class Meta(_Row):
    """A meta value of an order or a line, by a plugin or WooCommerce itself."""

    key: Text = ""
    value: Any = None


class OrderLine(_Row):
    """A line of any kind. A shipping or fee line has no SKU, quantity or subtotal."""

    id: OptionalId
    name: Text = ""
    method_title: Text = ""
    sku: Text = ""
    quantity: Amount = Decimal(1)
    subtotal: Amount | None = None
    subtotal_tax: Amount | None = None
    total: Amount
    total_tax: Amount
    taxes: Annotated[list[LineTax], BeforeValidator(_listed)] = []
    meta_data: Annotated[list[Meta], BeforeValidator(_listed)] = []

    def meta(self, key: str) -> str:
        """The text of a meta value; empty when there is none."""
        values = (each.value for each in self.meta_data if each.key == key)
        return next((str(value) for value in values if isinstance(value, str | int | Decimal)), "")


class TaxLine(_Row):
    """A VAT rate of the order, and the VAT of all its lines."""

    rate_id: OptionalId
    rate_percent: Amount
    tax_total: Amount
    shipping_tax_total: Amount


class CouponLine(_Row):
    code: Text = ""
    discount: Amount
    discount_tax: Amount


class RefundReference(_Row):
    """A refund of an order, as the order names it; ``total`` is negative."""

    id: Id
    total: Amount


class Billing(_Row):
    """The receiver of the bill; personal."""

    first_name: Text = Field(default="", repr=False)
    last_name: Text = Field(default="", repr=False)
    company: Text = Field(default="", repr=False)
    email: Text = Field(default="", repr=False)

    @property
    def name(self) -> str:
        """A person's, or else a company's."""
        return f"{self.first_name or ''} {self.last_name or ''}".strip() or self.company or ""


class _Lines(_Row):
    line_items: list[OrderLine] = []
    shipping_lines: Annotated[list[OrderLine], BeforeValidator(_listed)] = []
    fee_lines: Annotated[list[OrderLine], BeforeValidator(_listed)] = []


class OrderDocument(_Lines):
    """An order. Times are naive UTC; amounts of lines are without VAT, ``total`` is with it (contract, 23)."""

    id: Id
    number: Text = ""
    status: str
    currency: Text = ""
    date_created_gmt: StoreTime
    date_modified_gmt: StoreTime
    date_paid_gmt: OptionalStoreTime = None
    date_completed_gmt: OptionalStoreTime = None
    discount_total: Amount = Decimal(0)
    discount_tax: Amount = Decimal(0)
    total: Amount
    total_tax: Amount
    customer_id: OptionalId = 0
    billing: Annotated[Billing, BeforeValidator(lambda value: value or {})] = Field(default=Billing(), repr=False)
    payment_method: Text = ""
    payment_method_title: Text = ""
    transaction_id: Text = ""
    meta_data: Annotated[list[Meta], BeforeValidator(_listed)] = Field(default=[], repr=False)
    tax_lines: Annotated[list[TaxLine], BeforeValidator(_listed)] = []
    coupon_lines: Annotated[list[CouponLine], BeforeValidator(_listed)] = []
    refunds: Annotated[list[RefundReference], BeforeValidator(_listed)] = []


class RefundDocument(_Lines):
    """A refund. ``amount`` is positive, VAT included; its lines are negative, and there may be none."""

    id: Id
    parent_id: OptionalId = 0
    date_created_gmt: StoreTime
    amount: Amount


class BinnedOrder(_Row):
    """What is asked of an order in the bin."""

    id: Id
    date_created_gmt: OptionalStoreTime = None
    date_modified_gmt: OptionalStoreTime = None


class WooOrders:
    """Reads orders and refunds. Thread-safe.

    :param meta_keys: of the orders' meta that is read; no other is kept
    """

    def __init__(self, session: JsonSession, meta_keys: Collection[str] = ()) -> None:
        self._session = session
        self._meta_keys = frozenset(meta_keys)
        self._fields = f"{ORDER_FIELDS},meta_data" if meta_keys else ORDER_FIELDS

    def changed(self, since: datetime) -> Iterator[Page[OrderDocument]]:
        """Orders of any status that are new or changed since then, but for binned ones (contract, 2)."""
        return self._pages(modified_after(since))

    def created(self, start: datetime, end: datetime, *, in_flight: int) -> Iterator[Page[OrderDocument]]:
        """Orders of any status that were made from ``start`` to before ``end``, naive UTC, but for binned ones.

        Pages are read side by side. If the number of orders changes meanwhile, a page may have missed one: then all
        are read again one after the other, each page beginning where the last one ended.
        """
        window = created_between(start, end)
        first = self._page(window, 0)
        total = _total(first)
        offsets = range(PAGE_ROWS, total, PAGE_ROWS)
        yield self._orders(first)
        steady = True
        with ThreadPoolExecutor(in_flight, thread_name_prefix="orders") as pool:
            for response in _ahead(pool, lambda offset: self._page(window, offset), offsets):
                steady &= bool(response.body) and _total(response) == total
                if not response.body:  # fewer than was said: the rest is not asked for
                    break
                yield self._orders(response)
        if not steady:
            yield from self._pages(window)

    def by_id(self, ids: Sequence[int], status: str = "any") -> Iterator[Page[OrderDocument]]:
        """The orders of these ids that the store lists; with ``trash`` those in the bin."""
        for some in chunks_of_ids(ids):
            yield self._orders(self._page({"include": some, "status": status}, 0))

    def modified(self, since: datetime) -> dict[int, datetime]:
        """Up to a page of what ``changed`` would give, the newest changes first: ids and when they were modified.

        The question of a sensor: new changes are in it, however many orders changed before.
        """
        params = {**modified_after(since), "status": "any"}
        window: Params = {"per_page": PAGE_ROWS, "orderby": "modified", "order": "desc"}
        answer = self._session.get(_PATH, {**params, **window, "_fields": "id,date_modified_gmt"})
        found = page_of(answer.body, _PATH, _Modified.model_validate)
        return {row.id: row.date_modified_gmt for row in found.rows}

    def binned(self) -> list[BinnedOrder]:
        """All orders in the bin, which no other list shows (contract, 6)."""
        fields, read = ",".join(BinnedOrder.model_fields), BinnedOrder.model_validate
        found: list[BinnedOrder] = []
        for page in pages(self._session, _PATH, {"status": "trash"}, fields=fields, read=read):
            found += page.rows
            found += [BinnedOrder(id=row.id) for row in page.unreadable]
        return found

    def refunds(self, ids: Sequence[int], orders: Callable[[], Sequence[int]]) -> Iterator[Page[RefundDocument]]:
        """Refunds by their ids.

        :param orders: the orders of these refunds, asked for where the release has no store-wide list
        """
        try:
            for some in chunks_of_ids(ids):
                params = {"include": some, "per_page": PAGE_ROWS, "dp": _DECIMALS, "_fields": _REFUND_FIELDS}
                yield page_of(self._session.get(_REFUNDS_PATH, params).body, _REFUNDS_PATH, _refund)
        except WooError as error:
            if error.status != _NOT_FOUND:
                raise
            for order_id in orders():
                yield self._refunds_of(order_id)

    def refunded_since(self, created_after: datetime) -> Iterator[Page[RefundDocument]]:
        """The store's refunds since then: some releases do not move the order's time (contract, 6).

        Nothing where the release has no store-wide list.
        """
        params: Params = {"after": in_seconds(created_after), "dates_are_gmt": "true", "dp": _DECIMALS}
        try:
            yield from pages(self._session, _REFUNDS_PATH, params, fields=_REFUND_FIELDS, read=_refund)
        except WooError as error:
            if error.status != _NOT_FOUND:
                raise

    def _refunds_of(self, order_id: int) -> Page[RefundDocument]:
        path = f"{_PATH}/{order_id}/refunds"
        params = {"per_page": PAGE_ROWS, "dp": _DECIMALS, "_fields": _REFUND_FIELDS}
        found = page_of(self._session.get(path, params).body, path, _refund)
        return Page([refund.model_copy(update={"parent_id": order_id}) for refund in found.rows], found.unreadable)

    def _pages(self, params: Params) -> Iterator[Page[OrderDocument]]:
        params = {"status": "any", "dp": _DECIMALS, **params}
        return pages(self._session, _PATH, params, fields=self._fields, read=self._order)

    def _page(self, params: Params, offset: int) -> JsonResponse:
        window: Params = {"per_page": PAGE_ROWS, "offset": offset, "orderby": "id", "order": "asc"}
        return self._session.get(_PATH, {"status": "any", "dp": _DECIMALS, **params, **window, "_fields": self._fields})

    def _orders(self, response: JsonResponse) -> Page[OrderDocument]:
        return page_of(response.body, _PATH, self._order)

    def _order(self, raw: Any) -> OrderDocument:
        order = OrderDocument.model_validate(raw)
        kept = [each for each in order.meta_data if each.key in self._meta_keys]
        return order.model_copy(update={"meta_data": kept}) if order.meta_data else order


def created_between(start: datetime, end: datetime) -> dict[str, str]:
    """The parameters of a window of creation: both bounds are exclusive, with a resolution of a second."""
    before = datetime.fromtimestamp(start.replace(tzinfo=UTC).timestamp() - 1, UTC)
    return {"after": in_seconds(before), "before": in_seconds(end), "dates_are_gmt": "true"}


def _ahead(
    pool: ThreadPoolExecutor, page: Callable[[int], JsonResponse], offsets: Iterable[int]
) -> Iterator[JsonResponse]:
    """Pages in order, some asked for before they are wanted, but never all of them."""
    rest = iter(offsets)
    asked = deque(pool.submit(page, offset) for offset in islice(rest, PAGES_AHEAD))
    while asked:
        response = asked.popleft().result()
        asked.extend(pool.submit(page, offset) for offset in islice(rest, 1))
        yield response


def _total(response: JsonResponse) -> int:
    total = total_of(response)
    if total is None:
        raise WooError(
            f"WooCommerce: GET {_PATH}: the answer does not say how many orders there are (header X-WP-Total). "
            "A proxy or cache in front of the store may take it away."
        )
    return total


class _Modified(_Row):
    id: Id
    date_modified_gmt: StoreTime


_refund = RefundDocument.model_validate
