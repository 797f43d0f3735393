"""A figure, and what it was measured on."""

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Figure:
    """One number.

    :param aim: of the project, in the same unit, or in words
    :param compared: what else, measured in the same run, in the same unit unless it says otherwise
    :param samples: each measurement, where ``value`` is their median
    """

    what: str
    value: float
    unit: str
    aim: str = ""
    compared: str = ""
    samples: Sequence[float] = ()


def median(what: str, samples: Sequence[float], unit: str, aim: str = "", compared: str = "") -> Figure:
    """The figure that stands for repeated measurements."""
    return Figure(what, statistics.median(samples), unit, aim, compared, samples)


@contextmanager
def clean_environment() -> Iterator[None]:
    """Without the settings of a shop that this shell may be set up for; children are without them, too."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("SOLTEQ_", "WOO_", "DAGSTER_")):
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def machine() -> dict[str, Any]:
    """Where and when, with how much else going on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "load": [round(each, 2) for each in os.getloadavg()],
        "platform": platform.platform(),
        "python": sys.version.split()[0],
        **{name: version(name) for name in ("dagster", "duckdb", "polars")},
    }
