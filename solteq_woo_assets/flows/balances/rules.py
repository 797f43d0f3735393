"""How many pieces of each product the store may sell: the balance delta."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.flow import CHANGES_SCHEMA, Comparison
from solteq_woo_assets.flows.products.matching import find_strangers

Relation = duckdb.DuckDBPyRelation


@dataclass(frozen=True)
class StockRules:
    """The settings that the rules depend on; ``settings.py`` explains them."""

    stock_stores: Sequence[str] = ()
    stock_buffer: int = 0
    web_store: str = ""
    stock_store_changes: bool = False
    inactive_products: str = "draft"


def balance_delta(
    connection: duckdb.DuckDBPyConnection,
    *,
    balances: Relation,
    products: Relation,
    catalogue: Relation,
    links: Relation,
    under_way: Relation,
    rules: StockRules,
) -> Comparison:
    """The stock that the store should show, less what it shows.

    A balance whose product is not in the store yet is a row with action ``wait``.

    :param balances: rows of ``snapshot.solteq_balances``
    :param products: rows of ``snapshot.solteq_products``, to say why a product is not in the store
    :param catalogue: rows of ``snapshot.woo_catalogue``
    :param links: rows of ``sync.links`` with kind ``product``
    :param under_way: rows of ``snapshot.sales_under_way``
    """
    with sql.steps(
        connection, __name__, balances=balances, products=products, catalogue=catalogue, links=links, sales=under_way
    ) as steps:
        _reckon_under_way(steps, rules)
        steps.table("quantities", stock_buffer=rules.stock_buffer, inactive_products=rules.inactive_products)
        steps.table(
            "compared", inactive_products=rules.inactive_products, stock_store_changes=rules.stock_store_changes
        )
        steps.table("pairs")
        steps.add(strangers=find_strangers(connection))
        return Comparison(steps.frame("changes").cast(CHANGES_SCHEMA))


def pieces_under_way(
    connection: duckdb.DuckDBPyConnection, *, balances: Relation, under_way: Relation, rules: StockRules
) -> pl.DataFrame:
    """Which orders hold pieces that Solteq's balances do not show as sold: order_id, sku, pieces, since, why."""
    with sql.steps(connection, __name__, balances=balances, sales=under_way) as steps:
        _reckon_under_way(steps, rules)
        return steps.frame("pieces_under_way")


def unknown_stores(*, balances: Relation, rules: StockRules) -> list[str]:
    """Stores whose balances are to be sold online, and of which there is none, though there are others."""
    known = {row[0] for row in balances.unique("store_id").fetchall()}
    return [store for store in rules.stock_stores if known and store not in known]


def _reckon_under_way(steps: sql.Steps, rules: StockRules) -> None:
    steps.table("newest", stock_stores=list(rules.stock_stores))
    steps.table("under_way", web_store=rules.web_store)
