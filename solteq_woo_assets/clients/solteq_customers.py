"""Solteq's customers: as they are read, looked up and written."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Self
from urllib.parse import quote

import simplejson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from solteq_woo_assets.clients.bounds import Key
from solteq_woo_assets.clients.failures import shown
from solteq_woo_assets.clients.solteq_access import ScopedApi
from solteq_woo_assets.clients.solteq_documents import Document, documents_of, validated
from solteq_woo_assets.errors import OutcomeUnknownError, SolteqError

_MARKS = "['\"‘’“”„«»]"
_QUOTED = re.compile(rf"(?<!\w){_MARKS}.*{_MARKS}|(?<!\w){_MARKS}.*", re.DOTALL)  # whole: names hold marks, too


def _text(value: object) -> object:
    """A house number or postal code is a number in some imports."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _listed(value: object) -> object:
    return [] if value is None else value


Text = Annotated[str | None, BeforeValidator(_text)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True)


class Address(_Part):
    """A billing or delivery address. Without a type it is neither, and is carried along."""

    type: Text = None
    street: Text = None
    street2: Text = None
    postal_code: Text = None
    city: Text = None
    country: Text = None


class Identifier(_Part):
    """A customer's name in another system, such as ``ExternalID``."""

    type: Text = None
    value: Text = None


class CustomerDocument(Document):
    """A customer, private or a company.

    A field that is missing or null is ``None``; ``model_fields_set`` tells the two apart. Its text leaves out ``raw``
    and the fields with personal data.

    :param raw: the JSON as Solteq sent it, whole, because a write replaces all of it
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    keys = ("id",)
    is_personal = True

    id: Key
    customer_number: Text = None
    type: str
    first_name: Text = Field(default=None, repr=False)
    last_name: Text = Field(default=None, repr=False)
    company_name: Text = Field(default=None, repr=False)
    tax_code: Text = Field(default=None, repr=False)
    email: Text = Field(default=None, repr=False)
    phone: Text = Field(default=None, repr=False)
    addresses: list[Address] | None = Field(default=None, repr=False)
    customer_groups: Annotated[list[str], BeforeValidator(_listed)] = Field(default=[])
    identifiers: Annotated[list[Identifier], BeforeValidator(_listed)] = Field(default=[], repr=False)
    raw: str = Field(default="", repr=False)

    @model_validator(mode="before")
    @classmethod
    def _keep_raw(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        kept = _kept(value)
        if kept is None:  # it could not be sent back, and a write replaces all
            name = next((name for name, each in value.items() if _kept(each) is None), "it")
            raise ValueError(f"{name} holds a value that cannot be read")
        return {**value, "type": customer_type(value), "raw": kept}


def _kept(value: Any) -> str | None:
    try:
        return simplejson.dumps(value, use_decimal=True, ensure_ascii=False)
    except (TypeError, RecursionError):
        return None


def customer_type(document: Mapping[str, Any]) -> Any:
    """The type of a document on the wire. Without one it is a company if it has a company's name and tax code."""
    is_company = document.get("companyName") and document.get("taxCode")
    return document.get("type") or ("Company" if is_company else "Private")


@dataclass(frozen=True)
class Taken:
    """Somebody has the e-mail address or the ExternalID already: the customer with this id."""

    id: str


@dataclass(frozen=True)
class Stale:
    """Solteq has another version than the one that was to be replaced."""


@dataclass(frozen=True)
class Gone:
    """Solteq has no such customer."""


@dataclass(frozen=True)
class Refused:
    """Solteq does not take the document.

    :param reason: its words with the fields they are about, without values
    :param paths: those fields, each with its words; empty where it does not say
    """

    reason: str
    paths: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_details(cls, details: Any) -> Self:
        """From the contract's list of path and message."""
        named = [each for each in details if isinstance(each, Mapping)] if isinstance(details, list) else []
        paths = {str(each.get("path")): shown(_QUOTED.sub("…", str(each.get("message"))), []) for each in named}
        words = [f"{path}: {message}" for path, message in paths.items()]
        return cls(shown("; ".join(words), []) or "it does not say why", paths)


class SolteqCustomers:
    """Writes customers and looks them up. Thread-safe."""

    def __init__(self, path: str, api: ScopedApi) -> None:
        self._path = path
        self._api = api

    def create(self, document: Mapping[str, Any]) -> CustomerDocument | Taken | Refused:
        """A new customer.

        :raises SolteqError: Solteq is away; nothing was done
        :raises OutcomeUnknownError: it may have been done; the ExternalID tells
        """
        answer = self._written("POST", self._path, document, {})
        if isinstance(answer, Stale | Gone):
            raise SolteqError(f"Solteq: POST {self._path}: the path is not known there. Check the feed's path.")
        return answer

    def replace(
        self, customer_id: str, document: Mapping[str, Any], if_match: str
    ) -> CustomerDocument | Taken | Stale | Gone | Refused:
        """Another version of a customer; fields that the document leaves out are gone.

        :param if_match: the ``modifiedAt`` of the version that is replaced, as Solteq wrote it
        :raises SolteqError: Solteq is away; nothing was done
        :raises OutcomeUnknownError: it may have been done
        """
        return self._written("PUT", f"{self._path}/{quote(customer_id, safe='')}", document, {"If-Match": if_match})

    def by_external_id(self, external_id: str) -> CustomerDocument | None:
        """The customer with this ExternalID; ``None`` also where the document cannot be read.

        :raises SolteqError: Solteq is away, or answers with somebody else
        """
        return self._found("externalId", external_id, lambda held: external_id in _external_ids(held))

    def by_email(self, email: str) -> CustomerDocument | None:
        """The same by e-mail address, in any case."""
        return self._found("email", email, lambda held: _folded(held.email or "") == _folded(email))

    def _written(
        self, method: str, path: str, document: Mapping[str, Any], headers: Mapping[str, str]
    ) -> CustomerDocument | Taken | Stale | Gone | Refused:
        try:
            body = self._api.send(method, path, document, headers).body
        except SolteqError as error:
            refusal = _refusal(error)
            if refusal is None:
                raise
            return refusal
        try:
            return CustomerDocument.model_validate(body)
        except ValidationError:
            raise OutcomeUnknownError(
                f"Solteq: {method} {self._path}: the answer is no customer. It left: read back before sending it again."
            ) from None

    def _found(self, kind: str, value: str, is_meant: Callable[[CustomerDocument], bool]) -> CustomerDocument | None:
        if not value.strip():  # would be asking for everybody
            return None
        documents, _ = documents_of(self._api.get(self._path, {kind: value}).body, self._path)
        found = [held for held in validated(CustomerDocument, documents).documents if not held.deleted]
        # A Solteq that does not know the parameter gives its feed, which begins with anybody.
        if not all(map(is_meant, found)):
            raise SolteqError(
                f"Solteq: GET {self._path}: the look-up by {kind} gives customers who were not asked for. "
                "Check the feed's path; else report it to Solteq."
            )
        return next(iter(found), None)


def _external_ids(held: CustomerDocument) -> list[str]:
    return [each.value for each in held.identifiers if each.type == "ExternalID" and each.value]


def _folded(email: str) -> str:
    return email.strip().lower()


def _refusal(error: SolteqError) -> Taken | Stale | Gone | Refused | None:
    body = error.body if isinstance(error.body, dict) else {}
    match error.status:
        case 409 if isinstance(body.get("id"), str):
            return Taken(body["id"])
        case 412:
            return Stale()
        case 404:
            return Gone()
        case 400 if body.get("error") == "validation":
            return Refused.from_details(body.get("details"))
    return None
