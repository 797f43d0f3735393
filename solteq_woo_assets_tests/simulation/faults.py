"""``make faults``: faults that were mended before are put back one by one, and the simulation must find each.

``faults/`` has a patch for each. Its first line says what it breaks. See docs/simulation.md.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from solteq_woo_assets_tests.simulation.campaign import begin, played

PATCHES = Path(__file__).parent / "faults"
_ROOT = Path(__file__).parents[2]
_PACKAGE = "solteq_woo_assets"
_HISTORIES_OF_A_PROCESS = 40
"""A killed run stays in memory for as long as its process."""


@dataclass(frozen=True)
class Found:
    """What came of a fault. ``after``: histories until one broke because of it; None when none did."""

    fault: str
    after: int | None
    played: int
    seed: str = ""
    broken: Sequence[str] = ()

    def row(self) -> str:
        """Its row of the table in docs/simulation.md."""
        said = self.broken[0].splitlines()[0] if self.broken else ""
        return f"| {self.fault} | {self.after or f'not in {self.played}'} | {said} |"


def names() -> list[str]:
    """All faults."""
    return sorted(path.stem for path in PATCHES.glob("*.patch"))


def copy_package(folder: Path) -> None:
    """A copy of the product to put faults into."""
    shutil.copytree(_ROOT / _PACKAGE, folder / _PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))


def put_back(fault: str, folder: Path, *options: str) -> str:
    """Apply a patch to a copy of the product; what git said against it, or nothing."""
    done = subprocess.run(
        ["git", "apply", *options, str(PATCHES / f"{fault}.patch")],  # noqa: S607
        cwd=folder,
        env=os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode else ""


def surroundings(folder: Path) -> dict[str, str]:
    """What a process needs that is to run the product of this folder with the tests of this one."""
    return os.environ | {"PYTHONPATH": os.pathsep.join((str(folder), str(_ROOT)))}


@contextmanager
def _copy_with(fault: str | None) -> Iterator[Path]:
    with TemporaryDirectory(prefix="fault-") as folder:
        copy_package(Path(folder))
        if fault and (said := put_back(fault, Path(folder))):
            raise click.ClickException(f"{fault}: {said}")
        yield Path(folder)


def _histories(folder: Path, seeds: Sequence[int]) -> Iterator[tuple[str, list[str]]]:
    """What each seed broke with the product of this folder."""
    command = [sys.executable, "-m", "solteq_woo_assets_tests.simulation.faults", "seeds"]
    process = subprocess.Popen(
        [*command, *map(str, seeds)],
        cwd=folder,
        env=surroundings(folder),
        stdout=subprocess.PIPE,
        text=True,
    )
    told = 0
    with process:
        try:
            for line in process.stdout or ():
                told += 1
                yield tuple(json.loads(line))
        finally:
            process.kill()
    if told < len(seeds):
        raise click.ClickException(f"The histories from {seeds[0]} ended after {told}.")


class Unpatched:
    """What seeds break by themselves: played once, when somebody asks."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}
        self._lock = threading.Lock()

    def breaks(self, seed: str) -> bool:
        """Whether a seed breaks without any patch."""
        with self._lock:
            if seed not in self._known:
                with _copy_with(None) as folder:
                    self._known[seed] = bool(next(_histories(folder, [int(seed)]))[1])
            return self._known[seed]


def seek(fault: str, first: int, most: int, unpatched: Unpatched) -> Found:
    """Play histories with a fault until one breaks because of it."""
    with _copy_with(fault) as folder:
        number = 0
        while number < most:
            seeds = range(first + number, first + min(number + _HISTORIES_OF_A_PROCESS, most))
            for seed, broken in _histories(folder, seeds):
                number += 1
                click.echo(f"{fault}: seed {seed} {'breaks' if broken else 'holds'}", err=True)
                if broken and not unpatched.breaks(seed):
                    return Found(fault, number, number, seed, broken)
    return Found(fault, None, most)


@click.group()
def main() -> None:
    """Faults that were mended before, put back one by one."""


@main.command()
@click.argument("only", nargs=-1)
@click.option("--number", type=int, default=2000, show_default=True, help="How many histories a fault has at most.")
@click.option("--first", type=int, default=5000, show_default=True, help="The first seed.")
@click.option("--cores", type=int, default=os.cpu_count() or 1, help="How many faults are looked for at a time.")
def find(only: Sequence[str], number: int, first: int, cores: int) -> None:
    """Print the table; exit with 1 if a fault was not found."""
    unpatched = Unpatched()
    missed = 0
    click.echo("| fault | found after | what was said |\n| --- | --- | --- |")
    with ThreadPoolExecutor(cores) as pool:
        for found in pool.map(lambda fault: seek(fault, first, number, unpatched), only or names()):
            click.echo(found.row())
            missed += found.after is None
    sys.exit(1 if missed else 0)


@main.command(hidden=True)
@click.argument("seeds", nargs=-1)
def seeds(seeds: Sequence[str]) -> None:
    """Play seeds in this process, and say of each what it broke, as a line of JSON."""
    begin()
    for seed in seeds:
        click.echo(json.dumps((seed, played(seed).broken)))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
