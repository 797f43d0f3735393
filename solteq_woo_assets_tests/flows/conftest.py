"""Tables of both sides in memory, filled row by row with sensible defaults."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from solteq_woo_assets.engine import sql
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.flows.balances.rules import StockRules, balance_delta
from solteq_woo_assets.flows.balances.tables import SOLTEQ_BALANCES
from solteq_woo_assets.flows.campaigns.pricing import PricingRules
from solteq_woo_assets.flows.campaigns.rules import campaign_price_delta
from solteq_woo_assets.flows.campaigns.tables import SOLTEQ_CAMPAIGNS
from solteq_woo_assets.flows.products.rules import CatalogueRules, product_delta
from solteq_woo_assets.flows.products.tables import SOLTEQ_PRODUCTS, WOO_CATALOGUE
from solteq_woo_assets.table import Table
from solteq_woo_assets_tests.databases import make_database
from solteq_woo_assets_tests.engine.conftest import template

__all__ = ["template"]

RULES = CatalogueRules(
    new_product_status="draft",
    inactive_products="draft",
    binned_products="restore",
    tax_classes={Decimal("25.5"): "", Decimal("13.5"): "reduced-rate", Decimal("10"): "tenth"},
    store_tax_classes=frozenset({"", "reduced-rate"}),
)


PRICING = PricingRules()
NOW = datetime(2026, 11, 23, 10)  # noqa: DTZ001  UTC, as the database keeps it; noon in Helsinki


class Sides:
    """Solteq's products, balances and campaigns and the store's catalogue, as the snapshots hold them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def product(self, code: str, **fields: Any) -> None:
        row = {
            "id": f"p-{code}",
            "code": code,
            "name": f"Tuote {code}",
            "product_type": "Basic",
            "vat_rate": Decimal("25.5"),
            "sales_price": Decimal("10"),
            "attributes": [],
            "active": True,
            "deleted": False,
            "modified_at": datetime(2026, 1, 1),  # noqa: DTZ001  the database keeps UTC without a zone
        }
        self._insert(SOLTEQ_PRODUCTS, {**row, **fields})

    def variant(self, code: str, model: str, size: str, **fields: Any) -> None:
        self.product(code, model_number=model, attributes=[{"name": "Koko", "option": size}], **fields)

    def held(self, woo_id: int, sku: str, **fields: Any) -> None:
        row = {
            "id": woo_id,
            "type": "simple",
            "status": "publish",
            "name": sku,
            "sku": sku,
            "global_unique_id": "",
            "regular_price": Decimal("10"),
            "tax_class": "",
            "manage_stock": True,
            "stock_quantity": 0,
            "attributes": [],
            "has_cost_of_goods": False,
            "date_modified_gmt": datetime(2026, 1, 1),  # noqa: DTZ001
        }
        self._insert(WOO_CATALOGUE, {**row, **fields})

    def link(
        self,
        key: str,
        woo_id: int,
        status_before: str | None = None,
        solteq_id: str | None = None,
        sku: str | None = None,
    ) -> None:
        """Of the document with this code, and agreed with the store, unless told otherwise."""
        row = [key, woo_id, status_before, solteq_id or f"p-{key.upper()}", key if sku is None else sku]
        self.connection.execute("INSERT INTO sync.links VALUES ('product', ?, ?, ?, ?, ?)", row)

    def link_model(self, key: str, woo_id: int, status_before: str | None = None) -> None:
        """Of a model number, which has no document."""
        row = [key, woo_id, status_before, key]
        self.connection.execute("INSERT INTO sync.links VALUES ('product', ?, ?, ?, NULL, ?)", row)

    def balance(self, code: str, free: str, store: str = "1", **fields: Any) -> None:
        row = {
            "product_code": code,
            "store_id": store,
            "store_name": f"Myymälä {store}",
            "free_balance": Decimal(free),
            "reserved_balance": Decimal(0),
            "unit": "kpl",
            "deleted": False,
            "modified_at": datetime(2026, 1, 1),  # noqa: DTZ001
        }
        self._insert(SOLTEQ_BALANCES, {**row, **fields})

    def campaign(self, number: int, *targets: str, **fields: Any) -> None:
        """A percentage off products, unless told otherwise."""
        row = {
            "id": f"c-{number}",
            "name": f"Kampanja {number}",
            "type": "Simple",
            "level": "Product",
            "targets": list(targets),
            "discount_type": "Percentage",
            "value": Decimal(20),
            "store_ids": [],
            "customer_groups": [],
            "customers": [],
            "priority": 0,
            "active": True,
            "deleted": False,
            "modified_at": datetime(2026, 1, 1),  # noqa: DTZ001
        }
        self._insert(SOLTEQ_CAMPAIGNS, {**row, **fields})

    def shown(self, sku: str, price: str, since: datetime, until: datetime | None, regular: str = "10") -> None:
        """A price that shoppers were shown."""
        self.connection.execute(
            "INSERT INTO sync.price_history VALUES (?, ?, ?, ?, ?)", [sku, price, regular, since, until]
        )

    def campaign_price_delta(self, rules: PricingRules = PRICING, now: datetime = NOW) -> Comparison:
        return campaign_price_delta(
            self.connection,
            products=self.connection.table("snapshot.solteq_products"),
            campaigns=self.connection.table("snapshot.solteq_campaigns"),
            catalogue=self.connection.table("snapshot.woo_catalogue"),
            history=self.connection.table("sync.price_history"),
            links=self.connection.table("sync.links"),
            deliveries=self.connection.table("sync.deliveries"),
            rules=rules,
            now=now,
        )

    def product_delta(
        self, rules: CatalogueRules = RULES, pricing: PricingRules = PRICING, now: datetime = NOW
    ) -> Comparison:
        return product_delta(
            self.connection,
            products=self.connection.table("snapshot.solteq_products"),
            catalogue=self.connection.table("snapshot.woo_catalogue"),
            links=self.connection.table("sync.links"),
            campaigns=self.connection.table("snapshot.solteq_campaigns"),
            history=self.connection.table("sync.price_history"),
            rules=rules,
            pricing=pricing,
            now=now,
        )

    def balance_delta(self, rules: StockRules | None = None) -> pl.DataFrame:
        comparison = balance_delta(
            self.connection,
            balances=self.connection.table("snapshot.solteq_balances"),
            products=self.connection.table("snapshot.solteq_products"),
            catalogue=self.connection.table("snapshot.woo_catalogue"),
            links=self.connection.table("sync.links"),
            under_way=self.connection.table("snapshot.sales_under_way"),
            rules=rules or StockRules(),
        )
        return comparison.changes

    def sold(self, order: int, sku: str, pieces: int, **fields: Any) -> None:
        """Pieces of a document, not booked unless told otherwise; with the document empty, what the store holds."""
        row = {
            "order_id": order,
            "line_id": "1",
            "document": "order",
            "sku": sku,
            "quantity": Decimal(pieces),
            "booked_at": None,
            "is_shown": False,
            "since": NOW,
            "why": "not booked in Solteq yet",
            **fields,
        }
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        values = list(row.values())
        self.connection.execute(f"INSERT INTO snapshot.sales_under_way ({names}) VALUES ({marks})", values)

    def clear(self) -> None:
        for table in (
            "snapshot.solteq_products",
            "snapshot.woo_catalogue",
            "snapshot.solteq_balances",
            "snapshot.solteq_campaigns",
            "snapshot.sales_under_way",
            "sync.price_history",
            "sync.deliveries",
            "sync.links",
        ):
            self.connection.execute(f"DELETE FROM {table}")

    def _insert(self, table: Table, row: dict[str, Any]) -> None:
        with sql.reading(self.connection, given=pl.DataFrame([row], schema=table.schema)):
            self.connection.execute(f"INSERT INTO {table} BY NAME FROM given")


def links_of(comparison: Comparison) -> pl.DataFrame:
    """The links that a comparison of products has found out: its effect stores them."""
    (effect,) = comparison.effects
    assert isinstance(effect, partial)
    return effect.keywords["rows"]


def rows(changes: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """A delta by key, its changes as ``{field: (old, new)}``."""
    return {
        row["key"]: {**row, "changes": {c["field"]: (c["old"], c["new"]) for c in row["changes"]}}
        for row in changes.to_dicts()
    }


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[Sides]:
    with make_database(tmp_path / "state.duckdb").transaction() as connection:
        yield Sides(connection)
