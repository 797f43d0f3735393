"""The tables of the engine and of all flows, and the database with them."""

from collections.abc import Sequence
from pathlib import Path

from solteq_woo_assets.engine import tables as engine
from solteq_woo_assets.engine.database import LOCK_SECONDS, StateDatabase
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets.flows.reconciliation import tables as reconciliation
from solteq_woo_assets.table import Table


def tables_of(flows: Sequence[Flow]) -> tuple[Table, ...]:
    """What these flows keep, and what all of them stand on."""
    own = (table for flow in flows for table in flow.tables)
    return tuple(dict.fromkeys((*engine.TABLES, *own, *reconciliation.TABLES)))


TABLES = tables_of(FLOWS)
MACROS = ("solteq_woo_assets.engine", "solteq_woo_assets.flows")
"""Packages whose macros every query may use."""


def state_database(path: Path, flows: Sequence[Flow] = FLOWS, *, lock_seconds: float = LOCK_SECONDS) -> StateDatabase:
    """The database of these flows."""
    return StateDatabase(path, tables_of(flows), MACROS, lock_seconds=lock_seconds)
