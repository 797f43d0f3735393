"""A stand-in for WooCommerce on loopback: the REST API under ``/wp-json``, its traps included.

It answers as the stores in ``../shared/woo-recordings`` did; where those are silent, as WooCommerce's source
says. It has products, variations, customers, orders with their refunds and notes, coupons (their only condition is
the product), taxes, and the settings and status that a client of these asks for. What it does not have (batches of
orders, payment methods that pay back by themselves, webhooks, a few filters) is an error, never a guess. Two things an
order shows are of its line's last change, where the real store looks them up anew: SKU and picture.

Besides what :mod:`solteq_woo_sandbox.server` offers, these control endpoints (no credentials asked):

- ``PATCH /_sandbox/products/<id>`` edits a product by hand, as the store's people do, pictures too.
- ``PUT /_sandbox/customers`` ``{"customers": […]}`` registers accounts as people do, with any ``role`` or ``roles``
  (REST shows the first), and answers their ``ids``; ``PATCH /_sandbox/customers/<id>`` edits one as its owner does,
  the roles too.
- ``PUT /_sandbox/orders`` ``{"orders": […]}`` stores orders as the store would show them, and answers their
  ``ids``; the refunds of one are its ``_refunds``, each with an ``id``. No stock, coupon or product is touched.
- ``POST /_sandbox/orders/shuffle`` ``{"orders": 10, "seed": 0}`` places that many paid orders of what is for sale
  and in stock, as a client would over REST, and answers their ``ids``.
- ``PUT /_sandbox/settings`` changes ``currency``, ``prices_include_tax``, ``calc_taxes``, ``round_at_subtotal``,
  ``roles`` (further ones), ``tax_classes`` (further ones with their rates), ``decimal_comma``, ``shown_with_tax``,
  ``manage_stock``, ``cost_of_goods_sold``, ``batch_limit``, ``key_permissions`` (``read_write`` or ``read``), ``cron``
  or the ``clock`` (an instant that stands still, ``null`` to let it run), and answers all.
- ``POST /_sandbox/cron`` runs the store's cron once, at the clock, and answers how many sales it
  ``{"started": n, "ended": n}``.

``price`` is what was last written, as in the real store: by a save that changes a price, a sale date or the
type, or by the cron. The cron writes it at the edges of a sale, empties ``date_on_sale_from`` at the start, both
dates and ``sale_price`` after the end, and moves ``date_modified``. With the setting ``cron`` (as it is by default)
it is never late: what is due is done before each request. Without, it runs when asked to, and until then
``price`` is stale while ``on_sale`` follows the clock.
"""

import json
import re
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .clock import Clock
from .server import ControlMiddleware
from .woo_auth import CONSUMER_KEY, CONSUMER_SECRET, ApiError, Gate, PhpError, guard_key
from .woo_calls import (
    BATCH,
    EDITABLE,
    ID,
    LIST,
    NO_BATCH,
    ONE,
    REFUSALS,
    VIEW,
    Call,
    Reply,
    Route,
    paging,
    pick,
    run_batch,
)
from .woo_customer_routes import CUSTOMER_CONTROLS, CUSTOMER_ROUTES
from .woo_fields import boolean, integer, parse_time, validate, words
from .woo_lists import LIST_SCHEMA, page_of
from .woo_order_routes import ORDER_CONTROLS, ORDER_ROUTES
from .woo_product_schema import PRODUCT_SCHEMA, VARIATION_SCHEMA
from .woo_products import HAND_EDITS, Products
from .woo_render import Site, product_document, variation_document
from .woo_site import index, setting, system_status, tax_classes, tax_rates
from .woo_store import DEFAULT_SETTINGS, Item, Store

__all__ = ["CONSUMER_KEY", "CONSUMER_SECRET", "create_app"]

_API = "/wp-json"
_CRON = "/_sandbox/cron"
_LONGEST_ADDRESS = 8190  # Apache's default; the real store refused 11 kB
_OF_VERSION_3 = ("stock_status", "has_options", "post_password", "global_unique_id")
_INVALID_ID = "woocommerce_rest_product_invalid_id"
_INVALID_VARIATION = "woocommerce_rest_product_variation_invalid_id"


class Woo:
    """The app itself. Each request is one transaction, done in one go on the event loop, none beside it."""

    def __init__(self, database: Path, settings: dict[str, Any], clock: Clock) -> None:
        self._store = Store(database)
        self._clock = clock
        if settings:
            with self._store.transaction():
                self._store.change_settings(settings)
        self._gate = Gate(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the server's start and stop
            return
        request = Request(scope, receive)
        body = await request.body()
        headers = {"content-type": "application/json; charset=UTF-8"}
        with self._store.transaction():
            try:
                reply = self._answer(request, body, headers)
            except ApiError as error:  # kept all the same: a refused product may have spent an id
                reply = Reply(error.document(), error.status, {"Allow": ""} if isinstance(error, PhpError) else {})
        headers = {name: value for name, value in (headers | reply.headers).items() if value}
        content = reply.body if isinstance(reply.body, str) else json.dumps(reply.body, ensure_ascii=False)
        await Response(content, reply.status, headers)(scope, receive, send)

    def _answer(self, request: Request, body: bytes, headers: dict[str, str]) -> Reply:
        """In WordPress's order: credentials, route, parameters, permission; ``headers`` fill as it goes."""
        path, asked = request.url.path, request.url.query
        settings = self._store.settings()
        scheme = "https" if request.headers.get("x-forwarded-proto") == "https" else request.url.scheme
        base = f"{scheme}://{request.headers.get('host', 'localhost')}"
        now = settings["clock"] or self._clock.now().strftime("%Y-%m-%dT%H:%M:%S")
        site, query = Site(base, now, settings), _query(asked)
        if len(path) + len(asked) > _LONGEST_ADDRESS:
            return _page(414, "Request-URI Too Long")
        if settings["cron"] and path != _CRON:  # asked for, it has to count for itself what it did
            Products(self._store, settings, now).run_cron()
        if path.startswith("/_sandbox/"):
            route, ids = _find(_CONTROLS, request.method, path)
            return route.handle(Call(self._store, site, path, ids, {}, _parsed(body)))
        if path != _API and not path.startswith(f"{_API}/"):
            return _page(404, "Page not found")
        headers["Link"] = f'<{base}{_API}/>; rel="https://api.w.org/"'
        url = f"{base}{path}?{asked}" if asked else f"{base}{path}"
        known = self._gate.admits(request.method, url, request.headers.get("authorization", ""))
        if known:
            guard_key(request.method, settings["key_permissions"])
        route, ids = _find(_ROUTES, request.method, path[len(_API) :].rstrip("/") or "/")
        if known or route.public:
            headers["Allow"] = ", ".join(route.allow)
        call = Call(self._store, site, path, ids, query, query | _json(request, body))
        validate(call.params, route.schema)
        if not known and not route.public:
            raise ApiError(401, *(route.refusal or REFUSALS[request.method]))
        reply = route.handle(call)
        if "_fields" in query and not reply.picked:
            # Of one thing WordPress leaves the links in, whatever was asked for.
            always = ["_links"] if isinstance(reply.body, dict) else []
            reply.body = pick(reply.body, [*words(query["_fields"]), *always])
        return reply


def create_app(database: Path, **settings: Any) -> ASGIApp:
    """The store whose products are in this SQLite file (made if absent), ready to be served.

    :param database: survives restarts and ``kill -9``; two servers at once may share it, slowly
    :param settings: of ``PUT /_sandbox/settings``, set before it is served
    """
    clock = Clock()
    return ControlMiddleware(Woo(database, settings, clock), clock)


def _page(status: int, title: str) -> Reply:
    """What comes from the web server or the shop itself, not from the API."""
    return Reply(f"<!DOCTYPE html><title>{title}</title>", status, {"content-type": "text/html; charset=UTF-8"})


def _query(query: str) -> dict[str, Any]:
    """Parameters as PHP reads them: the last of one name counts, unless it ends in ``[]``."""
    params: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if listed := re.fullmatch(r"(\w+)\[\d*\]", name):
            params.setdefault(listed[1], []).append(value)
        else:
            params[name] = value
    return params


def _json(request: Request, body: bytes) -> dict[str, Any]:
    """The body, if it says that it is JSON; without a content type it is nothing to WordPress."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return _parsed(body) if kind == "application/json" or kind.endswith("+json") else {}


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body) if body else {}
    except ValueError as error:
        extra = {"json_error_code": 4, "json_error_message": "Syntax error"}
        raise ApiError(400, "rest_invalid_json", "Invalid JSON body passed.", **extra) from error
    return given if isinstance(given, dict) else {}


def _show(call: Call, item: Item, *, edit: bool = False, gone: bool = False, own_route: bool = False) -> dict[str, Any]:
    return _show_all(call, [item], edit=edit, gone=gone, own_route=own_route)[0]


def _show_all(
    call: Call, items: list[Item], *, edit: bool = False, gone: bool = False, own_route: bool = False
) -> list[dict[str, Any]]:
    """Documents of products, or of variations as their own routes show them.

    :param gone: already deleted: of a variation WordPress does not say then what may be done with it
    """
    above = {item["parent_id"] for item in items if item["type"] == "variation"}
    parents = {identifier: call.store.get(identifier) or _orphaned(identifier) for identifier in above}
    if own_route:
        return [variation_document(i, call.site, parents[i["parent_id"]], edit=edit, gone=gone) for i in items]
    families = call.store.family(item["id"] for item in items if item["type"] == "variable")
    shown = [
        product_document(
            item, call.site, families.get(item["id"], []), parents.get(item.get("parent_id", 0)), edit=edit
        )
        for item in items
    ]
    if "_fields" not in call.query:
        return shown
    # The products' controller writes the fields in the order asked for; its third version adds a few behind them.
    asked = [name.partition(".")[0] for name in words(call.query["_fields"])]
    names = [*sorted(asked, key=_OF_VERSION_3.__contains__), "_links"]
    return [{name: document[name] for name in names if name in document} for document in shown]


def _orphaned(identifier: int) -> Item:
    return {"id": identifier, "type": "variable", "status": "trash", "name": ""}


def _listed(call: Call, *, variations: bool = False, parent_id: int | None = None) -> Reply:
    total, items = page_of(call.store, call.params, variations=variations, parent_id=parent_id)
    body = _show_all(call, items, edit=call.edit, own_route=variations)
    return Reply(body, headers=paging(call, total))


def _product(call: Call, missing: int) -> Item:
    item = call.store.get(call.ids[0])
    if item is None:
        raise ApiError(missing, _INVALID_ID, "Invalid ID.")
    return item


def _not_a_variation(item: Item) -> Item:
    if item["type"] == "variation":
        route = "/products/&lt;product_id&gt;/variations/&lt;id&gt;"
        message = f"To manipulate product variations you should use the {route} endpoint."
        raise ApiError(404, "woocommerce_rest_invalid_product_id", message)
    return item


def _variation(call: Call) -> Item:
    item = call.store.get(call.ids[1])
    if item is None or item["type"] != "variation" or item["parent_id"] != call.ids[0]:
        raise ApiError(404, _INVALID_VARIATION, "Invalid ID.")
    return item


def _remove(call: Call, item: Item, *, own_route: bool, forced: bool) -> dict[str, Any]:
    """Answers with the product as it was before."""
    shown = _show(call, item, edit=True, gone=forced, own_route=own_route)
    if forced:
        call.products.delete(item)
    elif item["status"] == "trash":
        kind = "product_variation" if own_route else "product"
        raise ApiError(410, "woocommerce_rest_already_trashed", f"The {kind} has already been deleted.")
    else:
        call.products.bin(item)
    return shown


def _create_product(call: Call) -> Reply:
    return Reply(_show(call, call.products.create(call.params), edit=True), 201)


def _update_product(call: Call) -> Reply:
    item = _not_a_variation(_product(call, 400))
    return Reply(_show(call, call.products.update(item, call.params), edit=True))


def _delete_product(call: Call) -> Reply:
    item = _not_a_variation(_product(call, 404))
    return Reply(_remove(call, item, own_route=False, forced=boolean(call.params.get("force"))))


def _create_variation(call: Call) -> Reply:
    item = call.products.create_variation(call.ids[0], call.params)
    return Reply(_show(call, item, edit=True, own_route=True), 201)


def _update_variation(call: Call) -> Reply:
    item = call.products.update_variation(_variation(call), call.ids[0], call.params)
    return Reply(_show(call, item, edit=True, own_route=True))


def _delete_variation(call: Call) -> Reply:
    forced = boolean(call.params.get("force"))
    reply = Reply(_remove(call, _variation(call), own_route=True, forced=forced))
    if forced:  # WordPress looks for what may be done with it after it is gone
        reply.headers["Allow"] = ""
    return reply


def _batch_item(call: Call, verb: str, given: Any) -> dict[str, Any]:
    body = given if isinstance(given, dict) else {"id": integer(given)}
    own_route = len(call.ids) > 0
    identifier = 0 if verb == "create" else body.get("id")
    try:
        if verb == "create":
            products = call.products
            item = products.create_variation(call.ids[0], body) if own_route else products.create(body)
            return _show(call, item, edit=True, own_route=own_route)
        item = call.store.get(integer(identifier))
        if item is None or (own_route and item["type"] != "variation"):
            code = _INVALID_VARIATION if own_route else _INVALID_ID
            raise ApiError(400 if verb == "update" else 404, code, "Invalid ID.")
        if not own_route:
            _not_a_variation(item)
        if verb == "delete":
            return _remove(call, item, own_route=own_route, forced=True)
        if own_route:
            item = call.products.update_variation(item, call.ids[0], body)
        else:
            item = call.products.update(item, body)
        return _show(call, item, edit=True, own_route=own_route)
    except ApiError as error:
        return {"id": identifier, "error": error.document()}


def _on_one_page(rows: list[dict[str, Any]]) -> Reply:
    return Reply(rows, headers={"X-WP-Total": str(len(rows)), "X-WP-TotalPages": "1"})


def _change_settings(call: Call) -> Reply:
    given = call.params
    if unknown := set(given) - set(DEFAULT_SETTINGS):
        raise _unusable(f"There is no setting {', '.join(sorted(unknown))}.")
    if given.get("clock") is not None:
        given["clock"] = parse_time(given["clock"], UTC)
        if not given["clock"]:
            raise _unusable("The clock is an instant such as 2026-11-27T00:00:00Z.")
    call.store.change_settings(given)
    return Reply(call.store.settings())


def _edit_by_hand(call: Call) -> Reply:
    item = _product(call, 404)
    if unknown := set(call.params) - HAND_EDITS:
        raise _unusable(f"A product has no field {', '.join(sorted(unknown))}.")
    binned = call.params.get("status") == "trash" != item["status"]
    changes = {name: value for name, value in call.params.items() if not binned or name != "status"}
    item = call.products.update(item, changes, by_hand=True)
    if binned:
        call.products.bin(item)
    return Reply(_show(call, item, edit=True))


def _unusable(message: str) -> ApiError:
    return ApiError(400, "sandbox_invalid", message)


_P, _V = "/wc/v3/products", rf"/wc/v3/products{ID}/variations"
_ROUTES = [
    Route(("GET",), "/", lambda call: Reply(index(call.site)), ("GET",), public=True),
    Route(("GET",), _P, _listed, LIST, LIST_SCHEMA),
    Route(("POST",), _P, _create_product, LIST, PRODUCT_SCHEMA),
    Route(EDITABLE, f"{_P}/batch", lambda c: run_batch(c, _batch_item), BATCH, refusal=NO_BATCH),
    Route(("GET",), _P + ID, lambda c: Reply(_show(c, _product(c, 404), edit=c.edit)), ONE, refusal=VIEW),
    Route(EDITABLE, _P + ID, _update_product, ONE, PRODUCT_SCHEMA, REFUSALS["PUT"]),
    Route(("DELETE",), _P + ID, _delete_product, ONE),
    Route(("GET",), _V, lambda c: _listed(c, variations=True, parent_id=c.ids[0]), LIST, LIST_SCHEMA),
    Route(("POST",), _V, _create_variation, LIST, VARIATION_SCHEMA),
    Route(EDITABLE, f"{_V}/batch", lambda c: run_batch(c, _batch_item), BATCH, refusal=NO_BATCH),
    Route(("GET",), _V + ID, lambda c: Reply(_show(c, _variation(c), edit=c.edit, own_route=True)), ONE, refusal=VIEW),
    Route(EDITABLE, _V + ID, _update_variation, ONE, VARIATION_SCHEMA, REFUSALS["PUT"]),
    Route(("DELETE",), _V + ID, _delete_variation, ONE),
    Route(("GET",), "/wc/v3/variations", lambda c: _listed(c, variations=True), ("GET",), LIST_SCHEMA),
    *CUSTOMER_ROUTES,
    *ORDER_ROUTES,
    Route(("GET",), "/wc/v3/taxes", lambda c: _on_one_page(tax_rates(c.site)), LIST),
    Route(("GET",), "/wc/v3/taxes/classes", lambda c: _on_one_page(tax_classes(c.site)), LIST),
    Route(("GET",), "/wc/v3/system_status", lambda c: Reply(system_status(c.site)), ("GET",)),
    Route(
        ("GET",),
        r"/wc/v3/settings/\w+/\w+",
        lambda c: Reply(setting(c.site, *c.path.rstrip("/").split("/")[-2:])),
        ("GET", *EDITABLE),
    ),
]
_CONTROLS = [
    Route(("PUT",), "/_sandbox/settings", _change_settings, ()),
    Route(("PATCH",), f"/_sandbox/products{ID}", _edit_by_hand, ()),
    *ORDER_CONTROLS,
    *CUSTOMER_CONTROLS,
    Route(("POST",), _CRON, lambda call: Reply(call.products.run_cron()), ()),
]


def _find(routes: list[Route], method: str, path: str) -> tuple[Route, list[int]]:
    for route in routes:
        if method in route.methods and (found := re.fullmatch(route.path, path)):
            return route, [integer(number) for number in found.groups()]
    raise ApiError(404, "rest_no_route", "No route was found matching the URL and request method.")
