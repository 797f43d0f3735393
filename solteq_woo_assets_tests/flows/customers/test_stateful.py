"""Random edits on both sides, runs in any order, broken connections and crashes in between: in the end both sides hold
the same, every edit that nobody opposed has survived, and nobody exists twice."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from solteq_woo_assets.clients.woo_customers import StoreCustomer
from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets_tests.conftest import Shop
from solteq_woo_assets_tests.engine.flows import run_flows
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import solteq as solteq_sandbox
from solteq_woo_sandbox import woo as woo_sandbox

TO_WOO, TO_SOLTEQ = "customers_to_woo", "customers_to_solteq"
VALUES: dict[str, list[str]] = {
    "first_name": ["Aino", "Eino", "Oino", ""],
    "phone": ["+358401111111", "+358402222222", "+358403333333", ""],
    "billing_city": ["Turku", "Tampere", "Oulu", ""],
    "billing_postal_code": ["20100", "33100", "90100"],
}
IN_SOLTEQ = {"first_name": "firstName", "phone": "phone"}
IN_ADDRESS = {"billing_city": "city", "billing_postal_code": "postalCode"}
IN_STORE = {"phone": "phone", "billing_city": "city", "billing_postal_code": "postcode"}


pytestmark = pytest.mark.slow


class Killed(BaseException):
    """The process was killed here: nothing after it ran, and an open transaction is undone."""


class Customers(RuleBasedStateMachine):
    """People are numbers; ``edits`` are those since both sides were last in step: by person and field, by side."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        solteq = self.stack.enter_context(running(solteq_sandbox.create_app(folder / "solteq.sqlite", seed=0)))
        woo = self.stack.enter_context(running(woo_sandbox.create_app(folder / "woo.sqlite")))
        self.shop = Shop(folder, solteq, woo)
        self.shop.with_settings(customer_accounts="all", requests_in_flight=1)
        self.people = 0
        self.runs = 0
        self.edits: dict[tuple[int, str], dict[str, str]] = {}
        self.put_back: set[int] = set()

    def teardown(self) -> None:
        with self.stack:
            self.in_step()

    @initialize()
    def two_people(self) -> None:
        self.new_customer()
        self.new_account()
        self.in_step()

    @rule()
    @precondition(lambda self: self.people < 5)
    def new_customer(self) -> None:
        self.people += 1
        self.shop.customer(self.people, email=f"person{self.people}@example.com")

    @rule()
    @precondition(lambda self: self.people < 5)
    def new_account(self) -> None:
        self.people += 1
        self.shop.account(f"person{self.people}@example.com", first_name="Eero", billing={"city": "Turku"})

    @rule()
    @precondition(lambda self: self.people < 5)
    def new_on_both_sides(self) -> None:
        self.new_account()
        self.shop.customer(self.people, email=f"Person{self.people}@example.com", firstName="Eero")

    @rule(data=st.data(), side=st.sampled_from(["solteq", "woo"]))
    def edit(self, data: st.DataObject, side: str) -> None:
        person = data.draw(st.integers(1, self.people), "person")
        field = data.draw(st.sampled_from(sorted(VALUES)), "field")
        value = data.draw(st.sampled_from(VALUES[field]), "value")
        customer, account = self.customer_of(person), self.account_of(person)
        if person in self.put_back:  # who changes meanwhile is held, not linked again
            return
        if side == "solteq" and customer is not None:
            self.edit_in_solteq(customer, field, value)
        elif side == "woo" and account is not None:
            is_name = field == "first_name"
            self.shop.edit_account(
                account.id, **({"first_name": value} if is_name else {"billing": {IN_STORE[field]: value}})
            )
        else:
            return
        if customer is not None and account is not None:
            self.edits.setdefault((person, field), {})[side] = value

    def edit_in_solteq(self, customer: dict[str, Any], field: str, value: str) -> None:
        if field in IN_SOLTEQ:
            change: dict[str, Any] = {IN_SOLTEQ[field]: value}
        else:
            billing = next((each for each in customer["addresses"] if each["type"] == "Billing"), {"type": "Billing"})
            others = [each for each in customer["addresses"] if each["type"] != "Billing"]
            change = {"addresses": [billing | {IN_ADDRESS[field]: value}, *others]}
        self.shop.solteq.put("customers", {"documents": [{"id": customer["id"], **change}]})

    @rule(data=st.data(), flow=st.sampled_from([TO_WOO, TO_SOLTEQ]))
    def delete_in_solteq_and_put_back(self, data: st.DataObject, flow: str) -> None:
        """They part, and are linked again by the runs to come."""
        self.in_step()
        person = data.draw(st.integers(1, self.people), "person")
        customer = self.customer_of(person)
        assert customer is not None
        self.put_back.add(person)
        self.shop.solteq.put("customers", {"documents": [{"id": customer["id"], "deleted": True}]})
        self.run(flow, full=False)
        states = self.shop.rows("SELECT state FROM sync.customers WHERE solteq_id = $1", customer["id"])
        assert states == [("unlinked",)]
        self.shop.solteq.put("customers", {"documents": [{"id": customer["id"], "deleted": False}]})

    @rule(flow=st.sampled_from([TO_WOO, TO_SOLTEQ]), full=st.booleans())
    def run(self, flow: str, full: bool) -> None:
        """Whether it succeeds or a fault that waits makes it fail."""
        self.runs += 1
        with suppress(dg.Failure):
            run_flows(self.shop.settings, f"run {self.runs}", flow, full=full)

    @rule(drop=st.sampled_from(["before", "after"]), side=st.sampled_from(["solteq", "woo"]), skip=st.integers(0, 1))
    def break_the_next_write(self, drop: str, side: str, skip: int) -> None:
        if side == "woo":
            self.shop.woo.fault(method="POST", path="customers/batch", times=1, skip=skip, drop=drop)
        else:
            self.shop.solteq.fault(method="POST", path="/customer/v1-ext/customers", times=1, skip=skip, drop=drop)
            self.shop.solteq.fault(method="PUT", path="/customers/", times=1, skip=skip, drop=drop)

    @rule(flow=st.sampled_from([TO_WOO, TO_SOLTEQ]), number=st.integers(1, 12), full=st.booleans())
    def crash(self, flow: str, number: int, full: bool) -> None:
        """At the nth commit: either it is undone, or it was the last that this process did."""
        self.runs += 1
        with suppress(dg.Failure, Killed), killed_at_commit(number):
            run_flows(self.shop.settings, f"run {self.runs}", flow, full=full)

    @rule()
    def in_step(self) -> None:
        """No more faults, and runs until nothing is left: then everything must be right."""
        self.shop.solteq.heal()
        self.shop.woo.heal()
        for _ in range(2):
            for flow in (TO_WOO, TO_SOLTEQ):
                run_flows(self.shop.settings, "in step", flow, full=True)
        self.shop.woo.asked()
        self.shop.solteq.asked()
        for flow in (TO_WOO, TO_SOLTEQ):
            run_flows(self.shop.settings, "quiet", flow, full=True)
        writes = [*self.shop.woo.writes(), *self.shop.solteq.writes()]
        assert [each for each in writes if "token" not in each["path"]] == [], "it comes to rest"
        assert self.shop.rows("FROM sync.quarantine") == []
        held = {person: self.values_of(person) for person in range(1, self.people + 1)}
        for person, (in_solteq, in_store) in held.items():
            assert in_solteq == in_store, person
        for (person, field), by_side in self.edits.items():
            value = held[person][0][field]
            event(f"{len(by_side)} sides edited a field")
            assert value in by_side.values(), (person, field)
        self.edits.clear()
        self.put_back.clear()

    @invariant()
    def nobody_exists_twice(self) -> None:
        count = self.shop.solteq.get("customers")["count"]
        assert count <= self.people
        assert len(self.shop.accounts()) <= self.people

    def values_of(self, person: int) -> tuple[dict[str, str], dict[str, str]]:
        customer, account = self.customer_of(person), self.account_of(person)
        assert customer is not None, "in Solteq"
        assert account is not None, "in the store"
        billing = next((each for each in customer["addresses"] if each["type"] == "Billing"), {})
        in_solteq = {field: customer.get(name) or "" for field, name in IN_SOLTEQ.items()}
        in_solteq |= {field: billing.get(name) or "" for field, name in IN_ADDRESS.items()}
        in_store = {field: getattr(account.billing, name) for field, name in IN_STORE.items()}
        return in_solteq, {"first_name": account.first_name, **in_store}

    def account_of(self, person: int) -> StoreCustomer | None:
        email = f"person{person}@example.com"
        return next((each for each in self.shop.accounts().values() if each.email.lower() == email), None)

    def customer_of(self, person: int) -> dict[str, Any] | None:
        documents = self.shop.solteq_customers(f"person{person}@example.com")
        assert len(documents) <= 1
        return next(iter(documents), None)


@contextmanager
def killed_at_commit(number: int) -> Any:
    """The nth transaction is undone, and nothing is done after it."""
    real: Callable[..., Any] = StateDatabase.transaction
    left = number

    @contextmanager
    def transaction(database: StateDatabase) -> Any:
        nonlocal left
        if left <= 0:
            raise Killed
        with real(database) as connection:
            yield connection
            left -= 1
            if left == 0:
                raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StateDatabase, "transaction", transaction)
        yield


TestCustomers = Customers.TestCase
TestCustomers.settings = settings(
    max_examples=3,
    stateful_step_count=9,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
