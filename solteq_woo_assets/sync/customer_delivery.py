"""Sending customers either way: in the ledger before they leave, every answer checked and kept in its snapshot.

The ledger holds fields, never values: what a person's data were is nobody's business once they are delivered.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl
from pydantic import ValidationError

from solteq_woo_assets.clients.solteq import CustomerDocument, Gone, Refused, SolteqClient, Stale, Taken
from solteq_woo_assets.clients.woo import CustomerBatch, ItemRefused, StoreCustomer, WooClient
from solteq_woo_assets.errors import IntegrationError, OutcomeUnknownError, WooError
from solteq_woo_assets.sync import customer_links, ledger
from solteq_woo_assets.sync.customer_accounts import CUSTOMERS, forget_accounts, store_accounts
from solteq_woo_assets.sync.customer_frames import (
    account_frame,
    account_write,
    customer_document,
    customer_frame,
    spelled_out,
)
from solteq_woo_assets.sync.ledger import SENT_ACTIONS, DeliveryCounts, changes_hash
from solteq_woo_assets.sync.quarantine import RECORDS, hold, release
from solteq_woo_assets.sync.snapshot import merge
from solteq_woo_assets.sync.state import StateDatabase, utc_now
from solteq_woo_assets.sync.wire import Change

BATCH_SIZE = 100
"""The most that WooCommerce takes in one batch (contract, 11)."""
DOUBT_AFTER = 5
"""So many customers that fail one by one and none that passes: it is the store that fails, not they."""

_GONE = {"woocommerce_rest_invalid_id", "wc_user_invalid_id"}
_TAKEN = {"registration-error-email-exists", "woocommerce_rest_customer_invalid_email", "customer_invalid_email"}
_REFUSED_AS_A_WHOLE = {400, 413, 422}


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


Settle = Callable[[duckdb.DuckDBPyConnection, Sequence[Outcome]], None]


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

    def keep(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> None:
        answers = [outcome.answer for outcome in outcomes if isinstance(outcome.answer, StoreCustomer)]
        store_accounts(connection, answers, tax_code_meta)
        forget_accounts(connection, [o.write.woo_id for o in outcomes if o.is_gone and o.write.woo_id is not None])
        for outcome in outcomes:
            is_new = outcome.write.action == "create" and outcome.state == "delivered"
            if is_new and isinstance(outcome.answer, StoreCustomer) and outcome.write.solteq_id:
                why = "the account was created for the customer"
                customer_links.link(connection, outcome.write.solteq_id, outcome.answer.id, why)

    with database.transaction() as connection:
        writes = _read_writes(connection, "delta.woo_customer_delta")
    removals = [[write] for write in writes if write.action == "remove"]
    others = [write for write in writes if write.action != "remove"]
    lots = [others[start : start + BATCH_SIZE] for start in range(0, len(others), BATCH_SIZE)]
    return _deliver(
        database,
        flow,
        run_id,
        [*lots, *removals],
        in_flight=in_flight,
        send=sender.send,
        judged=sender.judged,
        keep=keep,
        tell=on_progress,
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

    def keep(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> None:
        answers = [outcome.answer for outcome in outcomes if isinstance(outcome.answer, CustomerDocument)]
        merge(connection, CUSTOMERS, customer_frame(answers), keys=["id"], version="modified_at")
        stale.extend(outcome.write.key for outcome in outcomes if outcome.is_stale)
        for outcome in outcomes:
            is_new = outcome.write.action == "create" and outcome.state == "delivered"
            if is_new and isinstance(outcome.answer, CustomerDocument) and outcome.write.woo_id:
                why = "the customer was created for the account"
                customer_links.link(connection, outcome.answer.id, outcome.write.woo_id, why)

    with database.transaction() as connection:
        writes = _read_writes(
            connection,
            "(SELECT delta.*, document, held.phone, held.phone_text FROM delta.solteq_customer_delta AS delta "
            f"LEFT JOIN {CUSTOMERS} AS held ON held.id = delta.solteq_id)",
            ("document", "phone", "phone_text"),
        )
    lots = [[write] for write in writes]
    counts = _deliver(
        database,
        flow,
        run_id,
        lots,
        in_flight=in_flight,
        send=_SolteqSender(solteq).send,
        judged=list,
        keep=keep,
        tell=on_progress,
    )
    return counts, stale


def _read_writes(connection: duckdb.DuckDBPyConnection, source: str, more: Sequence[str] = ()) -> list[Write]:
    columns = ", ".join(("key", "action", "kind", "woo_id", "solteq_id", "changes", "conflicts", *more))
    rows = connection.sql(
        f"SELECT replace(uuid()::VARCHAR, '-', '') AS delivery_id, {columns} FROM {source} "
        f"WHERE list_contains({list(SENT_ACTIONS)}, action) ORDER BY key"
    ).pl()
    return [Write(**row) for row in rows.to_dicts()]


def _deliver(
    database: StateDatabase,
    flow: str,
    run_id: str,
    lots: Sequence[Sequence[Write]],
    *,
    in_flight: int,
    send: Callable[[Sequence[Write]], list[Outcome]],
    judged: Callable[[], list[Outcome]],
    keep: Settle,
    tell: Callable[[int, int], None],
) -> DeliveryCounts:
    """Enter every write in the ledger, send lots side by side, and settle answers as they come.

    :param judged: asked in the end, of the writes that ``send`` gave no outcome for
    """
    counts = DeliveryCounts()
    writes = [write for lot in lots for write in lot]
    with database.transaction() as connection:
        counts.interrupted = ledger.begin(connection, flow, run_id, writes, keep_values=False)
    still_open = {write.delivery_id: write for write in writes}
    left: set[str] = set()

    def sent(lot: Sequence[Write]) -> list[Outcome]:
        left.update(write.delivery_id for write in lot)
        return send(lot)

    def settle(outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        with database.transaction() as connection:
            keep(connection, outcomes)
            _settle(connection, flow, outcomes)
        counts.add(outcomes)
        for outcome in outcomes:
            del still_open[outcome.write.delivery_id]
        tell(len(writes) - len(still_open), len(writes))

    try:
        for outcomes in _side_by_side(lots, sent, in_flight):
            settle(outcomes)
        settle(judged())
    except IntegrationError:
        with database.transaction() as connection:
            ledger.settle_unsent(connection, still_open.values(), left)
        raise
    return counts


def _side_by_side(
    lots: Iterable[Sequence[Write]], send: Callable[[Sequence[Write]], list[Outcome]], in_flight: int
) -> Iterator[list[Outcome]]:
    """The outcomes as they come, those that came together together. An error ends it, after what was answered."""
    rest = iter(lots)
    with ThreadPoolExecutor(in_flight, thread_name_prefix="customers") as pool:
        running: set[Future[list[Outcome]]] = set()
        failed: BaseException | None = None
        while True:
            while failed is None and len(running) < 2 * in_flight and (lot := next(rest, None)) is not None:
                running.add(pool.submit(send, lot))
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            failed = failed or next((error for future in done if (error := future.exception())), None)
            outcomes = [outcome for future in done if not future.exception() for outcome in future.result()]
            if failed:
                running = {future for future in running if not future.cancel()}
            if outcomes:
                yield outcomes
        if failed:
            raise failed


def _settle(connection: duckdb.DuckDBPyConnection, flow: str, outcomes: Sequence[Outcome]) -> None:
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
            [(o.write.key, o.error_field, o.error, "write-refused", changes_hash(o.write.changes)) for o in refused],
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


class _StoreSender:
    """Sends lots to the store. A lot that fails as a whole is halved until the bad one stands alone.

    One that fails alone is to blame only if others pass: a broken connection is nobody's fault.
    """

    def __init__(self, woo: WooClient, tax_code_meta: str) -> None:
        self._woo = woo
        self._tax_code_meta = tax_code_meta
        self._has_passed = False
        self._alone: list[tuple[Write, IntegrationError]] = []

    def judged(self) -> list[Outcome]:
        """Those that failed standing alone.

        :raises WooError: nothing passed, so it is not they that are to blame
        """
        if self._alone and not self._has_passed:
            raise WooError(f"The store fails whatever is sent; the next run tries again. {self._alone[0][1]}")
        return [Outcome(write, "refused", error=f"the store fails when it is sent: {e}") for write, e in self._alone]

    def send(self, lot: Sequence[Write]) -> list[Outcome]:
        """What became of those that the store answered for.

        :raises IntegrationError: the store is away, or fails whatever is sent
        """
        if lot[0].action == "remove":
            return [self._remove(lot[0])]
        outcomes: list[Outcome] = []
        sound = []
        for write in lot:
            try:
                sound.append((write, account_write(write.woo_id, write.changes, self._tax_code_meta)))
            except ValidationError as error:
                problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
                field = ".".join(map(str, problem["loc"])) or "(the customer)"
                reason = problem["msg"].removeprefix("Value error, ")
                outcomes.append(Outcome(write, "refused", error=f"not sent: {reason}", error_field=field))
        if not sound:
            return outcomes
        creates = [each for each in sound if each[0].woo_id is None]
        updates = [each for each in sound if each[0].woo_id is not None]
        batch = CustomerBatch(creates=[body for _, body in creates], updates=[body for _, body in updates])
        try:
            answers = self._woo.customers.write(batch)
        except OutcomeUnknownError as error:
            return outcomes + self._halves([write for write, _ in sound], error)
        except WooError as error:
            if error.status not in _REFUSED_AS_A_WHOLE:
                raise
            return outcomes + self._halves([write for write, _ in sound], error)
        self._has_passed = True
        for (write, _), answer in zip([*creates, *updates], answers, strict=True):
            outcomes.append(self._outcome(write, answer))
        return outcomes

    def _halves(self, writes: Sequence[Write], error: IntegrationError) -> list[Outcome]:
        """What was done of a lot without an answer does no harm when it is sent again: an e-mail is taken once."""
        if len(writes) == 1:
            self._alone.append((writes[0], error))
            if len(self._alone) >= DOUBT_AFTER and not self._has_passed:
                raise error
            return []
        middle = len(writes) // 2
        return self.send(writes[:middle]) + self.send(writes[middle:])

    def _outcome(self, write: Write, answer: StoreCustomer | ItemRefused) -> Outcome:
        if isinstance(answer, StoreCustomer):
            (row,) = account_frame([answer], self._tax_code_meta).to_dicts()
            if field := _not_taken(row, write.changes):
                return Outcome(write, "refused", answer, "the store does not hold it as it was sent", field)
            return Outcome(write, "delivered", answer)
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

    def _remove(self, write: Write) -> Outcome:
        if write.woo_id is not None:
            self._woo.customers.delete(write.woo_id)
        return Outcome(write, "delivered", is_gone=True)


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


class _SolteqSender:
    """Sends customers to Solteq one by one. One without an answer is left to the next run, and the rest goes on."""

    def __init__(self, solteq: SolteqClient) -> None:
        self._solteq = solteq
        self._unanswered = 0

    def send(self, lot: Sequence[Write]) -> list[Outcome]:
        """What became of the one write of a lot.

        :raises IntegrationError: Solteq is away, or gives no answers
        """
        (write,) = lot
        try:
            outcome = _to_solteq(self._solteq, write)
        except OutcomeUnknownError as error:
            self._unanswered += 1
            if self._unanswered >= DOUBT_AFTER:
                raise
            return [Outcome(write, "retry", error=str(error))]
        self._unanswered = 0
        return [outcome]


def _to_solteq(solteq: SolteqClient, write: Write) -> Outcome:
    row = {"phone": write.phone, "phone_text": write.phone_text}
    document = customer_document(write.document, spelled_out(write.changes, row))
    if write.solteq_id is None:
        answer = solteq.customers.create(document)
        if isinstance(answer, Taken):
            return _taken(solteq, write, answer)
    else:
        answer = solteq.customers.replace(write.solteq_id, document, document["modifiedAt"])
    if isinstance(answer, CustomerDocument):
        (held,) = customer_frame([answer]).to_dicts()
        if field := _not_taken(held, write.changes):
            return Outcome(write, "refused", answer, "Solteq does not hold it as it was sent", field)
        return Outcome(write, "delivered", answer)
    return _refused_by_solteq(write, answer)


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
