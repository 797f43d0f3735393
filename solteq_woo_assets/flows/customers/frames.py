"""Customers as rows of the snapshots, and a delta's changes as the two systems take them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
import simplejson
from pydantic.alias_generators import to_camel

from solteq_woo_assets.clients.solteq_customers import CustomerDocument, customer_type
from solteq_woo_assets.clients.woo_customers import CustomerWrite, StoreCustomer, StoreOrder, is_mailable
from solteq_woo_assets.flow import Change
from solteq_woo_assets.flows.customers.people import NEEDS_PARSING, Person, canonical, e164
from solteq_woo_assets.flows.customers.tables import (
    ADDRESS_PARTS,
    ADDRESSES,
    SOLTEQ_CUSTOMERS,
    WOO_CUSTOMER_ACCOUNTS,
    WOO_GUESTS,
)

SOLTEQ_ID_META = "solteq_customer_id"
"""It has no underscore, which makes meta private: WooCommerce drops such meta of customers silently (recorded)."""

_SOLTEQ_NAMES = {
    field: to_camel(field) for field in ("email", "first_name", "last_name", "company_name", "tax_code", "phone")
}
_SOLTEQ_PARTS = {part: to_camel(part) for part in ADDRESS_PARTS}
_PART = re.compile(r"addresses\[(?P<number>[0-9]+)\]\.(?P<name>[a-zA-Z0-9]+)")
_SOLTEQ_TYPES = {"billing": "Billing", "delivery": "Delivery"}
_WOO_PARTS = {
    "street": "address_1",
    "street2": "address_2",
    "postal_code": "postcode",
    "city": "city",
    "country": "country",
}
_WOO_ADDRESSES = {"billing": "billing", "delivery": "shipping"}
_WOO_NAMES = {
    "email": ("email",),
    "first_name": ("first_name",),
    "last_name": ("last_name",),
    "company_name": ("billing", "company"),
    "phone": ("billing", "phone"),
    "billing_email": ("billing", "email"),
    "billing_first_name": ("billing", "first_name"),
    "billing_last_name": ("billing", "last_name"),
    "shipping_first_name": ("shipping", "first_name"),
    "shipping_last_name": ("shipping", "last_name"),
    **{
        f"{address}_{part}": (_WOO_ADDRESSES[address], _WOO_PARTS[part])
        for address in ADDRESSES
        for part in ADDRESS_PARTS
    },
}
"""The places of our fields in WooCommerce; the tax code and our id are meta."""


def customer_frame(documents: Sequence[CustomerDocument]) -> pl.DataFrame:
    """Rows of ``snapshot.solteq_customers``. Nothing personal is kept of a deleted one."""
    return pl.DataFrame([_customer_row(document) for document in documents], schema=SOLTEQ_CUSTOMERS.schema)


def _customer_row(document: CustomerDocument) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": document.id,
        "type": document.type,
        "deleted": document.deleted,
        "modified_at": document.modified_at.replace(tzinfo=None),
        "remarks": [],
        "external_ids": [],
        "customer_groups": [],
    }
    if document.deleted:
        return row
    person: dict[str, str | None] = {field: _said(document, field, getattr(document, field)) for field in _SOLTEQ_NAMES}
    for address in ADDRESSES:
        person |= _solteq_address(document, address)
    values, remarks = canonical(person)
    if values["email"] and not is_mailable(values["email"]):
        remarks.append("email is no address that the store takes")
    return {
        **row,
        **values,
        "phone_text": person["phone"],
        "customer_groups": document.customer_groups,
        "external_ids": [each.value for each in document.identifiers if each.type == "ExternalID" and each.value],
        "remarks": remarks,
        "document": document.raw,
    }


def _said(document: CustomerDocument, field: str, value: str | None) -> str | None:
    """A field that is null in the document was cleared; a field that is missing is not mentioned."""
    return (value or "") if field in document.model_fields_set else None


def _solteq_address(document: CustomerDocument, address: str) -> dict[str, str | None]:
    """The first address of a type. An address is whole, so a missing part of it is empty."""
    if document.addresses is None:
        missing = None if "addresses" not in document.model_fields_set else ""
        return dict.fromkeys((f"{address}_{part}" for part in ADDRESS_PARTS), missing)
    wanted = _SOLTEQ_TYPES[address].lower()
    found = next((each for each in document.addresses if (each.type or "").lower() == wanted), None)
    return {f"{address}_{part}": (getattr(found, part, None) or "") for part in ADDRESS_PARTS}


def account_frame(customers: Sequence[StoreCustomer], tax_code_meta: str) -> pl.DataFrame:
    rows = [_account_row(customer, tax_code_meta) for customer in customers]
    return pl.DataFrame(rows, schema=WOO_CUSTOMER_ACCOUNTS.schema)


def _account_row(account: StoreCustomer, tax_code_meta: str) -> dict[str, Any]:
    person: dict[str, str | None] = {
        "email": account.email,
        "first_name": account.first_name,
        "last_name": account.last_name,
        "company_name": account.billing.company,
        "tax_code": account.meta.get(tax_code_meta, ""),
        "phone": account.billing.phone,
    }
    person |= _store_addresses(account)
    values, remarks = canonical(person)
    is_written = {address: person[f"{address}_country"] in ("", values[f"{address}_country"]) for address in ADDRESSES}
    return {
        "id": account.id,
        "role": account.role,
        **values,
        "phone_text": person["phone"],
        "held_solteq_id": account.meta.get(SOLTEQ_ID_META),
        "remarks": remarks,
        "country_names": [address for address, is_code in is_written.items() if not is_code],
        "billing_email": account.billing.email,
        "billing_first_name": account.billing.first_name,
        "billing_last_name": account.billing.last_name,
        "shipping_first_name": account.shipping.first_name,
        "shipping_last_name": account.shipping.last_name,
        "date_created_gmt": account.date_created_gmt,
        "date_modified_gmt": account.date_modified_gmt,
    }


def guest_frame(orders: Sequence[StoreOrder]) -> pl.DataFrame:
    """Rows of ``snapshot.woo_guests``: the newest order of each e-mail address."""
    rows = [{"order_id": order.id, **_parsed(_ordered_by(order))} for order in orders]
    newest = {(row["email"] or "").lower(): row for row in sorted(rows, key=lambda row: row["order_id"])}
    return pl.DataFrame([row for email, row in newest.items() if email], schema=WOO_GUESTS.schema)


def _parsed(person: Person) -> dict[str, str | None]:
    """A text that Solteq neither refuses nor misreads."""
    values, remarks = canonical(person)
    unparsed = {remark.split(" ")[0] for remark in remarks}.intersection(NEEDS_PARSING)
    return values | dict.fromkeys(unparsed, None)


def _ordered_by(order: StoreOrder) -> dict[str, str | None]:
    billing = order.billing
    person: dict[str, str | None] = {"email": billing.email, "phone": billing.phone, "company_name": billing.company}
    return person | {"first_name": billing.first_name, "last_name": billing.last_name} | _store_addresses(order)


def _store_addresses(held: StoreCustomer | StoreOrder) -> dict[str, str | None]:
    return {
        f"{address}_{part}": getattr(getattr(held, _WOO_ADDRESSES[address]), _WOO_PARTS[part])
        for address in ADDRESSES
        for part in ADDRESS_PARTS
    }


def account_write(woo_id: int | None, changes: Iterable[Change], tax_code_meta: str) -> CustomerWrite:
    """The write that makes these changes in the store.

    :raises pydantic.ValidationError: a value that WooCommerce would not take
    """
    body: dict[str, Any] = {"id": woo_id, "meta": {}}
    for change in changes:
        field, new = change["field"], change["new"] or ""
        if field == "tax_code":
            body["meta"][tax_code_meta] = new or None
        elif field == SOLTEQ_ID_META:
            body["meta"][SOLTEQ_ID_META] = new
        else:
            *above, name = _WOO_NAMES[field]
            (body.setdefault(above[0], {}) if above else body)[name] = new
    if woo_id is None:
        _name_the_addresses(body)
    return CustomerWrite.model_validate(body)


def _name_the_addresses(body: dict[str, Any]) -> None:
    """A new account's invoice and parcel are for the person; without a name the store's forms refuse them."""
    names = {name: body[name] for name in ("first_name", "last_name") if name in body}
    for address in _WOO_ADDRESSES.values():
        if address in body:
            body[address] = names | body[address]
    if "billing" in body:
        body["billing"]["email"] = body["email"]


def customer_document(raw: str | None, changes: Iterable[Change]) -> dict[str, Any]:
    """The document that makes these changes in Solteq: its own one, whole, with the changes.

    :param raw: the JSON of the stored document; ``None`` makes a new one
    """
    document: dict[str, Any] = simplejson.loads(raw, use_decimal=True) if raw else _new_document()
    document["type"] = customer_type(document)  # a write must say it, though a document that is read need not
    for change in changes:
        field, new = change["field"], change["new"] or ""
        if field == "type":
            document["type"] = new
        elif field == "external_id":
            held = document.get("identifiers") or []
            document["identifiers"] = [*held, {"type": "ExternalID", "value": new}]
        elif field in _SOLTEQ_NAMES:
            document[_SOLTEQ_NAMES[field]] = new or None
        else:
            address, _, part = field.partition("_")
            _set_part(document, _SOLTEQ_TYPES[address], _SOLTEQ_PARTS[part], new)
    return document


def _new_document() -> dict[str, Any]:
    return {
        "addresses": [],
        "customerGroups": [],
        "identifiers": [],
        "marketingPermission": {"email": False, "mobile": False},  # consent is given, never assumed (GDPR, article 7)
    }


def _set_part(document: dict[str, Any], kind: str, part: str, new: str) -> None:
    """An empty address goes, unless it has others of its type or fields that we do not know:
    the next one would be taken for it.
    """
    addresses: list[dict[str, Any]] = document.get("addresses") or []
    alike = [each for each in addresses if str(each.get("type")).lower() == kind.lower()]
    found = next(iter(alike), None)
    if found is None:
        found = {"type": kind}
        addresses.append(found)
    found[part] = new
    is_ours = found.keys() <= {"type", *_SOLTEQ_PARTS.values()}
    if len(alike) <= 1 and is_ours and not any(found.get(name) for name in _SOLTEQ_PARTS.values()):
        addresses.remove(found)
    document["addresses"] = addresses


def field_of(path: str, document: Mapping[str, Any]) -> str | None:
    """Our name of a field that Solteq names in a document; ``None`` if we do not write it.

    :param path: such as ``email`` or ``addresses[0].city``
    """
    found = _PART.fullmatch(path)
    if found and int(found["number"]) < len(document.get("addresses") or []):
        *before, kind = [str(each.get("type")).lower() for each in document["addresses"][: int(found["number"]) + 1]]
        address = next((address for address, name in _SOLTEQ_TYPES.items() if name.lower() == kind), None)
        part = next((part for part, name in _SOLTEQ_PARTS.items() if name == found["name"]), None)
        return f"{address}_{part}" if address and part and kind not in before else None
    return next((field for field, name in _SOLTEQ_NAMES.items() if name == path), None)


def spelled_out(changes: Sequence[Change], row: Mapping[str, Any]) -> list[Change]:
    """The changes, with the phone number in full if the country changes by which it was read.

    :param row: the customer's row of the snapshot
    """
    moves = any(change["field"] in ("billing_country", "delivery_country") for change in changes)
    phone = row["phone"]
    if not moves or not phone or phone == row["phone_text"] or any(change["field"] == "phone" for change in changes):
        return [*changes]
    return [*changes, {"field": "phone", "old": row["phone_text"], "new": phone}] if e164(phone, "") else [*changes]
