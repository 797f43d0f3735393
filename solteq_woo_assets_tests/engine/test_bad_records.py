"""One write that is refused or fails wherever it comes: it stands alone, and costs nobody else anything."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest

from solteq_woo_assets_tests.conftest import CHANGED_SALES, Shop, order_line

CODES = ["A", "B", "C", "D"]
PAGE = {"headers": {"Content-Type": "text/html"}, "body": "<h1>Request blocked</h1>"}
BLOCKS = [{"status": status, **PAGE} for status in (403, 406, 418, 202, 200)]
CRASH = {"status": 500, "body": "<p>There has been a critical error on this website.</p>"}
ATTACK = "Robert'); DROP TABLE"


def products(shop: Shop) -> str:
    """Four new products, one of them with a name that looks like an attack; its key."""
    for code in CODES:
        shop.product(code, name=ATTACK if code == "C" else f"Tuote {code}")
    return "C"


def stock(shop: Shop) -> str:
    for code in CODES:
        shop.product(code)
    shop.sync("products_to_woo")
    for code in CODES:
        shop.balance(code, 5, storeName=ATTACK if code == "C" else "Turku")
    return "C"


def campaigns(shop: Shop) -> str:
    for code in CODES:
        shop.product(code, name=code)
    shop.sync("products_to_woo")
    shop.campaign("all", *CODES, value=10)
    shop.campaign("one", "C", value=27)
    return "C"


def customers(shop: Shop) -> str:
    shop.with_settings(customer_accounts="all")
    for number in range(4):
        shop.customer(number, firstName=ATTACK if number == 2 else "Aino")
    return "C-2"


def accounts(shop: Shop) -> str:
    numbers = [
        shop.account(f"aino{number}@example.com", first_name=ATTACK if number == 2 else "Aino") for number in range(4)
    ]
    return str(numbers[2])


def sales(shop: Shop) -> str:
    shop.product("A")
    shop.sync("products_to_woo")
    orders = [shop.order(order_line("A", "10.00") | {"name": ATTACK if number == 2 else "A"}) for number in range(4)]
    return f"woo:shop:order:{orders[2]}"


@dataclass(frozen=True)
class Flow:
    """A flow with four writes due, of which one holds ``content``."""

    job: str
    due: Callable[[Shop], str]
    side: str
    path: str
    content: str = "DROP TABLE"

    @property
    def name(self) -> str:
        return self.job if self.job.startswith("customers") else self.job.partition("_")[0]

    def fault(self, shop: Shop, **fault: Any) -> None:
        """Something fails writes with the content; ``content=""``: all of them."""
        control = shop.woo if self.side == "woo" else shop.solteq
        control.fault(**{"method": "POST", "path": self.path, "content": self.content, "times": None, **fault})

    def heal(self, shop: Shop) -> None:
        (shop.woo if self.side == "woo" else shop.solteq).heal()


FLOWS = [
    Flow("products_to_woo", products, "woo", "products/batch"),
    Flow("balances_to_woo", stock, "woo", "products/batch"),
    Flow("campaigns_to_woo", campaigns, "woo", "products/batch", content="7.30"),
    Flow("customers_to_woo", customers, "woo", "customers/batch"),
    Flow("customers_to_solteq", accounts, "solteq", "/customers"),
    Flow("sales_to_solteq", sales, "solteq", "/sales"),
]
each_flow = pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.job)


def states(shop: Shop, flow: Flow) -> dict[str, str]:
    """The last state of each key in the ledger."""
    return dict(
        shop.rows("SELECT key, arg_max(state, created_at) FROM sync.deliveries WHERE flow = ? GROUP BY key", flow.name)
    )


def held(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.rows("SELECT key, code FROM sync.quarantine")


def run(shop: Shop, flow: Flow, *, success: bool = True) -> dg.ExecuteInProcessResult:
    config = {"ops": {"woo_sales": {"config": {"changed_only": True}}}} if flow.name == "sales" else None
    result = shop.run(flow.job, run_config=config)
    assert result.success is success
    return result


def why(result: dg.ExecuteInProcessResult) -> str:
    """What the failed step says."""
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return str([failure.user_failure_data.description for failure in failures if failure.user_failure_data])


@pytest.mark.slow
@each_flow
def test_what_a_firewall_blocks_is_held_back_and_the_rest_is_delivered_in_the_same_run(shop: Shop, flow: Flow) -> None:
    key = flow.due(shop)
    flow.fault(shop, **BLOCKS[0])
    run(shop, flow)
    assert held(shop) == [(key, "write-blocked")]
    (reason,) = shop.rows("SELECT reason FROM sync.quarantine")
    assert "answered 403 (text/html)" in reason[0]
    assert sorted(states(shop, flow).values()) == ["delivered", "delivered", "delivered", "refused"]
    run(shop, flow)
    assert len(shop.rows("FROM sync.deliveries WHERE flow = ? AND key = ?", flow.name, key)) == 1, "not sent again"
    flow.heal(shop)
    assert shop.run("retry_quarantined").success  # a sale price goes with its product, whichever flow comes first
    last = "SELECT arg_max(state, created_at) FROM sync.deliveries WHERE key = ?"
    assert shop.rows(last, key) == [("delivered",)]
    assert held(shop) == []


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(block["status"]))
@pytest.mark.parametrize("flow", [FLOWS[0], *FLOWS[4:]], ids=lambda flow: flow.job)
def test_a_firewall_may_answer_as_it_likes(shop: Shop, flow: Flow, block: dict[str, Any]) -> None:
    key = flow.due(shop)
    flow.fault(shop, **block)
    run(shop, flow)
    assert held(shop) == [(key, "write-blocked")]
    assert list(states(shop, flow).values()).count("delivered") == 3


@each_flow
def test_missing_rights_are_said_and_hold_nobody_back(shop: Shop, flow: Flow) -> None:
    """Not even a write of nothing is taken, or nothing at all passed."""
    flow.due(shop)
    flow.fault(shop, content="", status=403, body='{"code": "forbidden", "message": "Sorry"}')
    said = why(run(shop, flow, success=False))
    assert "Read/Write permission" in said if flow.side == "woo" else "scope" in said
    assert held(shop) == []
    assert set(states(shop, flow).values()) <= {"unsent", "waiting"}, "nothing was done, and that is certain"
    flow.heal(shop)
    run(shop, flow)
    assert set(states(shop, flow).values()) == {"delivered"}


def test_a_write_that_is_alone_is_told_from_missing_rights_by_a_batch_of_nothing(shop: Shop) -> None:
    shop.product("C", name=ATTACK)
    FLOWS[0].fault(shop, **BLOCKS[0])
    run(shop, FLOWS[0])
    assert held(shop) == [("C", "write-blocked")]


def test_a_firewall_that_blocks_whatever_is_sent_fails_the_run(shop: Shop) -> None:
    """A batch of nothing passes, no product does: they are not held back one by one."""
    for number in range(20):
        shop.product(f"A{number:02}")
    FLOWS[0].fault(shop, content="sku", **BLOCKS[0])
    assert "fails whatever is sent" in why(run(shop, FLOWS[0], success=False))
    assert held(shop) == []


def past(shop: Shop) -> None:
    """Hours go by."""
    with shop.database.transaction() as connection:
        connection.execute("UPDATE sync.failures SET next_at = now() AT TIME ZONE 'UTC' - INTERVAL 1 SECOND")


@pytest.mark.slow
@each_flow
def test_a_write_that_always_crashes_is_tried_ever_more_rarely_and_shown_after_three_runs(
    shop: Shop, flow: Flow
) -> None:
    key = flow.due(shop)
    flow.fault(shop, **CRASH)
    for number in (1, 2, 3):
        run(shop, flow)
        assert sorted(states(shop, flow).values())[:3] == ["delivered"] * 3
        hours = "round(epoch(next_at - (now() AT TIME ZONE 'UTC')) / 3600)"
        assert shop.rows(f"SELECT runs, {hours} FROM sync.failures") == [(number, (0, 1, 2)[number - 1])]
        assert held(shop) == ([(key, "write-fails")] if number == 3 else [])
        if number == 1:
            continue  # the next run sends it again
        tries = len(shop.rows("FROM sync.deliveries WHERE key = ?", key))
        run(shop, flow)
        assert len(shop.rows("FROM sync.deliveries WHERE key = ?", key)) == tries, "it waits"
        past(shop)
    flow.heal(shop)
    run(shop, flow)
    assert states(shop, flow)[key] == "delivered"
    assert held(shop) == []
    assert shop.rows("FROM sync.failures") == []


def test_what_waits_after_a_crash_is_sent_at_once_when_it_changes(shop: Shop) -> None:
    flow = FLOWS[0]
    key = flow.due(shop)
    flow.fault(shop, **CRASH)
    for _ in range(3):
        run(shop, flow)
    ((action, reason),) = shop.rows("SELECT action, reason FROM delta.product_delta")
    assert (action, "it is tried again after" in reason) == ("wait", True)
    shop.product(key, name="Bobby")
    run(shop, flow)
    assert states(shop, flow)[key] == "delivered"


def test_what_was_answered_before_the_store_went_away_is_settled(shop: Shop) -> None:
    """Halves of one batch of customers, too: the first was answered, the second was not."""
    customers(shop)
    shop.woo.fault(method="POST", path="customers/batch", status=400, body="{}")
    shop.woo.fault(method="POST", path="customers/batch", skip=1, times=None, status=401, body="{}")
    assert "WOO_CONSUMER_KEY" in why(run(shop, FLOWS[3], success=False))
    assert sorted(states(shop, FLOWS[3]).values()) == ["delivered", "delivered", "unsent", "unsent"]
    assert len(shop.rows("FROM snapshot.woo_customer_accounts")) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_what_was_certainly_not_done_is_never_taken_for_done(shop: Shop, status: int) -> None:
    """Of customers who are not due any more when the next run comes."""
    flow = FLOWS[3]
    flow.due(shop)
    flow.fault(shop, content="", status=status, body="{}")
    run(shop, flow, success=False)
    flow.heal(shop)
    shop.with_settings(customer_accounts="existing")
    run(shop, flow)
    assert "delivered" not in states(shop, flow).values()


def test_a_store_that_fails_from_the_middle_on_is_not_hammered(shop: Shop) -> None:
    """Customers: the brake works after something has passed, too."""
    shop.with_settings(customer_accounts="all", requests_in_flight=1)
    for number in range(160):
        shop.customer(number)
    shop.woo.fault(method="POST", path="customers/batch", skip=1, times=None, **CRASH)
    shop.woo.asked()
    run(shop, FLOWS[3], success=False)
    assert len(shop.woo.writes()) < 40
    assert held(shop) == []
    assert list(states(shop, FLOWS[3]).values()).count("delivered") == 100


def test_what_follows_a_document_that_crashes_solteq_waits_with_it(shop: Shop) -> None:
    """A refund is never booked before its sale."""
    flow = FLOWS[5]
    key = flow.due(shop)
    flow.fault(shop, **CRASH)
    run(shop, flow)
    shop.edit_order(int(key.rpartition(":")[2]), order_line("A", "10.00") | {"name": ATTACK}, status="cancelled")
    run(shop, flow)
    assert set(shop.rows("SELECT action FROM delta.sales_delta")) <= {("wait",)}
    assert len(shop.booked()) == 3
    flow.heal(shop)
    past(shop)
    run(shop, flow)
    run(shop, flow)
    totals = [document["totals"]["gross"] for document in shop.booked()]
    assert sum(totals) == 30


def test_solteq_that_fails_from_the_middle_on_is_not_hammered(shop: Shop) -> None:
    shop.product("A")
    shop.sync("products_to_woo")
    for _ in range(20):
        shop.order(order_line("A", "10.00"))
    shop.with_settings(requests_in_flight=1)
    shop.solteq.fault(method="POST", path="/sales", skip=5, times=None, status=403, body="{}")
    shop.solteq.asked()
    run(shop, FLOWS[5], success=False)
    assert len([asked for asked in shop.solteq.writes() if asked["path"].endswith("/sales")]) == 10
    assert held(shop) == []
    shop.solteq.heal()
    run(shop, FLOWS[5])
    assert len(shop.booked()) == 20


@pytest.mark.parametrize("passed", [1, 5, 6])
def test_what_solteq_does_not_take_while_it_goes_away_does_not_wait_when_it_is_back(shop: Shop, passed: int) -> None:
    """It took others before: it is told from a record that always crashes by what the next run meets."""
    shop.product("A")
    shop.sync("products_to_woo")
    shop.sync_sales()
    for _ in range(12):
        shop.order(order_line("A", "10.00"))
    shop.solteq.fault(method="POST", path="/sales", skip=passed, times=None, status=503)
    shop.run("sales_to_solteq", run_config=CHANGED_SALES)
    shop.solteq.heal()
    shop.run("sales_to_solteq", run_config=CHANGED_SALES)
    assert len(shop.booked()) == 12
