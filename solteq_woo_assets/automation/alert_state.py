"""The causes of alerts and who was told of them, on the table ``sync.alerts``."""

from collections.abc import Collection
from dataclasses import astuple, fields
from datetime import datetime

import duckdb

from solteq_woo_assets.automation.alert_rules import Alert

_COLUMNS = ", ".join(field.name for field in fields(Alert))
_PLACES = ", ".join("?" for _ in fields(Alert))


def alerts(connection: duckdb.DuckDBPyConnection, prefix: str = "") -> list[Alert]:
    """Every cause on every channel, the longest first.

    :param prefix: of the causes, such as ``run:``
    """
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM sync.alerts WHERE starts_with(cause, ?) ORDER BY since, cause, channel", [prefix]
    ).fetchall()
    return [Alert(*row) for row in rows]


def record_failure(
    connection: duckdb.DuckDBPyConnection,
    channels: Collection[str],
    *,
    cause: str,
    words: str,
    run_id: str,
    at: datetime,
) -> None:
    """A cause failed, once more or for the first time."""
    known = {alert.channel: alert for alert in alerts(connection) if alert.cause == cause}
    for channel in channels:
        alert = known.get(channel)
        failed = alert.failed(words, run_id, at) if alert else Alert(cause, channel, words, run_id, at)
        if failed != alert:
            keep(connection, failed)


def keep(connection: duckdb.DuckDBPyConnection, alert: Alert) -> None:
    """Store what became of a cause, which was read in this transaction."""
    connection.execute(f"INSERT OR REPLACE INTO sync.alerts ({_COLUMNS}) VALUES ({_PLACES})", astuple(alert))


def keep_told(connection: duckdb.DuckDBPyConnection, alert: Alert) -> None:
    """Store who was told, and leave the rest: it may have failed again while the message was under way."""
    connection.execute(
        "UPDATE sync.alerts SET told_at = ?, told_run_id = ? WHERE cause = ? AND channel = ?",
        [alert.told_at, alert.told_run_id, alert.cause, alert.channel],
    )


def forget(connection: duckdb.DuckDBPyConnection, alert: Alert) -> None:
    """It is over and everything about it was said."""
    connection.execute("DELETE FROM sync.alerts WHERE cause = ? AND channel = ?", [alert.cause, alert.channel])


def forget_channels(connection: duckdb.DuckDBPyConnection, but: Collection[str]) -> None:
    """Nobody is told over these channels any more."""
    connection.execute("DELETE FROM sync.alerts WHERE NOT list_contains($but, channel)", {"but": list(but)})
