"""Sending customers either way: in the ledger before they leave, every answer checked and kept in its snapshot.

The ledger holds fields, never values: what a person's data were is nobody's business once they are delivered.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import duckdb
import polars as pl
from pydantic import ValidationError

from solteq_woo_assets.clients.solteq import CustomerDocument, Gone, Refused, SolteqClient, Stale, Taken
from solteq_woo_assets.clients.woo import CustomerBatch, CustomerWrite, ItemRefused, StoreCustomer, WooClient
from solteq_woo_assets.errors import IntegrationError, SolteqError, WooError
from solteq_woo_assets.rules import handover
from solteq_woo_assets.rules.handover import Claim
from solteq_woo_assets.sync import customer_links, erased, failures, ledger
from solteq_woo_assets.sync.customer_accounts import ACCOUNTS, CUSTOMERS, forget_accounts, store_accounts
from solteq_woo_assets.sync.customer_frames import (
    account_frame,
    account_write,
    customer_document,
    customer_frame,
    spelled_out,
)
from solteq_woo_assets.sync.ledger import SENT_ACTIONS, DeliveryCounts, changes_hash
from solteq_woo_assets.sync.lots import LotSender, deliver_lots, is_blocked, lots_of
from solteq_woo_assets.sync.quarantine import RECORDS, hold, release
from solteq_woo_assets.sync.snapshot import merge
from solteq_woo_assets.sync.state import StateDatabase, utc_now
from solteq_woo_assets.sync.turns import Release, Turns
from solteq_woo_assets.sync.wire import Change

BATCH_SIZE = 100
"""The most that WooCommerce takes in one batch (contract, 11)."""
_GONE = {"woocommerce_rest_invalid_id", "wc_user_invalid_id"}
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
class Outcome:
    """What became of a write: delivered, refused, or retry (the next run will know better).

    ``answer``: what the other side holds by now, also when it refused.
    ``is_stale``: Solteq has a newer version than we knew.
    """

    write: Write
    state: str
    answer: StoreCustomer | CustomerDocument | None = None
    error: str = ""
    error_field: str = "(the customer)"
    is_gone: bool = False
    is_stale: bool = False
    code: str = "write-refused"


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
        return _settle(connection, flow, outcomes)

    with database.transaction() as connection:
        writes = _read_writes(
            connection,
            flow,
            "(SELECT delta.*, held.email AS held_email FROM delta.woo_customer_delta AS delta "
            f"LEFT JOIN {ACCOUNTS} AS held ON held.id = delta.woo_id)",
            ("held_email",),
        )
    sender.turns = Turns(writes, [_claim_in_store(write, tax_code_meta) for write in writes], BATCH_SIZE)
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
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[DeliveryCounts, list[str]]:
    """Send ``delta.solteq_customer_delta`` to Solteq and settle it.

    :return: how it went, and the keys of the writes that met a newer version there
    :raises IntegrationError: Solteq went away; what was delivered is settled by then
    """
    stale: list[str] = []

    def keep(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        outcomes = erased.refused(connection, outcomes)
        answers = [outcome.answer for outcome in outcomes if isinstance(outcome.answer, CustomerDocument)]
        merge(connection, CUSTOMERS, customer_frame(answers), keys=["id"], version="modified_at")
        stale.extend(outcome.write.key for outcome in outcomes if outcome.is_stale)
        for outcome in outcomes:
            is_new = outcome.write.action == "create" and outcome.state == "delivered"
            if is_new and isinstance(outcome.answer, CustomerDocument) and outcome.write.woo_id:
                why = "the customer was created for the account"
                customer_links.link(connection, outcome.answer.id, outcome.write.woo_id, why)
        return _settle(connection, flow, outcomes)

    with database.transaction() as connection:
        writes = _read_writes(
            connection,
            flow,
            "(SELECT delta.*, document, held.phone, held.phone_text FROM delta.solteq_customer_delta AS delta "
            f"LEFT JOIN {CUSTOMERS} AS held ON held.id = delta.solteq_id)",
            ("document", "phone", "phone_text"),
        )
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


def _claim_in_store(write: Write, tax_code_meta: str) -> Claim:
    if write.action == "remove":
        email = (write.held_email or "").strip().lower()
        return Claim(write.key, gives={"email": email} if email else {})
    gives, wants = handover.values(write.changes)
    if gives and _body(write, tax_code_meta) is None:  # it stays here, and gives nothing up
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
        "ORDER BY key IN (SELECT key FROM sync.failures WHERE flow = $flow), key",  # what failed goes last
        params={"flow": flow},
    ).pl()
    return [Write(**row) for row in rows.to_dicts()]


def _settle(connection: duckdb.DuckDBPyConnection, flow: str, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    outcomes = failures.note(connection, flow, outcomes, utc_now())
    ids = {o.write.delivery_id: o.answer.id for o in outcomes if isinstance(o.answer, StoreCustomer)}
    rows = [(o.write.delivery_id, o.state, o.error or None, ids.get(o.write.delivery_id)) for o in outcomes]
    ledger.settle(connection, rows)
    delivered = [outcome.write for outcome in outcomes if outcome.state == "delivered"]
    keys = pl.DataFrame({"key": [write.key for write in delivered]}, schema={"key": pl.String})
    release(connection, flow, "delivery", keys)
    refused = [outcome for outcome in outcomes if outcome.state == "refused"]
    hold(
        connection,
        flow,
        "delivery",
        pl.DataFrame(
            [(o.write.key, o.error_field, o.error, o.code, changes_hash(o.write.changes)) for o in refused],
            schema=RECORDS,
            orient="row",
        ),
    )
    lost = [
        (write.solteq_id, write.woo_id, each["field"], each["kept"], each["lost"], utc_now())
        for write in delivered
        for each in write.conflicts
    ]
    if lost:
        connection.executemany("INSERT INTO sync.customer_conflicts VALUES (?, ?, ?, ?, ?, ?)", lost)
    return outcomes


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
        return [(write, answer) for (write, _), answer in answers if write is not None]

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

    def _answered(self, write: Write, answer: StoreCustomer | ItemRefused | None) -> Outcome:
        if answer is None:
            return Outcome(write, "delivered", is_gone=True)
        if isinstance(answer, StoreCustomer):
            (row,) = account_frame([answer], self._tax_code_meta).to_dicts()
            if field := _not_taken(row, write.changes):
                return Outcome(write, "refused", answer, "the store does not hold it as it was sent", field)
            return Outcome(write, "delivered", answer)
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


def _body(write: Write, tax_code_meta: str) -> CustomerWrite | None:
    try:
        return account_write(write.woo_id, write.changes, tax_code_meta)
    except ValidationError:
        return None


def _both_values(released: Release[Write]) -> list[str]:
    """The e-mail address that it wants, and the one that it had."""
    (change,) = [change for change in released.write.changes if change["field"] == "email"]
    return [change["new"] or "", change["old"] or ""]


def _not_taken(row: dict[str, Any], changes: Iterable[Change]) -> str | None:
    """The first field that the other side does not hold as it was sent."""
    for change in changes:
        field, new = change["field"], change["new"] or ""
        if field in row and _key(field, row[field] or "") != _key(field, new):
            return field
    return None


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
        return {write: _document(write, self._without_email.get(write.delivery_id)) for write in writes}

    def _post(self, bodies: Mapping[Write, dict[str, Any]]) -> list[tuple[Write, Any]]:
        ((write, document),) = bodies.items()
        customers = self._solteq.customers
        for each in self.turns.releases(write):
            self._release(each)
        if write.solteq_id is None:
            return [(write, customers.create(document))]
        return [(write, customers.replace(write.solteq_id, document, document["modifiedAt"]))]

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

    def give_back(self, released: Release[Write]) -> bool:
        held = self._without_email[released.write.delivery_id]
        answers = (self._with_email(released.write, held.raw, email) for email in _both_values(released))
        return any(isinstance(answer, CustomerDocument) for answer in answers)

    def _waiting(self, outcome: Outcome) -> Outcome:
        """Merged again at once, with the one that it waits for."""
        return replace(outcome, state="retry", is_stale=True)

    def _answered(self, write: Write, answer: CustomerDocument | Taken | Stale | Gone | Refused) -> Outcome:
        if isinstance(answer, CustomerDocument):
            (held,) = customer_frame([answer]).to_dicts()
            if field := _not_taken(held, write.changes):
                return Outcome(write, "refused", answer, "Solteq does not hold it as it was sent", field)
            return Outcome(write, "delivered", answer)
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


def _document(write: Write, held: CustomerDocument | None) -> dict[str, Any]:
    row = {"phone": write.phone, "phone_text": write.phone_text}
    return customer_document(held.raw if held else write.document, spelled_out(write.changes, row))


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
    """Somebody in Solteq has it: we ourselves, in a run that did not hear the answer; or another with that e-mail."""
    named = {change["field"]: change["new"] for change in write.changes}
    ours = solteq.customers.by_external_id(named["external_id"] or "")
    if ours is not None:
        return Outcome(write, "delivered", ours)
    other = solteq.customers.by_email(named["email"] or "")
    if other is not None:
        return Outcome(write, "retry", other, "the e-mail address is that of a customer; linked by the next run")
    return Outcome(write, "refused", error=f"customer {taken.id} in Solteq has its e-mail address", error_field="email")
