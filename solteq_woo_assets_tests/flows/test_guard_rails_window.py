"""Guard rails judge a window: in how many runs a slip comes makes no difference."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solteq_woo_assets.engine import ledger
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.guard_rails import FEW, Verdict
from solteq_woo_assets.engine.writes import Outcome, Write
from solteq_woo_assets.flows.balances import guard_rails as of_balances
from solteq_woo_assets.flows.campaigns import guard_rails as of_campaigns
from solteq_woo_assets.flows.customers import guard_rails as of_customers
from solteq_woo_assets.flows.customers.guard_rails import FEW_REMOVALS
from solteq_woo_assets.flows.products import guard_rails as of_products
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings

SETTINGS = Settings.model_construct(
    guard_rail_hours=24,
    price_cut_percent=50,
    price_cut_products_percent=20,
    mind_purchase_price=False,
    out_of_stock_products_percent=20,
    unpublished_products_percent=5,
    customer_removals_percent=5,
    reversals_at_once=2,
    reversals_percent=10,
)
PRODUCTS = 20
"""In the store, each of 100.00 with five pieces; and as many accounts."""
MAY_BE_CUT = 4
RAILS = {each.GUARD_RAILS.delta: each.GUARD_RAILS for each in (of_products, of_campaigns, of_balances, of_customers)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rails")


@pytest.fixture
def store(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with state_database(folder / "state.duckdb").transaction() as connection:
        fill(connection)
        yield connection


def fill(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the store as if nothing had ever been sent."""
    for table in ("snapshot.woo_catalogue", "snapshot.woo_customer_accounts", "sync.deliveries", "sync.stopped"):
        connection.execute(f"DELETE FROM {table}")
    for delta in RAILS:
        connection.execute(f"DELETE FROM delta.{delta}")
    connection.execute(
        "INSERT INTO snapshot.woo_catalogue (id, type, status, sku, regular_price, manage_stock, stock_quantity, "
        "stock_status, date_modified_gmt) SELECT i, 'simple', 'publish', 'P' || i, 100, TRUE, 5, 'instock', "
        "TIMESTAMP '2026-01-01' FROM range(1, $n + 1) AS r(i)",
        {"n": PRODUCTS},
    )
    connection.execute(
        "INSERT INTO snapshot.woo_customer_accounts (id, role, date_modified_gmt) "
        "SELECT i, 'customer', TIMESTAMP '2026-01-01' FROM range(1, $n + 1) AS r(i)",
        {"n": PRODUCTS},
    )


def run(
    connection: duckdb.DuckDBPyConnection,
    delta: str,
    wanted: Mapping[int, Mapping[str, str]],
    *,
    action: str = "update",
    now: datetime | None = None,
    fate: str = "delivered",
    **how: Any,
) -> tuple[list[str], dict[str, Verdict]]:
    """What a run does: store the delta, judge it, send what may go.

    :param wanted: of store ids, the fields to be
    :param fate: delivered; killed (the store has it, the ledger says pending); failed (the store has not); unsent
    :return: the keys that went, and what the rails say
    """
    connection.execute(f"DELETE FROM delta.{delta}")
    more = ", conflicts" if delta == "woo_customer_delta" else ""
    for woo_id, fields in wanted.items():
        connection.execute(
            f"INSERT INTO delta.{delta} (key, action, kind, woo_id, changes, reason{more}) "
            f"VALUES (?, ?, 'simple', ?, ?, 'it differs'{', []' if more else ''})",
            [f"P{woo_id}", action, woo_id, changes_of(connection, woo_id, fields)],
        )
    connection.execute(
        "INSERT OR REPLACE INTO sync.comparisons (flow, computed_at) VALUES (?, ?)", [RAILS[delta].flow, utc_now()]
    )
    changes, verdicts = RAILS[delta].guard(connection, SETTINGS, now or utc_now(), **{"let_pass": (), **how})
    rows = [row for row in changes.to_dicts() if row["action"] in ledger.SENT_ACTIONS]
    if fate != "unsent":
        send(connection, RAILS[delta].flow, rows, fate)
    return sorted(row["key"] for row in rows), {verdict.rail: verdict for verdict in verdicts}


def changes_of(connection: duckdb.DuckDBPyConnection, woo_id: int, fields: Mapping[str, str]) -> list[dict[str, Any]]:
    held = connection.sql(f"FROM snapshot.woo_catalogue WHERE id = {woo_id}").pl().to_dicts()
    old = {name: None if value is None else str(value) for name, value in held[0].items()} if held else {}
    return [{"field": name, "old": old.get(name), "new": new} for name, new in fields.items()]


def send(connection: duckdb.DuckDBPyConnection, flow: str, rows: Sequence[Mapping[str, Any]], fate: str) -> None:
    writes = [
        Write(uuid4().hex, row["key"], row["action"], "simple", row["woo_id"], row["changes"], None) for row in rows
    ]
    ledger.close_earlier(connection, flow, run := uuid4().hex, [write.key for write in writes])
    ledger.enter(connection, flow, run, writes)
    if fate == "failed":
        ledger.settle(connection, [Outcome(write, "retry", error="it failed") for write in writes])
        return
    for write in writes:
        take(connection, write)
    if fate == "delivered":
        ledger.settle(connection, [Outcome(write, "delivered") for write in writes])


def take(connection: duckdb.DuckDBPyConnection, write: Write[None]) -> None:
    """What the store does."""
    if write.action == "remove":
        connection.execute("DELETE FROM snapshot.woo_customer_accounts WHERE id = ?", [write.woo_id])
    for change in write.changes:
        connection.execute(
            f"UPDATE snapshot.woo_catalogue SET {change['field']} = nullif(?, '') WHERE id = ?",
            [change["new"], write.woo_id],
        )


def cut_to(price: str, *ids: int, field: str = "regular_price") -> dict[int, dict[str, str]]:
    return {woo_id: {field: price} for woo_id in ids}


def count_cut(connection: duckdb.DuckDBPyConnection) -> int:
    """Products that cost less than half of what they did."""
    ((count,),) = connection.execute(
        "SELECT count(*) FROM snapshot.woo_catalogue WHERE least(regular_price, sale_price) < 50"
    ).fetchall()
    return count


def pass_hours(connection: duckdb.DuckDBPyConnection, hours: int) -> None:
    """Let everything have been sent so much earlier."""
    connection.execute(f"UPDATE sync.deliveries SET created_at = created_at - INTERVAL {hours} HOUR")


# However a slip is sliced

IDS = st.lists(st.integers(1, PRODUCTS), min_size=1, max_size=6, unique=True)
FATES = st.sampled_from(["delivered", "killed", "failed", "unsent"])
CLOCKS = st.sampled_from([timedelta(0), timedelta(hours=-30), timedelta(days=-400)])
SLICED = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@SLICED
@given(
    slices=st.lists(
        st.tuples(
            st.sampled_from(["regular_price", "sale_price"]), IDS, st.sampled_from([90, 60, 49, 1]), FATES, CLOCKS
        ),
        min_size=1,
        max_size=12,
    )
)
def test_price_cuts_in_slices_go_no_further_than_in_one_run(
    store: duckdb.DuckDBPyConnection, slices: list[tuple[str, list[int], int, str, timedelta]]
) -> None:
    """By sales prices and campaigns, at once or in steps, with runs that are killed and a clock that is set back."""
    fill(store)
    for field, ids, price, fate, clock in slices:
        delta = "product_delta" if field == "regular_price" else "campaign_price_delta"
        run(store, delta, cut_to(f"{price}.00", *ids, field=field), fate=fate, now=utc_now() + clock)
        assert count_cut(store) <= MAY_BE_CUT


@SLICED
@given(slices=st.lists(st.tuples(IDS, st.sampled_from([3, 1, 0]), FATES, CLOCKS), min_size=1, max_size=12))
def test_stock_in_slices_goes_no_further_than_in_one_run(
    store: duckdb.DuckDBPyConnection, slices: list[tuple[list[int], int, str, timedelta]]
) -> None:
    fill(store)
    for ids, quantity, fate, clock in slices:
        wanted = {woo_id: {"stock_quantity": str(quantity)} for woo_id in ids}
        run(store, "balance_delta", wanted, fate=fate, now=utc_now() + clock)
        ((empty,),) = store.execute("SELECT count(*) FROM snapshot.woo_catalogue WHERE stock_quantity = 0").fetchall()
        assert empty <= FEW


@SLICED
@given(slices=st.lists(st.tuples(IDS, FATES, CLOCKS), min_size=1, max_size=12))
def test_withdrawals_in_slices_go_no_further_than_in_one_run(
    store: duckdb.DuckDBPyConnection, slices: list[tuple[list[int], str, timedelta]]
) -> None:
    fill(store)
    for ids, fate, clock in slices:
        on_sale = {
            row[0] for row in store.execute("SELECT id FROM snapshot.woo_catalogue WHERE status = 'publish'").fetchall()
        }
        wanted = {woo_id: {"status": "draft"} for woo_id in ids if woo_id in on_sale}
        run(store, "product_delta", wanted, action="withdraw", fate=fate, now=utc_now() + clock)
        ((off,),) = store.execute("SELECT count(*) FROM snapshot.woo_catalogue WHERE status = 'draft'").fetchall()
        assert off <= FEW


@SLICED
@given(slices=st.lists(st.tuples(IDS, FATES, CLOCKS), min_size=1, max_size=12))
def test_removals_in_slices_go_no_further_than_in_one_run(
    store: duckdb.DuckDBPyConnection, slices: list[tuple[list[int], str, timedelta]]
) -> None:
    fill(store)
    for ids, fate, clock in slices:
        there = {row[0] for row in store.execute("SELECT id FROM snapshot.woo_customer_accounts").fetchall()}
        wanted: dict[int, dict[str, str]] = {woo_id: {} for woo_id in ids if woo_id in there}
        run(store, "woo_customer_delta", wanted, action="remove", fate=fate, now=utc_now() + clock)
        ((left,),) = store.execute("SELECT count(*) FROM snapshot.woo_customer_accounts").fetchall()
        assert PRODUCTS - left <= FEW_REMOVALS


def test_what_went_through_before_the_window_does_not_count(store: duckdb.DuckDBPyConnection) -> None:
    run(store, "product_delta", cut_to("1.00", 1, 2, 3, 4))
    assert run(store, "product_delta", cut_to("1.00", 5))[0] == []
    pass_hours(store, 23)
    assert run(store, "product_delta", cut_to("1.00", 5))[0] == []
    pass_hours(store, 2)
    assert run(store, "product_delta", cut_to("1.00", 5))[0] == ["P5"]


def test_a_price_that_was_restored_does_not_count(store: duckdb.DuckDBPyConnection) -> None:
    run(store, "product_delta", cut_to("1.00", 1, 2, 3, 4))
    run(store, "product_delta", cut_to("100.00", 1, 2, 3, 4))
    assert run(store, "product_delta", cut_to("1.00", 5, 6, 7, 8))[0] == ["P5", "P6", "P7", "P8"]


def test_a_sale_that_is_over_does_not_count(store: duckdb.DuckDBPyConnection) -> None:
    ended = (utc_now() - timedelta(hours=1)).replace(microsecond=0).isoformat()
    wanted = {woo_id: {"sale_price": "1.00"} for woo_id in (1, 2, 3, 4)}
    run(store, "campaign_price_delta", wanted)
    store.execute("UPDATE snapshot.woo_catalogue SET date_on_sale_to_gmt = ? WHERE sale_price IS NOT NULL", [ended])
    assert len(run(store, "campaign_price_delta", cut_to("1.00", 5, 6, 7, 8, field="sale_price"))[0]) == 4


def test_a_campaign_that_begins_by_itself_can_be_edited(store: duckdb.DuckDBPyConnection) -> None:
    """It was judged when it was sent ahead: a new end is no new cut."""
    store.execute("UPDATE snapshot.woo_catalogue SET sale_price = 40, date_on_sale_from_gmt = now() - INTERVAL 1 HOUR")
    wanted = {woo_id: {"date_on_sale_to_gmt": "2998-01-01T00:00:00"} for woo_id in range(1, PRODUCTS + 1)}
    assert len(run(store, "campaign_price_delta", wanted)[0]) == PRODUCTS


def test_both_flows_of_prices_are_counted_though_neither_has_sent(store: duckdb.DuckDBPyConnection) -> None:
    """Two runs side by side are both judged before either sends."""
    run(store, "product_delta", cut_to("1.00", 1, 2, 3, 4), fate="unsent")
    went, verdicts = run(store, "campaign_price_delta", cut_to("1.00", 5, field="sale_price"))
    assert went == []
    assert verdicts["price_cuts"].metadata["earlier_in_the_window"] == 4


def test_a_cut_that_is_stopped_in_one_flow_does_not_come_with_the_other(store: duckdb.DuckDBPyConnection) -> None:
    run(store, "campaign_price_delta", cut_to("1.00", *range(1, 11), field="sale_price"))
    assert run(store, "product_delta", cut_to("2.00", 1))[0] == []


def test_what_the_store_sold_is_no_write_of_ours(store: duckdb.DuckDBPyConnection) -> None:
    store.execute("UPDATE snapshot.woo_catalogue SET stock_quantity = 0 WHERE id <= 12")
    wanted = {woo_id: {"stock_quantity": "0"} for woo_id in range(13, 21)}
    went, verdicts = run(store, "balance_delta", wanted)
    assert len(went) == 8
    assert verdicts["out_of_stock"].metadata["earlier_in_the_window"] == 0


def test_what_came_back_to_the_shelf_does_not_count(store: duckdb.DuckDBPyConnection) -> None:
    for _ in range(3):
        assert len(run(store, "balance_delta", {n: {"stock_quantity": "0"} for n in range(1, 9)})[0]) == 8
        assert len(run(store, "balance_delta", {n: {"stock_quantity": "5"} for n in range(1, 9)})[0]) == 8


def test_the_verdict_says_what_went_before_what_is_here_and_how_many_may(store: duckdb.DuckDBPyConnection) -> None:
    run(store, "product_delta", cut_to("1.00", 1, 2, 3))
    _, verdicts = run(store, "product_delta", cut_to("1.00", 4, 5))
    verdict = verdicts["price_cuts"]
    shown = {name: verdict.metadata[name] for name in ("due", "earlier_in_the_window", "of", "may")}
    assert shown == {"due": 2, "earlier_in_the_window": 3, "of": 20, "may": 4}
    assert (
        "2 of the store's 20 products by more than 50 %, and 3 more went so within the last 24 hours"
        in (verdict.problems[0])
    )


# Let pass


SLIP = cut_to("1.00", *range(1, 7))
PASSING: dict[str, Any] = {"let_pass": ["price_cuts"]}


def test_what_is_let_pass_goes_once(store: duckdb.DuckDBPyConnection) -> None:
    assert run(store, "product_delta", SLIP)[0] == []
    assert len(run(store, "product_delta", SLIP, **PASSING)[0]) == 6
    run(store, "product_delta", cut_to("100.00", *SLIP))
    assert run(store, "product_delta", SLIP)[0] == [], "the same again is judged again"


def test_what_is_let_pass_does_not_count(store: duckdb.DuckDBPyConnection) -> None:
    run(store, "product_delta", SLIP)
    run(store, "product_delta", SLIP, **PASSING)
    assert len(run(store, "product_delta", cut_to("1.00", 11, 12, 13, 14))[0]) == 4
    assert run(store, "product_delta", cut_to("1.00", 15))[0] == []
    assert len(run(store, "product_delta", cut_to("0.90", *SLIP))[0]) == 6, "a little less than what was let pass"


def test_what_arrives_with_it_is_not_let_pass(store: duckdb.DuckDBPyConnection) -> None:
    run(store, "product_delta", SLIP)
    went, verdicts = run(store, "product_delta", SLIP | cut_to("1.00", *range(7, 13)), **PASSING)
    assert went == sorted(f"P{woo_id}" for woo_id in SLIP)
    assert verdicts["price_cuts"].keys == sorted(f"P{woo_id}" for woo_id in range(7, 13))


def test_nothing_is_let_pass_that_nobody_has_seen(store: duckdb.DuckDBPyConnection) -> None:
    assert run(store, "product_delta", SLIP, **PASSING)[0] == []


def test_what_changes_after_it_was_let_pass_is_judged_anew(store: duckdb.DuckDBPyConnection) -> None:
    run(store, "product_delta", SLIP)
    run(store, "product_delta", SLIP, fate="unsent", **PASSING)
    assert run(store, "product_delta", SLIP | cut_to("0.50", 6))[0] == [f"P{woo_id}" for woo_id in range(1, 7)]
    assert run(store, "product_delta", cut_to("0.40", *SLIP))[0] == []


@pytest.mark.parametrize("fate", ["failed", "unsent"])
def test_what_was_let_pass_and_did_not_arrive_may_still_go(store: duckdb.DuckDBPyConnection, fate: str) -> None:
    """A run that failed, or that was only to be looked at, uses nothing up."""
    run(store, "product_delta", SLIP)
    run(store, "product_delta", SLIP, fate=fate, **PASSING)
    assert count_cut(store) == 0
    assert len(run(store, "product_delta", SLIP)[0]) == 6
    run(store, "product_delta", cut_to("100.00", *SLIP))
    assert run(store, "product_delta", SLIP)[0] == []


def test_what_was_let_pass_and_killed_after_it_arrived_is_used_up(store: duckdb.DuckDBPyConnection) -> None:
    run(store, "product_delta", SLIP)
    run(store, "product_delta", SLIP, fate="killed", **PASSING)
    run(store, "product_delta", cut_to("1.00", 11, 12, 13, 14))
    assert count_cut(store) == 10, "it was let pass, and does not count"
    run(store, "product_delta", cut_to("100.00", *SLIP))
    assert run(store, "product_delta", SLIP)[0] == []


def test_a_refused_write_keeps_its_pass_until_it_is_tried_again(store: duckdb.DuckDBPyConnection) -> None:
    run(store, "product_delta", SLIP)
    run(store, "product_delta", SLIP, fate="unsent", **PASSING)
    store.execute(
        "INSERT INTO sync.quarantine (flow, stage, key, field, reason, mend, first_seen, last_seen) "
        "SELECT 'products', 'delivery', 'P' || i, 'x', 'refused', 'mend it', now(), now() FROM range(1, 7) AS r(i)"
    )
    run(store, "product_delta", {})
    assert len(run(store, "product_delta", SLIP)[0]) == 6


def test_another_rail_lets_nothing_of_this_one_pass(store: duckdb.DuckDBPyConnection) -> None:
    run(store, "product_delta", SLIP)
    assert run(store, "product_delta", SLIP, let_pass=["unpublished"])[0] == []
    assert run(store, "product_delta", SLIP, let_pass=["out_of_stock", "removals"])[0] == []


def test_who_is_not_of_the_flow_lets_nothing_pass_and_frees_nothing(store: duckdb.DuckDBPyConnection) -> None:
    """More accounts make the share smaller; that is for the flow's own run to judge."""
    wanted: dict[int, dict[str, str]] = {woo_id: {} for woo_id in range(1, 5)}
    assert run(store, "woo_customer_delta", wanted, action="remove")[0] == []
    store.execute(
        "INSERT INTO snapshot.woo_customer_accounts (id, role, date_modified_gmt) "
        "SELECT i, 'customer', now() FROM range(100, 300) AS r(i)"
    )
    assert run(store, "woo_customer_delta", wanted, action="remove", let_pass=None)[0] == []
    assert len(run(store, "woo_customer_delta", wanted, action="remove")[0]) == 4
