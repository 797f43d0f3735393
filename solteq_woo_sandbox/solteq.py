"""The stand-in for Solteq Commerce Cloud: its identity server and its API in one app, on one SQLite file.

What Solteq has: ``POST /connect/token``, the feeds of :data:`FEEDS`, customers written and looked up, and sales booked
and looked up. Only the sandbox has these, and asks no credentials for them:

- ``PUT /_sandbox/<feed>`` ``{"documents": […]}`` adds or changes documents. Each is merged over the stored
  one with the same key (products: ``id``, or ``code`` alone; balances: ``productCode`` and ``storeId``; else
  ``id``) and gets a new ``modifiedAt`` unless it brings one. An entry ``{"raw": "<JSON text>"}`` is stored as
  it stands, however wrong.
- ``GET /_sandbox/<feed>?code=…`` gives the stored document by the same keys; without any, how many there are.
- ``GET /_sandbox/<feed>/all`` lists the stored documents, deleted ones too.
- ``POST /_sandbox/shuffle`` ``{"prices": n, "balances": n, "seed": s}`` changes that many, for a show.
- ``GET /_sandbox/sales`` lists all that was booked, oldest first.
- ``PUT /_sandbox/behaviour`` changes fields of :class:`Behaviour`, until the stand-in stops, and answers all.
- ``POST /_sandbox/tokens/revoke`` makes every token handed out so far worthless.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from solteq_woo_sandbox import catalogue, solteq_customers, solteq_pages, solteq_sales
from solteq_woo_sandbox.clock import Clock
from solteq_woo_sandbox.server import ControlMiddleware
from solteq_woo_sandbox.solteq_documents import Documents, Invalid, dumps, loads
from solteq_woo_sandbox.solteq_shuffle import shuffle

CLIENT_ID = "sandbox"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105  guards made-up data on loopback
FEEDS = {  # feed: its path, its scope
    "products": ("/catalog/v1-ext/products", "catalog-api"),
    "balances": ("/stock/v1-ext/balances", "stock-api"),
    "customers": ("/customer/v1-ext/customers", "customer-api"),
    "campaigns": ("/discount/v1-ext/campaigns", "discount-api"),
}
SALES = ("/order/v1-ext/sales", "order-api")
SCOPES = frozenset({scope for _, scope in FEEDS.values()} | {SALES[1]})
_LOWEST = {"page_size_cap": 1, "token_seconds": 0}


@dataclass
class Behaviour:
    """How hard the stand-in is to live with.

    :param unruly: feeds cut pages short, slip in empty ones and repeat documents, also older versions of them
    :param sparse: feeds leave out what a document need not say: nulls, empty lists, that it is active and not deleted
    :param page_size_cap: no page is longer, whatever was asked for
    :param token_seconds: how long a token handed out from now on lasts; 0 is none at all
    :param late_balances: the feed does not show what a booking moved until this is false again
    """

    unruly: bool = True
    page_size_cap: int = 200
    token_seconds: int = 600
    late_balances: bool = False
    sparse: bool = False


class Solteq:
    """The endpoints."""

    def __init__(self, documents: Documents, seed: int) -> None:
        self.documents = documents
        self.seed = seed
        self.behaviour = Behaviour()

    async def token(self, request: Request) -> Response:
        """OAuth2 client credentials, in the form."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode("latin-1")).items()}
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return JSONResponse({"error": "invalid_client"}, 400)
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        scopes = form.get("scope", "").split()
        if not scopes or not SCOPES.issuperset(scopes):
            return JSONResponse({"error": "invalid_scope"}, 400)
        seconds, scope = self.behaviour.token_seconds, " ".join(scopes)
        token = self.documents.issue(scope, seconds)
        answer = {"access_token": token, "expires_in": seconds, "token_type": "Bearer", "scope": scope}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def guarded(self, scope: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Any]:
        """The endpoint, for requests that have a token for the scope."""

        async def guard(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            scopes = self.documents.scopes(token) if scheme.lower() == "bearer" else None
            if scopes is None:
                return JSONResponse({"error": "unauthorized"}, 401, {"WWW-Authenticate": "Bearer"})
            if scope not in scopes:
                return JSONResponse({"error": "forbidden", "message": f"the token lacks {scope}"}, 403)
            return await endpoint(request)

        return guard

    def feed(self, feed: str) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of one feed."""

        async def endpoint(request: Request) -> Response:
            query, behaviour = request.query_params, self.behaviour
            if feed == "customers" and (found := solteq_customers.look_up(self.documents, query)):
                return _json(found.body, found.status)
            whims = self.seed if behaviour.unruly else None
            documents, token = solteq_pages.page(
                self.documents, feed, query, longest=behaviour.page_size_cap, whims=whims
            )
            if behaviour.sparse:
                documents = [solteq_pages.sparse(document) for document in documents]
            # Joined as text: money leaves with the very digits it came with.
            return _text(f'{{"documents": [{", ".join(documents)}], "continuationToken": {dumps(token)}}}')

        return endpoint

    async def write_customer(self, request: Request) -> Response:
        """``POST`` makes one, ``PUT`` replaces one."""
        body = await _object(request)
        if request.method == "POST":
            answer = solteq_customers.create(self.documents, body)
        else:
            identifier, if_match = request.path_params["id"], request.headers.get("if-match")
            answer = solteq_customers.replace(self.documents, identifier, body, if_match)
        return _json(answer.body, answer.status)

    async def sales(self, request: Request) -> Response:
        """``POST`` books one, ``GET`` looks one up."""
        if request.method == "POST":
            answer = solteq_sales.book(self.documents, await _object(request))
        else:
            answer = solteq_sales.look_up(self.documents, request.query_params)
        return _json(answer.body, answer.status)

    # Control: see the module's docstring

    async def get_sales(self, request: Request) -> Response:
        return _text(f"[{','.join(self.documents.sales())}]")

    async def put_documents(self, request: Request) -> Response:
        documents = (await _object(request)).get("documents")
        if not isinstance(documents, list):
            raise Invalid("documents", "not a list")
        moment = self.documents.put(_feed(request), documents)
        return JSONResponse({"count": len(documents), "modifiedAt": catalogue.wire_instant(moment)})

    async def get_document(self, request: Request) -> Response:
        feed = _feed(request)
        if not request.query_params:
            return JSONResponse({"count": len(self.documents.places(feed))})
        document = self.documents.one(feed, request.query_params)
        if document is None:
            raise HTTPException(404)
        return _text(document)

    async def all_documents(self, request: Request) -> Response:
        rows = self.documents.after(_feed(request), -1, None, -1)
        return _text(f"[{','.join(row.document for row in rows)}]")

    async def shuffle(self, request: Request) -> Response:
        asked = await _object(request)
        chance = random.Random(asked.get("seed"))  # noqa: S311
        answer = {}
        for name, feed in (("prices", "products"), ("balances", "balances")):
            count = asked.get(name, 0)
            if not isinstance(count, int) or count < 0:
                raise Invalid(name, "not a count")
            answer[feed] = shuffle(self.documents, feed, count, chance)
        return _json(answer)

    async def put_behaviour(self, request: Request) -> Response:
        asked, present = await _object(request), asdict(self.behaviour)
        for name, value in asked.items():
            if type(value) is not type(present.get(name)) or value < _LOWEST.get(name, 0):
                raise Invalid(name, f"unknown, too small or not as in {present}")
        self.behaviour = replace(self.behaviour, **asked)
        self.documents.delay_balances(self.behaviour.late_balances)
        return JSONResponse(asdict(self.behaviour))

    async def revoke(self, request: Request) -> Response:
        self.documents.revoke()
        return Response(status_code=204)


def create_app(database: Path, *, seed: int = 1) -> ASGIApp:
    """Solteq Commerce Cloud on one file.

    :param database: the SQLite file; filled with the catalogue when it is new, else left as it was
    :param seed: of the catalogue and of the feeds' whims; 0 starts empty
    """
    clock = Clock()
    solteq = Solteq(Documents(database, seed, clock), seed)
    customers, customer_scope = FEEDS["customers"]
    write_customer = solteq.guarded(customer_scope, solteq.write_customer)
    routes = [
        Route("/connect/token", solteq.token, methods=["POST"]),
        *(Route(path, solteq.guarded(scope, solteq.feed(feed))) for feed, (path, scope) in FEEDS.items()),
        Route(customers, write_customer, methods=["POST"]),
        Route(f"{customers}/{{id}}", write_customer, methods=["PUT"]),
        Route(SALES[0], solteq.guarded(SALES[1], solteq.sales), methods=["GET", "POST"]),
        Route("/_sandbox/sales", solteq.get_sales),
        Route("/_sandbox/shuffle", solteq.shuffle, methods=["POST"]),
        Route("/_sandbox/behaviour", solteq.put_behaviour, methods=["PUT"]),
        Route("/_sandbox/tokens/revoke", solteq.revoke, methods=["POST"]),
        Route("/_sandbox/{feed}", solteq.get_document),
        Route("/_sandbox/{feed}/all", solteq.all_documents),
        Route("/_sandbox/{feed}", solteq.put_documents, methods=["PUT"]),
    ]
    return ControlMiddleware(
        Starlette(routes=routes, exception_handlers={Invalid: _invalid, HTTPException: _refused}), clock
    )


async def _object(request: Request) -> dict[str, Any]:
    try:
        body = loads(await request.body())
    except ValueError as error:
        raise Invalid("", f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Invalid("", "not an object")
    return body


def _feed(request: Request) -> str:
    feed = request.path_params["feed"]
    if feed not in FEEDS:
        raise HTTPException(404)
    return feed


def _json(body: Any, status: int = 200) -> Response:
    return _text(dumps(body), status)


def _text(body: str, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


async def _invalid(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "validation", "details": getattr(error, "details", [])}, 400)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse({"error": "not found" if status == 404 else "method not allowed"}, status)
