"""The store's days beside Solteq's: numbers for the UI, and the comparison that an accountant would make."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from solteq_woo_assets.clients.solteq_sales import HeldSale
from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.flows.sales.frames import Sent, chosen_orders, sent_of
from solteq_woo_assets.flows.sales.orders import Order, ReceiptRules, Unbookable
from solteq_woo_assets.flows.sales.receipts import Receipt
from solteq_woo_assets.flows.sales.rules import due_receipts, standing_receipts
from solteq_woo_assets.flows.sales.snapshots import ORDERS, add_orders

ORDERS_AT_ONCE = 5_000
DIFFERENCES_SHOWN = 50
DAYS_SHOWN = 31
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
Numbers = dict[date, dict[str, int | float]]
Sums = defaultdict[str, Decimal]
Find = Callable[[str], HeldSale | None]


def partition_days(tags: Mapping[str, str]) -> set[date]:
    """The days of a run's partitions, by its tags."""
    if _RANGE[0] in tags:
        first, last = (date.fromisoformat(tags[name]) for name in _RANGE)
        return last_days(last, (last - first).days + 1)
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
    return _by_day(connection, "orders_by_day", days, sale_statuses=list(rules.sale_statuses))


def booked_by_day(connection: duckdb.DuckDBPyConnection, days: Collection[date]) -> Numbers:
    """Numbers of what Solteq has of the orders of these days: documents, gross, VAT, refunds; what waits, is held."""
    return _by_day(connection, "booked_by_day", days)


def _by_day(connection: duckdb.DuckDBPyConnection, query: str, days: Collection[date], **parameters: Any) -> Numbers:
    with sql.steps(connection, __name__) as steps:
        steps.view("standing_sales")
        found = steps.frame(query, days=list(days), **parameters)
    numbers = {row.pop("day"): row for row in found.to_dicts()}
    return {day: numbers.get(day) or dict.fromkeys(found.columns[1:], 0) for day in days}


class Difference(NamedTuple):
    """A number of an order on which both sides disagree."""

    day: date
    order_id: int
    what: str
    store: Decimal
    solteq: Decimal


@dataclass
class Agreement:
    """How the days compare. ``days``: orders, gross in the store and in Solteq. ``business_dates``: gross alone."""

    orders: int = 0
    read_back: int = 0
    differences: list[Difference] = field(default_factory=list)
    days: defaultdict[date, list[Decimal]] = field(default_factory=lambda: defaultdict(lambda: [Decimal(0)] * 3))
    business_dates: defaultdict[date, list[Decimal]] = field(
        default_factory=lambda: defaultdict(lambda: [Decimal(0)] * 2)
    )

    def words(self) -> str:
        """Which orders differ."""
        if not self.differences:
            return f"{self.orders} orders agree."
        named = sorted({difference.order_id for difference in self.differences})
        shown = ", ".join(map(str, named[:DIFFERENCES_SHOWN]))
        return f"{len(named)} of {self.orders} orders differ: {shown}{' …' if len(named) > DIFFERENCES_SHOWN else ''}"

    def table(self) -> pl.DataFrame:
        """The first differences."""
        return _texts(("day", "order", "what", "store", "Solteq"), self.differences[:DIFFERENCES_SHOWN])

    def by_day(self) -> pl.DataFrame:
        """Gross of each day on both sides, the last days first."""
        return _texts(("day", "orders", "store", "Solteq"), _latest(self.days))

    def by_business_date(self) -> pl.DataFrame:
        """Gross of each business date, as it should be and as Solteq has it, the last ones first."""
        return _texts(("business date", "should be", "Solteq"), _latest(self.business_dates))

    def compare_order(self, day: date, order_id: int, should: Sums, has: Sums, *, is_sale: bool) -> None:
        """Take in an order, by what its documents add up to."""
        self.orders += is_sale
        numbers = (Decimal(is_sale), should["gross"], has["gross"])
        self.days[day] = _added(self.days[day], numbers)
        self._differ(day, order_id, should, has)

    def compare_dates(self, days: Collection[date], day: date, order_id: int, should: Sums, has: Sums) -> None:
        """Take in what the documents of an order add up to on each business date."""
        for at in {*should, *has}:
            if (business_date := date.fromisoformat(at)) in days:
                of_date = self.business_dates[business_date]
                self.business_dates[business_date] = _added(of_date, (should[at], has[at]))
        self._differ(day, order_id, should, has, "gross of business date ")

    def _differ(self, day: date, order_id: int, should: Sums, has: Sums, prefix: str = "") -> None:
        for what in sorted({*should, *has}):
            if should[what] != has[what]:
                self.differences.append(Difference(day, order_id, prefix + what, should[what], has[what]))


def _added(numbers: Iterable[Decimal], more: Iterable[Decimal]) -> list[Decimal]:
    return [one + other for one, other in zip(numbers, more, strict=True)]


def _texts(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> pl.DataFrame:
    return pl.DataFrame([[*map(str, row)] for row in rows], schema=dict.fromkeys(columns, pl.String), orient="row")


def _latest(sums: Mapping[date, Sequence[Decimal]]) -> list[tuple[object, ...]]:
    return [(day, *numbers) for day, numbers in sorted(sums.items(), reverse=True)[:DAYS_SHOWN]]


def compare(
    database: StateDatabase, rules: ReceiptRules, days: Collection[date], find: Find | None = None
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
    for row, sent in _orders_of(database, days, rules.zone):
        order, day, is_ours = row["order"], row["day"], row["is_ours"]
        held = [each for each in sent if each.is_booked]
        if find:
            agreement.read_back += len(held)
            held = _read_back(held, find)
        standing, due = _should_be(order, [each.receipt for each in sent], rules) if is_ours else ([], [])
        if day in days and is_ours:
            should = _sums((receipt, receipt.refund_id is not None) for receipt in standing)
            has = _sums((each.receipt, bool(standing) and each.is_current_refund) for each in held)
            agreement.compare_order(day, order.id, should, has, is_sale=bool(standing))
        should = _by_date([*_with_amounts(sent, standing), *due])
        agreement.compare_dates(days, day, order.id, should, _by_date([each.receipt for each in held]))
    return agreement


def _should_be(order: Order, sent: Sequence[Receipt], rules: ReceiptRules) -> tuple[list[Receipt], list[Receipt]]:
    """What the order comes to as it is now, and what is due of it. Nothing of one that is told in quarantine."""
    try:
        return standing_receipts(order, sent, rules), due_receipts(order, sent, rules)
    except Unbookable:
        return [], []


def _sums(receipts: Iterable[tuple[Receipt, bool]]) -> Sums:
    """What documents add up to.

    :param receipts: each with whether it is a refund of the store, of the order as it is now; not what undoes an
        earlier version of it
    """
    sums: Sums = defaultdict(Decimal)
    for receipt, is_refund in receipts:
        gross = Decimal(receipt.document["totals"]["gross"])
        sums["gross"] += gross
        if is_refund:
            sums["refunds"] += gross
        for line in receipt.document["lines"]:
            sums[f"VAT {Decimal(line['vatRate']).normalize():f} %"] += Decimal(line["vatAmount"])
        for payment in receipt.document["payments"]:
            sums[f"paid {payment['type']}"] += Decimal(payment["amount"])
    return sums


def _by_date(receipts: Iterable[Receipt]) -> Sums:
    sums: Sums = defaultdict(Decimal)
    for receipt in receipts:
        sums[str(date.fromisoformat(receipt.document["businessDate"]))] += Decimal(receipt.document["totals"]["gross"])
    return sums


def _with_amounts(sent: Iterable[Sent], standing: Iterable[Receipt]) -> Iterator[Receipt]:
    """What was sent, each on its date; with the store's amounts where the store still has what it was made of."""
    now = {(receipt.type, receipt.refund_id): receipt.document["totals"] for receipt in standing}
    for each in sent:
        receipt = each.receipt
        totals = now.get((receipt.type, receipt.refund_id)) if each.is_current and not receipt.is_reversal else None
        yield replace(receipt, document={**receipt.document, "totals": totals}) if totals else receipt


def _read_back(booked: Iterable[Sent], find: Find) -> list[Sent]:
    """With the documents as Solteq has them, without those that it has not."""
    found: list[Sent] = []
    for each in booked:
        held = find(each.receipt.external_id)
        if held and held.document:
            document = {"businessDate": each.receipt.document["businessDate"], **held.document}
            found.append(each._replace(receipt=replace(each.receipt, document=document)))
    return found


def _orders_of(
    database: StateDatabase, days: Collection[date], zone: ZoneInfo
) -> Iterator[tuple[dict[str, Any], list[Sent]]]:
    """Orders that were made on these days, or have documents of these business dates, and are to be booked; with the
    documents that were sent of each.
    """
    first = min(days, default=date.max) - timedelta(days=1)
    sent_from = datetime(first.year, first.month, first.day)  # noqa: DTZ001  naive UTC, as the database keeps it
    last = 0
    while True:
        with database.transaction() as connection, sql.steps(connection, __name__) as steps:
            add_orders(steps, zone)
            asked = {"days": list(days), "sent_from": sent_from, "last": last, "most": ORDERS_AT_ONCE}
            steps.table("chosen", "to_compare", **asked)
            rows, sent = chosen_orders(steps), sent_of(steps)
        if not rows:
            return
        last = rows[-1]["id"]
        for row in rows:
            yield row, sent[row["id"]]
