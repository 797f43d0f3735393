"""Orders and refunds as rows: of the wire for the snapshot, and of the snapshot for the rules."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import simplejson

from solteq_woo_assets.clients.bounds import id_or_zero, number_or_none
from solteq_woo_assets.clients.woo_orders import OrderDocument, OrderLine, RefundDocument
from solteq_woo_assets.engine import sql
from solteq_woo_assets.flows.sales.orders import FEE, PRODUCT, SHIPPING, Line, Order, StoreRefund, Tax
from solteq_woo_assets.flows.sales.receipts import Receipt, with_decimals
from solteq_woo_assets.flows.sales.tables import (
    WOO_SALES,
    WOO_SALES_LINES,
    WOO_SALES_PAYMENTS,
    WOO_SALES_REFUNDS,
    WOO_SALES_TAXES,
)

REDUCED_STOCK_META = "_reduced_stock"
"""WooCommerce's own: how many pieces of the line it took from its stock."""
RESTOCKED_META = "_restock_refunded_items"
"""WooCommerce's own: how many pieces of the line its refunds put back on the shelf."""
REFUNDED_LINE_META = "_refunded_item_id"

PARTS = {
    table.name.removeprefix("snapshot."): table
    for table in (WOO_SALES_LINES, WOO_SALES_TAXES, WOO_SALES_REFUNDS, WOO_SALES_PAYMENTS)
}
"""The tables beside ``snapshot.woo_sales``; all have ``order_id``."""


def sales_frames(
    orders: Sequence[OrderDocument], refunds: Sequence[RefundDocument], zone: ZoneInfo
) -> dict[str, pl.DataFrame]:
    """Rows of ``snapshot.woo_sales`` and of the tables beside it, by table.

    :param refunds: those that are not in the database yet; of their orders, which name them all
    """
    rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in ("woo_sales", *PARTS)}
    for order in orders:
        parts = _parts(order)
        for table in PARTS:
            rows[table] += parts.get(table, [])
        rows["woo_sales"].append(_order(order, parts, zone))
    for refund in refunds:
        rows["woo_sales_refunds"].append((refund.parent_id, refund.id, refund.date_created_gmt, refund.amount))
        rows["woo_sales_lines"] += [_line(refund.parent_id, refund.id, kind, line) for kind, line in _lines(refund)]
    frames = {name: _frame(rows[name], table.schema) for name, table in PARTS.items()}
    return frames | {"woo_sales": _frame(rows["woo_sales"], WOO_SALES.schema_without("read_at"))}


def _frame(rows: Sequence[tuple[Any, ...]], schema: pl.Schema) -> pl.DataFrame:
    """Arrow builds the columns: Polars takes several times as long for decimals and lists."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    types = pl.DataFrame(schema=schema).to_arrow().schema
    arrays = [pa.array(_kept(column, each.type), type=each.type) for column, each in zip(columns, types, strict=True)]
    return pl.DataFrame(pa.Table.from_arrays(arrays, schema=types))


def _kept(column: Iterable[Any], kind: pa.DataType) -> Iterable[Any]:
    """With as many decimals as the database keeps; the store may have more."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [list(_kept(value, kind.value_type)) for value in column]  # type: ignore[attr-defined]
    if not pa.types.is_decimal(kind):
        return column
    return [None if value is None else round(value, 4) for value in column]


def _order(order: OrderDocument, parts: Mapping[str, Sequence[Any]], zone: ZoneInfo) -> tuple[Any, ...]:
    meta = _payment_meta(order)
    # Not when it was modified: every write moves that, our own and those that change nothing (contract, 5).
    refunds = [(refund.id, refund.total) for refund in order.refunds]
    paid = (order.date_paid_gmt, order.total, meta)
    content = repr((order.status, order.currency, *paid, order.customer_id, parts, refunds))
    return (
        *(order.id, order.number or str(order.id), local_day(order.date_created_gmt, zone)),
        *(order.status, order.currency),
        *(order.date_created_gmt, order.date_modified_gmt, order.date_paid_gmt, order.date_completed_gmt),
        *(order.total, order.total_tax, order.customer_id, order.billing.email, order.billing.name),
        *(amounts_alone(meta), None, hashlib.sha256(content.encode()).hexdigest()[:16]),
    )


def _payment_meta(order: OrderDocument) -> str | None:
    """As JSON; ``None`` when the settings name no keys, or the order has none of them."""
    values = {each.key: each.value for each in order.meta_data}
    return simplejson.dumps(values, use_decimal=True, ensure_ascii=False) if values else None


def amounts_alone(meta: str | None) -> str | None:
    """Meta, as JSON, without what plugins write beside amounts, such as a gift card's code, or who gets it.

    What is no amount where one is expected becomes a question mark.
    """
    if meta is None:
        return None
    values = {key: _amounts(value) for key, value in simplejson.loads(meta, use_decimal=True).items()}
    return simplejson.dumps(values, use_decimal=True, ensure_ascii=False)


def _amounts(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(place): _amount_or_mark(each) for place, each in enumerate(value.values())}
    if isinstance(value, list):
        return [{"amount": _amount_or_mark(each.get("amount"))} if isinstance(each, Mapping) else "?" for each in value]
    return _amount_or_mark(value)


def _amount_or_mark(value: Any) -> Any:
    if value is None or (isinstance(value, Mapping | list | str) and not value):
        return value
    return value if number_or_none(value) is not None else "?"


def local_day(instant: datetime, zone: ZoneInfo) -> Any:
    """The shop's calendar day of a naive UTC instant."""
    return instant.replace(tzinfo=UTC).astimezone(zone).date()


def _parts(order: OrderDocument) -> dict[str, list[tuple[Any, ...]]]:
    payment = (order.id, order.payment_method, order.payment_method_title, order.total, order.transaction_id)
    return {
        "woo_sales_lines": [_line(order.id, None, kind, line) for kind, line in _lines(order)],
        "woo_sales_taxes": [(order.id, *tax) for tax in _taxes(order)],
        # They are in no table. Without them in the fingerprint each order would look changed.
        "woo_sales_coupons": [(order.id, *coupon) for coupon in _coupons(order)],
        "woo_sales_payments": [payment],
    }


def _taxes(order: OrderDocument) -> list[tuple[int, Decimal, Decimal]]:
    """The VAT of each rate. A plugin can make two lines of one rate."""
    totals: defaultdict[tuple[int, Decimal], Decimal] = defaultdict(Decimal)
    for tax in order.tax_lines:
        totals[tax.rate_id, tax.rate_percent] += tax.tax_total + tax.shipping_tax_total
    return [(rate_id, percent, total) for (rate_id, percent), total in totals.items()]


def _coupons(order: OrderDocument) -> list[tuple[str, Decimal, Decimal]]:
    """What each coupon took off, without VAT, and the VAT."""
    taken: dict[str, tuple[Decimal, Decimal]] = {}
    for each in order.coupon_lines:
        net, vat = taken.get(each.code or "", (Decimal(0), Decimal(0)))
        taken[each.code or ""] = (net + each.discount, vat + each.discount_tax)
    return [(code, net, vat) for code, (net, vat) in taken.items()]


def _lines(document: OrderDocument | RefundDocument) -> Iterable[tuple[str, OrderLine]]:
    kinds = ((PRODUCT, document.line_items), (SHIPPING, document.shipping_lines), (FEE, document.fee_lines))
    return [(kind, line) for kind, lines in kinds for line in lines]


def _line(order_id: int, refund_id: int | None, kind: str, line: OrderLine) -> tuple[Any, ...]:
    refunded = line.meta(REFUNDED_LINE_META) if refund_id else ""
    quantity = line.quantity
    if refund_id and kind != PRODUCT:  # the store does not say it
        quantity = Decimal(-1 if line.total or line.total_tax else 0)
    is_sold_piece = kind == PRODUCT and not refund_id
    meta = [line.meta(key) if is_sold_piece else "" for key in (REDUCED_STOCK_META, RESTOCKED_META)]
    stock = [max(number_or_none(text) or Decimal(0), Decimal(0)) for text in meta]
    taxes = [tax for tax in line.taxes if tax.total not in ("", None)]
    return (
        *(order_id, refund_id, line.id, kind, line.name or line.method_title or "", line.sku or "", quantity),
        line.total if line.subtotal is None else line.subtotal,
        line.total_tax if line.subtotal_tax is None else line.subtotal_tax,
        *(line.total, line.total_tax),
        [tax.id for tax in taxes],
        [number_or_none(tax.total or "") or Decimal(0) for tax in taxes],
        *(id_or_zero(refunded) or None, *stock),
    )


def chosen_orders(steps: sql.Steps) -> list[dict[str, Any]]:
    """Rows of the table ``chosen``, which has the columns of ``snapshot.woo_sales``, each with its ``order``."""
    return [row | {"order": order_of(row)} for row in steps.frame("orders").to_dicts()]


class Sent(NamedTuple):
    """A document that was sent. ``is_current``: of the order's last version."""

    receipt: Receipt
    is_booked: bool
    is_current: bool

    @property
    def is_current_refund(self) -> bool:
        """Whether it is a refund of the store, in the order's last version."""
        return self.is_current and self.receipt.refund_id is not None


def sent_of(steps: sql.Steps) -> defaultdict[int, list[Sent]]:
    """What the ledger has of the chosen orders, by order, as it left."""
    sent: defaultdict[int, list[Sent]] = defaultdict(list)
    for row in steps.frame("sent").to_dicts():
        marks = {name: row.pop(name) for name in ("is_booked", "is_current")}
        document = with_decimals(simplejson.loads(row.pop("document"), use_decimal=True))
        notes = tuple(row.pop("notes") or ())
        receipt = Receipt(**row, document=document, reason="", notes=notes)
        sent[receipt.order_id].append(Sent(receipt, **marks))
    return sent


def order_of(row: Mapping[str, Any]) -> Order:
    """An order for the rules, of a row of ``orders.sql``."""
    lines: dict[int | None, list[Line]] = {}
    for each in row["lines"] or []:
        refund_id = each.pop("refund_id")
        lists = {name: tuple(each[name] or ()) for name in ("rate_ids", "rate_taxes")}
        lines.setdefault(refund_id, []).append(Line(**each | lists))
    refunds = [
        StoreRefund(each["refund_id"], each["created_at"], each["amount"], tuple(lines.get(each["refund_id"], ())))
        for each in row["refunds"] or []
    ]
    names = ("id", "number", "status", "currency", "created_at", "paid_at", "completed_at", "total")
    payment = row["payment"] or {}
    return Order(
        **{name: row[name] for name in names},
        found_at=row["read_at"],
        **payment,
        gone=row["gone"],
        lines=tuple(lines.get(None, ())),
        taxes=tuple(Tax(**each) for each in row["taxes"] or []),
        refunds=tuple(refunds),
        payment_meta=simplejson.loads(row["payment_meta"] or "{}", use_decimal=True),
    )
