"""A write of a delta on its way, and its outcome."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import uuid4

import duckdb
from pydantic import ValidationError

from solteq_woo_assets.flow import Change


class Record(Protocol):
    """The other side's record."""

    @property
    def id(self) -> int | str: ...


M = TypeVar("M")
"""Columns that only the flow needs."""
R = TypeVar("R", bound=Record)


@dataclass(frozen=True, eq=False)
class Write(Generic[M]):
    """One row of a delta on its way. ``more``: columns that only its flow needs."""

    delivery_id: str
    key: str
    action: str
    kind: str
    woo_id: int | None
    changes: Sequence[Change]
    more: M


@dataclass(frozen=True)
class HeldField:
    """A change that the other side does not take, while it takes others of the write. ``reason`` names no value."""

    change: Change
    reason: str


@dataclass(frozen=True)
class Outcome(Generic[M, R]):
    """The outcome of a write.

    :param state: delivered; refused, which is held in quarantine until its source changes; retry, since the next run
        knows better; waiting, for another write; unsent, since the delivery ended before its turn
    :param answer: what the other side holds by now, also when it refused
    :param error_field: what is at fault, if not the whole
    :param code: of the catalogue of problems, when it is refused, or when the other side fails at it
    :param held: what of the write the other side did not take, where it is not the whole
    :param found: records of the other side that are in the way and may not have been known
    :param is_gone: the record is not on the other side any more
    :param is_stale: the other side has news of the record: it is compared again
    """

    write: Write[M]
    state: str
    answer: R | None = None
    error: str = ""
    error_field: str = ""
    code: str = "write-refused"
    held: Sequence[HeldField] = ()
    found: Sequence[R] = ()
    is_gone: bool = False
    is_stale: bool = False


def writes_of(rows: duckdb.DuckDBPyRelation, more: Callable[..., M]) -> list[Write[M]]:
    """Rows of a delta on their way.

    :param more: takes the columns that only the flow needs, by name
    """
    names = ("key", "action", "kind", "woo_id", "changes")
    return [
        Write(uuid4().hex, **{name: row.pop(name) for name in names}, more=more(**row)) for row in rows.pl().to_dicts()
    ]


def not_sent(write: Write[M], error: ValidationError) -> Outcome[M, Any]:
    """The outcome of a write that the other side would mangle."""
    problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
    reason = problem["msg"].removeprefix("Value error, ")
    return Outcome(write, "refused", error=f"not sent: {reason}", error_field=".".join(map(str, problem["loc"])))
