"""The store's days beside Solteq's: numbers for the UI, and the comparison that an accountant would make."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import simplejson

from solteq_woo_assets.clients.solteq_sales import HeldSale
from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.flows.sales.frames import ORDERS_QUERY, order_of
from solteq_woo_assets.flows.sales.orders import Order, ReceiptRules, Unbookable
from solteq_woo_assets.flows.sales.receipts import Receipt, with_decimals
from solteq_woo_assets.flows.sales.rules import REVERSED_STATUSES, due_receipts, standing_receipts
from solteq_woo_assets.flows.sales.snapshots import FLOW, ORDERS, is_booked_here

ORDERS_AT_ONCE = 5_000
DIFFERENCES_SHOWN = 50
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_ZERO = Decimal(0)
Numbers = dict[date, dict[str, int | float]]
_BOOKED_ORDERS = """
SELECT order_id FROM sync.sales GROUP BY order_id
HAVING max(version) FILTER (type = 'Sale')
    > coalesce(max(version) FILTER (type = 'Refund' AND refund_id IS NULL), 0)
"""
"""Orders of which a sale stands in Solteq: one that no reversal has ended."""


def partition_days(tags: Mapping[str, str]) -> set[date]:
    """The days of a run's partitions, by its tags."""
    if _RANGE[0] in tags:
        first, last = (date.fromisoformat(tags[name]) for name in _RANGE)
        return {first + timedelta(days=number) for number in range((last - first).days + 1)}
    return {date.fromisoformat(tags["dagster/partition"])} if "dagster/partition" in tags else set()


def last_days(today: date, count: int) -> set[date]:
    """The last days, today included."""
    return {today - timedelta(days=number) for number in range(count)}


def days_of_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> set[date]:
    """The days of the orders that a run sent documents of."""
    rows = connection.execute(
        f"SELECT DISTINCT day FROM {ORDERS} WHERE id IN (SELECT order_id FROM sync.sales WHERE run_id = ?)", [run_id]
    ).fetchall()
    return {row[0] for row in rows}


def orders_by_day(connection: duckdb.DuckDBPyConnection, days: Collection[date], rules: ReceiptRules) -> Numbers:
    """Numbers of the store's days: orders, those that are sales, their gross and VAT, and what was refunded of them."""
    rows = connection.execute(
        f"""
        SELECT day, count(*) FILTER (gone IS NULL), count(*) FILTER (is_sale),
            coalesce(sum(total) FILTER (is_sale), 0)::DOUBLE, coalesce(sum(total_tax) FILTER (is_sale), 0)::DOUBLE,
            coalesce(sum(refunded) FILTER (is_sale), 0)::DOUBLE
        FROM (
            SELECT *, gone IS NULL AND (list_contains($statuses, status)
                OR (status = 'refunded' AND paid_at IS NOT NULL)
                OR (NOT list_contains($ended, status) AND id IN ({_BOOKED_ORDERS}))) AS is_sale
            FROM {ORDERS} WHERE day IN (SELECT unnest($days))
        ) AS sold LEFT JOIN (
            SELECT order_id, sum(amount) AS refunded FROM snapshot.woo_sales_refunds GROUP BY ALL
        ) AS refunds ON refunds.order_id = sold.id
        GROUP BY day
        """,
        {"statuses": list(rules.sale_statuses), "ended": list(REVERSED_STATUSES), "days": list(days)},
    ).fetchall()
    return _by_day(days, ("orders", "sales", "gross", "vat", "refunds"), rows)


def _by_day(days: Collection[date], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Numbers:
    """Numbers by name for every day."""
    numbers: Numbers = {day: dict.fromkeys(names, 0) for day in days}
    for day, *of_day in rows:
        numbers[day] = dict(zip(names, of_day, strict=True))
    return numbers


def booked_by_day(connection: duckdb.DuckDBPyConnection, days: Collection[date]) -> Numbers:
    """Numbers of what Solteq has of the orders of these days: documents, gross, VAT, refunds; what waits, is held."""
    rows = connection.execute(
        f"""
        WITH sold AS (SELECT id, day FROM {ORDERS} WHERE day IN (SELECT unnest($days))),
        booked AS (
            SELECT day, count(*) FILTER (state = 'booked') AS booked,
                sum((document->>'$.totals.gross')::DECIMAL(18, 4)) FILTER (state = 'booked') AS gross,
                sum((document->>'$.totals.vat')::DECIMAL(18, 4)) FILTER (state = 'booked') AS vat,
                -sum((document->>'$.totals.gross')::DECIMAL(18, 4)) FILTER (state = 'booked' AND type = 'Refund')
                    AS refunds
            FROM sync.sales JOIN sold ON sold.id = order_id GROUP BY day
        ), due AS (
            SELECT delta.day, count(*) AS waiting FROM delta.sales_delta AS delta
            LEFT JOIN sync.sales AS held ON held.external_id = delta.key
            WHERE held.state IS DISTINCT FROM 'booked' GROUP BY ALL
        ), held AS (
            SELECT day, count(DISTINCT id) AS quarantined FROM sync.quarantine JOIN sold
            ON key = 'order ' || id OR list_contains(string_split(key, ':'), id::VARCHAR)
            WHERE flow = $flow GROUP BY day
        )
        SELECT day, coalesce(booked, 0), coalesce(gross, 0)::DOUBLE, coalesce(vat, 0)::DOUBLE,
            coalesce(refunds, 0)::DOUBLE, coalesce(waiting, 0), coalesce(quarantined, 0)
        FROM (SELECT DISTINCT day FROM sold) AS days
        LEFT JOIN booked USING (day) LEFT JOIN due USING (day) LEFT JOIN held USING (day)
        """,
        {"days": list(days), "flow": FLOW},
    ).fetchall()
    names = ("booked", "gross", "vat", "refunds", "waiting_documents", "quarantined_orders")
    return _by_day(days, names, rows)


@dataclass
class Sums:
    """What documents add up to."""

    numbers: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def add(self, document: Mapping[str, Any], *, is_refund: bool) -> None:
        """Reckon a document in.

        :param is_refund: a refund of the store, of the order as it is now; not what undoes an earlier version of it
        """
        gross = Decimal(document["totals"]["gross"])
        self.numbers["gross"] += gross
        if is_refund:
            self.numbers["refunds"] += gross
        for line in document["lines"]:
            self.numbers[f"VAT {Decimal(line['vatRate']).normalize():f} %"] += Decimal(line["vatAmount"])
        for payment in document["payments"]:
            self.numbers[f"paid {payment['type']}"] += Decimal(payment["amount"])


@dataclass(frozen=True)
class Difference:
    """A number of an order on which both sides disagree."""

    day: date
    order_id: int
    what: str
    store: str
    solteq: str


@dataclass
class Agreement:
    """How the days compare."""

    orders: int = 0
    read_back: int = 0
    differences: list[Difference] = field(default_factory=list)
    days: dict[date, list[Decimal]] = field(default_factory=dict)
    business_dates: dict[date, list[Decimal]] = field(default_factory=dict)

    def words(self) -> str:
        """Which orders differ."""
        if not self.differences:
            return f"{self.orders} orders agree."
        named = sorted({difference.order_id for difference in self.differences})
        shown = ", ".join(map(str, named[:DIFFERENCES_SHOWN]))
        return f"{len(named)} of {self.orders} orders differ: {shown}{' …' if len(named) > DIFFERENCES_SHOWN else ''}"

    def table(self) -> pl.DataFrame:
        """The first differences."""
        rows = [(str(d.day), str(d.order_id), d.what, d.store, d.solteq) for d in self.differences]
        columns = ("day", "order", "what", "store", "Solteq")
        return pl.DataFrame(rows[:DIFFERENCES_SHOWN], schema=dict.fromkeys(columns, pl.String), orient="row")

    def by_day(self) -> pl.DataFrame:
        """Gross of each day on both sides, the last days first."""
        rows = [(str(day), *map(str, sums)) for day, sums in sorted(self.days.items(), reverse=True)]
        columns = ("day", "orders", "store", "Solteq")
        return pl.DataFrame(rows[:31], schema=dict.fromkeys(columns, pl.String), orient="row")

    def by_business_date(self) -> pl.DataFrame:
        """Gross of each business date, as it should be and as Solteq has it, the last ones first."""
        rows = [(str(day), *map(str, sums)) for day, sums in sorted(self.business_dates.items(), reverse=True)]
        columns = ("business date", "should be", "Solteq")
        return pl.DataFrame(rows[:31], schema=dict.fromkeys(columns, pl.String), orient="row")


def compare(
    database: StateDatabase,
    rules: ReceiptRules,
    days: Collection[date],
    find: Callable[[str], HeldSale | None] | None = None,
) -> Agreement:
    """What the store's orders of these days should be in Solteq, beside what Solteq has of them.

    By order, so that a difference has a name: gross, refunds, VAT by rate, payments by type. What came and went in
    Solteq for the same order, a changed version and its reversal, is beside the point and cancels out.

    And by business date, as an accountant adds up: what was sent and what is due, each on its own date, beside what
    Solteq has on that date. The first version of an edited order stays on its day; its reversal and the next version
    are on that of the correction. Added up are the dates in ``days``, whenever the order was made.

    :param find: asks Solteq for a document; without it, what Solteq answered when it was booked counts
    """
    agreement = Agreement()
    for rows, sent in _orders_of(database, days, rules.zone):
        booked = {order_id: [each for each in of_order if each.is_booked] for order_id, of_order in sent.items()}
        held = booked
        if find:
            agreement.read_back += sum(map(len, booked.values()))
            held = {order_id: _read_back(booked_of, find) for order_id, booked_of in booked.items()}
        for row in rows:
            order = order_of(row)
            of_order, has = sent.get(order.id, []), held.get(order.id, [])
            standing, due = _should_be(order, of_order, rules) if row["is_ours"] else ([], [])
            if row["day"] in days and row["is_ours"]:
                _compare_order(agreement, row["day"], order, standing, has)
            should = _by_date([*_with_amounts(of_order, standing), *due])
            _compare_dates(agreement, days, row["day"], order.id, should, _by_date([each.receipt for each in has]))
    return agreement


def _should_be(order: Order, sent: Sequence["_Sent"], rules: ReceiptRules) -> tuple[list[Receipt], list[Receipt]]:
    """What the order comes to as it is now, and what is due of it. Nothing of one that is told in quarantine."""
    receipts = [each.receipt for each in sent]
    try:
        return standing_receipts(order, receipts, rules), due_receipts(order, receipts, rules)
    except Unbookable:
        return [], []


def _compare_order(
    agreement: Agreement, day: date, order: Order, standing: Sequence[Receipt], held: Sequence["_Sent"]
) -> None:
    should, has = Sums(), Sums()
    for receipt in standing:
        should.add(receipt.document, is_refund=receipt.refund_id is not None)
    for each in held:
        has.add(each.receipt.document, is_refund=bool(standing) and each.is_current_refund)
    _note(agreement, day, order.id, should, has, is_sale=bool(standing))


def _with_amounts(sent: Sequence["_Sent"], standing: Sequence[Receipt]) -> list[Receipt]:
    """What was sent, each on its date; with the store's amounts where the store still has what it was made of."""
    now = {(receipt.type, receipt.refund_id): receipt.document["totals"] for receipt in standing}
    receipts: list[Receipt] = []
    for each in sent:
        receipt = each.receipt
        if each.is_current and not receipt.is_reversal:
            totals = now.get((receipt.type, receipt.refund_id), receipt.document["totals"])
            receipt = replace(receipt, document={**receipt.document, "totals": totals})
        receipts.append(receipt)
    return receipts


def _compare_dates(
    agreement: Agreement,
    days: Collection[date],
    day: date,
    order_id: int,
    should: defaultdict[date, Decimal],
    has: defaultdict[date, Decimal],
) -> None:
    for at in sorted({*should, *has}):
        if at in days:
            of_date = agreement.business_dates.setdefault(at, [_ZERO, _ZERO])
            of_date[0] += should[at]
            of_date[1] += has[at]
        if should[at] != has[at]:
            what = f"gross of business date {at}"
            agreement.differences.append(Difference(day, order_id, what, str(should[at]), str(has[at])))


def _by_date(receipts: Iterable[Receipt]) -> defaultdict[date, Decimal]:
    sums: defaultdict[date, Decimal] = defaultdict(Decimal)
    for receipt in receipts:
        sums[date.fromisoformat(receipt.document["businessDate"])] += Decimal(receipt.document["totals"]["gross"])
    return sums


def _note(agreement: Agreement, day: date, order_id: int, should: Sums, has: Sums, *, is_sale: bool) -> None:
    agreement.orders += is_sale
    of_day = agreement.days.setdefault(day, [_ZERO, _ZERO, _ZERO])
    of_day[0] += is_sale
    of_day[1] += should.numbers["gross"]
    of_day[2] += has.numbers["gross"]
    for what in sorted({*should.numbers, *has.numbers}):
        one, other = should.numbers[what], has.numbers[what]
        if one != other:
            agreement.differences.append(Difference(day, order_id, what, str(one), str(other)))


@dataclass(frozen=True)
class _Sent:
    """A document that was sent. ``is_current``: of the order's last version."""

    receipt: Receipt
    is_current: bool
    is_booked: bool

    @property
    def is_current_refund(self) -> bool:
        """Whether it is a refund of the store, in the order's last version."""
        return self.is_current and self.receipt.refund_id is not None


def _read_back(booked: Sequence[_Sent], find: Callable[[str], HeldSale | None]) -> list[_Sent]:
    """With the documents as Solteq has them, without those that it has not."""
    found = [(each, find(each.receipt.external_id)) for each in booked]
    return [
        replace(each, receipt=replace(each.receipt, document={**_date_of(each), **held.document}))
        for each, held in found
        if held and held.document
    ]


def _date_of(sent: _Sent) -> dict[str, Any]:
    return {"businessDate": sent.receipt.document["businessDate"]}


_Lot = tuple[list[dict[str, Any]], dict[int, list[_Sent]]]


def _orders_of(database: StateDatabase, days: Collection[date], zone: ZoneInfo) -> Iterator[_Lot]:
    """Orders that were made on these days, or have documents of these business dates, and are to be booked; in lots,
    with the documents that were sent of each.
    """
    last = 0
    while True:
        with database.transaction() as connection:
            is_ours, ours = is_booked_here(connection, zone)
            connection.execute(
                f"""
                CREATE OR REPLACE TEMP TABLE chosen AS SELECT *, coalesce({is_ours}, false) AS is_ours FROM {ORDERS}
                WHERE id > $last AND ((day IN (SELECT unnest($days)) AND {is_ours}) OR id IN (
                    SELECT order_id FROM sync.sales WHERE sent_at >= $sent  -- none was sent before its business date
                    AND (document->>'$.businessDate')::DATE IN (SELECT unnest($days))
                )) ORDER BY id LIMIT $most
                """,
                {"days": list(days), "sent": _day_before(days), "last": last, "most": ORDERS_AT_ONCE, **ours},
            )
            rows = connection.sql(ORDERS_QUERY).pl().to_dicts()
            sent = _grouped(
                connection.execute(
                    "SELECT external_id, order_id, type, version, document, content, refund_id, state, "
                    "version = max(version) OVER (PARTITION BY order_id) "
                    "FROM sync.sales WHERE order_id IN (SELECT id FROM chosen)"
                ).fetchall()
            )
        if not rows:
            return
        last = rows[-1]["id"]
        yield rows, sent


def _day_before(days: Collection[date]) -> datetime:
    first = min(days, default=date.max) - timedelta(days=1)
    return datetime(first.year, first.month, first.day)  # noqa: DTZ001  naive UTC, as the database keeps it


def _grouped(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[_Sent]]:
    by_order: defaultdict[int, list[_Sent]] = defaultdict(list)
    for external_id, order_id, kind, version, document, content, refund_id, state, is_last in rows:
        held = with_decimals(simplejson.loads(document, use_decimal=True))
        receipt = Receipt(external_id, order_id, kind, version, held, content, "", refund_id)
        by_order[order_id].append(_Sent(receipt, is_last, state == "booked"))
    return dict(by_order)
