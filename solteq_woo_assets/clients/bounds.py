"""Bounds of numbers, ids, times and names of both systems. No column holds values beyond them.

Every document model is made of these, so a record beyond the bounds is unreadable, and the others go on.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, PlainValidator, StringConstraints

TOO_MUCH = 10**10
"""Amounts and quantities are below it, so that their sums fit a column of ``DECIMAL(18,4)``."""
FIRST_YEAR, LAST_YEAR = 1970, 9998
LONGEST_KEY = 255
_ID_END = 2**63
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)

BEYOND = f"must have at most {len(str(TOO_MUCH)) - 1} digits before the decimal point"


def bounded(number: Decimal) -> Decimal:
    """:raises ValueError: it is no finite number, or beyond the bounds"""
    # Compared as it is: abs() would round it, and raise where the exponent is large.
    if not number.is_finite() or not -TOO_MUCH < number < TOO_MUCH:
        raise ValueError(BEYOND)
    return number


def number_of(value: object) -> Decimal:
    """The number that a value of WooCommerce is, mostly as text.

    :raises ValueError: it is none, or beyond the bounds
    """
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            raise ValueError("must be a number")
        try:
            return bounded(Decimal(text))
        except InvalidOperation:
            raise ValueError(BEYOND) from None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return bounded(Decimal(value))
    raise ValueError("must be a number")


def number_or_none(value: object) -> Decimal | None:
    """The same, and ``None`` for a value that is no number."""
    try:
        return number_of(value)
    except ValueError:
        return None


def _amount(value: object) -> Decimal:
    """WooCommerce leaves amounts empty, and writes "-" for minus nothing (a refund of nothing)."""
    return Decimal(0) if value in ("", "-", None) else number_of(value)


def _whole(value: object) -> int:
    if isinstance(value, Decimal) and bounded(value) == int(value):
        value = int(value)
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("must be a whole number")
    return value


def _id(value: object) -> int:
    number = _whole(value)
    if not 0 < number < _ID_END:
        raise ValueError("must be an id: a whole number above 0 that fits 63 bits")
    return number


def _id_or_none(value: object) -> int:
    return 0 if value is None or value == "" or _whole(value) == 0 else _id(value)


def id_or_zero(value: object) -> int:
    try:
        return _id_or_none(value)
    except ValueError:
        return 0


def in_calendar(instant: datetime) -> datetime:
    """:raises ValueError: a year in which it cannot be told in another time zone"""
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise ValueError(f"must be a time in the years {FIRST_YEAR} to {LAST_YEAR}")
    return instant


def store_time(value: object) -> datetime | None:
    """A time of WooCommerce in naive UTC. WordPress writes ``-0001-11-30T00:00:00`` or zeros for no date.

    :raises ValueError: it is no time, or beyond the bounds
    """
    if not value or (isinstance(value, str) and value.startswith(("-", "0000"))):
        return None
    instant = value
    if isinstance(value, str):
        with suppress(ValueError):  # its words would repeat the value
            instant = datetime.fromisoformat(value)
    if not isinstance(instant, datetime):
        raise ValueError("must be a time in ISO 8601")
    instant = in_calendar(instant)
    return instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)


def words_of(problem: str) -> str:
    """The problem of a field, in pydantic's words. Ours never repeat the value."""
    return problem.removeprefix("Value error, ")


Amount = Annotated[Decimal, PlainValidator(_amount)]
"""An amount or quantity of WooCommerce; empty is 0."""
Id = Annotated[int, PlainValidator(_id)]
OptionalId = Annotated[int, PlainValidator(_id_or_none)]
"""An id of WooCommerce, or 0 for none."""
Key = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_KEY)]
"""The identity of a document."""
# Imports leave records without a time of change; WooCommerce gives null for it.
StoreTime = Annotated[datetime, BeforeValidator(lambda value: store_time(value) or datetime(1970, 1, 1))]  # noqa: DTZ001
OptionalStoreTime = Annotated[datetime | None, BeforeValidator(store_time)]
