"""Why the two systems differ: the rows of a comparison, one a field, each with its reason."""

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.flows.reconciliation.tables import RECONCILIATION

WHYS = ("missing", "surplus", "edited", "changed", "waiting", "quarantined", "unread")
SCHEMA = RECONCILIATION.schema_without("reconciled_at", "run_id", "first_seen")


def differences(
    connection: duckdb.DuckDBPyConnection,
    *,
    flow: str,
    changes: pl.DataFrame,
    deliveries: duckdb.DuckDBPyRelation,
    is_personal: bool,
) -> pl.DataFrame:
    """The rows of a flow's comparison, one a field that differs; of what is missing or surplus one a record.

    :param changes: a delta, before anything of it is sent
    :param deliveries: rows of ``sync.deliveries``
    :param is_personal: values are left out, and with them what tells an edit from a change
    :return: columns of ``SCHEMA``
    """
    rows = changes.select("key", "action", "changes", "reason")
    with sql.steps(connection, __name__, rows=rows, deliveries=deliveries) as steps:
        return steps.frame("differences", flow=flow, is_personal=is_personal).cast(SCHEMA)  # type: ignore[arg-type]
