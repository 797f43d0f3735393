"""Questions of ``solteq-woo doctor`` to a store, which change nothing there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from solteq_woo_assets.clients.http import JsonSession, Nobody
from solteq_woo_assets.clients.woo_pages import object_at, pages
from solteq_woo_assets.errors import OutcomeUnknownError, WooError

_API = "wc/v3"
_TAX_FIELDS = "id,country,state,postcode,city,postcodes,cities,rate,class"
_TOO_LARGE = 413

NO_PRODUCT = 2**31 - 1
"""An id that no store reaches and every server can read. A PUT of it is 400 and writes nothing (contract, 16)."""
USUAL_BATCH = 100
"""WooCommerce's own limit (contract, 11)."""


@dataclass(frozen=True)
class TaxRate:
    """A tax rate of the store.

    :param is_narrow: it holds for a state, a postcode or a city alone
    """

    id: int
    country: str
    tax_class: str
    rate: Decimal
    is_narrow: bool


class WooProbes:
    """Asks without changing anything. Thread-safe."""

    def __init__(self, session: JsonSession) -> None:
        self._session = session

    def index(self) -> Mapping[str, Any]:
        """The store's public index: its address, its time zone and its APIs.

        :raises WooError: it is away, or something else answers under ``/wp-json``
        """
        return object_at(self._session, "", {"_fields": "home,timezone_string,gmt_offset,namespaces"}, Nobody())

    def signs_in(self) -> None:
        """:raises WooError: the key does not open the products"""
        self._session.get(f"{_API}/products", {"per_page": 1, "_fields": "id"})

    def setting(self, name: str) -> str:
        """A setting's value; its name with its group, such as ``general/woocommerce_default_country``."""
        found = object_at(self._session, f"{_API}/settings/{name}", {"_fields": "id,value"})
        return str(found.get("value", ""))

    def tax_rates(self) -> list[TaxRate]:
        found = pages(self._session, f"{_API}/taxes", {}, fields=_TAX_FIELDS, read=_tax_rate)
        return [rate for page in found for rate in page.rows]

    def posts_nothing(self) -> None:
        """An empty batch: 200 and nothing done (recorded, products_batch "empty batch").

        A key that may only read gets 401 before the route is looked for (WooCommerce's class-wc-rest-authentication,
        check_permissions), a user who may not edit products gets ``woocommerce_rest_cannot_batch``.

        :raises WooError: this is not allowed, or something stands in between
        """
        self._send("POST", f"{_API}/products/batch", {"update": []})

    def puts_nothing(self) -> None:
        """Change nothing of a product that is not there: 400 (recorded, products "update a missing product").

        :raises WooError: this is not allowed, or something stands in between
        """
        try:
            self._send("PUT", f"{_API}/products/{NO_PRODUCT}", {})
        except WooError as error:
            if error.code != "woocommerce_rest_product_invalid_id":
                raise

    def batch_limit(self) -> int | None:
        """How many items a batch may have; ``None``: more than 100.

        Asked with one more than the usual, of a product that is not there: WooCommerce counts before it looks at any
        item, and answers 413 with its limit (recorded; class-wc-rest-controller, check_batch_limit, which has a
        filter). If the limit is higher, each item is refused by itself.

        :raises WooError: it does not say
        """
        items = [{"id": NO_PRODUCT}] * (USUAL_BATCH + 1)
        try:
            self._send("POST", f"{_API}/products/batch", {"update": items})
        except WooError as error:
            body = error.body if isinstance(error.body, dict) else {}
            found = re.search(r"\d+", str(body.get("message", "")))  # the sentence is in the store's language
            if error.status != _TOO_LARGE or not found:
                raise
            return int(found[0])
        return None

    def _send(self, method: str, path: str, body: object) -> None:
        try:
            self._session.send(method, path, body)
        except OutcomeUnknownError as error:
            # Nothing was to be done, so no outcome is unknown.
            raise error.__cause__ if isinstance(error.__cause__, WooError) else WooError(str(error)) from None


def _tax_rate(raw: Any) -> TaxRate:
    if not isinstance(raw, dict):
        raise WooError(f"WooCommerce: GET {_API}/taxes: the answer is no list of rates")
    return TaxRate(
        id=int(raw.get("id") or 0),
        country=str(raw.get("country") or ""),
        tax_class=str(raw.get("class") or "standard"),
        rate=_percent(raw.get("rate")),
        is_narrow=any(raw.get(name) for name in ("state", "postcode", "city", "postcodes", "cities")),
    )


def _percent(text: Any) -> Decimal:
    try:
        return Decimal(str(text or 0))
    except InvalidOperation:
        raise WooError(f"WooCommerce: GET {_API}/taxes: a rate is no number") from None
