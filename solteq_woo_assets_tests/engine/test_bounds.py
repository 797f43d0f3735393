"""Whatever a field of a document holds, there is a row that the database stores, or a record that cannot be read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.clients.json_reader import NoValue, read_json
from solteq_woo_assets.clients.solteq_customers import CustomerDocument
from solteq_woo_assets.clients.solteq_documents import (
    BalanceDocument,
    CampaignDocument,
    Document,
    ProductDocument,
    validated,
)
from solteq_woo_assets.clients.woo_customers import StoreCustomer
from solteq_woo_assets.clients.woo_documents import StoreProduct
from solteq_woo_assets.clients.woo_orders import OrderDocument, RefundDocument
from solteq_woo_assets.clients.woo_pages import page_of
from solteq_woo_assets.engine.quarantine import RECORDS, hold
from solteq_woo_assets.engine.snapshot import merge
from solteq_woo_assets.engine.upgrades import bring_up
from solteq_woo_assets.flows.balances.source import FEED as BALANCE_FEED
from solteq_woo_assets.flows.balances.tables import SOLTEQ_BALANCES
from solteq_woo_assets.flows.campaigns.source import FEED as CAMPAIGN_FEED
from solteq_woo_assets.flows.campaigns.tables import SOLTEQ_CAMPAIGNS
from solteq_woo_assets.flows.customers.frames import customer_frame
from solteq_woo_assets.flows.customers.snapshots import ACCOUNTS, store_accounts
from solteq_woo_assets.flows.customers.tables import SOLTEQ_CUSTOMERS
from solteq_woo_assets.flows.products.frames import catalogue_frame, product_frame
from solteq_woo_assets.flows.products.tables import SOLTEQ_PRODUCTS, WOO_CATALOGUE
from solteq_woo_assets.flows.sales.orders import ReceiptRules
from solteq_woo_assets.flows.sales.plan import plan
from solteq_woo_assets.flows.sales.snapshots import store_orders
from solteq_woo_assets.flows.tables import TABLES
from solteq_woo_assets.table import Table
from solteq_woo_assets_tests.conftest import (
    balance_document,
    campaign_document,
    customer_document,
    order_document,
    order_line,
    product_document,
)

ZONE = ZoneInfo("Europe/Helsinki")
RULES = ReceiptRules(shop="shop", web_store="1", zone=ZONE)
Connection = duckdb.DuckDBPyConnection

ABSURD = [
    *(10**10, 10**14, -(10**14), 2**63, 10**400, "9" * 5_000, "1e99999999999999999999", "1e9999999", "-", "-1", "NaN"),
    *(Decimal("1e9999999"), Decimal("1e-9999999"), Decimal("1e999999999999999999")),
    *("0001-01-01T00:00:00", "9999-12-31T23:59:59", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"),
    *("-0001-11-30T00:00:00", "0000-00-00T00:00:00", "2026-02-30T00:00:00", "2026-11-23T05:20:38+23:59"),
    *("a\0b", "x" * 1_000_000, "\N{ARABIC-INDIC DIGIT ONE}", "\N{SUPERSCRIPT TWO}", " 7 ", "1_000", "0x10"),
    *(None, True, False, 0, -1, "", [], {}, [[[]]], {"a": {"b": [None]}}, [None], ["x"], [{}], {"0": {}}),
    NoValue("1e99999999999999999999"),
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.sampled_from(ABSURD) | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2))


@st.composite
def spoilt(draw: st.DrawFn, sound: dict[str, Any]) -> dict[str, Any]:
    """A document of which one value, at any depth, is something else."""
    held: Any = sound
    places: list[Any] = []
    while isinstance(held, dict | list) and held and (not places or draw(st.booleans())):
        places.append(draw(st.sampled_from(sorted(held)) if isinstance(held, dict) else st.integers(0, len(held) - 1)))
        held = held[places[-1]]
    return _replaced(sound, places, draw(VALUES))


def _replaced(held: Any, places: Sequence[Any], value: Any) -> Any:
    if not places:
        return value
    inner = _replaced(held[places[0]], places[1:], value)
    if isinstance(held, dict):
        return {**held, places[0]: inner}
    return [*held[: places[0]], inner, *held[places[0] + 1 :]]


@pytest.fixture(scope="module")
def memory() -> Iterator[Connection]:
    with duckdb.connect() as connection:
        bring_up(connection, TABLES, None)
        yield connection


def as_read(document: dict[str, Any]) -> dict[str, Any]:
    """A document as it arrives: its fractions are decimals."""
    return read_json(simplejson.dumps(document, use_decimal=True).encode())


@dataclass(frozen=True)
class Feed:
    """A feed of Solteq, and where its rows go."""

    document: type[Document]
    sound: dict[str, Any]
    frame: Callable[[Any], pl.DataFrame]
    table: Table
    key: str


DATED = {"modifiedAt": "2026-11-23T05:20:38Z"}
PRODUCT = as_read(product_document("A", purchasePrice=Decimal("1.5"), attributes={"Koko": "S"}, gtin="64", **DATED))
FEEDS = [
    Feed(ProductDocument, PRODUCT, product_frame, SOLTEQ_PRODUCTS, "id"),
    Feed(BalanceDocument, balance_document("A", 3) | DATED, BALANCE_FEED.frame, SOLTEQ_BALANCES, "productCode"),
    Feed(
        *(CampaignDocument, campaign_document("A", "x", validTo="2026-12-01T00:00:00") | DATED, CAMPAIGN_FEED.frame),
        *(SOLTEQ_CAMPAIGNS, "id"),
    ),
    Feed(CustomerDocument, customer_document(1) | DATED, customer_frame, SOLTEQ_CUSTOMERS, "id"),
]


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.table.name)
@given(data=st.data())
def test_one_document_of_solteq_spoils_no_other(memory: Connection, feed: Feed, data: st.DataObject) -> None:
    wrong = data.draw(spoilt(feed.sound))
    page = validated(feed.document, [feed.sound | {feed.key: "first"}, wrong, feed.sound | {feed.key: "last"}])
    assert len(page.documents) + len(page.invalid) + len(page.tombstones) == 3
    memory.begin()
    merge(memory, feed.table, feed.frame(page.documents), version="modified_at")
    held = [(row.key or "(no key)", row.field, row.reason, "document-unreadable", row.raw) for row in page.invalid]
    hold(memory, "any", "feed", pl.DataFrame(held, schema=RECORDS, orient="row"))
    stored = {row[0] for row in memory.execute(f"SELECT {feed.table.key[0]} FROM {feed.table}").fetchall()}
    memory.rollback()
    assert {"first", "last"} <= stored
    for row in page.invalid:
        assert row.field
        assert row.reason


STORE_PRODUCT = {
    **{"id": 7, "parent_id": 0, "type": "simple", "status": "publish", "name": "Kahvi", "sku": "A", "tax_class": ""},
    **{"global_unique_id": "64", "regular_price": "12.50", "sale_price": "", "manage_stock": True, "stock_quantity": 3},
    **{"date_on_sale_from_gmt": None, "date_on_sale_to_gmt": "2026-12-01T00:00:00", "stock_status": "instock"},
    "attributes": [{"id": 0, "name": "Koko", "variation": True, "visible": True, "options": ["S"]}],
    "meta_data": [{"id": 1, "key": "_solteq_purchase_price", "value": "1.5000"}],
    "cost_of_goods_sold": {"values": [{"defined_value": 3}]},
    "date_modified_gmt": "2026-11-23T05:20:38",
}


@given(wrong=spoilt(STORE_PRODUCT))
def test_one_product_of_the_store_spoils_no_other(memory: Connection, wrong: Any) -> None:
    page = page_of([STORE_PRODUCT | {"id": 1}, wrong, STORE_PRODUCT | {"id": 2}], "products", StoreProduct.from_wire)
    memory.begin()
    merge(memory, WOO_CATALOGUE, catalogue_frame(page.rows), version="date_modified_gmt")
    stored = {row[0] for row in memory.execute("SELECT id FROM snapshot.woo_catalogue").fetchall()}
    memory.rollback()
    assert {1, 2} <= stored
    assert all(row.field and row.problem for row in page.unreadable)


ACCOUNT = {
    **{"id": 7, "email": "aino@example.com", "role": "customer", "first_name": "Aino", "last_name": "Esimerkki"},
    "billing": {"first_name": "Aino", "phone": "0401234567", "country": "FI", "address_1": "Mallitie 1"},
    "shipping": {"city": "Helsinki", "postcode": "00100"},
    "meta_data": [{"key": "solteq_customer_id", "value": "C-1"}],
    **{"date_created_gmt": "2026-11-23T05:20:38", "date_modified_gmt": "2026-11-23T05:20:38"},
}


@given(wrong=spoilt(ACCOUNT))
def test_one_account_spoils_no_other(memory: Connection, wrong: Any) -> None:
    page = page_of([ACCOUNT | {"id": 1}, wrong, ACCOUNT | {"id": 2}], "customers", StoreCustomer.from_wire)
    memory.begin()
    store_accounts(memory, page.rows, "vat")
    stored = {row[0] for row in memory.execute(f"SELECT id FROM {ACCOUNTS}").fetchall()}
    memory.rollback()
    assert {1, 2} <= stored


ORDER = as_read(
    {"id": 7, "number": "7"}
    | order_document(
        order_line("A", "12.55") | {"id": 1, "name": "Kahvi"},
        date_created_gmt="2026-11-23T05:20:38",
        date_modified_gmt="2026-11-23T05:20:38",
        coupon_lines=[{"code": "X", "discount": "1.00", "discount_tax": "0.25"}],
        refunds=[{"id": 70, "total": "-1.25"}],
    )
)
REFUND = {
    **{"id": 70, "parent_id": 7, "date_created_gmt": "2026-11-23T05:20:38", "amount": "1.25"},
    "line_items": [
        {
            **{"id": 2, "sku": "A", "quantity": -1, "subtotal": "-1.00", "subtotal_tax": "-0.25", "total": "-1.00"},
            **{"total_tax": "-0.25", "taxes": [{"id": 1, "total": "-0.25"}]},
            "meta_data": [{"key": "_refunded_item_id", "value": "1"}],
        }
    ],
}


def planned(memory: Connection, orders: list[OrderDocument], refunds: list[RefundDocument]) -> set[int]:
    """Store orders and plan their documents; the ids that are stored."""
    memory.begin()
    memory.execute("INSERT INTO sync.watermarks (feed, position) VALUES ('sales.from', '2026-01-01')")
    store_orders(memory, orders, refunds, ZONE)
    plan(memory, RULES)
    stored = {row[0] for row in memory.execute("SELECT id FROM snapshot.woo_sales").fetchall()}
    memory.rollback()
    return stored


@given(wrong=spoilt(ORDER))
def test_one_order_spoils_no_other(memory: Connection, wrong: Any) -> None:
    raw = [ORDER | {"id": 1, "refunds": []}, wrong, ORDER | {"id": 2, "refunds": []}]
    assert {1, 2} <= planned(memory, page_of(raw, "orders", OrderDocument.model_validate).rows, [])


@given(wrong=spoilt(REFUND))
def test_one_refund_spoils_no_order(memory: Connection, wrong: Any) -> None:
    orders = [OrderDocument.model_validate(ORDER)]
    refunds = page_of([wrong], "refunds", RefundDocument.model_validate).rows
    named = [refund.model_copy(update={"parent_id": 7}) for refund in refunds if refund.id == 70]
    assert planned(memory, orders, named) == {7}


@pytest.mark.parametrize("amount", ["", "-", None])
def test_a_refund_of_nothing_is_zero(amount: str | None) -> None:
    """WooCommerce 10.5 writes it so (contract, 39)."""
    order = OrderDocument.model_validate(ORDER | {"refunds": [{"id": 70, "total": amount}]})
    refund = RefundDocument.model_validate(REFUND | {"amount": amount, "parent_id": None})
    assert (order.refunds[0].total, refund.amount, refund.parent_id) == (0, 0, 0)
