"""Why the two systems differ: the rows of a comparison, one a field, each with its reason."""

import duckdb
import polars as pl

from solteq_woo_assets.flows.reconciliation.tables import RECONCILIATION

WHYS = ("missing", "surplus", "edited", "changed", "waiting", "quarantined", "unread")
SCHEMA = RECONCILIATION.schema_without("reconciled_at", "run_id", "first_seen")

# What was delivered last of a field tells an edit in the other system from a change that was not delivered yet.
_DIFFERENCES = """
WITH last_delivered AS (
    SELECT key, change.field AS field, arg_max(change.new, settled_at) AS new
    FROM (
        SELECT key, settled_at, unnest(changes) AS change FROM deliveries
        WHERE flow = $flow AND state = 'delivered' AND key IN (SELECT key FROM rows)
    ) GROUP BY ALL
), fields AS (
    SELECT key, action, reason, unnest(changes) AS change FROM rows
    WHERE action NOT IN ('skip', 'create', 'withdraw', 'remove', 'wait')
)
SELECT
    $flow AS flow, key, field, CASE WHEN NOT $is_personal THEN change.new END AS expected,
    CASE WHEN NOT $is_personal THEN change.old END AS held,
    CASE WHEN last_delivered.new = change.new THEN 'edited' ELSE 'changed' END AS why, reason
FROM (SELECT *, change.field AS field FROM fields) AS fields LEFT JOIN last_delivered USING (key, field)
UNION ALL
SELECT
    $flow, key, '(all)', NULL, NULL,
    CASE action WHEN 'create' THEN 'missing' WHEN 'wait' THEN 'waiting' ELSE 'surplus' END, reason
FROM rows WHERE action IN ('create', 'withdraw', 'remove', 'wait')
ORDER BY ALL
"""


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
    rows = changes.select("key", "action", "changes", "reason")  # noqa: F841  DuckDB reads it
    parameters = {"flow": flow, "is_personal": is_personal}
    return connection.sql(_DIFFERENCES, params=parameters).pl().cast(SCHEMA)  # type: ignore[arg-type]
