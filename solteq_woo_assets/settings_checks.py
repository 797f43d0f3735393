"""Checks of the settings' values. A refusal never repeats the value, which may be a secret."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from email.utils import parseaddr
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import dagster as dg
from dotenv import dotenv_values
from pydantic import SecretStr

from solteq_woo_assets.errors import ConfigurationError

_PREFIX = "SOLTEQ_WOO_"
_MISSPELLED = 0.85
"""How alike two names are (difflib's ratio) when one is taken for a misspelling of the other."""
_NEVER_SALES = {"any", "cancelled", "failed", "trash", "auto-draft", "checkout-draft"}
_SHOPPERS = {"all", "customer", "subscriber"}
_OF_ONE_FEED = re.compile(r"SOLTEQ_WOO_SOLTEQ_(PRODUCTS|BALANCES|CUSTOMERS|CAMPAIGNS|SALES)_(PATH|SCOPE)")
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

    :param form: the right form, for the refusal
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


class Endpoint(NamedTuple):
    """A path below the API's address, and the scope that a token must be allowed for."""

    path: str
    scope: str


FEEDS = {
    "products": Endpoint("catalog/v1-ext/products", "catalog-api"),
    "balances": Endpoint("stock/v1-ext/balances", "stock-api"),
    "customers": Endpoint("customer/v1-ext/customers", "customer-api"),
    "campaigns": Endpoint("discount/v1-ext/campaigns", "discount-api"),
    "sales": Endpoint("order/v1-ext/sales", "order-api"),
}
"""The defaults of SOLTEQ_WOO_SOLTEQ_FEEDS."""


def feeds(value: object) -> object:
    """``products=catalog/v1-ext/products catalog-api`` as a mapping; feeds that are not named stay as they are."""
    form = "FEED=PATH SCOPE,FEED=PATH SCOPE, for example products=catalog/v1-ext/products catalog-api"
    read = pairs(value, form)
    if not isinstance(read, dict):
        return read
    named = {name: each.split() if isinstance(each, str) else [*each] for name, each in read.items()}
    if not named.keys() <= FEEDS.keys():
        raise ValueError(f"it names what is no feed; the feeds are {', '.join(FEEDS)}")
    if not all(len(each) == len(Endpoint._fields) for each in named.values()):
        raise ValueError(f"write it as {form}")
    if not all(re.fullmatch(r"/?[\w.~-]+(/[\w.~-]+)*/?", path) for path, _ in named.values()):
        raise ValueError("a path is none below the address; catalog/v1-ext/products is one")
    return FEEDS | {name: Endpoint(path.strip("/"), scope) for name, (path, scope) in named.items()}


def tax_classes(value: object) -> object:
    """``25.5=standard,0=zero-rate`` as a mapping; WooCommerce writes its standard class as an empty slug."""
    read = pairs(value, "RATE=CLASS,RATE=CLASS, for example 25.5=standard,13.5=reduced-rate")
    if isinstance(read, dict) and not read:
        raise ValueError("it must name the class of a rate: without one every product is held back")
    if isinstance(value, str) and isinstance(read, dict):
        return {rate: "" if slug == "standard" else slug for rate, slug in read.items()}
    return read


def payments(value: object) -> object:
    """``paytrail=Card,bacs=Invoice`` as a mapping."""
    return pairs(value, "NAME=TYPE,NAME=TYPE, for example paytrail=Card,bacs=Invoice")


def file(value: Path) -> Path:
    """A file, which need not be there yet; without a name none."""
    if value != Path() and value.is_dir():
        raise ValueError("it is a folder; name a file in it")
    return value


def time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("not a TZ database name; Europe/Helsinki is one") from error
    return value


def mail_address(value: str) -> str:
    """An e-mail address, or none."""
    if value and ("\n" in value or not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(value)[1])):
        raise ValueError("not an e-mail address; shop@example.com is one")
    return value


def mail_addresses(value: list[str]) -> list[str]:
    return [mail_address(each) for each in value]


def secret_address(value: SecretStr) -> SecretStr:
    """A web address, or none."""
    if value and not value.get_secret_value().startswith(("https://", "http://")):
        raise ValueError("not a web address; it begins with https://")
    return value


def part_of_external_ids(value: str) -> str:
    """Letters that may stand between the colons of ``woo:<shop>:order:<id>``."""
    if not re.fullmatch(r"[\w.-]+", value):
        raise ValueError("letters, digits, dots, hyphens and underscores alone: it is a part of external ids")
    return value


def not_blank(value: str) -> str:
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
    """A cron expression that Dagster takes; empty is none."""
    try:
        if value:
            dg.ScheduleDefinition(name="probe", job_name="probe", cron_schedule=value)
    except dg.DagsterInvalidDefinitionError:
        raise ValueError("it is not a cron expression; every hour at seven past is 7 * * * *") from None
    return value


def unknown_names(environment: Mapping[str, str], known: Iterable[str]) -> Iterator[str]:
    """Problems of variables that look like settings and are none: a misspelled setting would have no effect.

    Every name that begins with ``SOLTEQ_WOO_`` is ours. One that begins with ``SOLTEQ_`` or ``WOO_`` may be another
    program's: it is taken for ours when it is nearly the name of a setting that is not set.

    :param environment: the environment and ``.env``; names in any case
    :param known: the names of all settings
    """
    known = list(known)
    given = {name.upper() for name in environment}
    for name in sorted(given.difference(known)):
        if of_one := _OF_ONE_FEED.fullmatch(name):
            yield f"{name}: it is in SOLTEQ_WOO_SOLTEQ_FEEDS now; write {of_one[1].lower()}=PATH SCOPE there"
        elif name.startswith(_PREFIX):
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
