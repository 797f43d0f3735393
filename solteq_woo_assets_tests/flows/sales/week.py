"""A week of a shop on an hour's time: orders, refunds, edits, cancellations and sales over the counter, while both
systems fail at random, before or after the work was done, and runs are killed.

``make week`` plays it at full length: 5,000 orders, 50 runs killed.
"""

import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg

from solteq_woo_assets_tests.conftest import Shop, order_line
from solteq_woo_assets_tests.engine.flows import run_flows, run_sales_until
from solteq_woo_assets_tests.engine.processes import exit_code, started
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import solteq as solteq_sandbox
from solteq_woo_sandbox import woo as woo_sandbox

PRODUCTS = 20
PIECES = 200
FAILING = 0.05
ATTEMPTS = 20
STORE = "verkko"
PRICE = {f"P{number}": Decimal(10 + number) for number in range(PRODUCTS)}


@dataclass
class Week:
    """What happened, as a bookkeeper who saw everything would have it."""

    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    refunds: int = 0
    counter_sales: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    killed: int = 0
    failed_runs: int = 0


class Simulation:
    """The shop, its people, and the weather."""

    def __init__(self, shop: Shop, seed: int, kills: int, steps: int) -> None:
        self._shop = shop
        self._chance = random.Random(seed)  # noqa: S311
        self._kills = set(self._chance.sample(range(steps * 2), min(kills, steps * 2)))
        self._runs = 0
        self._refund_id = 0
        self.week = Week()
        self._ids = {sku: product.id for sku, product in shop.store().items()}

    def play(self, steps: int, orders: int) -> Week:
        """Each step: stock is compared, people buy what is on the shelf, things change, sales are booked."""
        per_step = -(-orders // steps)
        for _ in range(steps):
            self._sell_over_the_counter()
            self._run("balances")
            for _ in range(min(per_step, orders - len(self.week.orders))):
                self._order()
            self._change_something()
            self._run("sales", must_succeed=False)
        self._shop.solteq.heal()
        self._shop.woo.heal()
        for flow in ("sales", "sales"):
            run_flows(self._shop.settings, f"end {flow}", flow)
        # The week is over: balances that are read now were written long after the last booking.
        self._shop.rows("UPDATE sync.sales SET booked_at = booked_at - INTERVAL 10 MINUTE")
        run_flows(self._shop.settings, "end balances", "balances")
        return self.week

    @contextmanager
    def _weather(self) -> Iterator[None]:
        """One call in twenty fails: without an answer before the work is done, after it, or with an error instead."""
        for side in (self._shop.solteq, self._shop.woo):
            for fault in ({"drop": "before"}, {"drop": "after"}, {"status": 503}):
                side.fault(times=None, chance=FAILING / 3, **fault)
        try:
            yield
        finally:
            self._shop.solteq.heal()
            self._shop.woo.heal()

    def _run(self, flow: str, *, must_succeed: bool = True) -> None:
        """Run a flow in bad weather; every now and then it is killed. Stock has to be right before people buy."""
        for _ in range(ATTEMPTS):
            self._runs += 1
            with self._weather():
                if self._runs in self._kills:
                    number = self._chance.randint(1, 30)
                    code = exit_code(
                        started(run_sales_until, self._shop.settings, f"killed {self._runs}", flow, number)
                    )
                    self.week.killed += code != 0
                    continue
                try:
                    run_flows(self._shop.settings, f"run {self._runs}", flow)
                except dg.Failure:
                    self.week.failed_runs += 1
                    if must_succeed:
                        continue
                return
        raise RuntimeError(f"{flow} did not succeed in {ATTEMPTS} attempts")

    def _shelf(self, sku: str) -> int:
        return self._shop.store()[sku].stock_quantity or 0

    def _sell_over_the_counter(self) -> None:
        for sku in self._chance.sample(sorted(PRICE), 3):
            free = self._shop.solteq.get(f"balances?productCode={sku}&storeId={STORE}")["freeBalance"]
            under_way = self._not_booked(sku)
            pieces = min(self._chance.randint(1, 3), max(int(free) - under_way, 0))
            if pieces:
                self._shop.balance(sku, free - pieces, STORE)
                self.week.counter_sales[sku] += pieces

    def _not_booked(self, sku: str) -> int:
        """What the store sold and Solteq does not know yet: nobody behind the counter can see that it is gone."""
        known = {each["externalId"] for each in self._shop.booked()}
        mine = ((number, order) for number, order in self.week.orders.items() if order["status"] == "processing")
        return sum(
            line["quantity"]
            for number, order in mine
            if f"woo:shop:order:{number}" not in known
            for line in order["lines"]
            if line["sku"] == sku
        )

    def _order(self) -> None:
        skus = self._chance.sample(sorted(PRICE), self._chance.randint(1, 3))
        shelf = self._shop.store()
        lines = []
        for sku in skus:
            pieces = min(self._chance.randint(1, 2), shelf[sku].stock_quantity or 0)
            if pieces > 0:
                lines.append(order_line(sku, str(PRICE[sku] * pieces), pieces))
                self._move(sku, -pieces)
        if not lines:
            lines = [order_line("", "0.01", name="Lahjakortti")]
        number = self._shop.order(*lines)
        self.week.orders[number] = {"lines": lines, "status": "processing", "refunds": []}

    def _move(self, sku: str, pieces: int) -> None:
        held = self._shelf(sku)
        self._shop.woo.patch(f"products/{self._ids[sku]}", {"stock_quantity": held + pieces})

    def _change_something(self) -> None:
        for number in self._chance.sample(sorted(self.week.orders), min(4, len(self.week.orders))):
            order = self.week.orders[number]
            total = sum(Decimal(line["total"]) + Decimal(line["total_tax"]) for line in order["lines"])
            refunded = sum((Decimal(each["amount"]) for each in order["refunds"]), Decimal(0))
            if order["status"] != "processing" or total - refunded < 1:
                continue
            match self._chance.choice(["refund", "refund", "cancel", "edit"]):
                case "refund":
                    # Orders and refunds share their ids, as in WordPress: the next one is beyond them all.
                    self._refund_id = max(self._refund_id, *self.week.orders) + 1
                    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
                    refund = {"id": self._refund_id, "amount": "1.00", "line_items": [], "date_created_gmt": now}
                    order["refunds"].append(refund)
                    self.week.refunds += 1
                case "cancel":
                    order["status"] = "cancelled"
                    for line in order["lines"]:
                        line["meta_data"] = []  # the store puts the pieces back
                        if line["sku"]:
                            self._move(line["sku"], line["quantity"])
                case "edit":
                    first = order["lines"][0]
                    if first["quantity"] > 1 and not order["refunds"]:
                        price = PRICE[first["sku"]]
                        order["lines"][0] = order_line(first["sku"], str(price))
                        self._move(first["sku"], 1)
            self._shop.edit_order(number, *order["lines"], status=order["status"], _refunds=order["refunds"])


def check(shop: Shop, week: Week) -> None:
    """Every order is booked once, every refund once, to the cent; and nothing was sold that was not there.

    :raises AssertionError:
    """
    booked: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    orders_of = dict(shop.rows("SELECT external_id, order_id FROM sync.sales"))
    everything = shop.booked()
    names = [each["externalId"] for each in everything]
    assert len(names) == len(set(names)), "a document is booked twice"
    assert set(names) == set(orders_of), "the ledger and Solteq do not have the same documents"
    for each in everything:
        booked[orders_of[each["externalId"]]].append(each)
    assert shop.rows("SELECT external_id FROM sync.sales WHERE state <> 'booked'") == []
    assert shop.rows("SELECT * FROM sync.quarantine") == []
    pieces: Counter[str] = Counter()
    for number, order in week.orders.items():
        total = sum(Decimal(line["total"]) + Decimal(line["total_tax"]) for line in order["lines"])
        refunded = sum((Decimal(each["amount"]) for each in order["refunds"]), Decimal(0))
        due = total - refunded if order["status"] == "processing" else Decimal(0)
        gross = sum((each["totals"]["gross"] for each in booked[number]), Decimal(0))
        assert gross == due, (number, gross, due)
        if order["status"] == "processing":
            pieces.update({line["sku"]: line["quantity"] for line in order["lines"] if line["sku"]})
            last = max(each["externalId"].split(":version:")[-1] for each in booked[number] if each["type"] == "Sale")
            of_refunds = [each for each in booked[number] if ":refund:" in each["externalId"]]
            current = [each for each in of_refunds if each["externalId"].split(":version:")[-1] == last] or of_refunds
            assert len({each["externalId"].split(":")[3] for each in current}) == len(order["refunds"])
    for sku in PRICE:
        left = shop.solteq.get(f"balances?productCode={sku}&storeId={STORE}")["freeBalance"]
        sold = pieces[sku] + week.counter_sales[sku]
        assert left == PIECES - sold, (sku, left, sold)
        assert left >= 0, f"{sku} was oversold"
        shelf = shop.store()[sku].stock_quantity
        assert shelf == left, (sku, shelf, left, shop.rows("FROM snapshot.sales_under_way WHERE sku = ?", sku))


def play(folder: Path, *, orders: int, steps: int, kills: int, seed: int = 1) -> Week:
    """The week in a shop of its own, checked."""
    with ExitStack() as stack:
        solteq = stack.enter_context(running(solteq_sandbox.create_app(folder / "solteq.sqlite", seed=0)))
        woo = stack.enter_context(running(woo_sandbox.create_app(folder / "woo.sqlite")))
        shop = Shop(folder, solteq, woo)
        for sku in PRICE:
            shop.product(sku)
            shop.balance(sku, PIECES, STORE)
        for flow in ("products", "balances", "sales"):
            run_flows(shop.settings, f"first {flow}", flow)
        week = Simulation(shop, seed, kills, steps).play(steps, orders)
        check(shop, week)
        return week


def main(orders: int = 5_000, steps: int = 168, kills: int = 50) -> None:
    """Play it and say how it went."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="week-") as folder, suppress(KeyboardInterrupt):
        week = play(Path(folder), orders=orders, steps=steps, kills=kills)
        refunds, minutes = week.refunds, (time.monotonic() - began) / 60
        sys.stdout.write(
            f"{len(week.orders)} orders and {refunds} refunds booked once each, {week.killed} runs killed, "
            f"{week.failed_runs} failed, {minutes:.1f} minutes\n"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
