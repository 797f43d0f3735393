"""Run flows in this process, preview campaigns, and send refused sales again."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack

import click
import dagster as dg

from solteq_woo_assets.automation.jobs import RETRY_SALES
from solteq_woo_assets.cli.jobs import (
    all_delivered,
    configuration,
    count_quarantined,
    dagster_instance,
    definitions_of,
    existing_database,
    load_settings,
    metadata_of,
    run_job,
    up_to_delta,
)
from solteq_woo_assets.cli.sandbox import standing_in
from solteq_woo_assets.cli.terminal import console, print_delta, print_quarantine, print_summary, print_table
from solteq_woo_assets.cli.times import instant, local
from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.problems import PROBLEMS
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets.flows.campaigns import assets as campaigns
from solteq_woo_assets.flows.customers import assets as customers
from solteq_woo_assets.flows.sales import assets as sales
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings

BOTH_WAYS = "customers"


@click.command()
@click.argument("flows", nargs=-1, type=click.Choice([*(flow.name for flow in FLOWS), BOTH_WAYS]), metavar="[FLOW]...")
@click.option("--dry-run", is_flag=True, help="Show what would be written. Nothing is sent or kept.")
@click.option("--let-pass", is_flag=True, help="Also send the rows that guard rails stopped before.")
def sync(flows: tuple[str, ...], dry_run: bool, let_pass: bool) -> None:
    """Run flows in this process, all of them or those that are named.

    campaigns, products, balances, customers_to_woo, customers_to_solteq, sales; customers are both directions

    Exits with 1 when anything was not delivered: a run failed, the store refused a write, or a record is in
    quarantine.
    """
    settings = load_settings()
    named = {*flows, *((customers.TO_WOO, customers.TO_SOLTEQ) if BOTH_WAYS in flows else ())}
    chosen = [flow for flow in FLOWS if flow.name in named or not flows]
    with ExitStack() as stack:
        stack.enter_context(standing_in(settings))
        if dry_run:
            copy = stack.enter_context(state_database(settings.database).copied())
            settings = settings.model_copy(update={"database": copy.path})
            instance = stack.enter_context(dg.DagsterInstance.ephemeral())  # a dry run is in no UI
        else:
            instance = stack.enter_context(dagster_instance())
        complete = _run_flows(settings, instance, chosen, dry_run=dry_run, let_pass=let_pass)
        print_quarantine(settings)
        complete &= dry_run or settings.mode == "shadow" or not count_quarantined(settings, chosen)
    sys.exit(0 if complete else 1)


def _run_flows(
    settings: Settings, instance: dg.DagsterInstance, flows: Sequence[Flow], *, dry_run: bool, let_pass: bool
) -> bool:
    """Run these flows one after the other; whether everything was delivered."""
    definitions = definitions_of(settings)
    is_shown = dry_run or settings.mode == "shadow"
    how = " (dry run)" if dry_run else " (shadow mode: nothing is sent)" if is_shown else ""
    complete = True
    for flow in flows:
        job = definitions.resolve_job_def(flow.job)
        console.print(f"[bold]{job.name}[/bold]{how}")
        selection = up_to_delta(job, flow) if is_shown else None
        result = run_job(settings, instance, job, configuration(flow, settings, let_pass and not is_shown), selection)
        print_summary(result)
        complete &= result.success and (is_shown or all_delivered(result, flow))
        if is_shown and metadata_of(result, flow.delta):
            with state_database(settings.database).transaction() as connection:
                delta = connection.table(f"delta.{flow.delta}").pl()
            print_delta(customers.masked_changes(delta) if flow.is_personal else delta)
    return complete


@click.command()
@click.argument("flow", type=click.Choice([campaigns.FLOW]))
@click.option("--at", metavar="TIME", help="Local time such as 2026-11-27T00:00. Default: now.")
def preview(flow: str, at: str | None) -> None:
    """Show the campaign delta of another time.

    Goes by the last read of both sides; nothing is kept or sent.
    """
    settings = load_settings()
    now = instant(at, settings)
    with existing_database(settings).transaction() as connection:
        delta = campaigns.compare(connection, settings, now)
    console.print(f"[bold]campaign_price_delta at {local(now, settings)}[/bold]")
    print_delta(delta.changes)
    if delta.changes.is_empty():
        console.print("Nothing to write.")
    held = [(key, field, reason, PROBLEMS[code].mend) for key, field, reason, code in delta.held.iter_rows()]
    print_table(["campaign", "field", "held back because", "to mend"], held)


@click.group()
def retry() -> None:
    """Send refused documents again."""


@retry.command("sales")
@click.argument("orders", nargs=-1, metavar="[ORDER]...")
def retry_sales(orders: tuple[str, ...]) -> None:
    """Send again the sales that Solteq refused: all, or those of these orders or external ids.

    Exits with 1 when anything was refused again, or when there is no such order: then nothing is sent.
    """
    settings = load_settings()
    if unknown := _unknown_orders(existing_database(settings), orders):
        raise click.ClickException(f"{', '.join(unknown)}: no order that was read from the store, and no external id.")
    definitions = definitions_of(settings)
    job = definitions.resolve_job_def(RETRY_SALES)
    config = {"retry": list(orders)} if orders else {"retry_refused": True}
    with standing_in(settings), dagster_instance() as instance:
        result = run_job(settings, instance, job, {"sales_delta": {"config": config}})
        print_summary(result)
        print_quarantine(settings)
    sys.exit(0 if result.success and all_delivered(result, sales.SALES) else 1)


def _unknown_orders(database: StateDatabase, orders: Sequence[str]) -> list[str]:
    """Those that are neither the number of an order nor the key of one of its documents."""
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT unnest($orders) AS named EXCEPT (SELECT id::VARCHAR FROM snapshot.woo_sales "
            "UNION SELECT key FROM delta.sales_delta UNION SELECT key FROM sync.deliveries WHERE flow = $flow "
            "UNION SELECT key FROM sync.quarantine WHERE flow = $flow)",
            {"orders": list(orders), "flow": sales.FLOW},
        ).fetchall()
    return sorted(row[0] for row in rows)
