"""The output of commands."""

import logging
from collections.abc import Sequence

import dagster as dg
import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings

ROWS_SHOWN = 50
console = Console(stderr=True)


class _TerminalHandler(logging.Handler):
    """Prints steps as they begin, and their messages."""

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        if event is None and record.levelno >= logging.INFO:
            console.print(f"    {meta.get('orig_message', record.getMessage())}", highlight=False, markup=False)
        elif event is None:
            return
        elif event.event_type == dg.DagsterEventType.STEP_START:
            console.print(f"  {event.step_key}", highlight=False, markup=False)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                self._print_failure(check.check_name, check.description)
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
            failure = event.step_failure_data
            metadata = failure.user_failure_data
            words = metadata.description if metadata else failure.error.message if failure.error else event.message
            self._print_failure(event.step_key, words)
        elif event.event_type == dg.DagsterEventType.RUN_FAILURE and (error := event.job_failure_data.error):
            self._print_failure(meta.get("job_name"), (error.cause or error).message)  # it failed outside of any step

    def _print_failure(self, what: object, why: str | None) -> None:
        console.print(f"  [red]{what} failed:[/red] ", end="")
        console.print((why or "").strip(), highlight=False, markup=False)


def terminal_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    """Tells the terminal how a run goes."""
    logger = logging.Logger("solteq_woo_terminal", level=logging.DEBUG)  # steps begin at that level
    logger.addHandler(_TerminalHandler())
    return logger


def print_summary(result: dg.ExecuteInProcessResult) -> None:
    """Print the result and the cost of each asset of a run."""
    rows: list[Sequence[str]] = []
    for event in result.get_asset_materialization_events():
        metadata = {
            name: value.value
            for name, value in event.materialization.metadata.items()
            if not isinstance(value, dg.MarkdownMetadataValue)
        }
        requests, seconds = metadata.pop("requests", ""), metadata.pop("seconds", "")
        counts = ", ".join(f"{name} {value}" for name, value in metadata.items() if value)
        name = event.asset_key.to_user_string() if event.asset_key else ""
        rows.append((name, counts or "nothing", str(requests), str(seconds)))
    print_table(["asset", "what", "requests", "seconds"], rows)


def print_delta(changes: pl.DataFrame) -> None:
    """Print the first rows of a delta, writes before rows that only wait."""
    ordered = changes.sort(pl.col("action").is_in(["wait", "skip"]), "key").head(ROWS_SHOWN).to_dicts()
    rows = [
        (
            row["key"],
            row["action"],
            ", ".join(f"{c['field']}: {c['old'] or '–'} → {c['new'] or '–'}" for c in row["changes"]),
            row["reason"],
        )
        for row in ordered
    ]
    print_table(["key", "action", "field: old → new", "why"], rows)
    if changes.height > ROWS_SHOWN:
        console.print(f"… and {changes.height - ROWS_SHOWN} rows more.", highlight=False)


def print_quarantine(settings: Settings) -> None:
    """Print the records that are held back and not dismissed."""
    with state_database(settings.database).transaction() as connection:
        rows = connection.execute(
            "SELECT flow, key, field, reason, mend FROM sync.quarantine WHERE dismissed_at IS NULL ORDER BY flow, key"
        ).fetchall()
    if rows:
        console.print("\nQuarantine")
    print_table(["flow", "key", "field", "held back because", "to mend"], rows[:ROWS_SHOWN])
    if len(rows) > ROWS_SHOWN:
        console.print(f"… and {len(rows) - ROWS_SHOWN} more in sync.quarantine.", highlight=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
    """Print rows as they are: a product's name may look like markup, and nothing is cut off."""
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell or "") for cell in row))
    console.print(table)
