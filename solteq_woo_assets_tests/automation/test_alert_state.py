"""The memory of alerts: a row a cause and channel, which nothing that happens meanwhile is lost from."""

from datetime import datetime, timedelta
from pathlib import Path

from solteq_woo_assets.automation.alert_rules import Alert, due
from solteq_woo_assets.automation.alert_state import alerts, forget, forget_channels, keep, keep_told, record_failure
from solteq_woo_assets.engine.database import StateDatabase

START = datetime.fromisoformat("2026-11-23T03:00")
HOUR = timedelta(hours=1)


def fail(database: StateDatabase, run_id: str, *channels: str, cause: str = "run:products_to_woo") -> list[Alert]:
    """A failure at the start; what is known then."""
    with database.transaction() as connection:
        record_failure(connection, channels or ("email",), cause=cause, words="why", run_id=run_id, at=START)
        return alerts(connection)


def test_a_row_a_cause_and_channel(tmp_path: Path) -> None:
    """As they went in; and no more of a channel that is not used."""
    database = StateDatabase(tmp_path / "state.duckdb")
    fail(database, "run-1", "email", "webhook")
    known = fail(database, "run-2", cause="check:product_delta:price_cuts")
    assert known == [
        Alert("check:product_delta:price_cuts", "email", "why", "run-2", START),
        Alert("run:products_to_woo", "email", "why", "run-1", START),
        Alert("run:products_to_woo", "webhook", "why", "run-1", START),
    ]
    with database.transaction() as connection:
        assert [alert.run_id for alert in alerts(connection, "run:")] == ["run-1", "run-1"]
        forget_channels(connection, but=["email"])
        forget(connection, known[0])
        assert alerts(connection) == [known[1]]


def test_a_failure_while_its_end_is_being_told_is_not_lost(tmp_path: Path) -> None:
    """The mail server takes seconds, in which the other sensor may note the next failure."""
    database = StateDatabase(tmp_path / "state.duckdb")
    (alert,) = fail(database, "run-1")
    over = alert.told(START).ended(START)
    with database.transaction() as connection:
        keep(connection, over)
    fail(database, "run-2")
    with database.transaction() as connection:
        keep_told(connection, over.told(START))
        (kept,) = alerts(connection)
    assert (kept.run_id, kept.over_at) == ("run-2", None)
    assert due(kept, START, HOUR) is None
    assert due(kept, START + HOUR, HOUR) == "failing"


def test_a_second_failure_while_the_first_is_being_told_is_news(tmp_path: Path) -> None:
    """What was told is the run that the message was about."""
    database = StateDatabase(tmp_path / "state.duckdb")
    (alert,) = fail(database, "run-1")
    fail(database, "run-2")
    with database.transaction() as connection:
        keep_told(connection, alert.told(START))
        (kept,) = alerts(connection)
    assert (kept.run_id, kept.told_run_id) == ("run-2", "run-1")
    assert due(kept, START + HOUR, HOUR) == "failing"
