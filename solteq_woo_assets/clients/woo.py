"""WooCommerce's REST API v3: reads that lose nothing while rows change, and batches checked item by item."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Unpack
from urllib.parse import quote, urlsplit

import requests.auth
from pydantic import SecretStr
from requests_oauthlib import OAuth1

from solteq_woo_assets.clients.bounds import number_or_none
from solteq_woo_assets.clients.http import JsonSession, Params, Wire
from solteq_woo_assets.clients.woo_batches import ItemRefused, send_batch, takes_writes
from solteq_woo_assets.clients.woo_customers import WooCustomers
from solteq_woo_assets.clients.woo_documents import (
    STORE_PRODUCT_FIELDS,
    ProductBatch,
    StoreFacts,
    StoreProduct,
    sku_key,
)
from solteq_woo_assets.clients.woo_orders import WooOrders
from solteq_woo_assets.clients.woo_pages import (
    PAGE_ROWS,
    Page,
    chunks_of_ids,
    list_of,
    modified_after,
    object_at,
    pages,
)
from solteq_woo_assets.clients.woo_probes import WooProbes
from solteq_woo_assets.errors import ConfigurationError, WooError

ProductPage = Page[StoreProduct]

_SKU_CHARACTERS = 1500  # of a URL, encoded: far below what servers refuse with 414
_API = "wc/v3"
_HOURS_OF_A_DAY = 24
_KEY_PAGE = "WooCommerce > Settings > Advanced > REST API"

_MENDS: Mapping[int | str, str] = {
    401: f"Check WOO_CONSUMER_KEY and WOO_CONSUMER_SECRET, and the key's Read/Write permission ({_KEY_PAGE}). If they "
    "are right, the web server may withhold the Authorization header from WordPress.",
    403: f"The key may lack Read/Write permission ({_KEY_PAGE}) or its user the right to manage the store, or a "
    "firewall or security plugin stands in front of the store: let this machine's address through.",
    404: "If nothing answers at all, check WOO_URL and turn on pretty permalinks (Settings > Permalinks).",
    "rest_no_route": "This release of WooCommerce lacks it, or the plugin is off.",
    "redirect": "Use the https address that it points to in WOO_URL.",
    "not json": "Something else than WooCommerce may have answered: a firewall, a cache or a maintenance page.",
}
_OVER_HTTP = (
    f"Check WOO_CONSUMER_KEY and WOO_CONSUMER_SECRET, and the key's Read/Write permission ({_KEY_PAGE}). WOO_URL is "
    "plain http, so the request was signed with OAuth 1.0a: this machine's clock must be right, and WOO_URL must be "
    "the address that the store itself goes by. If the store has https, use that."
)


class WooClient:
    """Reads and writes the store's products. Thread-safe.

    :param order_meta: keys of the orders' meta that are read
    :param url: the shop's address; over https it gets Basic credentials, over http only OAuth 1.0a signatures
    :raises ConfigurationError: no web address
    """

    def __init__(
        self,
        url: str,
        consumer_key: str,
        consumer_secret: SecretStr,
        *,
        order_meta: Collection[str] = (),
        **wire: Unpack[Wire],
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ConfigurationError("WOO_URL must be the shop's address, such as https://shop.example")
        secret = consumer_secret.get_secret_value()
        auth: requests.auth.AuthBase
        mends = _MENDS
        if parts.scheme == "https":
            auth = requests.auth.HTTPBasicAuth(consumer_key, secret)
        else:
            auth = OAuth1(consumer_key, secret, signature_method="HMAC-SHA256")
            mends = {**_MENDS, 401: _OVER_HTTP}
        self._session = JsonSession(
            f"{url.rstrip('/').removesuffix('/wp-json')}/wp-json",
            auth,
            error=WooError,
            name="WooCommerce",
            mends=mends,
            secrets=[secret],
            **wire,
        )
        self.customers = WooCustomers(self._session)
        self.orders = WooOrders(self._session, order_meta)
        self.probes = WooProbes(self._session)

    @property
    def requests_made(self) -> int:
        """Requests so far, repeated ones included."""
        return self._session.requests_made

    @property
    def remote_time(self) -> datetime | None:
        """The store's clock at its last answer, naive UTC."""
        return self._session.remote_time

    def their_time(self, ours: datetime) -> datetime:
        """An instant of our clock by the store's; see :class:`~solteq_woo_assets.clients.http.JsonSession`."""
        return self._session.their_time(ours)

    def close(self) -> None:
        self._session.close()

    def read_products(self, *, modified_after: datetime | None = None, status: str = "any") -> Iterator[ProductPage]:
        """Products by id, without variations; ``any`` leaves the bin out, ``trash`` is the bin.

        :param modified_after: UTC, with a resolution of a second; strictly greater
        """
        return self._pages(f"{_API}/products", _filter(modified_after, status))

    def read_variations(self, *, modified_after: datetime | None = None, status: str = "any") -> Iterator[ProductPage]:
        """The whole store's variations by id; ``trash`` is the bin.

        :raises WooError: with status 404 where the release has no such list
        """
        return self._pages(f"{_API}/variations", _filter(modified_after, status))

    def read_variations_of(self, parent_id: int, *, status: str = "any") -> Iterator[ProductPage]:
        """One product's variations by id; ``trash`` is the bin."""
        return self._pages(f"{_API}/products/{parent_id}/variations", _filter(None, status), parent_id)

    def read_by_id(self, ids: Sequence[int], *, parent_id: int | None = None) -> list[StoreProduct]:
        """The products of these ids that the store has and that can be read.

        :param parent_id: of the variations that these are; products are found without it
        """
        path = f"{_API}/products" if parent_id is None else f"{_API}/products/{parent_id}/variations"
        found = (self._pages(path, {"include": some}, parent_id) for some in chunks_of_ids(ids))
        return [product for some in found for page in some for product in page.rows]

    def find_by_sku(self, skus: Sequence[str], *, status: str = "any") -> list[StoreProduct]:
        """Products and variations with these SKUs, in any case; ``status="trash"`` looks in the bin.

        Products that cannot be read are left out.
        """
        found: list[StoreProduct] = []
        for some in _sku_chunks(skus):
            for page in self._pages(f"{_API}/products", {"sku": ",".join(some), **_filter(None, status)}):
                # A SKU with a comma is looked up whole and in parts, so it travels alone and its parts are dropped.
                wanted = sku_key(some[0]) if "," in some[0] else None
                found += [product for product in page.rows if wanted in (None, sku_key(product.sku))]
        return found

    def write(self, batch: ProductBatch) -> list[StoreProduct | ItemRefused]:
        """Send a batch: what became of each item, creates first, in the order given.

        :raises WooError: nothing was done; status 413 means that the store takes fewer items
        :raises OutcomeUnknownError: any of it may have been done
        """
        of_parent = "" if batch.parent_id is None else f"/{batch.parent_id}/variations"
        read = partial(StoreProduct.from_wire, parent_id=batch.parent_id)
        return send_batch(self._session, f"{_API}/products{of_parent}/batch", batch, "product", read)

    def takes_writes(self) -> bool:
        """Whether the store takes a batch of nothing: the same rights, and no text that a firewall could mind."""
        return takes_writes(self._session, f"{_API}/products/batch")

    def store_facts(self) -> StoreFacts:
        """Settings of the store about prices, stock, time and tax classes."""
        index = object_at(self._session, "", {"_fields": "timezone_string,gmt_offset"})
        path, setting = f"{_API}/taxes/classes", self.probes.setting
        classes = list_of(self._session.get(path, {"_fields": "slug"}).body, path)
        return StoreFacts(
            currency=setting("general/woocommerce_currency"),
            prices_include_tax=setting("tax/woocommerce_prices_include_tax") == "yes",
            manage_stock=setting("products/woocommerce_manage_stock") == "yes",
            timezone=_timezone(index),
            tax_classes=[str(each["slug"]) for each in classes if isinstance(each, dict) and each.get("slug")],
        )

    def _pages(self, path: str, params: Params, parent_id: int | None = None) -> Iterator[ProductPage]:
        read = partial(StoreProduct.from_wire, parent_id=parent_id)
        return pages(self._session, path, params, fields=STORE_PRODUCT_FIELDS, read=read)


def _filter(changed_since: datetime | None, status: str) -> dict[str, str]:
    params = {} if status == "any" else {"status": status}
    return params if changed_since is None else {**params, **modified_after(changed_since)}


def _timezone(index: Mapping[str, Any]) -> str:
    """A name, or an offset.

    :raises WooError: it says neither
    """
    name = index.get("timezone_string")
    if isinstance(name, str) and name:
        return name
    hours = number_or_none(index.get("gmt_offset") or 0)
    if hours is None or abs(hours) > _HOURS_OF_A_DAY:
        raise WooError("WooCommerce: GET the index: its time zone cannot be read")
    minutes = round(hours * 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _sku_chunks(skus: Iterable[str]) -> Iterator[list[str]]:
    """Lists that fit a URL and a page. Outer spaces would break a list, and SKUs with a comma go alone."""
    distinct = list({sku_key(sku): sku.strip() for sku in skus if sku.strip()}.values())
    yield from ([sku] for sku in distinct if "," in sku)
    chunk: list[str] = []
    length = 0
    for sku in distinct:
        if "," in sku:
            continue
        added = len(quote(sku, safe="")) + 3
        if chunk and (len(chunk) == PAGE_ROWS or length + added > _SKU_CHARACTERS):
            yield chunk
            chunk, length = [], 0
        chunk.append(sku)
        length += added
    if chunk:
        yield chunk
