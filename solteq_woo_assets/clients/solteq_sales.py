"""Solteq's sales: as they are booked and looked up (contract, Writes)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from solteq_woo_assets.clients.failures import said_time
from solteq_woo_assets.clients.http import JsonResponse
from solteq_woo_assets.clients.solteq_access import ScopedApi
from solteq_woo_assets.clients.solteq_customers import Refused
from solteq_woo_assets.clients.solteq_documents import documents_of
from solteq_woo_assets.errors import OutcomeUnknownError, SolteqError

_DUPLICATE, _INVALID = 409, 400


@dataclass(frozen=True)
class HeldSale:
    """A sale or refund that Solteq has.

    :param document: as Solteq holds it, without who bought; ``None`` when it was booked just now
    :param at: Solteq's clock when it said so, naive UTC
    """

    id: str
    at: datetime
    document: Mapping[str, Any] | None = None


class SolteqSales:
    """Books sales and looks them up. Thread-safe."""

    def __init__(self, path: str, api: ScopedApi) -> None:
        self._path = path
        self._api = api

    def book(self, document: Mapping[str, Any]) -> HeldSale | Refused:
        """Send a document; one that Solteq has already is given as it is held there.

        :raises SolteqError: Solteq is away; nothing was done
        :raises OutcomeUnknownError: it may have been booked; the externalId tells
        """
        try:
            answer = self._api.send("POST", self._path, document)
        except SolteqError as error:
            body = error.body if isinstance(error.body, dict) else {}
            if error.status == _DUPLICATE and isinstance(body.get("id"), str):
                return self.find(document["externalId"]) or HeldSale(body["id"], _now(), {})
            if error.status == _INVALID and body.get("error") == "validation":
                return Refused.from_details(body.get("details"))
            raise
        identifier = answer.body.get("id") if isinstance(answer.body, dict) else None
        if not isinstance(identifier, str):
            raise OutcomeUnknownError(
                f"Solteq: POST {self._path}: the answer has no id. It left: look it up before sending it again."
            )
        return HeldSale(identifier, _clock(answer))

    def find(self, external_id: str) -> HeldSale | None:
        """The sale or refund with this externalId.

        :raises SolteqError: Solteq is away, or answers with another document
        """
        answer = self._api.get(self._path, {"externalId": external_id})
        for document in documents_of(answer.body, self._path)[0]:
            # A Solteq that does not know the parameter gives whatever it has.
            if not isinstance(document, dict) or document.get("externalId") != external_id:
                raise SolteqError(
                    f"Solteq: GET {self._path}: the look-up of {external_id} gives documents that were not asked for. "
                    "Check the sales' path; else report it to Solteq."
                )
            held = {name: value for name, value in document.items() if name != "customer"}
            return HeldSale(str(document.get("id", "")), _clock(answer), held)
        return None


def _clock(answer: JsonResponse) -> datetime:
    """When the other side says that it is; its clock is the one that its balances go by."""
    return said_time(answer.headers) or _now()


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
