"""Three clocks that disagree: whatever they say, no piece is sold twice, and nothing is missed."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from solteq_woo_assets_tests.conftest import Shop, order_line
from solteq_woo_assets_tests.engine.flows import run_flows
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import solteq as solteq_sandbox
from solteq_woo_sandbox import woo as woo_sandbox

pytestmark = pytest.mark.slow

PIECES = 20
CODES = ("A", "B")
STEPS = ["order", "unpaid", "counter", "late", "in time", "sales", "balances"]


@dataclass
class Shelves:
    """The pieces that are there, and what both systems are told of them."""

    shop: Shop
    there: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CODES, PIECES))
    paid: list[int] = field(default_factory=list)

    def take(self, step: str, code: str) -> None:
        """One step of the story."""
        if step in ("order", "unpaid"):
            self.order(code, is_paid=step == "order")
        elif step == "counter":
            self.delay(False)
            free = self.shop.solteq.get(f"balances?productCode={code}&storeId=verkko")["freeBalance"]
            self.there[code] -= 1
            self.shop.balance(code, free - 1, "verkko")
        elif step in ("late", "in time"):
            self.delay(step == "late")
        else:
            run_flows(self.shop.settings, step, step)
            if step == "balances":
                assert all(self.shown(each) <= max(self.there[each], 0) for each in CODES), "a piece is sold twice"

    def order(self, code: str, *, is_paid: bool) -> None:
        product = self.shop.store()[code]
        shown = product.stock_quantity or 0
        if not shown:
            return
        self.there[code] -= 1
        self.shop.woo.patch(f"products/{product.id}", {"stock_quantity": shown - 1})
        line = order_line(code, "10.00")
        if is_paid:
            self.paid.append(self.shop.order(line))
        else:
            self.shop.order(line, status="on-hold", date_paid_gmt=None)

    def delay(self, is_late: bool) -> None:
        self.shop.solteq.put("behaviour", {"late_balances": is_late})

    def shown(self, code: str) -> int:
        return self.shop.store()[code].stock_quantity or 0


skews = st.integers(-600, 600)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    solteq=skews, store=skews, steps=st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(CODES)), max_size=12)
)
@example(  # our clock is ahead: what is booked was taken for shown by balances of before
    solteq=-360,
    store=0,
    steps=[("late", "A"), ("order", "A"), ("sales", "A"), ("balances", "A")],
)
@example(  # and a balance that appeared late was passed over
    solteq=-600,
    store=-600,
    steps=[("late", "A"), ("order", "A"), ("sales", "A"), ("counter", "B"), ("balances", "A"), ("in time", "A")],
)
@example(  # our clock is behind
    solteq=600,
    store=600,
    steps=[("order", "A"), ("unpaid", "A"), ("balances", "A"), ("sales", "A"), ("counter", "A"), ("balances", "A")],
)
def test_no_piece_is_sold_twice_and_nothing_is_missed_whatever_the_clocks_say(
    solteq: int, store: int, steps: list[tuple[str, str]]
) -> None:
    """Orders, bookings, sales over the counter and balances that appear late, in any order."""
    with (
        TemporaryDirectory() as name,
        running(solteq_sandbox.create_app(Path(name) / "solteq.sqlite", seed=0)) as solteq_url,
        running(woo_sandbox.create_app(Path(name) / "woo.sqlite")) as woo_url,
    ):
        shop = Shop(Path(name), solteq_url, woo_url)
        shop.solteq.put("clock", {"ahead_seconds": solteq})
        shop.woo.put("clock", {"ahead_seconds": store})
        for code in CODES:
            shop.product(code)
            shop.balance(code, PIECES, "verkko")
        run_flows(shop.settings, "first", "products", "balances", "sales")
        shelves = Shelves(shop)
        for step, code in steps:
            shelves.take(step, code)
        shelves.delay(False)
        run_flows(shop.settings, "last", "sales", "balances")
        booked = {document["orderNumber"] for document in shop.booked()}
        assert booked == {str(order) for order in shelves.paid}, "an order is missed"
        assert {code: shelves.shown(code) for code in CODES} == {
            code: max(there, 0) for code, there in shelves.there.items()
        }, "a balance is missed"
