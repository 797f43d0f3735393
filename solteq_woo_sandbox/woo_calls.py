"""A request on its way through the WooCommerce stand-in: what handlers are given, and what they answer."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from .woo_auth import ApiError
from .woo_customers import Customers
from .woo_fields import Schema, integer, words
from .woo_orders import Orders
from .woo_products import Products
from .woo_refunds import refund_rest
from .woo_render import Site
from .woo_store import Store

EDITABLE = ("POST", "PUT", "PATCH")
LIST, ONE, BATCH = ("GET", "POST"), ("GET", *EDITABLE, "DELETE"), EDITABLE
ID = r"/(\d+)"
REFUSALS = {
    "GET": ("woocommerce_rest_cannot_view", "Sorry, you cannot list resources."),
    "POST": ("woocommerce_rest_cannot_create", "Sorry, you are not allowed to create resources."),
    "PUT": ("woocommerce_rest_cannot_edit", "Sorry, you are not allowed to edit this resource."),
    "PATCH": ("woocommerce_rest_cannot_edit", "Sorry, you are not allowed to edit this resource."),
    "DELETE": ("woocommerce_rest_cannot_delete", "Sorry, you are not allowed to delete this resource."),
}
NO_BATCH = ("woocommerce_rest_cannot_batch", "Sorry, you are not allowed to batch manipulate this resource.")
VIEW = ("woocommerce_rest_cannot_view", "Sorry, you cannot view this resource.")


@dataclass
class Call:
    """One request on its way to its handler.

    :param ids: the numbers in its path
    :param query: the query alone, which the links of a list repeat
    :param params: query and JSON together, JSON first
    """

    store: Store
    site: Site
    path: str
    ids: list[int]
    query: dict[str, Any]
    params: dict[str, Any]

    @property
    def products(self) -> Products:
        """The rules of a write, at this instant."""
        return Products(self.store, self.site.settings, self.site.now)

    @property
    def customers(self) -> Customers:
        """The rules of accounts, at this instant."""
        return Customers(self.store, self.site.now)

    @property
    def orders(self) -> Orders:
        """The rules of orders, at this instant."""
        return Orders(self.store, self.site.settings, self.site.now, refund_rest)

    @property
    def edit(self) -> bool:
        """Whether a read wants what only writes show."""
        return self.params.get("context") == "edit"


@dataclass
class Reply:
    """What a handler answers, before it becomes bytes.

    :param body: text is sent as it is
    :param picked: ``_fields`` has been obeyed already
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    picked: bool = False


@dataclass(frozen=True)
class Route:
    """One path and what it can be asked.

    :param allow: the methods that the path has, of this route and those beside it
    """

    methods: tuple[str, ...]
    path: str
    handle: Callable[[Call], Reply]
    allow: tuple[str, ...]
    schema: dict[str, Schema] = field(default_factory=dict)
    refusal: tuple[str, str] | None = None
    public: bool = False


def paging(call: Call, total: int) -> dict[str, str]:
    """The headers of a list: how much there is, and where the pages beside this one are."""
    page, per_page = integer(call.params.get("page", 1)), integer(call.params.get("per_page", 10))
    pages = -(-total // per_page)
    headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(pages)}
    beside = [("prev", min(page - 1, pages))] * (page > 1) + [("next", page + 1)] * (page < pages)
    given: dict[str, Any] = {}
    for name, value in call.query.items():
        given |= _ids_in_links(name, value) if name in ("include", "exclude") else {name: value}
    links = []
    for relation, number in beside:
        query = re.sub(r"=(?=&|$)", "", urlencode(given | {"page": number}, doseq=True))
        links.append(f'<{call.site.base}{call.path}?{query}>; rel="{relation}"')
    return headers | {"Link": ", ".join(links)} if links else headers


def _ids_in_links(name: str, value: Any) -> dict[str, int]:
    """Ids as WordPress has read them: each where it first stood."""
    places: dict[int, int] = {}
    for place, word in enumerate(words(value)):
        places.setdefault(abs(integer(word)), place)
    return {f"{name}[{place}]": identifier for identifier, place in places.items()}


def pick(body: Any, names: list[str]) -> Any:
    """``_fields``: products have obeyed it already; everything else, a batch's verbs too, does here."""
    wanted = {name.partition(".")[0] for name in names}
    if isinstance(body, list):
        return [pick(each, names) for each in body]
    return {name: value for name, value in body.items() if name in wanted} or []


def run_batch(call: Call, one: Callable[[Call, str, Any], dict[str, Any]]) -> Reply:
    """Items run in order, each kept or refused by itself; none is validated, and a delete is for good.

    :param one: does one item, given the verb and the item
    """
    given = {verb: call.params.get(verb) for verb in ("create", "update", "delete")}
    given = {verb: items for verb, items in given.items() if items and isinstance(items, list)}
    limit = call.site.settings["batch_limit"]
    if sum(len(items) for items in given.values()) > limit:
        message = f"Unable to accept more than {limit} items for this request."
        raise ApiError(413, "woocommerce_rest_request_entity_too_large", message)
    done = {verb: [one(call, verb, item) for item in items] for verb, items in given.items()}
    return Reply(done or [])
