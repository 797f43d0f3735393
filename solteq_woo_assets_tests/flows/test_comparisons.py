"""A comparison is pure: whatever both sides hold, it changes nothing and tells the same again."""

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solteq_woo_assets.clients.woo_orders import OrderDocument
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets.flows.sales.assets import SALES
from solteq_woo_assets.flows.sales.snapshots import store_orders
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings
from solteq_woo_assets_tests.conftest import order_document, order_line
from solteq_woo_assets_tests.engine.test_bounds import as_read
from solteq_woo_assets_tests.flows.conftest import NOW, Sides
from solteq_woo_assets_tests.flows.customers.test_links import everything, worlds
from solteq_woo_assets_tests.flows.customers.test_links import fill as fill_people

CODES = ["A", "a", "B", "M"]
SETTINGS = Settings(
    _env_file=None,  # type: ignore[call-arg]
    customer_accounts="all",
    guest_customers=True,
    deleted_customers="remove",
    inactive_products="out_of_stock",
)
money = st.sampled_from([Decimal(0), Decimal(8), Decimal(10)])
products = st.fixed_dictionaries(
    {
        "sales_price": money,
        "discounted_price": st.none() | money,
        "model_number": st.sampled_from([None, "M", "N"]),
        "product_type": st.sampled_from(["Basic", "Variant", "Service", "GiftCard", "Unheard"]),
        "vat_rate": st.sampled_from([Decimal("25.5"), Decimal("7.7"), None]),
        "attributes": st.sampled_from([[], [{"name": "Koko", "option": "S"}], [{"name": "Koko", "option": "L"}]]),
        "active": st.booleans(),
        "deleted": st.booleans(),
    }
)
items = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["simple", "variable"]),
        "status": st.sampled_from(["publish", "draft", "trash"]),
        "sale_price": st.none() | money,
        "stock_quantity": st.none() | st.integers(0, 3),
        "manage_stock": st.booleans(),
    }
)
campaigns = st.fixed_dictionaries(
    {
        "targets": st.lists(st.sampled_from(CODES), max_size=2),
        "value": st.sampled_from([Decimal(0), Decimal(20), Decimal(120)]),
        "valid_from": st.sampled_from([None, NOW - timedelta(days=1), NOW + timedelta(days=1)]),
        "valid_to": st.sampled_from([None, NOW + timedelta(days=2)]),
        "valid_days": st.sampled_from([None, ["Mon"], ["Sat", "Sun"]]),
        "active": st.booleans(),
    }
)
orders = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["processing", "completed", "cancelled", "pending"]),
        "date_created_gmt": st.sampled_from(["2025-12-30T10:00:00", "2026-11-22T10:00:00"]),
        "currency": st.sampled_from(["EUR", "EUR", "SEK"]),
    }
)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    database = state_database(tmp_path_factory.mktemp("comparisons") / "state.duckdb")
    with database.transaction():
        pass
    with database.transaction() as connection:
        yield connection


@st.composite
def goods(draw: st.DrawFn) -> list[partial[None]]:
    """What fills the tables of products, stock and campaigns, as calls of ``Sides``."""
    calls: list[partial[None]] = []
    for code in CODES:
        if draw(st.booleans()):
            calls.append(partial(Sides.product, code=code, **draw(products)))
        if draw(st.booleans()):
            calls.append(partial(Sides.balance, code=code, free=str(draw(st.integers(-1, 4)))))
    for woo_id, sku in enumerate(draw(st.permutations(CODES))[: draw(st.integers(0, 4))], start=1):
        calls.append(partial(Sides.held, woo_id=woo_id, sku=sku, **draw(items)))
        if draw(st.booleans()):
            calls.append(
                partial(Sides.link, key=f"k{woo_id}", woo_id=woo_id, solteq_id=f"p-{draw(st.sampled_from(CODES))}")
            )
    for number in range(draw(st.integers(0, 2))):
        calls.append(partial(Sides.campaign, number, **draw(campaigns)))
    if draw(st.booleans()):
        calls.append(partial(Sides.shown, sku="a", price="9", since=NOW - timedelta(days=9), until=None))
    if draw(st.booleans()):
        calls.append(partial(Sides.sold, order=1, sku="A", pieces=2))
    return calls


@st.composite
def sold(draw: st.DrawFn) -> list[OrderDocument]:
    """Orders of a day that is booked, or of one before."""
    drawn = draw(st.lists(orders, max_size=3))
    return [
        OrderDocument.model_validate(
            as_read(
                {"id": number, "number": str(number), "date_modified_gmt": each["date_created_gmt"]}
                | order_document(order_line(draw(st.sampled_from(CODES)), "12.55", id=1), **each)
            )
        )
        for number, each in enumerate(drawn, start=1)
    ]


def book(connection: duckdb.DuckDBPyConnection, comparison: Comparison, state: str) -> None:
    """Enter the documents that are due, as sent without an answer, or with one."""
    connection.register("due", comparison.changes)
    connection.execute(
        "INSERT INTO sync.sales BY NAME SELECT key AS external_id, woo_id AS order_id, version, "
        "upper(kind[1]) || kind[2:] AS type, document, content, notes, $state AS state, 'run' AS run_id, "
        "$now AS sent_at FROM due WHERE refund_id IS NULL",
        {"state": state, "now": NOW},
    )


def names(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Temporary tables, and frames that are registered: kind and name."""
    return set(
        connection.execute(
            "SELECT 'TABLE', table_name FROM duckdb_tables() WHERE temporary "
            "UNION ALL SELECT 'VIEW', view_name FROM duckdb_views() WHERE temporary AND NOT internal"
        ).fetchall()
    )


def said(value: object) -> object:
    """All that a comparison says, its effects too."""
    if isinstance(value, pl.DataFrame):
        return value.rows()
    if isinstance(value, partial):
        return value.func, said(value.keywords)
    if isinstance(value, Mapping):
        return {name: said(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [said(each) for each in value]
    if owner := getattr(value, "__self__", None):
        return said(owner)
    return said(vars(value)) if is_dataclass(value) else value


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(people=worlds(), calls=goods(), documents=sold(), state=st.sampled_from(["", "pending", "booked"]))
def test_a_comparison_changes_nothing_and_tells_the_same_again(
    connection: duckdb.DuckDBPyConnection,
    people: dict[str, list[dict[str, Any]]],
    calls: list[partial[None]],
    documents: list[OrderDocument],
    state: str,
) -> None:
    fill_people(connection, people)
    for call in calls:
        call.func(Sides(connection), *call.args, **call.keywords)
    connection.execute("INSERT INTO sync.watermarks (feed, position) VALUES ('sales.from', '2026-01-01')")
    store_orders(connection, documents, [], ZoneInfo("Europe/Helsinki"))
    if state:
        book(connection, SALES.compare(connection, SETTINGS, NOW), state)
    for kind, name in sorted(names(connection), reverse=True):  # of what stored the orders
        connection.execute(f"DROP {kind} {name}")
    before = everything(connection)
    for flow in FLOWS:
        first, second = (said(flow.compare(connection, SETTINGS, NOW)) for _ in range(2))
        assert first == second, flow.name
        assert names(connection) == set(), flow.name
    assert everything(connection) == before
