"""The tables of the engine and of all flows, and the database with them."""

from pathlib import Path

from solteq_woo_assets.engine import tables as engine
from solteq_woo_assets.engine.database import LOCK_SECONDS, StateDatabase
from solteq_woo_assets.flows.balances import tables as balances
from solteq_woo_assets.flows.campaigns import tables as campaigns
from solteq_woo_assets.flows.customers import tables as customers
from solteq_woo_assets.flows.products import tables as products
from solteq_woo_assets.flows.reconciliation import tables as reconciliation
from solteq_woo_assets.flows.sales import tables as sales

_FLOWS = (products, balances, campaigns, customers, sales, reconciliation)
TABLES = (*engine.TABLES, *(table for flow in _FLOWS for table in flow.TABLES))


def state_database(path: Path, *, lock_seconds: float = LOCK_SECONDS) -> StateDatabase:
    """The database with the tables of all flows."""
    return StateDatabase(path, TABLES, lock_seconds=lock_seconds)
