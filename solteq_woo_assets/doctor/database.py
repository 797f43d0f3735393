"""The integration's own database: whether it can be written, its version, and the space around it."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import duckdb

from solteq_woo_assets.doctor.findings import Finding, green, of_error, red, yellow
from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.engine.upgrades import VERSION
from solteq_woo_assets.errors import StateError

LOCK_SECONDS = 5.0
"""Long enough for the transactions of a run, short enough for somebody who waits."""
LITTLE, TOO_LITTLE = 1 << 30, 100 << 20
_FOLDER = "Let the user that runs this write there, or set SOLTEQ_WOO_DATABASE to another place."


def examine_database(database: StateDatabase) -> Generator[Finding, None, bool]:
    """Two lines. Nothing is made, upgraded or changed.

    :return: whether its records can be looked at
    """
    folder = _existing(database.path.absolute().parent)
    finding, readable = _file(database, folder)
    yield finding
    yield free_space(shutil.disk_usage(folder).free)
    return readable


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _file(database: StateDatabase, folder: Path) -> tuple[Finding, bool]:
    check, path = "database", database.path
    if not path.exists():
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            return red(check, f"{path} cannot be made: {folder} cannot be written", _FOLDER), False
        return green(check, f"{path} is not there yet; the first run makes it"), False
    try:
        version = database.version()
    except StateError as error:
        return of_error(check, error, "" if ". " in str(error) else _FOLDER), False
    except (duckdb.Error, OSError) as error:
        return red(check, f"{path} cannot be opened ({type(error).__name__})", _FOLDER), False
    if version is None:
        finding = green(check, f"{path} is empty yet; the first run makes its tables")
    elif version < VERSION:
        words = f"{path} is of version {version}; the next run makes it version {VERSION}"
        finding = yellow(check, words, "Back it up, then run solteq-woo sync.")
    else:
        finding = green(check, f"{path} can be written; version {version}")
    return finding, version == VERSION


def free_space(free: int) -> Finding:
    """A finding about the free bytes on the disk."""
    check, words = "database disk", f"{free / (1 << 30):.1f} GiB are free"
    mend = "Free some space, or move the database (SOLTEQ_WOO_DATABASE)."
    if free < TOO_LITTLE:
        return red(check, f"{free >> 20} MiB are free", mend)
    return yellow(check, words, mend) if free < LITTLE else green(check, words)
