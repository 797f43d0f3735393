"""Tables of customers: what both sides hold, what they last agreed on, and who was erased."""

import polars as pl

from solteq_woo_assets.flow import CHANGES
from solteq_woo_assets.table import FLAG, ID, NOT_NULL, TEXT, TEXTS, TIME, Column, Table

ADDRESSES = ("billing", "delivery")
ADDRESS_PARTS = ("street", "street2", "postal_code", "city", "country")
_SAID = "NULL: the system does not say"
PERSON = {
    "email": Column(TEXT, f"E-mail address; {_SAID}"),
    "first_name": Column(TEXT, f"First name; {_SAID}"),
    "last_name": Column(TEXT, f"Last name; {_SAID}"),
    "company_name": Column(TEXT, f"Name of the company; {_SAID}"),
    "tax_code": Column(TEXT, f"VAT number of the company; {_SAID}"),
    "phone": Column(TEXT, f"Phone number, in full where it can be; {_SAID}"),
    **{
        f"{address}_{part}": Column(TEXT, f"{part.replace('_', ' ').capitalize()} of the {address} address; {_SAID}")
        for address in ADDRESSES
        for part in ADDRESS_PARTS
    },
}
"""The data of a person in both systems, in the form that is compared (people.py)."""
PERSON_FIELDS = tuple(PERSON)

SOLTEQ_CUSTOMERS = Table(
    "snapshot.solteq_customers",
    "The newest version of each customer document; of deleted ones only the id",
    {
        "id": Column(TEXT, "Solteq's id"),
        "type": Column(TEXT, "Private or Company"),
        **PERSON,
        "phone_text": Column(TEXT, "The phone number as Solteq writes it"),
        "customer_groups": Column(TEXTS, "Groups"),
        "external_ids": Column(TEXTS, "Identifiers of other systems; ours begin with woo:"),
        "remarks": Column(TEXTS, "Fields that could not be parsed, without values"),
        "document": Column(TEXT, "The whole JSON: a write replaces all of it"),
        "deleted": Column(FLAG, "Gone from Solteq", NOT_NULL),
        "modified_at": Column(TIME, "When Solteq changed it", NOT_NULL),
    },
    key=("id",),
)
WOO_CUSTOMER_ACCOUNTS = Table(
    "snapshot.woo_customer_accounts",
    "The store's accounts, of every role",
    {
        "id": Column(ID, "The store's id of the account"),
        "role": Column(TEXT, "One of its roles", NOT_NULL),
        **PERSON,
        "phone_text": Column(TEXT, "The phone number as the store writes it"),
        "held_solteq_id": Column(TEXT, "Our meta: the customer in Solteq"),
        "remarks": Column(TEXTS, "Fields that could not be parsed, without values"),
        "country_names": Column(TEXTS, "Addresses whose country is written as a name: the store taxes by codes alone"),
        **{
            f"{address}_{field}": Column(TEXT, f"{words} of the {address} address")
            for address, field, words in (
                ("billing", "email", "E-mail address"),
                ("billing", "first_name", "First name"),
                ("billing", "last_name", "Last name"),
                ("shipping", "first_name", "First name"),
                ("shipping", "last_name", "Last name"),
            )
        },
        "date_created_gmt": Column(TIME, "When the account was made"),
        "date_modified_gmt": Column(TIME, "When the store changed it", NOT_NULL),
    },
    key=("id",),
)
WOO_GUESTS = Table(
    "snapshot.woo_guests",
    "Guests who ordered, until Solteq has them",
    {"order_id": Column(ID, "The newest order of the e-mail address"), **PERSON},
    key=("order_id",),
)
WOO_STAFF = Table(
    "snapshot.woo_staff",
    "Accounts of people who run the store. The store shows one role of each account; this is read role by role",
    {"id": Column(ID, "The store's id of the account"), "role": Column(TEXT, "The first such role", NOT_NULL)},
    key=("id",),
)
_CHANGES = {
    **CHANGES,
    "solteq_id": Column(TEXT, "Solteq's id; NULL for what is yet to be created"),
    "conflicts": Column(
        pl.List(pl.Struct({"field": TEXT, "kept": TEXT, "lost": TEXT})),
        "Fields that both sides changed",
        NOT_NULL,
    ),
}
WOO_CUSTOMER_DELTA = Table("delta.woo_customer_delta", "Writes of customers to the store to come", _CHANGES)
SOLTEQ_CUSTOMER_DELTA = Table("delta.solteq_customer_delta", "Writes of customers to Solteq to come", _CHANGES)
CUSTOMERS = Table(
    "sync.customers",
    "Which account is which customer, and what both sides last agreed on",
    {
        "solteq_id": Column(TEXT, "Solteq's id; NULL: of an erased person whom only the store had"),
        "woo_id": Column(ID, "The account's id; NULL: of an erased person whom only Solteq had"),
        "state": Column(TEXT, "linked, unlinked (one of them was removed), erased", NOT_NULL),
        "why": Column(TEXT, "Why it is so, in words", NOT_NULL),
        "since": Column(TIME, "Since when it is so", NOT_NULL),
        **PERSON,
        "solteq_phone_text": Column(TEXT, "The text that meant the agreed phone number in Solteq"),
        "woo_phone_text": Column(TEXT, "The text that meant the agreed phone number in the store"),
    },
)
CUSTOMER_CONFLICTS = Table(
    "sync.customer_conflicts",
    "Values that lost against another change of the same field",
    {
        "solteq_id": Column(TEXT, "Solteq's id", NOT_NULL),
        "woo_id": Column(ID, "The account's id", NOT_NULL),
        "field": Column(TEXT, "Which field", NOT_NULL),
        "kept": Column(TEXT, "The value that both sides have now"),
        "lost": Column(TEXT, "The value that is nowhere else any more"),
        "settled_at": Column(TIME, "When that was", NOT_NULL),
    },
)
ERASED_ORDERS = Table(
    "sync.erased_orders",
    "Orders of people who were erased: who bought is neither kept of them nor sent",
    {"order_id": Column(ID, "The order"), "since": Column(TIME, "When that was known", NOT_NULL)},
    key=("order_id",),
)

TABLES = (
    *(SOLTEQ_CUSTOMERS, WOO_CUSTOMER_ACCOUNTS, WOO_GUESTS, WOO_STAFF, WOO_CUSTOMER_DELTA, SOLTEQ_CUSTOMER_DELTA),
    *(CUSTOMERS, CUSTOMER_CONFLICTS, ERASED_ORDERS),
)
