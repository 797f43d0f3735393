"""``python -m benchmarks [NAME…]``: a table on the terminal and JSON in ``.bench/results.json``."""

import json
import sys
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import arrival, campaigns, customers, delta, first_sync, nothing_to_do, sales
from benchmarks.figures import REPOSITORY, Figure, clean_environment, machine

BENCHMARKS = {
    "first_sync": first_sync,
    "nothing_to_do": nothing_to_do,
    "delta": delta,
    "campaigns": campaigns,
    "customers": customers,
    "sales": sales,
    "arrival": arrival,
}
RESULTS = REPOSITORY / ".bench" / "results.json"
console = Console() if sys.stdout.isatty() else Console(width=140)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)), metavar="[NAME]...")
def main(names: tuple[str, ...]) -> None:
    """Measure them all, or those named. Takes about ten minutes in all."""
    results: dict[str, Any] = {"machine": machine(), "figures": {}}
    with clean_environment():
        for name in names or BENCHMARKS:
            figures = BENCHMARKS[name].run()
            console.print(_table(name, BENCHMARKS[name].__doc__ or "", figures))
            results["figures"][name] = [asdict(figure) for figure in figures]
            results["machine"]["load_after"] = machine()["load"]
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    console.print(f"{results['machine']}\nWritten to {RESULTS}", highlight=False)


def _table(name: str, about: str, figures: list[Figure]) -> Table:
    table = Table(title=name, caption=" ".join(about.split()), box=None, pad_edge=False, caption_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for column in ("unit", "aim", "compared with"):
        table.add_column(column)
    for figure in figures:
        value = f"{figure.value:.0f}" if figure.unit in ("requests", "MiB", "items/s") else f"{figure.value:.2f}"
        table.add_row(figure.what, value, figure.unit, figure.aim, figure.compared)
    return table


if __name__ == "__main__":
    main()
