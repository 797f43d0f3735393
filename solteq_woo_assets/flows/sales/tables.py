"""Tables of sales. The store's amounts of lines are without VAT, its totals and refunds with it."""

import polars as pl

from solteq_woo_assets.flow import CHANGES
from solteq_woo_assets.table import COUNT, DAY, FLAG, ID, MONEY, NOT_NULL, TEXT, TEXTS, TIME, Column, Table

_ORDER = Column(ID, "The order")
_LIKE = Column(TEXT, "What the order was like then", NOT_NULL)

WOO_SALES = Table(
    "snapshot.woo_sales",
    "The store's orders, of every status",
    {
        "id": Column(ID, "The store's id"),
        "number": Column(TEXT, "The number that people know it by"),
        "day": Column(DAY, "The shop's day on which it was made", NOT_NULL),
        "status": Column(TEXT, "processing, completed, refunded, …", NOT_NULL),
        "currency": Column(TEXT, "Currency of its amounts"),
        "created_at": Column(TIME, "When it was made", NOT_NULL),
        "modified_at": Column(TIME, "When the store changed it; every write moves that", NOT_NULL),
        "paid_at": Column(TIME, "When it was paid"),
        "completed_at": Column(TIME, "When it was completed"),
        "total": Column(MONEY, "What the customer pays"),
        "total_tax": Column(MONEY, "VAT in it"),
        "customer_id": Column(ID, "The account; 0 of a guest"),
        "email": Column(TEXT, "E-mail address of who bought"),
        "name": Column(TEXT, "Name of who bought"),
        "payment_meta": Column(TEXT, "JSON: what the meta keys of SOLTEQ_WOO_PAYMENT_META hold"),
        "gone": Column(TEXT, "binned or deleted, when the store lists it no more"),
        "content": Column(TEXT, "Fingerprint of all of it, to tell a change from a mere write", NOT_NULL),
        "read_at": Column(TIME, "When it was new or had changed", NOT_NULL),
    },
    key=("id",),
)
WOO_SALES_LINES = Table(
    "snapshot.woo_sales_lines",
    "Lines of orders, and of refunds, where all is negative",
    {
        "order_id": Column(ID, "The order", NOT_NULL),
        "refund_id": Column(ID, "The refund; NULL of a line of the order itself"),
        "line_id": Column(ID, "The store numbers the lines of orders and refunds in one row", NOT_NULL),
        "kind": Column(TEXT, "Product, Shipping or Fee", NOT_NULL),
        "name": Column(TEXT, "What was sold"),
        "sku": Column(TEXT, "Its SKU"),
        "quantity": Column(MONEY, "Pieces"),
        "subtotal": Column(MONEY, "Amount before coupons, without VAT"),
        "subtotal_tax": Column(MONEY, "VAT of that"),
        "total": Column(MONEY, "Amount without VAT"),
        "total_tax": Column(MONEY, "VAT of that"),
        "rate_ids": Column(pl.List(ID), "The VAT rates, by the store's ids"),
        "rate_taxes": Column(pl.List(MONEY), "The VAT at each of rate_ids"),
        "refunded_line": Column(ID, "Of a refund's line: the order's line"),
        "reduced_stock": Column(MONEY, "Pieces that the store took from its stock"),
        "restocked": Column(MONEY, "Pieces that refunds put back; NULL: read before version 6"),
    },
    key=("order_id", "line_id"),
)
WOO_SALES_TAXES = Table(
    "snapshot.woo_sales_taxes",
    "The VAT of each rate of an order",
    {
        "order_id": _ORDER,
        "rate_id": Column(ID, "The store's id of the rate"),
        "percent": Column(MONEY, "The rate in percent"),
        "total": Column(MONEY, "VAT at this rate"),
    },
    key=("order_id", "rate_id", "percent"),
)
WOO_SALES_REFUNDS = Table(
    "snapshot.woo_sales_refunds",
    "Refunds of orders",
    {
        "order_id": _ORDER,
        "refund_id": Column(ID, "The store's id of the refund"),
        "created_at": Column(TIME, "When it was made", NOT_NULL),
        "amount": Column(MONEY, "What was given back, with VAT"),
    },
    key=("order_id", "refund_id"),
)
WOO_SALES_PAYMENTS = Table(
    "snapshot.woo_sales_payments",
    "How an order was paid",
    {
        "order_id": _ORDER,
        "method": Column(TEXT, "Name of the payment method in the store's code"),
        "title": Column(TEXT, "Name of the payment method as customers see it"),
        "amount": Column(MONEY, "What was paid"),
        "reference": Column(TEXT, "The payment provider's id"),
    },
    key=("order_id",),
)
SALES_DELTA = Table(
    "delta.sales_delta",
    "The documents that have to be booked in Solteq",
    {
        **CHANGES,
        "day": Column(DAY, "The shop's day on which the order was made", NOT_NULL),
        "refund_id": Column(ID, "The store's id of the refund"),
        "version": Column(COUNT, "Which booking of the same order it is; 0 of a refund of an older order", NOT_NULL),
        "document": Column(TEXT, "JSON, without the customer, who is added when it leaves", NOT_NULL),
        "content": Column(TEXT, "Fingerprint of the document's content", NOT_NULL),
        "notes": Column(TEXTS, "What was worked around, in words", NOT_NULL),
        "settles": Column(TEXT, "What the order is like, for sync.settled_orders once all of it is booked", NOT_NULL),
    },
    key=("key",),
)
SALES = Table(
    "sync.sales",
    "What Solteq has been sent of orders: the ledger of documents",
    {
        "external_id": Column(TEXT, "Our name of the document"),
        "order_id": Column(ID, "The order", NOT_NULL),
        **{name: SALES_DELTA.columns[name] for name in ("refund_id", "version")},
        "type": Column(TEXT, "Sale or Refund", NOT_NULL),
        **{name: SALES_DELTA.columns[name] for name in ("document", "content", "notes")},
        "state": Column(TEXT, "pending: it may have left; booked", NOT_NULL),
        "solteq_id": Column(TEXT, "Solteq's id of the document"),
        "run_id": Column(TEXT, "The run that sent it", NOT_NULL),
        "sent_at": Column(TIME, "When it left", NOT_NULL),
        "booked_at": Column(TIME, "When Solteq booked it, by Solteq's clock"),
    },
    key=("external_id",),
)
SETTLED_ORDERS = Table(
    "sync.settled_orders",
    "Orders of which nothing is due",
    {"order_id": _ORDER, "content": _LIKE},
    key=("order_id",),
)
SALES_DAYS = Table(
    "sync.sales_days",
    "Days that were read whole, to be booked",
    {"day": Column(DAY, "The shop's day"), "read_at": Column(TIME, "When it was read", NOT_NULL)},
    key=("day",),
)
SALES_LOOKUPS = Table(
    "sync.sales_lookups",
    "Orders that Solteq was asked for, since the ledger had nothing of them",
    {
        "order_id": _ORDER,
        "content": Column(TEXT, "What the order was like then; NULL: Solteq has more than we know, ask again"),
    },
    key=("order_id",),
)
SALES_CONFLICTS = Table(
    "sync.sales_conflicts",
    "Orders in whose place there is another; nothing is sent of them",
    {
        "order_id": _ORDER,
        "external_id": Column(TEXT, "Under which Solteq has another document; NULL: the store has another order"),
        "reason": Column(TEXT, "What differs, in words", NOT_NULL),
        "since": Column(TIME, "When it was found", NOT_NULL),
    },
    key=("order_id",),
)
ORDERS_NOT_STORED = Table(
    "sync.orders_not_stored",
    "Orders that were read and cannot be stored, or that are in another order's place",
    {
        "order_id": _ORDER,
        "modified": Column(TEXT, "As the store says it: the sensor need not ask for them again", NOT_NULL),
    },
    key=("order_id",),
)
SALES_UNDER_WAY = Table(
    "snapshot.sales_under_way",
    "Pieces sold in the store that Solteq's balances may not show yet, by line of an order: what the store holds, and "
    "what documents took",
    {
        "order_id": _ORDER,
        "line_id": Column(TEXT, "The order's line"),
        "document": Column(TEXT, "The externalId of a document; empty: what the store itself holds"),
        "sku": Column(TEXT, "SKU of the pieces", NOT_NULL),
        "quantity": Column(
            MONEY, "That the store took from its stock, or the document from Solteq's balance", NOT_NULL
        ),
        "booked_at": Column(TIME, "Of a document, by Solteq's clock; NULL until it is booked"),
        "is_shown": Column(FLAG, "Of a document: the balances show it, whenever they were written", NOT_NULL),
        "since": Column(TIME, "When it was ordered", NOT_NULL),
        "why": Column(TEXT, "Why the store's pieces are not in Solteq's balances", NOT_NULL),
    },
    key=("order_id", "line_id", "document"),
)
BOOKED_ELSEWHERE = Table(
    "sync.booked_elsewhere",
    "Orders that somebody said were booked by other means",
    {
        "order_id": _ORDER,
        "content": _LIKE,
        "lines": Column(
            pl.List(pl.Struct({"line_id": TEXT, "quantity": MONEY})), "Pieces that the balances have lost so", NOT_NULL
        ),
        "since": Column(TIME, "When somebody said so", NOT_NULL),
    },
    key=("order_id",),
)

TABLES = (
    *(WOO_SALES, WOO_SALES_LINES, WOO_SALES_TAXES, WOO_SALES_REFUNDS, WOO_SALES_PAYMENTS),
    *(SALES_DELTA, SALES, SETTLED_ORDERS, SALES_DAYS, SALES_LOOKUPS, SALES_CONFLICTS, ORDERS_NOT_STORED),
    *(SALES_UNDER_WAY, BOOKED_ELSEWHERE),
)
