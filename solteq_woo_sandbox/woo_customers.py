"""The store's accounts: how WooCommerce keeps, finds and refuses them."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .woo_auth import ApiError
from .woo_fields import Schema, integer, integers, is_email, line, sanitize_email, text, validate
from .woo_lists import ORDER_SCHEMA, PAGE_SCHEMA
from .woo_render import METHODS, Site, links
from .woo_store import Store, Where, site_time

Account = dict[str, Any]
"""An account as it is stored: its identity, names, addresses, meta and roles, of which REST shows the first."""

_INTEGERS: Schema = {"type": "array", "items": {"type": "integer"}}
_BILLING = (
    *("first_name", "last_name", "company", "address_1", "address_2", "city", "postcode", "country", "state"),
    *("email", "phone"),
)
_SHIPPING = tuple(name for name in _BILLING if name != "email")
_ROLES = ("administrator", "editor", "author", "contributor", "subscriber", "customer", "shop_manager")
_ORDERS = {
    "id": "id {0}",
    "include": "instr(',{1},', ',' || id || ',') {0}",
    "name": "name {0}, id {0}",
    "registered_date": "created {0}, id {0}",
}
_EDITABLE_ROLES = ("customer", "subscriber")  # over REST, since WooCommerce 9.5.2
_SHARED_MAILBOXES = ("sales", "hello", "mail", "contact", "info")  # nobody's name: the domain is taken instead

CUSTOMER_LIST_SCHEMA: dict[str, Schema] = {
    **PAGE_SCHEMA,
    "exclude": _INTEGERS,
    "include": _INTEGERS,
    **ORDER_SCHEMA,
    "orderby": {"type": "string", "enum": tuple(_ORDERS)},
    "email": {"type": "string", "format": "email"},
    "role": {"type": "string"},  # which ones there are is a setting of the store
}
_TEXTS = {name: {"type": "string"} for name in _BILLING}
_BILLING_SCHEMA = {"type": "object", "properties": _TEXTS | {"email": {"type": "string", "format": "email"}}}
NEW_CUSTOMER_SCHEMA: dict[str, Schema] = {
    "email": {"type": "string", "required": True},
    "first_name": {"type": "string"},
    "last_name": {"type": "string"},
    "password": {"type": "string"},
    "billing": _BILLING_SCHEMA,
    "shipping": {"type": "object", "properties": {name: _TEXTS[name] for name in _SHIPPING}},
    "meta_data": {"type": "array", "items": {"type": "object"}},
}
CUSTOMER_SCHEMA = NEW_CUSTOMER_SCHEMA | {"email": {"type": "string", "format": "email"}}
GONE = ApiError(404, "wc_user_invalid_id", "Invalid user ID.")


class Customers:
    """The rules of a write, at an instant (GMT)."""

    def __init__(self, store: Store, now: str) -> None:
        self._store = store
        self._now = now

    def get(self, identifier: int) -> Account | None:
        """One account of any role."""
        row = self._store.execute("SELECT document FROM customers WHERE id = ?", (identifier,)).fetchone()
        return json.loads(row[0]) if row else None

    def create(self, given: Mapping[str, Any], *, by_hand: bool = False) -> Account:
        """
        :param by_hand: a person registers: no password is made up for them, and any roles can be given
        :raises ApiError: as WooCommerce words it
        """
        email = text(given.get("email"))
        if email and not is_email(email):
            raise ApiError(400, "customer_invalid_email", "Invalid email address")
        _check_billing(given)
        if not email:
            raise ApiError(400, "registration-error-invalid-email", "Please provide a valid email address.")
        if self._holder(email):
            message = f"An account is already registered with {email}. Please log in or use a different email address."
            raise ApiError(400, "registration-error-email-exists", message)
        account: Account = {
            "id": self._store.next_id("user", first=2),
            "created": self._now,
            "email": email,
            "roles": (_roles_given(given) if by_hand else None) or ["customer"],
            "username": self._username(email),
            "billing": {},
            "shipping": {},
            "meta": [],
        }
        if not by_hand:
            account["meta"].append(self._meta("default_password_nag", "1"))
        return self._change(account, given)

    def update(self, account: Account, given: Mapping[str, Any], *, by_hand: bool = False) -> Account:
        """
        :param by_hand: as people do it in the store; the roles, too
        :raises ApiError: as WooCommerce words it
        """
        email = text(given.get("email"))
        # Who holds it is not asked: one's own in other capitals is refused, too.
        if email and email != account["email"] and self._holder(email):
            raise ApiError(400, "woocommerce_rest_customer_invalid_email", "Email address is invalid.")
        _check_billing(given)
        if given.get("email") is not None:
            cleaned = sanitize_email(email)  # an update mends what it should refuse, and empties what it cannot mend
            if cleaned and not is_email(cleaned):
                raise ApiError(400, "customer_invalid_email", "Invalid email address")
            # WordPress looks again at what came of it, and WooCommerce does not look at WordPress's refusal.
            if self._holder(cleaned) in (None, account["id"]):
                account["email"] = cleaned
        if by_hand and (roles := _roles_given(given)):
            account["roles"] = roles
        return self._change(account, given)

    def delete(self, account: Account) -> None:
        """For good: customers have no bin."""
        self._store.execute("DELETE FROM customers WHERE id = ?", (account["id"],))
        self._store.execute("DELETE FROM customer_roles WHERE id = ?", (account["id"],))

    def page(self, params: Mapping[str, Any]) -> tuple[int, list[Account]]:
        """How many accounts match, and one page of them. There is no filter by modification (contract, 4)."""
        where = Where()
        if (role := params.get("role", "customer")) != "all":
            where.add("id IN (SELECT id FROM customer_roles WHERE role = ?)", role)
        if params.get("email"):
            where.add("email_key = ?", text(params["email"]).lower())
        included = integers(params.get("include", []))
        where.among("id", included)
        where.among("id", integers(params.get("exclude", [])), "NOT")
        by = _ORDERS[params.get("orderby", "name")].format(params.get("order", "asc"), ",".join(map(str, included)))
        page = {**params, "offset": integer(params.get("offset")) or None}  # WooCommerce takes 0 for none here
        total, rows = self._store.page("customers", "document", where, by, page)
        return total, [json.loads(row[0]) for row in rows]

    def _change(self, account: Account, given: Mapping[str, Any]) -> Account:
        """What is given; of an address those parts that are (recorded)."""
        for name in ("first_name", "last_name"):
            if given.get(name) is not None:
                account[name] = line(given[name])
        for address, names in (("billing", _BILLING), ("shipping", _SHIPPING)):
            parts = given.get(address)
            if isinstance(parts, dict):
                account[address] |= {name: text(parts[name]) for name in names if parts.get(name) is not None}
        for entry in given.get("meta_data") or []:
            if isinstance(entry, dict):
                self._set_meta(account, text(entry.get("key")), entry.get("value"))
        account["modified"] = self._now
        self._put(account)
        return account

    def _set_meta(self, account: Account, key: str, value: Any) -> None:
        """Protected keys are dropped without a word, since WooCommerce 9.5 (recorded; issue #55606)."""
        if not key or key.startswith("_"):
            return
        held = next((each for each in account["meta"] if each["key"] == key), None)
        if value is None:
            account["meta"] = [each for each in account["meta"] if each is not held]
        elif held:
            held["value"] = text(value)
        else:
            account["meta"].append(self._meta(key, text(value)))

    def _meta(self, key: str, value: str) -> dict[str, Any]:
        return {"id": self._store.next_id("user meta"), "key": key, "value": value}

    def _put(self, account: Account) -> None:
        name = f"{account.get('first_name', '')} {account.get('last_name', '')}".strip() or account["username"]
        document = json.dumps(account, ensure_ascii=False, separators=(",", ":"))
        self._store.execute(
            "INSERT OR REPLACE INTO customers VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                account["id"],
                account["email"].lower() or None,
                account["roles"][0],
                name,
                account["username"],
                account["created"],
                document,
            ),
        )
        self._store.execute("DELETE FROM customer_roles WHERE id = ?", (account["id"],))
        rows = [(role, account["id"]) for role in dict.fromkeys(account["roles"])]
        self._store.execute_many("INSERT INTO customer_roles VALUES (?, ?)", rows)

    def _holder(self, email: str) -> int | None:
        row = self._store.execute("SELECT id FROM customers WHERE email_key = ?", (email.lower(),)).fetchone()
        return row[0] if row else None

    def _username(self, email: str) -> str:
        """Of the e-mail address, with a number where somebody has that already."""
        mailbox, _, domain = email.partition("@")
        base = re.sub(r"[^a-z0-9 _.@-]", "", (domain if mailbox in _SHARED_MAILBOXES else mailbox).lower())
        name = base
        taken = "SELECT 1 FROM customers WHERE username = ?"
        while self._store.execute(taken, (name,)).fetchone():  # WooCommerce draws lots; counted, many can share a name
            name = f"{base}-{self._store.next_id(f'username {base}', first=2):04}"
        return name


def _roles_given(given: Mapping[str, Any]) -> list[str] | None:
    """``roles``, the first of which is shown; or the one ``role``."""
    return given.get("roles") or ([given["role"]] if given.get("role") else None)


def guard_list(params: Mapping[str, Any], further: Iterable[str]) -> None:
    """A role that the store does not have is no filter.

    :param further: roles of the store beside WordPress's and WooCommerce's
    :raises ApiError: as WordPress words it
    """
    validate(params, {"role": {"type": "string", "enum": ("all", *_ROLES, *further)}})


def guard_role(account: Account, given: Mapping[str, Any]) -> None:
    """What must not be changed of somebody whose first role is one of those who run the store.

    :raises ApiError: as WooCommerce words it
    """
    role = account["roles"][0]
    if role in _EDITABLE_ROLES:
        return
    is_other_email = given.get("email") not in (None, account["email"])
    has_password = given.get("password") is not None
    for field in ["email"] * is_other_email + ["password"] * has_password:
        message = f"Sorry, {field} cannot be updated via this endpoint for a user with role {role}."
        raise ApiError(403, "woocommerce_rest_cannot_edit", message)


def guard_delete(account: Account) -> None:
    """
    :raises ApiError: of those who run the store nobody is deleted by a single request
    """
    role = account["roles"][0]
    if role not in _EDITABLE_ROLES:
        allowed = f"Allowed roles: {', '.join(_EDITABLE_ROLES)}"
        message = f"Sorry, users with {role} role cannot be deleted via this endpoint. {allowed}"
        raise ApiError(403, "woocommerce_rest_cannot_delete", message)


def allowed_methods(account: Account) -> list[str]:
    """What a single request can do with an account."""
    return [*METHODS] if account["roles"][0] in _EDITABLE_ROLES else [*METHODS[:4]]


def _check_billing(given: Mapping[str, Any]) -> None:
    billing = given.get("billing")
    email = text(billing.get("email")) if isinstance(billing, dict) else ""
    if email and not is_email(email):
        raise ApiError(400, "customer_invalid_billing_email", "Invalid billing email address")


def customer_document(account: Account, site: Site, *, gone: bool = False) -> dict[str, Any]:
    """An account as the store shows it, in its order of keys."""
    route = f"{site.rest}/customers"
    digest = hashlib.sha256(account["email"].strip().lower().encode()).hexdigest()
    return {
        "id": account["id"],
        "date_created": site_time(account["created"]),
        "date_created_gmt": account["created"],
        "date_modified": site_time(account["modified"]) if account["modified"] else None,
        "date_modified_gmt": account["modified"],
        "email": account["email"],
        "first_name": account.get("first_name", ""),
        "last_name": account.get("last_name", ""),
        "role": account["roles"][0],
        "username": account["username"],
        "billing": {name: account["billing"].get(name, "") for name in _BILLING},
        "shipping": {name: account["shipping"].get(name, "") for name in _SHIPPING},
        "is_paying_customer": False,
        "avatar_url": f"https://secure.gravatar.com/avatar/{digest}?s=96&d=mm&r=g",
        "meta_data": [{"id": each["id"], "key": each["key"], "value": each["value"]} for each in account["meta"]],
        "_links": links(route, account["id"], () if gone else allowed_methods(account)),
    }


def add_by_hand(customers: Customers, given: Iterable[Mapping[str, Any]]) -> list[int]:
    """Accounts that people register themselves; their ids."""
    return [customers.create(each, by_hand=True)["id"] for each in given]
