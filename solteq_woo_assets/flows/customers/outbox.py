"""The common part of customers' writes in both directions: fields that are refused alone, and erased people.

The ledger holds fields, never values: what a person's data were is nobody's business once they are delivered.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import polars as pl

from solteq_woo_assets.clients.solteq_customers import CustomerDocument
from solteq_woo_assets.clients.woo_customers import StoreCustomer
from solteq_woo_assets.engine import writes
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.ledger import SENT_ACTIONS, changes_hash
from solteq_woo_assets.engine.turns import Release
from solteq_woo_assets.engine.writes import HeldField, writes_of
from solteq_woo_assets.errors import IntegrationError
from solteq_woo_assets.flow import Change
from solteq_woo_assets.flows.customers.people import plain_text

WHOLE = "(the customer)"


@dataclass(frozen=True)
class Person:
    """The person of a write; ``document`` and the phone number only on the way to Solteq."""

    solteq_id: str | None
    conflicts: Sequence[dict[str, str | None]]
    held_email: str | None = None
    document: str | None = None
    phone: str | None = None
    phone_text: str | None = None


Write = writes.Write[Person]
Outcome = writes.Outcome[Person, StoreCustomer | CustomerDocument]


@dataclass(frozen=True)
class Rest:
    """The answer to a write that is sent again without some of its changes."""

    write: Write
    answer: Any
    held: Sequence[HeldField]


def due(connection: duckdb.DuckDBPyConnection, flow: str, source: str, more: Sequence[str]) -> list[Write]:
    """The rows that are to be sent; never of the people who run the store.

    :param source: SQL of the delta's rows with what is needed besides
    :param more: those columns
    """
    columns = ", ".join(("key", "action", "kind", "woo_id", "changes", "solteq_id", "conflicts", *more))
    rows = connection.sql(
        f"SELECT {columns} FROM {source} WHERE list_contains({list(SENT_ACTIONS)}, action) "
        "AND (woo_id IS NULL OR woo_id NOT IN (SELECT id FROM snapshot.woo_staff)) "
        "ORDER BY key IN (SELECT key FROM sync.failures WHERE flow = $flow), key",  # what failed goes last
        params={"flow": flow},
    )
    return writes_of(rows, Person)


def fields(changes: Iterable[Change]) -> set[str]:
    """Names of what is changed."""
    return {change["field"] for change in changes}


def keep_conflicts(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> None:
    """Keep the values that a conflict overwrote, once the others arrived."""
    lost = [
        (o.write.more.solteq_id, o.write.woo_id, each["field"], each["kept"], each["lost"], utc_now())
        for o in outcomes
        if o.state == "delivered"
        for each in o.write.more.conflicts
        if each["field"] in fields(o.write.changes) - fields(held.change for held in o.held)
    ]
    if lost:
        connection.executemany("INSERT INTO sync.customer_conflicts VALUES (?, ?, ?, ?, ?, ?)", lost)


def release_changed(connection: duckdb.DuckDBPyConnection, flow: str, due: pl.DataFrame) -> None:
    """Let go of fields that the other side refused and that are to become something else by now, or nothing.

    :param due: rows of the delta
    """
    changes = {row["key"]: row["changes"] for row in due.to_dicts()}
    held = connection.execute(
        "SELECT key, field, raw FROM sync.quarantine WHERE flow = ? AND stage = 'delivery' AND code = 'write-refused'",
        [flow],
    ).fetchall()
    raws = {(key, raw) for key, _, raw in held}
    for key, name, raw in held:
        wanted = changes.get(key, [])
        rest = [each for each in wanted if (key, changes_hash([each])) not in raws]
        if raw not in {changes_hash(each) for each in (wanted, rest, *([each] for each in wanted))}:
            connection.execute(
                "DELETE FROM sync.quarantine WHERE flow = ? AND stage = 'delivery' AND key = ? AND field = ?",
                [flow, key, name],
            )


def split(write: Write, refused: Mapping[str, str]) -> tuple[Write, list[HeldField]] | None:
    """The write without the refused fields, and these; ``None`` where it cannot go without them.

    :param refused: by field what the other side says
    """
    is_create = write.action == "create"
    if not refused or not refused.keys() <= fields(write.changes) or (is_create and "email" in refused):
        return None
    held = [HeldField(change, refused[change["field"]]) for change in write.changes if change["field"] in refused]
    rest = [change for change in write.changes if change["field"] not in refused]
    if refused.keys() & {"company_name", "tax_code"}:  # a company cannot be without them
        rest = [{**each, "new": "Private"} if each["field"] == "type" else each for each in rest]
    return replace(write, changes=rest), held


def both_emails(release: Release[Person]) -> list[str]:
    """The e-mail address that it wants, and the one that it had."""
    (change,) = [change for change in release.write.changes if change["field"] == "email"]
    return [change["new"] or "", change["old"] or ""]


def of_rest(write: Write, rest: Rest, read: Callable[[Write, Any], Outcome]) -> Outcome:
    """The outcome of a write that was sent again without some of its changes."""
    if not rest.write.changes:
        return Outcome(write, "refused", error=rest.held[0].reason, held=rest.held)
    if isinstance(rest.answer, IntegrationError):
        return Outcome(write, "retry", error=str(rest.answer), code="")
    outcome = read(rest.write, rest.answer)
    if outcome.state == "delivered" or outcome.held:
        return replace(outcome, write=write, held=[*rest.held, *outcome.held])
    return replace(outcome, write=write)


def taken(write: Write, answer: StoreCustomer | CustomerDocument, row: dict[str, Any], side: str) -> Outcome:
    """The outcome of a write that the other side took: whether it holds each field as it was sent."""
    reason = f"{side} does not hold it as it was sent"
    held = [HeldField(change, reason) for change in not_taken(row, write.changes)]
    return Outcome(write, "refused" if held else "delivered", answer, reason if held else "", held=held)


def not_taken(row: dict[str, Any], changes: Iterable[Change]) -> list[Change]:
    """The fields that the other side does not hold as they were sent."""
    return [change for change in changes if change["field"] in row and not _holds(row, change)]


def _holds(row: dict[str, Any], change: Change) -> bool:
    """A phone number without a country's code is read by the country of who holds it: its text tells, too."""
    field, new = change["field"], change["new"] or ""
    held = [row[field], plain_text(row["phone_text"])] if field == "phone" else [row[field]]
    return any(compared(field, value or "") == compared(field, new) for value in held)


def compared(field: str, value: str) -> str:
    """A value as both sides are to agree on it."""
    if field == "email" or field.endswith("_email"):
        return value.lower()
    return value.upper().replace(" ", "") if field.endswith("_postal_code") else value
