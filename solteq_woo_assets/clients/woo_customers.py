"""WooCommerce's customers, the accounts of the store: as they are read and written."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from solteq_woo_assets.clients.bounds import Id, OptionalId, StoreTime
from solteq_woo_assets.clients.http import JsonSession, Params
from solteq_woo_assets.clients.woo_batches import ItemRefused, send_batch, takes_writes
from solteq_woo_assets.clients.woo_documents import Batch, Text
from solteq_woo_assets.clients.woo_pages import PAGE_ROWS, Page, chunks_of_ids, ids_of, modified_after, page_of, pages
from solteq_woo_assets.errors import WooError

CUSTOMER_FIELDS = "id,email,role,first_name,last_name,billing,shipping,meta_data,date_created_gmt,date_modified_gmt"
"""Fields to ask for when reading; on a batch they would hide the errors."""
_PATH, _ORDERS_PATH = "wc/v3/customers", "wc/v3/orders"
_NO_SUCH_ROLE = "rest_invalid_param"
GONE = {"woocommerce_rest_invalid_id", "wc_user_invalid_id"}


class StoreAddress(BaseModel):
    """The address of an invoice or a parcel. A shipping address has no e-mail."""

    model_config = ConfigDict(frozen=True)

    first_name: Text = ""
    last_name: Text = ""
    company: Text = ""
    address_1: Text = ""
    address_2: Text = ""
    city: Text = ""
    postcode: Text = ""
    country: Text = ""
    state: Text = ""
    phone: Text = ""
    email: Text = ""


Stored = Annotated[StoreAddress, BeforeValidator(lambda value: value if isinstance(value, dict | StoreAddress) else {})]


class StoreCustomer(BaseModel):
    """An account of the store, of any role. Times are naive UTC. Its text leaves out personal data.

    :param meta: text by key; keys with an underscore are never among them, WooCommerce hides those of customers
    """

    model_config = ConfigDict(frozen=True)

    id: Id
    role: Text = ""
    email: Text = Field(default="", repr=False)
    first_name: Text = Field(default="", repr=False)
    last_name: Text = Field(default="", repr=False)
    billing: Stored = Field(default=StoreAddress(), repr=False)
    shipping: Stored = Field(default=StoreAddress(), repr=False)
    meta: dict[str, str] = Field(default={}, repr=False)
    date_created_gmt: StoreTime
    date_modified_gmt: StoreTime

    @classmethod
    def from_wire(cls, raw: Any) -> Self:
        """From the store's JSON; meta that is no text or number is left out.

        :raises pydantic.ValidationError:
        """
        raw = raw if isinstance(raw, dict) else {}
        held = raw.get("meta_data")
        entries = [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []
        meta = {str(e.get("key")): str(e["value"]) for e in entries if isinstance(e.get("value"), str | int | float)}
        dates = {name: raw.get(name) for name in ("date_created_gmt", "date_modified_gmt")}
        return cls.model_validate({**raw, **dates, "meta": meta})


_LONGEST_ADDRESS = 100  # a column of WordPress holds no more
_ADDRESS = re.compile(r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]+@(?!-)[a-zA-Z0-9-]+(?<!-)(\.(?!-)[a-zA-Z0-9-]+(?<!-))+")


class StoreOrder(BaseModel):
    """The buyer of an order. A guest has no account: ``customer_id`` is 0."""

    model_config = ConfigDict(frozen=True)

    id: Id
    customer_id: OptionalId = 0
    status: Text = ""
    billing: Stored = Field(default=StoreAddress(), repr=False)
    shipping: Stored = Field(default=StoreAddress(), repr=False)


def is_mailable(value: str) -> bool:
    """Whether WordPress takes it for an address. From another text an update drops the letters that it does not know,
    and keeps the rest, which may be somebody else's, or empties the address (contract, 12)."""
    return 6 <= len(value) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(value) is not None  # noqa: PLR2004  # WordPress's


def _mailable(value: str) -> str:
    value = value.strip()
    if not is_mailable(value):
        raise ValueError("is no e-mail address that WordPress takes")
    return value


class CustomerWrite(BaseModel):
    """An account to create, or the fields of one to change. Other fields stay.

    :param id: ``None`` creates
    :param meta: ``None`` takes a key away
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: int | None = Field(default=None, gt=0)
    email: Annotated[str, AfterValidator(_mailable)] | None = Field(default=None, repr=False)
    first_name: str | None = Field(default=None, repr=False)
    last_name: str | None = Field(default=None, repr=False)
    billing: dict[str, str] | None = Field(default=None, repr=False)
    shipping: dict[str, str] | None = Field(default=None, repr=False)
    meta: dict[str, str | None] = Field(default={}, repr=False)

    @field_validator("billing")
    @classmethod
    def _can_be_billed(cls, billing: dict[str, str] | None) -> dict[str, str] | None:
        if billing and billing.get("email"):
            return {**billing, "email": _mailable(billing["email"])}
        return billing

    def to_wire(self) -> dict[str, Any]:
        """As WooCommerce takes it."""
        body = self.model_dump(exclude_none=True, exclude={"meta"})
        if self.meta:
            body["meta_data"] = [{"key": key, "value": value} for key, value in self.meta.items()]
        return body


CustomerBatch = Batch[CustomerWrite]


class WooCustomers:
    """Reads and writes the store's accounts. Thread-safe."""

    def __init__(self, session: JsonSession) -> None:
        self._session = session

    def read(self) -> Iterator[Page[StoreCustomer]]:
        """All accounts by id, of every role."""
        everybody = {"role": "all"}
        return pages(self._session, _PATH, everybody, fields=CUSTOMER_FIELDS, read=StoreCustomer.from_wire)

    def newest(self, limit: int) -> Page[StoreCustomer]:
        """The accounts that were registered last, the newest first."""
        return self._page({"orderby": "registered_date", "order": "desc", "per_page": limit})

    def by_id(self, ids: Sequence[int]) -> Page[StoreCustomer]:
        """Those of the ids that the store has."""
        found = Page[StoreCustomer]()
        for some in chunks_of_ids(ids):
            page = self._page({"include": some, "per_page": PAGE_ROWS})
            found.add((*page.rows, *page.unreadable))
        return found

    def orders(self, since: datetime, *, with_addresses: bool) -> list[StoreOrder]:
        """Orders that are new or changed since then. The sales flow holds those that cannot be read.

        :param with_addresses: guests have them only here
        """
        fields = "id,customer_id,status,billing,shipping" if with_addresses else "id,customer_id"
        read = StoreOrder.model_validate
        found = pages(self._session, _ORDERS_PATH, modified_after(since), fields=fields, read=read)
        return [order for page in found for order in page.rows]

    def in_role(self, role: str) -> set[int] | None:
        """The accounts with this role, also beside other roles; ``None`` if the store does not have the role.

        An account shows one of its roles (contract, 74).
        """
        try:
            return ids_of(self._session, _PATH, {"role": role})
        except WooError as error:
            if error.code == _NO_SUCH_ROLE:
                return None
            raise

    def by_email(self, email: str) -> list[StoreCustomer]:
        """The account with this e-mail address, in any case; none where it cannot be read."""
        found = self._page({"email": email}).rows
        # The store takes an asterisk, which an address may hold, for any letters.
        return [account for account in found if account.email.lower() == email.lower()]

    def write(self, batch: CustomerBatch) -> list[StoreCustomer | ItemRefused]:
        """Send a batch: what became of each item, creates first, in the order given.

        Each account that is created gets the store's mail "New account", unless it is turned off there
        (WooCommerce > Settings > Emails): the API has no way around it.

        :raises WooError: nothing was done; status 413 means that the store takes fewer items
        :raises OutcomeUnknownError: any of it may have been done
        """
        return send_batch(self._session, f"{_PATH}/batch", batch, "customer", StoreCustomer.from_wire)

    def takes_writes(self) -> bool:
        """Whether the store takes a batch of nothing: the same rights, and no text that a firewall could mind."""
        return takes_writes(self._session, f"{_PATH}/batch")

    def delete(self, customer_id: int) -> bool:
        """Remove an account for good; whether it was there.

        :raises WooError: nothing was done
        :raises OutcomeUnknownError: it may have been done
        """
        try:
            self._session.send("DELETE", f"{_PATH}/{customer_id}", {}, params={"force": "true"})
        except WooError as error:
            if error.code in GONE:  # any other 404 says that WooCommerce is not there
                return False
            raise
        return True

    def _page(self, params: Params) -> Page[StoreCustomer]:
        answer = self._session.get(_PATH, {"role": "all", **params, "_fields": CUSTOMER_FIELDS})
        return page_of(answer.body, _PATH, StoreCustomer.from_wire)
