"""``make histories`` and ``make history``. See docs/simulation.md."""

import sys
import time

import click

from solteq_woo_assets_tests.simulation.campaign import Campaign, campaign, seeds_from
from solteq_woo_assets_tests.simulation.history import Event, plan, play
from solteq_woo_assets_tests.simulation.shrink import breaks_like, shrink
from solteq_woo_assets_tests.simulation.through_dagster import Launcher


@click.group()
def main() -> None:
    """The shop's life, simulated."""


@main.command()
@click.option("--number", type=int, default=None, help="How many histories; without it, as many as the time allows.")
@click.option("--minutes", type=float, default=None, help="For how long; ten minutes unless a number is given.")
@click.option("--first", type=int, default=None, help="The first seed; without it, one that was never played.")
@click.option("--shrunk", type=int, default=3, show_default=True, help="How many broken ones are shrunk.")
@click.option("--dagster", is_flag=True, help="Run the flows as jobs of Dagster: half as fast.")
def histories(number: int | None, minutes: float | None, first: int | None, shrunk: int, dagster: bool) -> None:
    """Play histories on every core; exit with 1 if one broke a promise."""
    first = int(time.time()) if first is None else first
    minutes = 10.0 if minutes is None and number is None else minutes
    click.echo(f"Seeds from {first}.")
    told = Campaign()
    for history in campaign(seeds_from(first, number), None if minutes is None else minutes * 60, dagster):
        told.add(history)
        for each in history.broken:
            click.echo(f"seed {history.seed}: {each}")
        if told.histories % 100 == 0:
            click.echo(told.line(), err=True)
    for history in told.broken[: 0 if dagster else shrunk]:
        if history.events:
            _tell_short(history.seed, history.broken)
    click.echo(told.line_of_ends())
    click.echo(told.line())
    sys.exit(1 if told.broken else 0)


def _tell_short(seed: str, broken: list[str]) -> None:
    short = shrink(plan(seed), breaks_like(seed, broken))
    click.echo(f"\nSeed {seed}, the shortest: make history SEED={seed} ONLY={_numbers(short)}")
    play(seed, short, tell=click.echo)


def _numbers(events: list[Event]) -> str:
    return ",".join(str(event.number) for event in events)


@main.command()
@click.argument("seed")
@click.option("--upto", type=int, default=None, help="Leave out the events after this one.")
@click.option("--only", default=None, help="Play only the events with these numbers.")
@click.option("--dagster", is_flag=True, help="Run the flows as jobs of Dagster.")
def history(seed: str, upto: int | None, only: str | None, dagster: bool) -> None:
    """Tell the story of one seed, line by line, with the promises that were broken."""
    events = [event for event in plan(seed) if upto is None or event.number <= upto]
    if only is not None:
        numbers = {int(each) for each in only.split(",")}
        events = [event for event in events if event.number in numbers]
    told = play(seed, events, click.echo, Launcher() if dagster else None)
    sys.exit(1 if told.broken else 0)


if __name__ == "__main__":
    main()
