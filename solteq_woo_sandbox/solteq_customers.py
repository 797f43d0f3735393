"""What Solteq makes of a customer that is written: refused, taken, or stored (contract, Writes)."""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from solteq_woo_sandbox.solteq_documents import Documents, customer_keys

_TAX_CODE = re.compile(r"FI[0-9]{8}|SE[0-9]{10}01|DK[0-9]{8}")
_TEXTS = ("firstName", "lastName", "companyName", "taxCode", "email", "phone", "customerNumber")
_LISTS = ("addresses", "customerGroups", "identifiers")
_PARTS = {  # of a list's entries: what must be text, and what may also be missing
    "addresses": (("type",), ("street", "street2", "postalCode", "city", "country")),
    "identifiers": (("type", "value"), ()),
}


@dataclass(frozen=True)
class Answer:
    """A status and its JSON."""

    status: int
    body: Any


def create(book: Documents, given: Mapping[str, Any]) -> Answer:
    """``POST``."""
    document = {**given, "id": str(uuid.uuid4()), "deleted": False}
    document.setdefault("customerNumber", document["id"][:8])
    return _refused(book, document) or Answer(201, book.store_customer(document))


def replace(book: Documents, identifier: str, given: Mapping[str, Any], if_match: str | None) -> Answer:
    """``PUT``: what is not sent is gone, but for what is Solteq's own."""
    held = book.customer(identifier)
    if held is None or held.get("deleted"):
        return Answer(404, {"error": "not found"})
    if if_match is not None and not _is_version(if_match, held):
        return Answer(412, {"error": "precondition failed"})
    document = {"customerNumber": held.get("customerNumber"), **given, "id": identifier, "deleted": False}
    return _refused(book, document) or Answer(200, book.store_customer(document))


def look_up(book: Documents, query: Mapping[str, str]) -> Answer | None:
    """``GET`` with ``externalId`` or ``email``, also an empty one; ``None`` when it is a feed that is asked for."""
    for kind in ("externalId", "email"):
        if kind in query:
            return Answer(200, {"documents": book.customers_with(kind, query[kind])[:1], "continuationToken": None})
    return None


def _is_version(if_match: str, held: Mapping[str, Any]) -> bool:
    try:
        return datetime.fromisoformat(if_match.strip('"')) == datetime.fromisoformat(held["modifiedAt"])
    except (KeyError, TypeError, ValueError):
        return False


def _refused(book: Documents, document: Mapping[str, Any]) -> Answer | None:
    details = [{"path": path, "message": message} for path, message in _problems(document)]
    if details:
        return Answer(400, {"error": "validation", "details": details})
    for kind, value in customer_keys(document):
        for other in book.customers_with(kind, value):
            if other["id"] != document["id"]:
                return Answer(409, {"error": "duplicate", "id": other["id"]})
    return None


def _problems(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    if document.get("type") not in ("Private", "Company"):
        problems.append(("type", "must be Private or Company"))
    problems += [(n, "must be text") for n in _TEXTS if not isinstance(document.get(n), str | None)]
    problems += [(n, "must be a list") for n in _LISTS if not isinstance(document.get(n), list | None)]
    problems += _problems_of_parts(document)
    if document.get("type") == "Company":
        if not document.get("companyName"):
            problems.append(("companyName", "a company must have a name"))
        if not _TAX_CODE.fullmatch(str(document.get("taxCode") or "")):
            problems.append(("taxCode", "must be in international form"))
    email = document.get("email")
    if isinstance(email, str) and email and "@" not in email:
        problems.append(("email", f"'{email}' is no e-mail address"))
    return problems


def _problems_of_parts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, group in _entries(document, "customerGroups"):
        if not isinstance(group, str):
            yield path, "must be text"
    for name, (required, optional) in _PARTS.items():
        for path, part in _entries(document, name):
            if not isinstance(part, dict):
                yield path, "must be an object"
                continue
            yield from ((f"{path}.{n}", "must be text") for n in required if not isinstance(part.get(n), str))
            yield from ((f"{path}.{n}", "must be text") for n in optional if not isinstance(part.get(n), str | None))


def _entries(document: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    entries = document.get(name)
    return [(f"{name}[{n}]", each) for n, each in enumerate(entries)] if isinstance(entries, list) else []
