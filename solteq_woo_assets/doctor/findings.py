"""A finding of the doctor: a line about one thing, green, yellow or red, with its mend."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from solteq_woo_assets.errors import IntegrationError, RemoteError

Level = Literal["green", "yellow", "red"]

STAND_BETWEEN = "Check the address in the settings, and what stands between this machine and the other side."


@dataclass(frozen=True)
class Finding:
    """One line.

    :param check: what was looked at; a name that stays the same, for programs that read ``--json``
    :param words: what was seen; without secrets and personal data
    :param mend: what to do, empty where nothing is to be done
    """

    check: str
    level: Level
    words: str
    mend: str = ""


def green(check: str, words: str) -> Finding:
    """It is as it should be."""
    return Finding(check, "green", words)


def yellow(check: str, words: str, mend: str = "") -> Finding:
    """It works, but not quite as it should; or it could not be looked at."""
    return Finding(check, "yellow", words, mend)


def red(check: str, words: str, mend: str) -> Finding:
    """It does not work, or works wrongly."""
    return Finding(check, "red", words, mend)


def refusal_of(ask: Callable[[], object]) -> RemoteError | None:
    """The other side's refusal of a question; ``None`` when it answers."""
    try:
        ask()
    except RemoteError as error:
        return error
    return None


def of_error(check: str, error: IntegrationError, mend: str = "") -> Finding:
    """A red line in the error's own words.

    :param mend: where the error does not say
    """
    words = str(error)
    if isinstance(error, RemoteError) and error.mend:
        return red(check, words.removesuffix(error.mend).strip(), error.mend)
    if mend:
        return red(check, words, mend)
    what, _, todo = words.partition(". ")
    return red(check, what, todo or STAND_BETWEEN)


def not_looked_at(check: str, why: str, *also: str) -> Finding:
    """One yellow line for all that depends on what is wrong already.

    :param also: what else was not looked at
    """
    words = f"not looked at, because {why}"
    return yellow(check, f"{words}; nor {', '.join(also)}" if also else words)


def is_ill(findings: Iterable[Finding]) -> bool:
    """Whether anything is red."""
    return any(finding.level == "red" for finding in findings)
