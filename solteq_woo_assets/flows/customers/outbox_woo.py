"""How changes of customers leave for the store: in batches; removals one by one, since they are for good."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
from pydantic import ValidationError

from solteq_woo_assets.clients.solteq_customers import CustomerDocument
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_batches import ItemRefused
from solteq_woo_assets.clients.woo_customers import GONE, CustomerBatch, CustomerWrite, StoreCustomer
from solteq_woo_assets.engine import handover
from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.engine.handover import Claim
from solteq_woo_assets.engine.outbox import Outbox
from solteq_woo_assets.engine.turns import Release, Turns
from solteq_woo_assets.engine.writes import not_sent
from solteq_woo_assets.errors import IntegrationError, WooError
from solteq_woo_assets.flows.customers import erased, links
from solteq_woo_assets.flows.customers.frames import account_frame, account_write
from solteq_woo_assets.flows.customers.outbox import (
    WHOLE,
    Outcome,
    Person,
    Rest,
    Write,
    both_emails,
    due,
    fields,
    keep_conflicts,
    of_rest,
    split,
    taken,
)
from solteq_woo_assets.flows.customers.snapshots import ACCOUNTS, forget_accounts, store_accounts

BATCH_SIZE = 100
"""The most that WooCommerce takes in one batch (contract, 11)."""
_REFUSED_FIELDS = {
    **dict.fromkeys(("woocommerce_rest_customer_invalid_email", "customer_invalid_email"), ("email", "billing_email")),
    "customer_invalid_billing_email": ("billing_email",),
}
"""Which fields the store minds, by its code."""
_TAKEN = {"registration-error-email-exists", "woocommerce_rest_customer_invalid_email", "customer_invalid_email"}
_NOT_THEIRS = "the store refuses the e-mail address: it is no address, or that of another account"


class AccountOutbox(Outbox[Person, StoreCustomer | CustomerDocument]):
    """``delta.woo_customer_delta`` on its way to the store.

    What was done of a lot without an answer does no harm when it is sent again: an e-mail address is taken once.
    """

    side = "the store"
    error = WooError
    whole = WHOLE
    batch_size = BATCH_SIZE
    holds_fields = True
    keeps_values = False

    def __init__(self, woo: WooClient, flow: str, tax_code_meta: str) -> None:
        self.flow = flow
        self._customers = woo.customers
        self._tax_code_meta = tax_code_meta

    def due(self, connection: duckdb.DuckDBPyConnection) -> list[Write]:
        source = (
            "(SELECT delta.*, held.email AS held_email FROM delta.woo_customer_delta AS delta "
            f"LEFT JOIN {ACCOUNTS} AS held ON held.id = delta.woo_id)"
        )
        return due(connection, self.flow, source, ("held_email",))

    def claims(self, writes: Sequence[Write]) -> list[Claim]:
        return [self._claim(write) for write in writes]

    def _claim(self, write: Write) -> Claim:
        if write.action == "remove":
            email = (write.more.held_email or "").strip().lower()
            return Claim(write.key, gives={"email": email} if email else {})
        gives, wants = handover.values(write.changes)
        if gives and not _is_address(_new_email(write)):  # it stays here, and gives nothing up
            return Claim("accounts")
        return Claim("accounts", gives, wants, write.woo_id is None)

    def places(
        self, database: StateDatabase, writes: Sequence[Write]
    ) -> tuple[Sequence[Sequence[Write]], Sequence[Outcome]]:
        del database
        kept = [write for write in writes if write.action != "remove"]
        return [kept, *([write] for write in writes if write.action == "remove")], []

    def bodies(self, writes: Sequence[Write], outcomes: list[Outcome]) -> dict[Write, CustomerWrite | None]:
        sound: dict[Write, CustomerWrite | None] = {}
        for write in writes:
            try:
                is_gone = write.action == "remove"
                sound[write] = None if is_gone else account_write(write.woo_id, write.changes, self._tax_code_meta)
            except ValidationError as error:
                outcomes.append(not_sent(write, error))
        return sound

    def post(self, bodies: Mapping[Write, CustomerWrite | None], turns: Turns[Person]) -> list[tuple[Write, Any]]:
        gone = [write for write in bodies if write.action == "remove"]
        for write in gone:
            if write.woo_id is not None:
                self._customers.delete(write.woo_id)
        if gone:
            return [(write, None) for write in gone]
        sound = [(write, body) for write, body in bodies.items() if body is not None]
        creates = [each for each in sound if each[0].woo_id is None]
        updates: list[tuple[Write | None, CustomerWrite]] = []  # a release is nobody's own write
        for write, body in sound:
            for each in turns.releases(write):
                turns.note_release(each)
                woo_id = each.write.woo_id or 0
                updates.append((None, CustomerWrite(id=woo_id, email=handover.intermediate("email", woo_id))))
            if write.woo_id is not None:
                updates.append((write, body))
        batch = CustomerBatch(creates=[body for _, body in creates], updates=[body for _, body in updates])
        answers = zip([*creates, *updates], self._customers.write(batch), strict=True)
        return self._sent_again([(write, answer) for (write, _), answer in answers if write is not None])

    def _sent_again(self, answered: Sequence[tuple[Write, Any]]) -> list[tuple[Write, Any]]:
        """The answers, those instead that came once the refused fields were left out."""
        parts = {write: split(write, _refused_fields(write, answer)) for write, answer in answered}
        rests = {write: part for write, part in parts.items() if part}
        bodies = [account_write(r.woo_id, r.changes, self._tax_code_meta) for r, _ in rests.values() if r.changes]
        try:
            answers = iter(self._customers.write(CustomerBatch(updates=bodies)))
        except IntegrationError as error:  # the others have their answers
            answers = iter([error] * len(bodies))
        again = {
            write: Rest(rest, next(answers) if rest.changes else None, held) for write, (rest, held) in rests.items()
        }
        return [(write, again.get(write, answer)) for write, answer in answered]

    def read(self, write: Write, answer: StoreCustomer | ItemRefused | Rest | None) -> Outcome:
        if isinstance(answer, Rest):
            return of_rest(write, answer, self.read)
        if answer is None:
            return Outcome(write, "delivered", is_gone=True)
        if isinstance(answer, StoreCustomer):
            (row,) = account_frame([answer], self._tax_code_meta).to_dicts()
            return taken(write, answer, row, "the store")
        return self._refused(write, answer)

    def _refused(self, write: Write, answer: ItemRefused) -> Outcome:
        if answer.code in GONE:
            return Outcome(write, "retry", error="the account is gone from the store", is_gone=True)
        if answer.code == "registration-error-email-exists" and (held := self._holder(write)):
            reason = "somebody has an account with the e-mail address by now; the next run sees who"
            return Outcome(write, "retry", held, reason)
        if answer.code in _TAKEN:
            return Outcome(write, "refused", error=_NOT_THEIRS, error_field="email")
        return Outcome(write, "refused", error=f"{answer.code}: {answer.message}")

    def _holder(self, write: Write) -> StoreCustomer | None:
        """The account with the e-mail address, perhaps made by our own request that was not answered."""
        email = _new_email(write)
        return next(iter(self._customers.by_email(email)), None) if email else None

    def takes_writes(self) -> bool:
        return self._customers.takes_writes()

    def give_back(self, release: Release[Person]) -> bool:
        for email in both_emails(release):
            if _is_address(email):
                batch = CustomerBatch(updates=[CustomerWrite(id=release.write.woo_id, email=email)])
                if isinstance(self._customers.write(batch)[0], StoreCustomer):
                    return True
        return False

    def keep(self, connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        outcomes = erased.refused(connection, outcomes)
        answers = [outcome.answer for outcome in outcomes if isinstance(outcome.answer, StoreCustomer)]
        store_accounts(connection, answers, self._tax_code_meta)
        forget_accounts(connection, [o.write.woo_id for o in outcomes if o.is_gone and o.write.woo_id is not None])
        for outcome in outcomes:
            write, answer = outcome.write, outcome.answer
            is_new = write.action == "create" and outcome.state == "delivered"
            if is_new and isinstance(answer, StoreCustomer) and write.more.solteq_id:
                links.link(connection, write.more.solteq_id, answer.id, "the account was created for the customer")
        links.agree(connection, [o.write.more.solteq_id for o in outcomes if o.answer and o.write.more.solteq_id])
        keep_conflicts(connection, outcomes)
        return outcomes


def _new_email(write: Write) -> str | None:
    return next((change["new"] for change in write.changes if change["field"] == "email"), None)


def _is_address(email: str | None) -> bool:
    """Whether the store takes it."""
    try:
        CustomerWrite(email=email)
    except ValidationError:
        return False
    return True


def _refused_fields(write: Write, answer: StoreCustomer | ItemRefused) -> dict[str, str]:
    """The fields that the store minds, with the reason."""
    if write.woo_id is None or not isinstance(answer, ItemRefused):
        return {}
    return dict.fromkeys(fields(write.changes).intersection(_REFUSED_FIELDS.get(answer.code, ())), _NOT_THEIRS)
