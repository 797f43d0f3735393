"""How changes of customers leave for Solteq: one by one, over the version that we know."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import duckdb

from solteq_woo_assets.clients.solteq import SolteqClient
from solteq_woo_assets.clients.solteq_customers import CustomerDocument, Gone, Refused, Stale, Taken
from solteq_woo_assets.clients.woo_customers import StoreCustomer
from solteq_woo_assets.engine import handover
from solteq_woo_assets.engine.handover import Claim
from solteq_woo_assets.engine.outbox import Outbox
from solteq_woo_assets.engine.snapshot import merge
from solteq_woo_assets.engine.turns import Release, Turns
from solteq_woo_assets.errors import SolteqError
from solteq_woo_assets.flows.customers import erased, links
from solteq_woo_assets.flows.customers.frames import customer_document, customer_frame, field_of, spelled_out
from solteq_woo_assets.flows.customers.outbox import (
    WHOLE,
    Outcome,
    Person,
    Rest,
    Write,
    both_emails,
    compared,
    due,
    keep_conflicts,
    not_taken,
    of_rest,
    split,
    taken,
)
from solteq_woo_assets.flows.customers.snapshots import CUSTOMERS
from solteq_woo_assets.flows.customers.tables import SOLTEQ_CUSTOMERS


class CustomerOutbox(Outbox[Person, StoreCustomer | CustomerDocument]):
    """``delta.solteq_customer_delta`` on its way to Solteq.

    :param only: keys of the rows to send; all when absent
    """

    side = "Solteq"
    error = SolteqError
    whole = WHOLE
    holds_fields = True
    keeps_values = False
    tells_rights = False

    def __init__(self, solteq: SolteqClient, flow: str, only: Collection[str] | None = None) -> None:
        self.flow = flow
        self.stale: list[str] = []
        """Keys of the writes that met a newer version in Solteq."""
        self._customers = solteq.customers
        self._only = only
        self._without_email: dict[str, CustomerDocument] = {}

    def due(self, connection: duckdb.DuckDBPyConnection) -> list[Write]:
        source = (
            "(SELECT delta.*, document, held.phone, held.phone_text FROM delta.solteq_customer_delta AS delta "
            f"LEFT JOIN {CUSTOMERS} AS held ON held.id = delta.solteq_id)"
        )
        found = due(connection, self.flow, source, ("document", "phone", "phone_text"))
        return [write for write in found if self._only is None or write.key in self._only]

    def claims(self, writes: Sequence[Write]) -> list[Claim]:
        return [Claim("customers", *handover.values(each.changes), each.more.solteq_id is None) for each in writes]

    def bodies(self, writes: Sequence[Write], outcomes: list[Outcome]) -> dict[Write, dict[str, Any]]:
        del outcomes
        return {write: self._document(write) for write in writes}

    def _document(self, write: Write) -> dict[str, Any]:
        row = {"phone": write.more.phone, "phone_text": write.more.phone_text}
        return customer_document(self._held(write), spelled_out(write.changes, row))

    def _held(self, write: Write) -> str | None:
        """The customer in Solteq."""
        without_email = self._without_email.get(write.delivery_id)
        return without_email.raw if without_email else write.more.document

    def post(self, bodies: Mapping[Write, dict[str, Any]], turns: Turns[Person]) -> list[tuple[Write, Any]]:
        ((write, document),) = bodies.items()
        for each in turns.releases(write):
            answer = self._with_email(each.write, "")  # a customer of Solteq may be without for a moment
            if isinstance(answer, CustomerDocument):
                self._without_email[each.write.delivery_id] = answer
                turns.note_release(each)
        answer = self._sent(write, document)
        if isinstance(answer, Refused) and (part := split(write, _named_fields(answer, document))):
            rest, held = part
            answer = Rest(rest, self._sent(rest, self._document(rest)) if rest.changes else None, held)
        return [(write, answer)]

    def _sent(self, write: Write, document: dict[str, Any]) -> CustomerDocument | Taken | Stale | Gone | Refused:
        if write.more.solteq_id is None:
            return self._customers.create(document)
        return self._customers.replace(write.more.solteq_id, document, document["modifiedAt"])

    def _with_email(self, write: Write, email: str) -> object:
        document = customer_document(self._held(write), [{"field": "email", "old": None, "new": email}])
        return self._sent(write, document)

    def read(self, write: Write, answer: CustomerDocument | Taken | Stale | Gone | Refused | Rest) -> Outcome:
        if isinstance(answer, Rest):
            return of_rest(write, answer, self.read)
        if isinstance(answer, CustomerDocument):
            (row,) = customer_frame([answer]).to_dicts()
            return taken(write, answer, row, "Solteq")
        if isinstance(answer, Taken) and write.more.solteq_id is None:
            return self._who_has_it(write, answer)
        return self._refused(write, answer)

    def _refused(self, write: Write, answer: Taken | Stale | Gone | Refused) -> Outcome:
        match answer:
            case Taken():
                reason = f"the e-mail address or ExternalID is that of customer {answer.id} in Solteq"
                return Outcome(write, "refused", error=reason, error_field="email")
            case Stale():
                reason = "Solteq has a newer version; read again and merged"
                return Outcome(write, "retry", error=reason, is_stale=True)
            case Gone():
                return Outcome(write, "retry", error="the customer is gone from Solteq")
            case Refused():
                return Outcome(write, "refused", error=f"Solteq refuses it: {answer.reason}")

    def _who_has_it(self, write: Write, answer: Taken) -> Outcome:
        """We ourselves, in a run that did not hear the answer; else the next run sees who."""
        named = {change["field"]: change["new"] or "" for change in write.changes}
        held = self._customers.by_external_id(named["external_id"])
        if held is not None:
            (row,) = customer_frame([held]).to_dicts()
            if not not_taken(row, write.changes):
                return Outcome(write, "delivered", held)
        other = held or self._customers.by_email(named.get("email", ""))
        if other is None:
            reason = f"customer {answer.id} in Solteq has its e-mail address or its ExternalID"
            return Outcome(write, "refused", error=reason, error_field="email")
        if write.woo_id is None and compared("email", other.email or "") != compared("email", named.get("email", "")):
            reason = f"customer {other.id} in Solteq has its ExternalID, and is somebody else by the e-mail address"
            return Outcome(write, "refused", other, reason, "external_id", code="id-contradicts-email")
        reason = f"its e-mail address or ExternalID is that of customer {other.id}; the next run sees who that is"
        return Outcome(write, "retry", other, reason)

    def takes_writes(self) -> bool:
        """Solteq has no write that changes nothing. That it answers a look-up tells that it works, and no rights."""
        self._customers.by_external_id("woo:is-it-there")
        return True

    def give_back(self, release: Release[Person]) -> bool:
        answers = (self._with_email(release.write, email) for email in both_emails(release))
        return any(isinstance(answer, CustomerDocument) for answer in answers)

    def keep(self, connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        outcomes = erased.refused(connection, outcomes)
        answers = [outcome.answer for outcome in outcomes if isinstance(outcome.answer, CustomerDocument)]
        merge(connection, SOLTEQ_CUSTOMERS, customer_frame(answers), version="modified_at")
        self.stale += [outcome.write.key for outcome in outcomes if outcome.is_stale]
        for outcome in outcomes:
            write, answer = outcome.write, outcome.answer
            is_new = write.action == "create" and outcome.state == "delivered"
            if is_new and isinstance(answer, CustomerDocument) and write.woo_id:
                links.link(connection, answer.id, write.woo_id, "the customer was created for the account")
        links.agree(connection, [answer.id for answer in answers])
        keep_conflicts(connection, outcomes)
        return outcomes


def _named_fields(refused: Refused, document: Mapping[str, Any]) -> dict[str, str]:
    """The fields that Solteq minds, with its words; what we do not write in brackets."""
    return {
        field_of(path, document) or f"({path})": f"Solteq refuses it: {words}" for path, words in refused.paths.items()
    }
