"""The quarantine: records that are held back, to be tried again or dismissed."""

import sys
from collections.abc import Mapping, Sequence

import click

from solteq_woo_assets.automation.jobs import RETRY_QUARANTINED, ops_of_all
from solteq_woo_assets.cli.jobs import (
    all_delivered,
    dagster_instance,
    definitions_of,
    existing_database,
    load_settings,
    run_job,
)
from solteq_woo_assets.cli.sandbox import standing_in
from solteq_woo_assets.cli.terminal import console, print_quarantine, print_summary, print_table
from solteq_woo_assets.engine import quarantine as records
from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.problems import PROBLEMS
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets.flows.sales import booked_elsewhere
from solteq_woo_assets.flows.sales.snapshots import FLOW
from solteq_woo_assets.settings import Settings

COLUMNS = ("flow", "key", "problem", "held back because", "since")


@click.group()
def quarantine() -> None:
    """See the records that are held back, try them again, or let them be."""


@quarantine.command("list")
@click.option("--all", "with_dismissed", is_flag=True, help="Show also what somebody has dismissed.")
def list_records(with_dismissed: bool) -> None:
    """Show every record that is held back, newest first."""
    rows = _read(
        "SELECT flow, key, coalesce(code, ''), field || ': ' || reason, strftime(first_seen, '%Y-%m-%d %H:%M UTC') "
        "FROM sync.quarantine WHERE dismissed_at IS NULL OR $all ORDER BY first_seen DESC, flow, key",
        {"all": with_dismissed},
    )
    print_table(COLUMNS, rows) if rows else console.print("Nothing is held back.")


@quarantine.command()
@click.argument("key")
def show(key: str) -> None:
    """Show a record: its problem, what that means, what to do, and the document."""
    rows = _read(
        "SELECT flow, stage, field, reason, mend, code, strftime(first_seen, '%Y-%m-%d %H:%M UTC'), "
        "strftime(last_seen, '%Y-%m-%d %H:%M UTC'), strftime(dismissed_at, '%Y-%m-%d %H:%M UTC'), raw "
        "FROM sync.quarantine WHERE key = $key ORDER BY flow, stage, field",
        {"key": key},
    )
    if not rows:
        raise click.ClickException(f"{key} is not held back.")
    for flow, stage, field, reason, mend, code, first_seen, last_seen, dismissed_at, raw in rows:
        problem = PROBLEMS.get(code)
        facts = [
            ("flow", flow),
            ("held back at", {"feed": "reading", "delta": "comparing", "delivery": "sending"}.get(stage, stage)),
            ("problem", f"{code}: {problem.title}" if problem else None),
            ("field", field),
            ("because", reason),
            ("that means", problem.meaning if problem else None),
            ("to mend", mend),
            ("first seen", first_seen),
            ("last seen", last_seen),
            ("dismissed", dismissed_at),
            ("document", raw if stage == "feed" and not flow.startswith("customers") else None),
        ]
        print_table(["", key], [(name, fact) for name, fact in facts if fact])
        console.print()


@quarantine.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
def retry(keys: tuple[str, ...]) -> None:
    """Try records again: all, or these keys, only by the flows that hold them.

    Reads a feed in full when a document of it could not be read. Exits with 1 when anything is refused again, or when a
    key is not held back: then nothing is tried.
    """
    settings = load_settings()
    flows = _holders(existing_database(settings), keys)
    tried = [flow for flow in FLOWS if flow.name in flows or not keys]
    jobs = {flow.job: [flow] for flow in tried} if keys else {RETRY_QUARANTINED: tried}
    again = {"retry": list(keys)} if keys else {"retry_refused": True}
    definitions = definitions_of(settings)
    complete = True
    with standing_in(settings), dagster_instance() as instance:
        for name, of_job in jobs.items():
            job = definitions.resolve_job_def(name)
            result = run_job(settings, instance, job, _again(settings, of_job, again))
            print_summary(result)
            complete &= result.success and all(all_delivered(result, flow) for flow in of_job)
        print_quarantine(settings)
    sys.exit(0 if complete else 1)


def _holders(database: StateDatabase, keys: Sequence[str]) -> set[str]:
    """The flows that hold these keys back, or wait to try them again.

    :raises ClickException: one of them is not held back
    """
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT key, flow FROM sync.quarantine WHERE list_contains($1, key) "
            "UNION SELECT key, flow FROM sync.failures WHERE list_contains($1, key)",
            [list(keys)],
        ).fetchall()
    if unknown := sorted(set(keys) - {key for key, _ in rows}):
        raise click.ClickException(f"{', '.join(unknown)}: not held back. solteq-woo quarantine list shows what is.")
    return {flow for _, flow in rows}


def _again(settings: Settings, flows: Sequence[Flow], delta: Mapping[str, object]) -> Mapping[str, object]:
    """The config of a job's assets for trying again.

    :param delta: the config of its deltas
    """
    return ops_of_all(flows, "retry", settings) | {flow.delta: {"config": delta} for flow in flows}


@quarantine.command()
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--flow", help="Only in this flow, when several hold the key back.")
@click.option(
    "--booked-elsewhere/--not-booked",
    "elsewhere",
    default=None,
    help="Whether a sale was booked in Solteq by other means. Without it the command asks.",
)
def dismiss(keys: Sequence[str], flow: str | None, elsewhere: bool | None) -> None:
    """Let records be: they stay held back, but are not counted or reported any more until they change.

    A sale that was booked in Solteq by other means is not booked again. Its pieces are in Solteq's balances, so they go
    back on the shelf. An order that only holds pieces can be dismissed in the same way.
    """
    database = existing_database(load_settings())
    answers = [_dismiss(database, key, flow, elsewhere) for key in keys]
    for key, answer in zip(keys, answers, strict=True):
        console.print(f"{key}: {answer or 'is not held back'}.", highlight=False, markup=False)
    sys.exit(0 if all(answers) else 1)


def _dismiss(database: StateDatabase, key: str, flow: str | None, elsewhere: bool | None) -> str | None:
    """The result in words; ``None`` when there is no such record."""
    with database.transaction() as connection:
        orders = booked_elsewhere.orders_of(connection, key) if flow in (None, FLOW) else []
        pieces = booked_elsewhere.pieces_held(connection, orders)
    if not orders:
        with database.transaction() as connection:
            return "dismissed" if records.dismiss(connection, key, flow) else None
    is_elsewhere = _asked(key, pieces) if elsewhere is None else elsewhere
    with database.transaction() as connection:
        count = records.dismiss(connection, key, flow)
        if not count and not pieces:
            return None
        for order_id in orders:
            (booked_elsewhere.remember if is_elsewhere else booked_elsewhere.forget)(connection, order_id)
    if is_elsewhere:
        return f"dismissed, booked elsewhere; {pieces:g} pieces are held from the shelf no more"
    return f"dismissed, not booked; {pieces:g} pieces stay held from the shelf"


def _asked(key: str, pieces: float) -> bool:
    question = (
        f"{key} holds {pieces:g} pieces from the shelf. Was it booked in Solteq by other means, "
        "or are its pieces in Solteq's balances anyhow?"
    )
    try:
        return click.confirm(question)
    except click.Abort:
        raise click.ClickException(f"{key}: say --booked-elsewhere or --not-booked.") from None


def _read(query: str, parameters: dict[str, object]) -> list[tuple[str, ...]]:
    with existing_database(load_settings()).transaction() as connection:
        return connection.execute(query, parameters).fetchall()
