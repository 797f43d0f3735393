"""The rows that guard rails stopped, and those of them that somebody let pass: the table ``sync.stopped``.

A pass is for one row as it is, once. It ends when the row is delivered, changes, or is not due any more. Its deliveries
stay known, so that they do not count against a rail's share.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.ledger import SENT_ACTIONS

STOPPABLE = (*SENT_ACTIONS, "part")
"""The actions of rows that rails can stop. Partings are sent to nobody."""
_CONTENT = "md5(to_json(list_sort(list_transform(changes, lambda c: [c.field, c.new])))::VARCHAR)"
_MAY_GO = "let_pass_at IS NOT NULL AND used_at IS NULL"

# A row that was refused is not in the delta, and is sent again when somebody retries it.
_OVER = f"""
UPDATE sync.stopped SET used_at = $now WHERE flow = $flow AND {_MAY_GO}
    AND (key, content) NOT IN (SELECT key, content FROM rows)
    AND (key IN (SELECT key FROM rows)
        OR key NOT IN (SELECT key FROM sync.quarantine WHERE flow = $flow AND stage = 'delivery'))
"""
_GONE = """
DELETE FROM sync.stopped WHERE flow = $flow AND (
    let_pass_at IS NULL AND (key, content) NOT IN (SELECT key, content FROM rows) OR used_at < $begin
)
"""
_REMEMBERED = f"""
INSERT INTO sync.stopped (rail, flow, key, content, since)
SELECT $rail, $flow, key, content, $now FROM (
    SELECT DISTINCT ON (key) key, {_CONTENT} AS content FROM due
    WHERE list_contains($sent, action) AND key IN (SELECT key FROM meant)
) ANTI JOIN (
    FROM sync.stopped WHERE rail = $rail AND flow = $flow AND let_pass_at IS NULL
) USING (key)
"""


def without_passes(
    connection: duckdb.DuckDBPyConnection, delta: str, flow: str, rail: str, actions: Sequence[str] = SENT_ACTIONS
) -> duckdb.DuckDBPyRelation:
    """The rows of a delta with these actions, without those that somebody let pass and that are yet to be delivered."""
    return connection.sql(
        f"FROM delta.{delta} WHERE list_contains($actions, action) AND key NOT IN "
        f"(SELECT key FROM sync.stopped WHERE rail = $rail AND flow = $flow AND {_MAY_GO})",
        params={"actions": list(actions), "rail": rail, "flow": flow},
    )


def passed_deliveries(connection: duckdb.DuckDBPyConnection, rail: str) -> duckdb.DuckDBPyRelation:
    """The ids of deliveries that somebody let pass."""
    return connection.sql("SELECT unnest(delivery_ids) FROM sync.stopped WHERE rail = $rail", params={"rail": rail})


def frame(keys: Collection[str]) -> pl.DataFrame:
    """Keys for a query, which finds a million of them at once."""
    return pl.DataFrame({"key": list(keys)}, schema={"key": pl.String})


def forget(connection: duckdb.DuckDBPyConnection, flow: str, delta: str, now: datetime, begin: datetime) -> None:
    """Forget stopped rows that changed or are not due any more, and end their passes.

    :param delta: just stored, and yet to be judged
    :param begin: passes that were used before count no more
    """
    connection.execute(
        f"CREATE TEMP TABLE rows AS SELECT key, {_CONTENT} AS content FROM delta.{delta} "
        "WHERE key IN (SELECT key FROM sync.stopped WHERE flow = $flow)",
        {"flow": flow},
    )
    connection.execute(_OVER, {"flow": flow, "now": now})
    connection.execute(_GONE, {"flow": flow, "begin": begin})
    connection.execute("DROP TABLE rows")


def let_pass(connection: duckdb.DuckDBPyConnection, flow: str, rails: Collection[str], now: datetime) -> None:
    """Let the rows pass that these rails stopped, as they are."""
    connection.execute(
        "UPDATE sync.stopped SET let_pass_at = $now WHERE flow = $flow AND let_pass_at IS NULL "
        "AND list_contains($rails, rail)",
        {"flow": flow, "rails": list(rails), "now": now},
    )


def passes(connection: duckdb.DuckDBPyConnection, flow: str, delta: str) -> dict[str, list[str]]:
    """The rows of a delta that are let pass, by rail."""
    rows = connection.execute(
        f"SELECT rail, list(DISTINCT key ORDER BY key) FROM sync.stopped WHERE flow = $flow AND {_MAY_GO} "
        f"AND key IN (SELECT key FROM delta.{delta} WHERE list_contains($sent, action)) GROUP BY rail",
        {"flow": flow, "sent": list(STOPPABLE)},
    ).fetchall()
    return dict(rows)


def held(connection: duckdb.DuckDBPyConnection, flow: str) -> dict[str, list[str]]:
    """The keys that are stopped, by rail."""
    rows = connection.execute(
        "SELECT rail, list(key) FROM sync.stopped WHERE flow = $flow AND let_pass_at IS NULL GROUP BY rail",
        {"flow": flow},
    ).fetchall()
    return dict(rows)


def remember(
    connection: duckdb.DuckDBPyConnection, flow: str, delta: str, stopped: Mapping[str, Sequence[str]], now: datetime
) -> None:
    """Make the rows that each rail of a delta stops just these. Their actions in the delta are still those to be sent.

    :param stopped: keys by rail, for each rail that somebody can let pass
    """
    for rail, keys in stopped.items():
        with sql.reading(connection, meant=frame(keys), due=connection.table(f"delta.{delta}")):
            connection.execute(
                "DELETE FROM sync.stopped WHERE rail = $rail AND flow = $flow AND let_pass_at IS NULL "
                "AND key NOT IN (SELECT key FROM meant)",
                {"rail": rail, "flow": flow},
            )
            given = {"rail": rail, "flow": flow, "now": now, "sent": list(STOPPABLE)}
            connection.execute(_REMEMBERED, given)
