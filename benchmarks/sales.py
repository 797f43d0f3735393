"""A year of 100,000 orders, one in twenty refunded, backfilled from the store beside a bare paged read with as many in
flight; and a sensor's run that finds 10 changed orders among 1,000,000.

Both reads ask for the same fields of the same days, from a stand-in in a process of its own; the bare one parses the
pages and keeps nothing. The million stands in the database, and ten in the store.
"""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests
import simplejson

from benchmarks.delta import Measured, apart, peak_bytes
from benchmarks.figures import Figure, median
from benchmarks.shops import Sandbox, environment, metadata, run_job, sandbox, set_environment, store_auth
from solteq_woo_assets.clients.connections import woo_client
from solteq_woo_assets.clients.woo_orders import ORDER_FIELDS, created_between
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.flows.sales.orders import ReceiptRules
from solteq_woo_assets.flows.sales.plan import ways_of
from solteq_woo_assets.flows.sales.snapshots import begin, read_days, start_of
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings

ORDERS = 100_000
KNOWN = 1_000_000
CHANGED = 10
REPETITIONS = 2
DAYS = 365
FIRST = date(2025, 1, 1)
ZONE = ZoneInfo("Europe/Helsinki")
IN_FLIGHT = 2
LOT = 2_000
ONE_IN = 20
PAGE = 100
PACED_ORDERS = 10_000
PACED_SECONDS = 0.1
"""A tenth of what a page of 100 orders took the recorded store, two at a time (contract, Speed)."""
REFUND_IDS = 10_000_000

_KNOWN = (
    """INSERT INTO snapshot.woo_sales BY NAME SELECT i + 1000000 AS id, id::VARCHAR AS number,
        DATE '2026-01-01' + (i % 300)::INTEGER AS day, 'completed' AS status, 'EUR' AS currency,
        TIMESTAMP '2026-01-01 10:00:00' + to_days((i % 300)::INTEGER) AS created_at,
        TIMESTAMP '2026-11-01' AS modified_at, modified_at AS paid_at, modified_at AS read_at,
        10 AS total, 2.03 AS total_tax, 0 AS customer_id, 'same' AS content FROM range($orders) AS every(i)""",
    """INSERT INTO snapshot.woo_sales_lines BY NAME SELECT i + 1000000 AS order_id, 1 AS line_id, 'Product' AS kind,
        'Tuote' AS name, 'A1' AS sku, 1 AS quantity, 7.97 AS subtotal, 2.03 AS subtotal_tax, 7.97 AS total,
        2.03 AS total_tax, [1] AS rate_ids, 1 AS reduced_stock FROM range($orders) AS every(i)""",
    "INSERT INTO sync.settled_orders SELECT id, concat_ws(' ', content, $ways) FROM snapshot.woo_sales",
    "INSERT INTO sync.watermarks (feed, position, made_for) "
    "VALUES ('sales.from', TIMESTAMP '2026-01-01', NULL), "
    "('snapshot.woo_sales', now()::TIMESTAMP - INTERVAL 5 MINUTE, 'Europe/Helsinki 2026-01-01')",
)


def run(
    orders: int = ORDERS, known: int = KNOWN, changed: int = CHANGED, repetitions: int = REPETITIONS
) -> list[Figure]:
    """The figures."""
    return [*_backfill(orders, repetitions), *_changed(known, changed)]


def _backfill(orders: int, repetitions: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-sales-") as made:
        folder = Path(made)
        with sandbox("solteq", folder) as solteq, sandbox("woo", folder) as woo:
            refunded = _fill(woo, orders)
            bare: list[float] = []
            ours: list[Measured] = []
            asked = 0
            for number in range(repetitions):
                values = environment(folder / str(number), solteq, woo)
                woo.forget_requests()
                ours.append(apart(_read, values, orders))
                asked = len(woo.requests())
                bare.append(_bare_read(woo, orders))
            paced = _paced(folder, solteq, woo, min(orders, PACED_ORDERS))
        ratios = [each.seconds / other for each, other in zip(ours, bare, strict=True)]
        per_second = [orders / each.seconds for each in ours]
        most = -(-orders // PAGE) + refunded
        return [
            median(f"backfill of {DAYS} days, {orders:,} orders", per_second, "orders/s", "", _compared(bare, orders)),
            median("its ratio to a bare paged read", ratios, "times", "1.2"),
            Figure(f"the same, {PACED_ORDERS:,} orders, {PACED_SECONDS} s a page", paced, "times", "1.2"),
            Figure("its requests", asked, "requests", f"{most} at most: one per {PAGE} orders and per refunded order"),
            Figure("peak memory of its process", max(each.peak_bytes for each in ours) / 2**20, "MiB", "1024"),
        ]


def _paced(folder: Path, solteq: Sandbox, woo: Sandbox, orders: int) -> float:
    """The ratio for the first days alone, with a stand-in that takes its time."""
    woo.call("POST", "faults", {"path": "/v3/orders", "times": None, "delay_seconds": PACED_SECONDS})
    days = DAYS * orders // ORDERS
    ours = apart(_read, environment(folder / "paced", solteq, woo), None, days)
    return ours.seconds / _bare_read(woo, None, days)


def _compared(bare: list[float], orders: int) -> str:
    return f"bare read {orders / min(bare):,.0f} orders/s"


def _fill(woo: Sandbox, orders: int) -> int:
    """Put the orders into the store; how many of them were refunded."""
    for start in range(0, orders, LOT):
        lot = range(start, min(start + LOT, orders))
        woo.call("PUT", "orders", {"orders": [_order(number, orders) for number in lot]})
    return -(-orders // ONE_IN)


def _order(number: int, orders: int) -> dict[str, Any]:
    made = datetime.combine(FIRST, datetime.min.time(), ZONE) + timedelta(seconds=number * DAYS * 86_000 // orders)
    at = made.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    meta = [{"id": 1, "key": "_reduced_stock", "value": "1"}]
    taxes = [{"id": 1, "total": "2.03", "subtotal": "2.03"}]
    amounts = {"subtotal": "7.97", "subtotal_tax": "2.03", "total": "7.97", "total_tax": "2.03", "taxes": taxes}
    lines = [
        {"id": place, "name": f"Tuote {place}", "sku": f"T-{place}", "quantity": 1, "meta_data": meta, **amounts}
        for place in range(1, 4)
    ]
    address = {"address_1": "Mallitie 1", "city": "Helsinki", "postcode": "00100", "country": "FI", "phone": "040"}
    refund = {"id": REFUND_IDS + number, "amount": "10.00", "line_items": [], "date_created_gmt": at}
    refunds = [refund] if number % ONE_IN == 0 else []
    return {
        **{"id": number + 100, "number": str(number + 100), "status": "completed", "currency": "EUR"},
        **{"date_created_gmt": at, "date_modified_gmt": at, "date_paid_gmt": at, "prices_include_tax": True},
        **{"total": "34.90", "total_tax": "7.09", "customer_id": 0},
        "billing": {"first_name": "Aino", "last_name": "Esimerkki", "email": f"a{number}@example.com", **address},
        **{"payment_method": "paytrail", "payment_method_title": "Paytrail", "transaction_id": f"tx-{number}"},
        "line_items": lines,
        "shipping_lines": [
            {
                "id": 9,
                "method_title": "Posti",
                "total": "3.90",
                "total_tax": "1.00",
                "taxes": [{"id": 1, "total": "1.00"}],
            }
        ],
        "fee_lines": [],
        "coupon_lines": [],
        "tax_lines": [{"rate_id": 1, "rate_percent": 25.5, "tax_total": "6.09", "shipping_tax_total": "1.00"}],
        "_refunds": refunds,
    }


def _read(values: dict[str, str], orders: int | None, days: int = DAYS) -> Measured:
    with set_environment(values):
        settings = Settings(_env_file=None)  # type: ignore[call-arg]
    database, woo = state_database(settings.database), woo_client(settings)
    last = FIRST + timedelta(days=days - 1)
    with database.transaction() as connection:
        begin(connection, None, ZONE, utc_now())
    started = time.perf_counter()
    counts = read_days(database, woo, ZONE, FIRST, last, in_flight=IN_FLIGHT)
    seconds = time.perf_counter() - started
    if orders is not None and counts.changed != orders:
        raise RuntimeError(f"{counts.changed} orders were stored where {orders} were due")
    return Measured(seconds, peak_bytes(), counts.changed)


def _bare_read(woo: Sandbox, orders: int | None, days: int = DAYS) -> float:
    last = FIRST + timedelta(days=days)
    window = created_between(start_of(FIRST, ZONE), start_of(last, ZONE))
    session = requests.Session()

    def page(offset: int) -> tuple[int, int]:
        params = {**window, "status": "any", "dp": "2", "per_page": PAGE, "offset": offset}
        params |= {"orderby": "id", "order": "asc", "_fields": ORDER_FIELDS}
        answer = session.get(f"{woo.url}/wp-json/wc/v3/orders", params=params, auth=store_auth(), timeout=60)
        return len(simplejson.loads(answer.content, use_decimal=True)), int(answer.headers["X-WP-Total"])

    started = time.perf_counter()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        read, total = page(0)
        read += sum(count for count, _ in pool.map(page, range(PAGE, total, PAGE)))
    if read != (orders or total):
        raise RuntimeError(f"the bare read saw {read} orders")
    return time.perf_counter() - started


def _changed(known: int, changed: int) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-sales-") as made:
        folder = Path(made)
        with sandbox("solteq", folder) as solteq, sandbox("woo", folder) as woo:
            values = environment(folder, solteq, woo)
            apart(_fill_known, values["SOLTEQ_WOO_DATABASE"], known)
            solteq.call("PUT", "products", {"documents": [_product(f"T-{place}") for place in range(1, 4)]})
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
            fresh = {"date_created_gmt": now, "date_modified_gmt": now, "date_paid_gmt": now, "_refunds": []}
            woo.call("PUT", "orders", {"orders": [_order(number, changed) | fresh for number in range(changed)]})
            for side in (solteq, woo):
                side.forget_requests()
            today = datetime.now(ZONE).date().isoformat()
            started = time.perf_counter()
            result = run_job(
                values,
                "sales_to_solteq",
                config={"ops": {"woo_sales": {"config": {"changed_only": True}}}},
                partition_key=today,
            )
            seconds = time.perf_counter() - started
            booked = metadata(result)["solteq_sales"]["created"]
            if booked != changed:
                raise RuntimeError(f"{booked} orders were booked where {changed} were due")
            what = f"a run that finds {changed} changed orders among {known:,}, and books them"
            yield Figure(what, seconds, "s")
            yield Figure("its requests to the store", len(woo.requests()), "requests")
            yield Figure(
                "its requests to Solteq", len(solteq.requests()), "requests", "", f"{changed} of them bookings"
            )


def _product(code: str) -> dict[str, Any]:
    fields = {"name": code, "productType": "Basic", "vatRate": 25.5, "categories": [], "salesPrice": 10}
    return {"id": f"p-{code}", "code": code, **fields, "attributes": {}, "active": True, "deleted": False}


def _fill_known(database: str, orders: int) -> None:
    given = {"orders": orders, "ways": ways_of(ReceiptRules("", "", ZONE))}
    with state_database(Path(database)).transaction() as connection:
        for statement in _KNOWN:
            named = {name: value for name, value in given.items() if f"${name}" in statement}
            connection.execute(statement, named)
