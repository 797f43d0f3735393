"""Sending customers either way: in the ledger before they leave, every answer checked and kept in its snapshot.

The ledger holds fields, never values: what a person's data were is nobody's business once they are delivered.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import duckdb
import polars as pl
from pydantic import ValidationError

from solteq_woo_assets.clients.solteq import CustomerDocument, Gone, Refused, SolteqClient, Stale, Taken
from solteq_woo_assets.clients.woo import CustomerBatch, CustomerWrite, ItemRefused, StoreCustomer, WooClient
from solteq_woo_assets.engine import failures, handover, ledger
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.delivery import LotSender, deliver_lots, is_blocked, lots_of
from solteq_woo_assets.engine.handover import Claim
from solteq_woo_assets.engine.ledger import SENT_ACTIONS, DeliveryCounts, changes_hash
from solteq_woo_assets.engine.quarantine import RECORDS, hold, release
from solteq_woo_assets.engine.snapshot import merge
from solteq_woo_assets.engine.turns import Release, Turns
from solteq_woo_assets.errors import IntegrationError, SolteqError, WooError
from solteq_woo_assets.flow import Change
from solteq_woo_assets.flows.customers import erased
from solteq_woo_assets.flows.customers import links as customer_links
from solteq_woo_assets.flows.customers.frames import (
    account_frame,
    account_write,
    customer_document,
    customer_frame,
    field_of,
    spelled_out,
)
from solteq_woo_assets.flows.customers.people import plain_text
from solteq_woo_assets.flows.customers.snapshots import ACCOUNTS, CUSTOMERS, forget_accounts, store_accounts
from solteq_woo_assets.flows.customers.tables import SOLTEQ_CUSTOMERS

BATCH_SIZE = 100
"""The most that WooCommerce takes in one batch (contract, 11)."""
_GONE = {"woocommerce_rest_invalid_id", "wc_user_invalid_id"}
_REFUSED_FIELDS = {
    **dict.fromkeys(("woocommerce_rest_customer_invalid_email", "customer_invalid_email"), ("email", "billing_email")),
    "customer_invalid_billing_email": ("billing_email",),
}
"""Which fields the store minds, by its code."""
_TAKEN = {"registration-error-email-exists", "woocommerce_rest_customer_invalid_email", "customer_invalid_email"}


@dataclass(frozen=True, eq=False)
class Write:
    """One row of a customer delta on its way; ``document`` and what follows only on the way to Solteq."""

    delivery_id: str
    key: str
    action: str
    kind: str
    woo_id: int | None
    solteq_id: str | None
    changes: Sequence[Change]
    conflicts: Sequence[dict[str, str | None]]
    document: str | None = None
    phone: str | None = None
    phone_text: str | None = None
    held_email: str | None = None


@dataclass(frozen=True)
class HeldField:
    """A change that the other side does not take, while it takes others of the write. ``reason`` names no value."""

    change: Change
    reason: str


@dataclass(frozen=True)
class Rest:
    """What a side answers to a write that is sent again without some of its changes."""

    write: Write
    answer: Any
    held: Sequence[HeldField]


@dataclass(frozen=True)
class Outcome:
    """What became of a write: delivered, refused, or retry (the next run will know better).

    ``answer``: what the other side holds by now, also when it refused.
    ``is_stale``: Solteq has a newer version than we knew.
    ``held``: what of the write the other side did not take, where it is not the whole.
    """

    write: Write
    state: str
    answer: StoreCustomer | CustomerDocument | None = None
    error: str = ""
    error_field: str = "(the customer)"
    is_gone: bool = False
    is_stale: bool = False
    code: str = "write-refused"
    held: Sequence[HeldField] = ()


def deliver_to_woo(
    database: StateDatabase,
    woo: WooClient,
    *,
    flow: str,
    run_id: str,
    in_flight: int,
    tax_code_meta: str,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> DeliveryCounts:
    """Send ``delta.woo_customer_delta`` to the store and settle it.

    :raises IntegrationError: the store went away; what was delivered is settled by then
    """
    sender = _StoreSender(woo, tax_code_meta)

    def keep(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        outcomes = erased.refused(connection, outcomes)
        answers = [outcome.answer for outcome in outcomes if isinstance(outcome.answer, StoreCustomer)]
        store_accounts(connection, answers, tax_code_meta)
        forget_accounts(connection, [o.write.woo_id for o in outcomes if o.is_gone and o.write.woo_id is not None])
        for outcome in outcomes:
            is_new = outcome.write.action == "create" and outcome.state == "delivered"
            if is_new and isinstance(outcome.answer, StoreCustomer) and outcome.write.solteq_id:
                why = "the account was created for the customer"
                customer_links.link(connection, outcome.write.solteq_id, outcome.answer.id, why)
        customer_links.agree(connection, [o.write.solteq_id for o in outcomes if o.answer and o.write.solteq_id])
        return _settle(connection, flow, outcomes)

    with database.transaction() as connection:
        writes = _read_writes(
            connection,
            flow,
            "(SELECT delta.*, held.email AS held_email FROM delta.woo_customer_delta AS delta "
            f"LEFT JOIN {ACCOUNTS} AS held ON held.id = delta.woo_id)",
            ("held_email",),
        )
    sender.turns = Turns(writes, [_claim_in_store(write) for write in writes], BATCH_SIZE)
    return deliver_lots(
        database,
        flow,
        run_id,
        writes,
        sender,
        [partial(_accounts, sender, some) for some in sender.turns.rounds],
        in_flight=in_flight,
        keep=keep,
        tell=on_progress,
        keep_values=False,
    )


def deliver_to_solteq(
    database: StateDatabase,
    solteq: SolteqClient,
    *,
    flow: str,
    run_id: str,
    in_flight: int,
    only: Collection[str] | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[DeliveryCounts, list[str]]:
    """Send ``delta.solteq_customer_delta`` to Solteq and settle it.

    :param only: keys of the rows to send; all when absent
    :return: how it went, and the keys of the writes that met a newer version there
    :raises IntegrationError: Solteq went away; what was delivered is settled by then
    """
    stale: list[str] = []

    def keep(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        outcomes = erased.refused(connection, outcomes)
        answers = [outcome.answer for outcome in outcomes if isinstance(outcome.answer, CustomerDocument)]
        merge(connection, SOLTEQ_CUSTOMERS, customer_frame(answers), version="modified_at")
        stale.extend(outcome.write.key for outcome in outcomes if outcome.is_stale)
        for outcome in outcomes:
            is_new = outcome.write.action == "create" and outcome.state == "delivered"
            if is_new and isinstance(outcome.answer, CustomerDocument) and outcome.write.woo_id:
                why = "the customer was created for the account"
                customer_links.link(connection, outcome.answer.id, outcome.write.woo_id, why)
        customer_links.agree(connection, [answer.id for answer in answers])
        return _settle(connection, flow, outcomes)

    with database.transaction() as connection:
        writes = _read_writes(
            connection,
            flow,
            "(SELECT delta.*, document, held.phone, held.phone_text FROM delta.solteq_customer_delta AS delta "
            f"LEFT JOIN {CUSTOMERS} AS held ON held.id = delta.solteq_id)",
            ("document", "phone", "phone_text"),
        )
    writes = [write for write in writes if only is None or write.key in only]
    sender = _SolteqSender(solteq)
    sender.turns = Turns(writes, [_claim_in_solteq(write) for write in writes], BATCH_SIZE)
    counts = deliver_lots(
        database,
        flow,
        run_id,
        writes,
        sender,
        [partial(_documents, sender, some) for some in sender.turns.rounds],
        in_flight=in_flight,
        keep=keep,
        tell=on_progress,
        keep_values=False,
    )
    return counts, stale


def _claim_in_store(write: Write) -> Claim:
    if write.action == "remove":
        email = (write.held_email or "").strip().lower()
        return Claim(write.key, gives={"email": email} if email else {})
    gives, wants = handover.values(write.changes)
    if gives and not _can_be_sent(write):  # it stays here, and gives nothing up
        return Claim("accounts")
    return Claim("accounts", gives, wants, write.woo_id is None)


def _claim_in_solteq(write: Write) -> Claim:
    gives, wants = handover.values(write.changes)
    return Claim("customers", gives, wants, write.solteq_id is None)


def _accounts(sender: "_StoreSender", writes: Sequence[Write], settle: Any) -> Iterator[list[Write]]:
    """The lots of writes that need not wait for each other."""
    del settle
    yield from lots_of([write for write in writes if write.action != "remove"], sender)
    yield from ([write] for write in writes if write.action == "remove")


def _documents(sender: "_SolteqSender", writes: Sequence[Write], settle: Any) -> Iterator[list[Write]]:
    """One by one; those that are bound to go in order are one lot, which is sent so."""
    del settle
    yield from lots_of(writes, sender)


def _read_writes(
    connection: duckdb.DuckDBPyConnection, flow: str, source: str, more: Sequence[str] = ()
) -> list[Write]:
    columns = ", ".join(("key", "action", "kind", "woo_id", "solteq_id", "changes", "conflicts", *more))
    rows = connection.sql(
        f"SELECT replace(uuid()::VARCHAR, '-', '') AS delivery_id, {columns} FROM {source} "
        f"WHERE list_contains({list(SENT_ACTIONS)}, action) "
        "AND (woo_id IS NULL OR woo_id NOT IN (SELECT id FROM snapshot.woo_staff)) "
        "ORDER BY key IN (SELECT key FROM sync.failures WHERE flow = $flow), key",  # what failed goes last
        params={"flow": flow},
    ).pl()
    return [Write(**row) for row in rows.to_dicts()]


def _settle(connection: duckdb.DuckDBPyConnection, flow: str, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    outcomes = failures.note(connection, flow, outcomes, utc_now())
    ids = {o.write.delivery_id: o.answer.id for o in outcomes if isinstance(o.answer, StoreCustomer)}
    rows = [(o.write.delivery_id, o.state, o.error or None, ids.get(o.write.delivery_id)) for o in outcomes]
    ledger.settle(connection, rows)
    _hold(connection, flow, [outcome for outcome in outcomes if outcome.state in ("delivered", "refused")])
    lost = [
        (outcome.write.solteq_id, outcome.write.woo_id, each["field"], each["kept"], each["lost"], utc_now())
        for outcome in outcomes
        if outcome.state == "delivered"
        for each in outcome.write.conflicts
        if each["field"] in _fields(outcome.write.changes) - _fields(held.change for held in outcome.held)
    ]
    if lost:
        connection.executemany("INSERT INTO sync.customer_conflicts VALUES (?, ?, ?, ?, ?, ?)", lost)
    return outcomes


def _fields(changes: Iterable[Change]) -> set[str]:
    return {change["field"] for change in changes}


def _hold(connection: duckdb.DuckDBPyConnection, flow: str, outcomes: Sequence[Outcome]) -> None:
    """Hold what was refused, whole or field by field. A field that was held before and was not sent stays held."""
    rows = [
        (outcome.write.key, held.change["field"], held.reason, outcome.code, changes_hash([held.change]))
        for outcome in outcomes
        for held in outcome.held
    ]
    rows += [
        (o.write.key, o.error_field, o.error, o.code, changes_hash(o.write.changes))
        for o in outcomes
        if o.state == "refused" and not o.held
    ]
    sent = {outcome.write.key: {"(the customer)", *_fields(outcome.write.changes)} for outcome in outcomes}
    before = connection.execute(
        "SELECT key, field, reason, code, raw FROM sync.quarantine "
        "WHERE flow = ? AND stage = 'delivery' AND list_contains(?, key)",
        [flow, list(sent)],
    ).fetchall()
    rows += [row for row in before if row[1] not in sent[row[0]]]
    release(connection, flow, "delivery", pl.DataFrame({"key": list(sent)}, schema={"key": pl.String}))
    hold(connection, flow, "delivery", pl.DataFrame(rows, schema=RECORDS, orient="row"))


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


def _split(write: Write, refused: Mapping[str, str]) -> tuple[Write, list[HeldField]] | None:
    """The write without the refused fields, and these; ``None`` where it cannot go without them.

    :param refused: by field what the other side says
    """
    is_create = write.action == "create"
    if not refused or not refused.keys() <= _fields(write.changes) or (is_create and "email" in refused):
        return None
    held = [HeldField(change, refused[change["field"]]) for change in write.changes if change["field"] in refused]
    rest = [change for change in write.changes if change["field"] not in refused]
    if refused.keys() & {"company_name", "tax_code"}:  # a company cannot be without them
        rest = [{**each, "new": "Private"} if each["field"] == "type" else each for each in rest]
    return replace(write, changes=rest), held


class _StoreSender(LotSender[Write, Outcome]):
    """Sends batches of accounts to the store; removals one by one, since they are for good.

    What was done of a lot without an answer does no harm when it is sent again: an e-mail address is taken once.
    """

    error = WooError

    def __init__(self, woo: WooClient, tax_code_meta: str) -> None:
        super().__init__("the store", BATCH_SIZE)
        self._woo = woo
        self._tax_code_meta = tax_code_meta

    def _bodies(self, writes: Sequence[Write], outcomes: list[Outcome]) -> dict[Write, CustomerWrite | None]:
        sound: dict[Write, CustomerWrite | None] = {}
        for write in writes:
            if write.action == "remove":
                sound[write] = None
                continue
            try:
                sound[write] = account_write(write.woo_id, write.changes, self._tax_code_meta)
            except ValidationError as error:
                problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
                field = ".".join(map(str, problem["loc"])) or "(the customer)"
                reason = problem["msg"].removeprefix("Value error, ")
                outcomes.append(Outcome(write, "refused", error=f"not sent: {reason}", error_field=field))
        return sound

    def _post(self, bodies: Mapping[Write, CustomerWrite | None]) -> list[tuple[Write, Any]]:
        gone = [write for write in bodies if write.action == "remove"]
        for write in gone:
            if write.woo_id is not None:
                self._woo.customers.delete(write.woo_id)
        if gone:
            return [(write, None) for write in gone]
        sound = [(write, body) for write, body in bodies.items() if body is not None]
        creates = [each for each in sound if each[0].woo_id is None]
        updates: list[tuple[Write | None, CustomerWrite]] = []  # a release is nobody's own write
        for write, body in sound:
            for each in self.turns.releases(write):
                self._released(each)
                woo_id = each.write.woo_id or 0
                updates.append((None, CustomerWrite(id=woo_id, email=handover.intermediate("email", woo_id))))
            if write.woo_id is not None:
                updates.append((write, body))
        batch = CustomerBatch(creates=[body for _, body in creates], updates=[body for _, body in updates])
        answers = zip([*creates, *updates], self._woo.customers.write(batch), strict=True)
        answered = [(write, answer) for (write, _), answer in answers if write is not None]
        return self._sent_again(answered)

    def _sent_again(self, answered: Sequence[tuple[Write, Any]]) -> list[tuple[Write, Any]]:
        """The answers, those instead that came once the refused fields were left out."""
        parts = {write: _split(write, _refused_fields(write, answer)) for write, answer in answered}
        rests = {write: part for write, part in parts.items() if part}
        updates = [account_write(rest.woo_id, rest.changes, self._tax_code_meta) for rest, _ in rests.values()]
        bodies = [body for body, (rest, _) in zip(updates, rests.values(), strict=True) if rest.changes]
        try:
            answers = iter(self._woo.customers.write(CustomerBatch(updates=bodies)))
        except IntegrationError as error:  # the others have their answers
            answers = iter([error] * len(bodies))
        again = {
            write: Rest(rest, next(answers) if rest.changes else None, held) for write, (rest, held) in rests.items()
        }
        return [(write, again.get(write, answer)) for write, answer in answered]

    def state_of_values(self, outcome: Outcome) -> str:
        return _state_of_email(outcome)

    def give_back(self, released: Release[Write]) -> bool:
        for value in _both_values(released):
            try:
                batch = CustomerBatch(updates=[CustomerWrite(id=released.write.woo_id, email=value)])
            except ValidationError:
                continue
            if isinstance(self._woo.customers.write(batch)[0], StoreCustomer):
                return True
        return False

    def _outcome(self, write: Write, state: str, error: str, code: str) -> Outcome:
        return Outcome(write, state, error=error, code=code)

    def _takes_writes(self, error: IntegrationError) -> bool:
        del error
        return self._woo.customers.takes_writes()

    def _lacks_rights(self) -> bool:
        return not self._woo.customers.takes_writes()

    def _answered(self, write: Write, answer: StoreCustomer | ItemRefused | Rest | None) -> Outcome:
        if isinstance(answer, Rest):
            return _of_rest(write, answer, self._answered)
        if answer is None:
            return Outcome(write, "delivered", is_gone=True)
        if isinstance(answer, StoreCustomer):
            (row,) = account_frame([answer], self._tax_code_meta).to_dicts()
            return _taken_as_sent(write, answer, row, "the store")
        return self._refused(write, answer)

    def _refused(self, write: Write, answer: ItemRefused) -> Outcome:
        if answer.code in _GONE:
            return Outcome(write, "retry", error="the account is gone from the store", is_gone=True)
        if answer.code == "registration-error-email-exists" and (held := self._holder(write)):
            reason = "somebody has an account with the e-mail address by now; the next run sees who"
            return Outcome(write, "retry", held, reason)
        if answer.code in _TAKEN:
            reason = "the store refuses the e-mail address: it is no address, or that of another account"
            return Outcome(write, "refused", error=reason, error_field="email")
        return Outcome(write, "refused", error=f"{answer.code}: {answer.message}")

    def _holder(self, write: Write) -> StoreCustomer | None:
        """Who has the e-mail address: we ourselves, perhaps, in a request that was not answered."""
        email = next((change["new"] for change in write.changes if change["field"] == "email"), None)
        return next(iter(self._woo.customers.by_email(email)), None) if email else None


def _can_be_sent(write: Write) -> bool:
    """Whether its e-mail address is one that the store takes."""
    try:
        CustomerWrite(email=next(change["new"] for change in write.changes if change["field"] == "email"))
    except ValidationError:
        return False
    return True


def _state_of_email(outcome: Outcome) -> str:
    """A write may arrive but for its e-mail address."""
    return "refused" if any(held.change["field"] == "email" for held in outcome.held) else outcome.state


def _both_values(released: Release[Write]) -> list[str]:
    """The e-mail address that it wants, and the one that it had."""
    (change,) = [change for change in released.write.changes if change["field"] == "email"]
    return [change["new"] or "", change["old"] or ""]


def _refused_fields(write: Write, answer: StoreCustomer | ItemRefused) -> dict[str, str]:
    """The fields that the store minds, with the reason."""
    if write.woo_id is None or not isinstance(answer, ItemRefused):
        return {}
    fields = _REFUSED_FIELDS.get(answer.code, ())
    reason = "the store refuses the e-mail address: it is no address, or that of another account"
    return dict.fromkeys(_fields(write.changes).intersection(fields), reason)


def _of_rest(write: Write, rest: Rest, answered: Callable[[Write, Any], Outcome]) -> Outcome:
    """What became of a write that was sent again without some of its changes."""
    if not rest.write.changes:
        return Outcome(write, "refused", error=rest.held[0].reason, held=rest.held)
    if isinstance(rest.answer, IntegrationError):
        return Outcome(write, "retry", error=str(rest.answer), code="")
    outcome = answered(rest.write, rest.answer)
    if outcome.state == "delivered" or outcome.held:
        return replace(outcome, write=write, held=[*rest.held, *outcome.held])
    return replace(outcome, write=write)


def _taken_as_sent(write: Write, answer: StoreCustomer | CustomerDocument, row: dict[str, Any], side: str) -> Outcome:
    """Of a write that the other side took: whether it holds each field as it was sent."""
    reason = f"{side} does not hold it as it was sent"
    held = [HeldField(change, reason) for change in _not_taken(row, write.changes)]
    return Outcome(write, "refused" if held else "delivered", answer, reason if held else "", held=held)


def _not_taken(row: dict[str, Any], changes: Iterable[Change]) -> list[Change]:
    """What the other side does not hold as it was sent."""
    return [change for change in changes if change["field"] in row and not _holds(row, change)]


def _holds(row: dict[str, Any], change: Change) -> bool:
    """A phone number without a country's code is read by the country of who holds it: its text tells, too."""
    field, new = change["field"], change["new"] or ""
    held = [row[field], plain_text(row["phone_text"])] if field == "phone" else [row[field]]
    return any(_key(field, value or "") == _key(field, new) for value in held)


def _key(field: str, value: str) -> str:
    if field == "email" or field.endswith("_email"):
        return value.lower()
    return value.upper().replace(" ", "") if field.endswith("_postal_code") else value


class _SolteqSender(LotSender[Write, Outcome]):
    """Sends customers to Solteq one by one. Once several have failed in a row, the rest is left to the next run."""

    error = SolteqError

    def __init__(self, solteq: SolteqClient) -> None:
        super().__init__("Solteq", 1)
        self._solteq = solteq
        self._without_email: dict[str, CustomerDocument] = {}

    def _bodies(self, writes: Sequence[Write], outcomes: list[Outcome]) -> dict[Write, dict[str, Any]]:
        del outcomes
        return {write: self._document(write) for write in writes}

    def _document(self, write: Write) -> dict[str, Any]:
        held = self._without_email.get(write.delivery_id)
        row = {"phone": write.phone, "phone_text": write.phone_text}
        return customer_document(held.raw if held else write.document, spelled_out(write.changes, row))

    def _post(self, bodies: Mapping[Write, dict[str, Any]]) -> list[tuple[Write, Any]]:
        ((write, document),) = bodies.items()
        for each in self.turns.releases(write):
            self._release(each)
        answer = self._sent(write, document)
        if isinstance(answer, Refused) and (part := _split(write, _named_fields(answer, document))):
            rest, held = part
            answer = Rest(rest, self._sent(rest, self._document(rest)) if rest.changes else None, held)
        return [(write, answer)]

    def _sent(self, write: Write, document: dict[str, Any]) -> CustomerDocument | Taken | Stale | Gone | Refused:
        customers = self._solteq.customers
        if write.solteq_id is None:
            return customers.create(document)
        return customers.replace(write.solteq_id, document, document["modifiedAt"])

    def _release(self, released: Release[Write]) -> None:
        """A customer of Solteq may be without an e-mail address for a moment."""
        write = released.write
        held = self._without_email.get(write.delivery_id)
        answer = self._with_email(write, write.document if held is None else held.raw, "")
        if isinstance(answer, CustomerDocument):
            self._without_email[write.delivery_id] = answer
            self._released(released)

    def _with_email(self, write: Write, raw: str | None, email: str) -> object:
        document = customer_document(raw, [{"field": "email", "old": None, "new": email}])
        return self._solteq.customers.replace(write.solteq_id or "", document, document["modifiedAt"])

    def state_of_values(self, outcome: Outcome) -> str:
        return _state_of_email(outcome)

    def give_back(self, released: Release[Write]) -> bool:
        held = self._without_email[released.write.delivery_id]
        answers = (self._with_email(released.write, held.raw, email) for email in _both_values(released))
        return any(isinstance(answer, CustomerDocument) for answer in answers)

    def _waiting(self, outcome: Outcome) -> Outcome:
        """Merged again at once, with the one that it waits for."""
        return replace(outcome, state="retry", is_stale=True)

    def _answered(self, write: Write, answer: CustomerDocument | Taken | Stale | Gone | Refused | Rest) -> Outcome:
        if isinstance(answer, Rest):
            return _of_rest(write, answer, self._answered)
        if isinstance(answer, CustomerDocument):
            (row,) = customer_frame([answer]).to_dicts()
            return _taken_as_sent(write, answer, row, "Solteq")
        if write.solteq_id is None and isinstance(answer, Taken):
            return _taken(self._solteq, write, answer)
        return _refused_by_solteq(write, answer)

    def _outcome(self, write: Write, state: str, error: str, code: str) -> Outcome:
        return Outcome(write, state, error=error, code=code)

    def _takes_writes(self, error: IntegrationError) -> bool:
        """Solteq has no write that changes nothing. That it answers a look-up tells that it works, and no rights."""
        if is_blocked(error):
            return False
        try:
            self._solteq.customers.by_external_id("woo:is-it-there")
        except IntegrationError:
            return False
        return True


def _named_fields(refused: Refused, document: Mapping[str, Any]) -> dict[str, str]:
    """The fields that Solteq minds, with its words; what we do not write in brackets."""
    return {
        field_of(path, document) or f"({path})": f"Solteq refuses it: {words}" for path, words in refused.paths.items()
    }


def _refused_by_solteq(write: Write, answer: Taken | Stale | Gone | Refused) -> Outcome:
    match answer:
        case Taken():
            reason = f"the e-mail address or ExternalID is that of customer {answer.id} in Solteq"
            return Outcome(write, "refused", error=reason, error_field="email")
        case Stale():
            return Outcome(write, "retry", error="Solteq has a newer version; read again and merged", is_stale=True)
        case Gone():
            return Outcome(write, "retry", error="the customer is gone from Solteq")
        case Refused():
            return Outcome(write, "refused", error=f"Solteq refuses it: {answer.reason}")


def _taken(solteq: SolteqClient, write: Write, taken: Taken) -> Outcome:
    """Somebody in Solteq has it: we ourselves, in a run that did not hear the answer; else the next run sees who."""
    named = {change["field"]: change["new"] or "" for change in write.changes}
    held = solteq.customers.by_external_id(named["external_id"])
    if held is not None:
        (row,) = customer_frame([held]).to_dicts()
        if not _not_taken(row, write.changes):
            return Outcome(write, "delivered", held)
    other = held or solteq.customers.by_email(named.get("email", ""))
    if other is None:
        reason = f"customer {taken.id} in Solteq has its e-mail address or its ExternalID"
        return Outcome(write, "refused", error=reason, error_field="email")
    if write.woo_id is None and _key("email", other.email or "") != _key("email", named.get("email", "")):
        reason = f"customer {other.id} in Solteq has its ExternalID, and is somebody else by the e-mail address"
        return Outcome(write, "refused", other, reason, "external_id", code="id-contradicts-email")
    reason = f"its e-mail address or ExternalID is that of customer {other.id}; the next run sees who that is"
    return Outcome(write, "retry", other, reason)
