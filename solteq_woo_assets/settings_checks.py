"""What a value of a setting may be. Every refusal is in words that never repeat the value, which may be a secret."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
from dotenv import dotenv_values

from solteq_woo_assets.errors import ConfigurationError

_PREFIX = "SOLTEQ_WOO_"
_MISSPELLED = 0.85
"""How alike two names are (difflib's ratio) when one is taken for a misspelling of the other."""
_NEVER_SALES = {"any", "cancelled", "failed", "trash", "auto-draft", "checkout-draft"}
_SHOPPERS = {"all", "customer", "subscriber"}
_OF_WORDPRESS = re.compile(r"/(wp-json|wp-admin|wp-login\.php)(/.*)?$")


def comma_separated(value: object) -> object:
    """``a, b`` as a list."""
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if value.strip() and not parts:
        raise ValueError("there is nothing between the commas")
    return parts


def staff_roles(value: list[str]) -> list[str]:
    """Roles as the store names them: a shopper's is none of staff."""
    if _SHOPPERS.intersection(value):
        raise ValueError("customer and subscriber are roles of shoppers, and all is no role")
    return value


def pairs(value: object, form: str) -> object:
    """``paytrail=Card,bacs=Invoice`` as a mapping.

    :param form: how to write it, for who wrote it otherwise
    """
    if not isinstance(value, str):
        return value
    split = [pair.partition("=") for pair in value.split(",") if pair.strip()]
    if not all(name.strip() and meaning.strip() for name, _, meaning in split):
        raise ValueError(f"write it as {form}")
    read = {name.strip(): meaning.strip() for name, _, meaning in split}
    if len(read) < len(split):
        raise ValueError("it says two things of the same name")
    return read


def address(value: str) -> str:
    """A web address that may be shown: with its scheme, without credentials, query and fragment."""
    if not value:
        return value
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("not a web address; https://shop.example is one") from None
    if "@" in parts.netloc:
        raise ValueError("take the user name and password out of the address: it is shown in the UI and in logs")
    if "?" in value or "#" in value:
        raise ValueError("leave out what follows ? or #: the address is shown in the UI and in logs")
    if parts.scheme not in ("https", "http") or not parts.hostname or re.search(r"[\s\\\x00-\x1f\x7f]", value):
        raise ValueError("not a web address; https://shop.example is one")
    return value.rstrip("/")


def shop_address(value: str) -> str:
    """The store's own address, also when it was copied from its API or its admin pages."""
    return _OF_WORDPRESS.sub("", address(value)).rstrip("/")


def host(value: str) -> str:
    """A server's name alone: it is shown when the server does not answer."""
    if not re.fullmatch(r"[\w.-]+|\[?[0-9A-Fa-f:.]+\]?", value):
        raise ValueError("not a server's name; mail.example.com is one, and the port has a setting of its own")
    return value


def path(value: str) -> str:
    """A path below Solteq's address."""
    if not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", value.strip("/")):
        raise ValueError("not a path below the address; catalog/v1-ext/products is one")
    return value.strip("/")


def part_of_external_ids(value: str) -> str:
    """What may stand between the colons of ``woo:<shop>:order:<id>``."""
    if not re.fullmatch(r"[\w.-]+", value):
        raise ValueError("letters, digits, dots, hyphens and underscores alone: it is a part of external ids")
    return value


def not_blank(value: str) -> str:
    """Something."""
    if not value.strip():
        raise ValueError("it must not be empty")
    return value.strip()


def statuses(value: list[str]) -> list[str]:
    """Statuses of orders as the REST API spells them; the database's spelling begins with ``wc-``."""
    read = [status.lower().removeprefix("wc-") for status in value]
    if not read:
        raise ValueError("it must name a status, such as processing,completed")
    if not all(re.fullmatch(r"[a-z0-9_-]+", status) for status in read):
        raise ValueError("not statuses as the store spells them; processing,completed are some")
    if _NEVER_SALES.intersection(read):
        raise ValueError(f"orders with these statuses are never sales: {', '.join(sorted(_NEVER_SALES))}")
    return read


def cron(value: str) -> str:
    """What Dagster takes for a schedule; empty is none."""
    try:
        if value:
            dg.ScheduleDefinition(name="probe", job_name="probe", cron_schedule=value)
    except dg.DagsterInvalidDefinitionError:
        raise ValueError("it is not a cron expression; every hour at seven past is 7 * * * *") from None
    return value


def unknown_names(environment: Mapping[str, str], known: Iterable[str]) -> Iterator[str]:
    """What is wrong with variables that look like ours and are not: a misspelled setting would count for nothing.

    Every name that begins with ``SOLTEQ_WOO_`` is ours. One that begins with ``SOLTEQ_`` or ``WOO_`` may be another
    program's: it is taken for ours when it is nearly the name of a setting that is not set.

    :param environment: the environment and ``.env``; names in any case
    :param known: the names of all settings
    """
    known = list(known)
    given = {name.upper() for name in environment}
    for name in sorted(given.difference(known)):
        if name.startswith(_PREFIX):
            near = get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]}?" if near else ".env.example lists all"
            yield f"{name}: there is no such setting; {meant}"
        elif name.startswith(("SOLTEQ_", "WOO_")):
            near = get_close_matches(name, [each for each in known if each not in given], n=1, cutoff=_MISSPELLED)
            if near:
                yield f"{name}: there is no such setting; did you mean {near[0]}?"


def dotenv(file: Path) -> dict[str, str]:
    """The variables of a ``.env`` file; none without the file.

    :raises ConfigurationError: it cannot be read
    """
    try:
        values = dotenv_values(file) if file.is_file() else {}
    except (OSError, UnicodeDecodeError):
        values = None
    if values is None:  # outside of the block: the error of decoding holds what is in the file
        raise ConfigurationError(".env cannot be read; it must be a text file in UTF-8 that this user may read")
    return {name: value or "" for name, value in values.items()}
