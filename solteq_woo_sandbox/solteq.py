"""The stand-in for Solteq Commerce Cloud: its identity server and its API in one app, on one SQLite file.

What Solteq has: ``POST /connect/token``, the feeds of :data:`FEEDS`, customers written and looked up, and sales booked
and looked up. Only the sandbox has these, and asks no credentials for them:

- ``PUT /_sandbox/<feed>`` ``{"documents": […]}`` adds or changes documents. Each is merged over the stored
  one with the same key (products: ``id``, or ``code`` alone; balances: ``productCode`` and ``storeId``; else
  ``id``) and gets a new ``modifiedAt`` unless it brings one. An entry ``{"raw": "<JSON text>"}`` is stored as
  it stands, however wrong.
- ``GET /_sandbox/<feed>?code=…`` gives the stored document by the same keys; without any, how many there are.
- ``POST /_sandbox/shuffle`` ``{"prices": n, "balances": n, "seed": s}`` changes that many, for a show.
- ``GET /_sandbox/sales`` lists all that was booked, oldest first.
- ``GET`` and ``PUT /_sandbox/behaviour`` (the fields of :class:`Behaviour`), until the stand-in stops.
- ``POST /_sandbox/tokens/revoke`` makes every token handed out so far worthless.
"""

import base64
import contextlib
import hashlib
import random
import re
import secrets
import sqlite3
import time
import uuid
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote_plus
from zoneinfo import ZoneInfo

import simplejson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from solteq_woo_sandbox import catalogue, solteq_customers, solteq_sales
from solteq_woo_sandbox.clock import Clock
from solteq_woo_sandbox.server import ControlMiddleware

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
DEFAULT_PAGE_SIZE = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTC_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|\+00:00)")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tenant (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, scopes TEXT NOT NULL, expires REAL NOT NULL);
CREATE TABLE IF NOT EXISTS customer_keys (kind TEXT NOT NULL, value TEXT NOT NULL, place INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS customer_keys_value ON customer_keys (kind, value);
CREATE INDEX IF NOT EXISTS customer_keys_place ON customer_keys (place);
CREATE TABLE IF NOT EXISTS sales (
    external_id TEXT PRIMARY KEY, refers_to TEXT, document TEXT NOT NULL, number INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS sales_refers_to ON sales (refers_to) WHERE refers_to IS NOT NULL;
""" + "".join(
    f"""
CREATE TABLE IF NOT EXISTS {feed} (
    place INTEGER PRIMARY KEY,  -- a hash of the key: in Cosmos DB too, the order of a feed says nothing
    code TEXT,                  -- a product's, also of a balance
    modified INTEGER NOT NULL,  -- microseconds since 1970
    document TEXT NOT NULL,
    previous TEXT               -- the version before, which a feed may deliver after this one
);
CREATE INDEX IF NOT EXISTS {feed}_scan ON {feed} (place, modified);
CREATE INDEX IF NOT EXISTS {feed}_code ON {feed} (code) WHERE code IS NOT NULL;
"""
    for feed in FEEDS
)


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


class Invalid(Exception):
    """A request that the contract answers with 400; ``path`` names the field."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.details = [{"path": path, "message": message}]


class Row(NamedTuple):
    """A stored document and the version before it, as JSON text."""

    place: int
    document: str
    previous: str | None


class Cursor(NamedTuple):
    """Where a reader of a feed is: what a continuation token holds.

    :param place: the last one delivered
    :param paused: whether the empty page that may stand here has been delivered
    :param again: the places of documents that are to come once more
    """

    feed: str
    since: str
    place: int = -1
    paused: bool = False
    again: tuple[int, ...] = ()

    def token(self) -> str:
        """Needs URL-encoding, as Cosmos DB's do."""
        packed = base64.b64encode(simplejson.dumps(self).encode()).decode()
        return f"+RID:~{packed}==#RT:1/TRC:1"

    @classmethod
    def of(cls, token: str, feed: str, since: str) -> "Cursor":
        """:raises Invalid: unless the token was handed out for the same call"""
        try:
            found = re.fullmatch(r"\+RID:~(.+)==#RT:1/TRC:1", token)
            cursor = cls(**simplejson.loads(base64.b64decode(found[1]))) if found else None
            again = tuple(cursor.again) if cursor else ()
        except (ValueError, TypeError):
            cursor, again = None, ()
        if cursor is None or (cursor.feed, cursor.since) != (feed, since):
            raise Invalid("continuationToken", "not a token of this call; repeat the call unchanged, URL-encoded")
        return cursor._replace(again=again)


class Documents:
    """The stand-in's memory. Used by one thread at a time: the server's event loop.

    A method that changes something has committed when it returns; what it wrote then survives ``kill -9``.
    """

    def __init__(self, database: Path, seed: int, clock: Clock) -> None:
        self._clock = clock
        self._late_balances = False
        self._late: list[tuple[dict[str, Any], datetime]] = []
        self._db = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # only a power cut could take back the last answers
        self._latest = 0
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._found(seed)
        self._db.executescript(_SCHEMA)  # with what came since the file was made
        self._db.execute(
            "INSERT INTO tenant SELECT ? WHERE NOT EXISTS (SELECT 1 FROM tenant)",
            (str(uuid.uuid4()),),
        )
        self.tenant: str = self._db.execute("SELECT id FROM tenant").fetchone()[0]
        if version == 1:  # of the time when customers could only be read
            with self._transaction():
                for place, document in self._db.execute("SELECT place, document FROM customers").fetchall():
                    self._index_customer(place, _loads(document))
                self._db.execute("PRAGMA user_version = 2")

    def _found(self, seed: int) -> None:
        self._db.executescript(_SCHEMA)
        with self._transaction():
            if seed:
                self._put_all("products", catalogue.products(seed))
                self._put_all("balances", catalogue.balances(seed))
                self._put_all("customers", catalogue.customers(seed))
                self._put_all("campaigns", catalogue.campaigns(seed))
            # Last, so that a start that was interrupted begins anew.
            self._db.execute("PRAGMA user_version = 2")

    def close(self) -> None:
        """Leaves the file to others."""
        self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def put(self, feed: str, documents: Iterable[Any]) -> datetime:
        """Merges documents over the stored ones, all or none; gives their common ``modifiedAt``."""
        with self._transaction():
            return self._put_all(feed, documents)

    def _put_all(self, feed: str, documents: Iterable[Any]) -> datetime:
        # One instant a call: many documents with an equal modifiedAt are normal, two calls with one are not.
        self._latest = max(self._milliseconds(), self._latest + 1)
        for number, document in enumerate(documents):
            try:
                self._put(feed, document, self._latest * 1000)
            except ValueError as error:
                raise Invalid(f"documents[{number}]", str(error)) from error
        return _EPOCH + timedelta(milliseconds=self._latest)

    def _milliseconds(self) -> int:
        return int(self._clock.seconds() * 1000)

    def _put(self, feed: str, changes: Any, now: int) -> None:
        if not isinstance(changes, dict):
            raise ValueError("not an object")
        if "raw" in changes:
            self._put_raw(feed, changes["raw"], now)
            return
        place = self._place(feed, changes)
        if place is None and feed == "products" and isinstance(changes.get("code"), str):
            changes = {"id": f"product-{changes['code']}"} | changes
            place = self._place(feed, changes)
        if place is None:
            raise ValueError(f"a key is missing: {' and '.join(_KEYS[feed])}")
        row = self._db.execute(f"SELECT document, modified FROM {feed} WHERE place = ?", (place,)).fetchone()
        if "modifiedAt" not in changes:
            now = max(now, row[1] + 1000) if row else now
            changes = changes | {"modifiedAt": catalogue.wire_instant(_EPOCH + timedelta(microseconds=now))}
        document = (_loads(row[0]) if row else {}) | changes
        self._store(feed, place, document, _dumps(document), now)

    def _put_raw(self, feed: str, raw: Any, now: int) -> None:
        if not isinstance(raw, str):
            raise ValueError("raw is a document's JSON text")
        read = _loads(raw)
        document = read if isinstance(read, dict) else {}
        place = self._place(feed, document)
        # Rubbish without a key is known by its own text; no key begins with a line break.
        self._store(feed, _place("\n" + raw) if place is None else place, document, raw, now)

    def _store(self, feed: str, place: int, document: dict[str, Any], text: str, now: int) -> None:
        modified = _microseconds(document.get("modifiedAt"))
        code = document.get({"products": "code", "balances": "productCode"}.get(feed, ""))
        self._db.execute(
            f"""INSERT INTO {feed} (place, code, modified, document) VALUES (?, ?, ?, ?)
            ON CONFLICT (place) DO UPDATE SET
                previous = CASE WHEN modified < excluded.modified THEN document
                    WHEN modified = excluded.modified THEN previous END,
                code = excluded.code, modified = excluded.modified, document = excluded.document""",
            (place, code if isinstance(code, str) else None, now if modified is None else modified, text),
        )

        if feed == "customers":
            self._index_customer(place, document)

    def _index_customer(self, place: int, document: Any) -> None:
        self._db.execute("DELETE FROM customer_keys WHERE place = ?", (place,))
        rows = [(*key, place) for key in solteq_customers.keys_of(document)] if isinstance(document, dict) else []
        self._db.executemany("INSERT INTO customer_keys VALUES (?, ?, ?)", rows)

    def customer(self, identifier: str) -> dict[str, Any] | None:
        """The stored document."""
        text = self.one("customers", {"id": identifier})
        return _loads(text) if text else None

    def customers_with(self, kind: str, value: str) -> list[dict[str, Any]]:
        """Those that are not deleted, by ``email`` or ``externalId``."""
        value = value.strip().lower() if kind == "email" else value
        query = """SELECT document FROM customers WHERE place IN
            (SELECT place FROM customer_keys WHERE kind = ? AND value = ?) ORDER BY place"""
        return [_loads(row[0]) for row in self._db.execute(query, (kind, value))]

    def store_customer(self, document: dict[str, Any]) -> dict[str, Any]:
        """Put a whole document in the place of the one with its id; as it is stored, with its new ``modifiedAt``."""
        document = {name: value for name, value in document.items() if name != "modifiedAt"}
        place = _place(document["id"])
        with self._transaction():
            row = self._db.execute("SELECT modified FROM customers WHERE place = ?", (place,)).fetchone()
            self._latest = max(self._milliseconds(), self._latest + 1)
            now = max(self._latest * 1000, row[0] + 1000 if row else 0)
            document["modifiedAt"] = catalogue.wire_instant(_EPOCH + timedelta(microseconds=now))
            self._store("customers", place, document, _dumps(document), now)
        return document

    def sale(self, external_id: str) -> dict[str, Any] | None:
        """The stored document."""
        row = self._db.execute("SELECT document FROM sales WHERE external_id = ?", (external_id,)).fetchone()
        return _loads(row[0]) if row else None

    def refunds_of(self, external_id: str) -> list[dict[str, Any]]:
        """The stored refunds that refer to a sale."""
        rows = self._db.execute("SELECT document FROM sales WHERE refers_to = ?", (external_id,))
        return [_loads(row[0]) for row in rows]

    def sales(self) -> Iterator[str]:
        """All of them as JSON text, oldest first."""
        return (row[0] for row in self._db.execute("SELECT document FROM sales ORDER BY number"))

    def knows_product(self, code: str) -> bool:
        """Whether there is a product with this code."""
        return self._db.execute("SELECT 1 FROM products WHERE code = ?", (code,)).fetchone() is not None

    def store_sale(self, document: dict[str, Any]) -> None:
        """Keep a sale or refund, and move the balances of its products."""
        row = (document["externalId"], document.get("refersTo"), _dumps(document))
        with self._transaction():
            self._db.execute("INSERT INTO sales SELECT ?, ?, ?, coalesce(max(number), 0) + 1 FROM sales", row)
            if not self._late_balances:
                self._put_all("balances", self._moved_balances(document))
        if self._late_balances:
            self._late.append((document, self._clock.now()))

    def delay_balances(self, is_late: bool) -> None:
        """Whether the feed shows what a booking moves only later, with the time of the booking (contract, Feeds)."""
        self._late_balances = is_late
        while self._late and not is_late:
            document, moment = self._late.pop(0)
            stamp = {"modifiedAt": catalogue.wire_instant(moment)}
            self.put("balances", [moved | stamp for moved in self._moved_balances(document)])

    def _moved_balances(self, document: Mapping[str, Any]) -> list[dict[str, Any]]:
        moved: dict[tuple[str, str], dict[str, Any]] = {}
        for line in document["lines"]:
            if line["kind"] != "Product" or "productCode" not in line or line.get("restock") is False:
                continue
            balance = self._balance_for(line["productCode"], document["storeId"])
            if balance is not None:
                key = (balance["productCode"], balance["storeId"])
                free = moved.get(key, balance)["freeBalance"] - line["quantity"]
                moved[key] = {"productCode": key[0], "storeId": key[1], "freeBalance": free}
        return list(moved.values())

    def _balance_for(self, code: str, store: str) -> dict[str, Any] | None:
        rows = self._db.execute("SELECT document FROM balances WHERE code = ?", (code,)).fetchall()
        balances = [balance for row in rows if _is_balance(balance := _loads(row[0]))]
        return max(balances, key=lambda each: (each["storeId"] == store, each["freeBalance"]), default=None)

    def _place(self, feed: str, key: Mapping[str, Any]) -> int | None:
        """Where the document with this key is or would be; ``None`` without a whole key."""
        values = [key.get(name) for name in _KEYS[feed]]
        if all(isinstance(value, str) for value in values):
            return _place("\n".join(map(str, values)))
        if feed == "products" and isinstance(key.get("code"), str):
            row = self._db.execute("SELECT place FROM products WHERE code = ?", (key["code"],)).fetchone()
            return row[0] if row else None
        return None

    def one(self, feed: str, key: Mapping[str, str]) -> str | None:
        """The stored document with this key, as JSON text."""
        place = self._place(feed, key)
        row = self._db.execute(f"SELECT document FROM {feed} WHERE place = ?", (place,)).fetchone()
        return row[0] if row else None

    def count(self, feed: str) -> int:
        """How many documents there are, tombstones included."""
        return self._db.execute(f"SELECT count(*) FROM {feed}").fetchone()[0]

    def after(self, feed: str, place: int, since: int | None, limit: int) -> list[Row]:
        """The next documents in the feed's order that were modified at ``since`` or later."""
        # The scan reads a narrow index: the documents that are too old are never touched.
        query = f"""SELECT place, document, previous FROM {feed} WHERE place IN (
            SELECT place FROM {feed} INDEXED BY {feed}_scan WHERE place > ? AND modified >= ?
            ORDER BY place LIMIT ?
        ) ORDER BY place"""
        bounds = (place, -(2**62) if since is None else since, limit)
        return [Row(*row) for row in self._db.execute(query, bounds)]

    def at(self, feed: str, places: Iterable[int]) -> list[Row]:
        """The documents in these places that are still there."""
        query = f"SELECT place, document, previous FROM {feed} WHERE place = ?"
        return [Row(*row) for place in places for row in self._db.execute(query, (place,))]

    def shuffle(self, feed: str, count: int, chance: random.Random) -> list[dict[str, Any]]:
        """Changes a number in that many documents, or in all that have a sensible one; gives the changes."""
        name, nudged = _SHUFFLED[feed]
        places = [place for (place,) in self._db.execute(f"SELECT place FROM {feed} ORDER BY place")]
        chance.shuffle(places)
        changes: list[dict[str, Any]] = []
        for place in places:
            if len(changes) == count:
                break
            document = _loads(self.at(feed, [place])[0].document)
            if _is_on_sale(document, feed, name):
                keys = {key: document[key] for key in _KEYS[feed]}
                changes.append(keys | {name: nudged(Decimal(document[name]), chance)})
        self.put(feed, changes)
        return changes

    def issue(self, scopes: str, seconds: int) -> str:
        """A new token."""
        claims = {"tenant": self.tenant, "scope": scopes.split(), "jti": secrets.token_hex(16)}
        parts = ({"alg": "RS256", "typ": "at+jwt"}, claims)
        head, payload = (base64.urlsafe_b64encode(_dumps(part).encode()).decode().rstrip("=") for part in parts)
        token = f"{head}.{payload}.{secrets.token_urlsafe(32)}"
        now = time.time()
        with self._transaction():
            self._db.execute("DELETE FROM tokens WHERE expires <= ?", (now,))
            self._db.execute("INSERT INTO tokens VALUES (?, ?, ?)", (token, scopes, now + seconds))
        return token

    def scopes(self, token: str) -> set[str] | None:
        """What a token lets its bearer do; ``None`` when it is unknown, revoked or expired."""
        query = "SELECT scopes FROM tokens WHERE token = ? AND expires > ?"
        row = self._db.execute(query, (token, time.time())).fetchone()
        return set(row[0].split()) if row else None

    def revoke(self) -> None:
        """All tokens."""
        self._db.execute("DELETE FROM tokens")


_KEYS = {"products": ["id"], "balances": ["productCode", "storeId"], "customers": ["id"], "campaigns": ["id"]}


def _nudged_price(price: Decimal, chance: random.Random) -> Decimal:
    new = (price * chance.randint(80, 120) / 100).quantize(Decimal("0.1")).quantize(Decimal("0.01"))
    return new if new not in (price, 0) else price + Decimal("0.10")


def _nudged_balance(balance: Decimal, chance: random.Random) -> Decimal:
    return max(Decimal(0), balance + chance.choice((-3, -2, -1, 1, 2, 5))) if balance > 0 else balance + 12


_SHUFFLED: dict[str, tuple[str, Callable[[Decimal, random.Random], Decimal]]] = {
    "products": ("salesPrice", _nudged_price),
    "balances": ("freeBalance", _nudged_balance),
}


def _is_on_sale(document: Any, feed: str, name: str) -> bool:
    """Whether a change of the number in this document would reach a shop."""
    if not isinstance(document, dict) or document.get("deleted") or not document.get("active", True):
        return False
    number = document.get(name)
    is_sensible = isinstance(number, int | Decimal) and (feed != "products" or number > 0)
    return is_sensible and all(isinstance(document.get(key), str) for key in _KEYS[feed])


def _is_balance(document: Any) -> bool:
    keys = all(isinstance(document.get(key), str) for key in _KEYS["balances"])
    return keys and isinstance(document.get("freeBalance"), int | Decimal) and not document.get("deleted")


class Solteq:
    """The endpoints."""

    def __init__(self, database: Path, seed: int, behaviour: Behaviour, clock: Clock) -> None:
        self.clock = clock
        self.database = database
        self.seed = seed
        self.behaviour = behaviour
        self.documents = Documents(database, seed, clock)
        self.documents.close()

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """The file is open while the server runs, so that an app that is only made leaves nothing open."""
        self.documents = Documents(self.database, self.seed, self.clock)
        with contextlib.closing(self.documents):
            yield

    async def token(self, request: Request) -> Response:
        """OAuth2 client credentials, in the form or as HTTP Basic."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode("latin-1")).items()}
        basic = request.headers.get("authorization", "")
        given = _basic(basic) if basic else (form.get("client_id"), form.get("client_secret"))
        if given != (CLIENT_ID, CLIENT_SECRET):
            headers = {"WWW-Authenticate": "Basic"} if basic else None
            return JSONResponse({"error": "invalid_client"}, 401 if basic else 400, headers)
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        scopes = form.get("scope", "").split()
        if not scopes or not SCOPES.issuperset(scopes):
            return JSONResponse({"error": "invalid_scope"}, 400)
        seconds, scope = self.behaviour.token_seconds, " ".join(scopes)
        token = self.documents.issue(scope, seconds)
        answer = {"access_token": token, "expires_in": seconds, "token_type": "Bearer", "scope": scope}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def feed(self, feed: str, scope: str) -> Callable[[Request], Any]:
        """The endpoint of one feed."""

        async def endpoint(request: Request) -> Response:
            if refusal := self._refusal(request, scope):
                return refusal
            if feed == "customers" and (found := solteq_customers.look_up(self.documents, request.query_params)):
                return Response(_dumps(found.body), found.status, media_type="application/json")
            documents, following = self._page(feed, request.query_params)
            documents = [_sparse(document) for document in documents] if self.behaviour.sparse else documents
            # Joined as text: money leaves with the very digits it came with.
            token_text = simplejson.dumps(following.token() if following else None)
            body = f'{{"documents": [{", ".join(documents)}], "continuationToken": {token_text}}}'
            return Response(body, media_type="application/json")

        return endpoint

    def _refusal(self, request: Request, scope: str) -> Response | None:
        """Unless the request has a token for the scope."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        scopes = self.documents.scopes(token) if scheme.lower() == "bearer" else None
        if scopes is None:
            return JSONResponse({"error": "unauthorized"}, 401, {"WWW-Authenticate": "Bearer"})
        if scope not in scopes:
            return JSONResponse({"error": "forbidden", "message": f"the token lacks {scope}"}, 403)
        return None

    async def write_customer(self, request: Request) -> Response:
        """``POST`` makes one, ``PUT`` replaces one."""
        if refusal := self._refusal(request, FEEDS["customers"][1]):
            return refusal
        body = await _json(request)
        if request.method == "POST":
            answer = solteq_customers.create(self.documents, body)
        else:
            identifier, if_match = request.path_params["id"], request.headers.get("if-match")
            answer = solteq_customers.replace(self.documents, identifier, body, if_match)
        return Response(_dumps(answer.body), answer.status, media_type="application/json")

    async def sales(self, request: Request) -> Response:
        """``POST`` books one, ``GET`` looks one up."""
        if refusal := self._refusal(request, SALES[1]):
            return refusal
        if request.method == "POST":
            answer = solteq_sales.book(self.documents, await _json(request))
        else:
            answer = solteq_sales.look_up(self.documents, request.query_params)
        return Response(_dumps(answer.body), answer.status, media_type="application/json")

    async def get_sales(self, request: Request) -> Response:
        """All of them."""
        return Response(f"[{','.join(self.documents.sales())}]", media_type="application/json")

    def _page(self, feed: str, query: Mapping[str, str]) -> tuple[list[str], Cursor | None]:
        since_text = query.get("modifiedSince", "")
        since = _microseconds(since_text) if since_text else None
        if since_text and since is None:
            raise Invalid("modifiedSince", "not an ISO 8601 instant in UTC, such as 2026-01-05T06:00:00.000Z")
        if not _is_zone(query.get("timezone", "Europe/Helsinki")):
            raise Invalid("timezone", "not a name in the TZ database")
        asked = query.get("pageSize", str(DEFAULT_PAGE_SIZE))
        if not re.fullmatch(r"[0-9]{1,9}", asked) or int(asked) == 0:
            raise Invalid("pageSize", "not a positive whole number")
        limit = min(int(asked), self.behaviour.page_size_cap)
        token = query.get("continuationToken")
        cursor = Cursor.of(token, feed, since_text) if token else Cursor(feed, since_text)
        if self.behaviour.unruly:
            return self._unruly_page(cursor, since, limit, is_first=not token)
        rows = self.documents.after(feed, cursor.place, since, limit + 1)
        following = cursor._replace(place=rows[limit - 1].place) if len(rows) > limit else None
        return [row.document for row in rows[:limit]], following

    def _unruly_page(
        self, cursor: Cursor, since: int | None, limit: int, is_first: bool
    ) -> tuple[list[str], Cursor | None]:
        """A page as Cosmos DB may cut it, the same for the same seed. What fits in one page takes one."""
        whim = zlib.crc32(f"{self.seed} {cursor.place}".encode())
        if not is_first and not cursor.paused and whim % 4 == 0:
            return [], cursor._replace(paused=True)
        feed = cursor.feed
        documents = [row.previous or row.document for row in self.documents.at(feed, cursor.again[:limit])]
        room = limit - len(documents)
        rows = self.documents.after(feed, cursor.place, since, room + 1)
        if not is_first or len(rows) > room:
            room -= whim % (room // 4 + 1)
        more, rows = len(rows) > room, rows[:room]
        documents += [row.document for row in rows]
        again = _again(rows, whim)
        if more:
            place = rows[-1].place if rows else cursor.place
            return documents, Cursor(feed, cursor.since, place, again=tuple(row.place for row in again))
        documents += [row.previous or row.document for row in again[: limit - len(documents)]]
        return documents, None

    async def put_documents(self, request: Request) -> Response:
        """See the module's docstring, as for the other control endpoints."""
        body = await _json(request)
        if not isinstance(documents := body.get("documents"), list):
            raise Invalid("documents", "not a list")
        moment = self.documents.put(_feed(request), documents)
        return JSONResponse({"count": len(documents), "modifiedAt": catalogue.wire_instant(moment)})

    async def get_document(self, request: Request) -> Response:
        """One document, or how many."""
        feed = _feed(request)
        if not request.query_params:
            return JSONResponse({"count": self.documents.count(feed)})
        document = self.documents.one(feed, request.query_params)
        if document is None:
            raise HTTPException(404)
        return Response(document, media_type="application/json")

    async def shuffle(self, request: Request) -> Response:
        """Another shop day in a moment."""
        asked = await _json(request)
        for name in ("prices", "balances"):
            if not isinstance(asked.get(name, 0), int) or asked.get(name, 0) < 0:
                raise Invalid(name, "not a count")
        chance = random.Random(asked.get("seed"))  # noqa: S311
        answer = {
            "products": self.documents.shuffle("products", asked.get("prices", 0), chance),
            "balances": self.documents.shuffle("balances", asked.get("balances", 0), chance),
        }
        return Response(_dumps(answer), media_type="application/json")

    async def get_behaviour(self, request: Request) -> Response:
        """The present one."""
        return JSONResponse(asdict(self.behaviour))

    async def put_behaviour(self, request: Request) -> Response:
        """Fields that are left out stay as they are."""
        asked = await _json(request)
        lowest = {"page_size_cap": 1, "token_seconds": 0}
        for name, value in asked.items():
            if name not in [each.name for each in fields(Behaviour)]:
                raise Invalid(name, "unknown")
            if isinstance(value, bool) != isinstance(getattr(self.behaviour, name), bool) or not isinstance(value, int):
                raise Invalid(name, "of the wrong type")
            if value < lowest.get(name, 0):
                raise Invalid(name, "too small")
        self.behaviour = replace(self.behaviour, **asked)
        self.documents.delay_balances(self.behaviour.late_balances)
        return JSONResponse(asdict(self.behaviour))

    async def revoke(self, request: Request) -> Response:
        """As when someone edits the credential's description in the back office."""
        self.documents.revoke()
        return Response(status_code=204)


def create_app(database: Path, *, seed: int = 1, token_seconds: int = 600, page_size_cap: int = 200) -> ASGIApp:
    """Solteq Commerce Cloud on one file.

    :param database: the SQLite file; filled with the catalogue when it is new, else left as it was
    :param seed: of the catalogue and of the feeds' whims; 0 starts empty
    :param token_seconds: see :class:`Behaviour`
    :param page_size_cap: see :class:`Behaviour`
    """
    clock = Clock()
    behaviour = Behaviour(page_size_cap=page_size_cap, token_seconds=token_seconds)
    solteq = Solteq(database, seed, behaviour, clock)
    routes = [
        Route("/connect/token", solteq.token, methods=["POST"]),
        *(Route(path, solteq.feed(feed, scope)) for feed, (path, scope) in FEEDS.items()),
        Route(FEEDS["customers"][0], solteq.write_customer, methods=["POST"]),
        Route(FEEDS["customers"][0] + "/{id}", solteq.write_customer, methods=["PUT"]),
        Route(SALES[0], solteq.sales, methods=["GET", "POST"]),
        Route("/_sandbox/sales", solteq.get_sales),
        Route("/_sandbox/shuffle", solteq.shuffle, methods=["POST"]),
        Route("/_sandbox/behaviour", solteq.get_behaviour),
        Route("/_sandbox/behaviour", solteq.put_behaviour, methods=["PUT"]),
        Route("/_sandbox/tokens/revoke", solteq.revoke, methods=["POST"]),
        Route("/_sandbox/{feed}", solteq.get_document),
        Route("/_sandbox/{feed}", solteq.put_documents, methods=["PUT"]),
    ]
    handlers = {Invalid: _invalid, HTTPException: _refused}
    return ControlMiddleware(Starlette(routes=routes, lifespan=solteq.lifespan, exception_handlers=handlers), clock)


def _sparse(document: str) -> str:
    """Without what it need not say (contract, second edition, Required)."""
    read = _loads(document)
    if not isinstance(read, dict):
        return document
    unsaid: dict[str, Any] = {"active": True, "deleted": False, "reservedBalance": 0, "priority": 0, "type": "Simple"}
    kept = {
        name: value
        for name, value in read.items()
        if value not in (None, [], {}, "") and not (name in unsaid and value == unsaid[name])
    }
    return _dumps(kept)


def _again(rows: list[Row], whim: int) -> list[Row]:
    """Which documents of a page come once more: a few, those with an older version first."""
    older = sorted((row for row in rows if row.previous), key=lambda row: zlib.crc32(b"%d" % row.place))[:3]
    return older + (rows[:1] if whim % 3 == 0 else [])


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, packed = header.partition(" ")
    try:
        name, _, secret = base64.b64decode(packed).decode().partition(":")
    except ValueError:
        return None
    return (unquote_plus(name), unquote_plus(secret)) if scheme.lower() == "basic" else None


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = _loads(await request.body())
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


async def _invalid(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "validation", "details": getattr(error, "details", [])}, 400)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse({"error": "not found" if status == 404 else "method not allowed"}, status)


def _place(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) >> 1


@lru_cache(maxsize=1024)  # a bulk load has a hundred thousand equal ones
def _microseconds(instant: object) -> int | None:
    if not isinstance(instant, str) or not _UTC_INSTANT.fullmatch(instant):
        return None
    try:
        return (datetime.fromisoformat(instant) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None


@lru_cache(maxsize=100)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _loads(text: str | bytes) -> Any:
    return simplejson.loads(text, use_decimal=True)


def _dumps(value: Any) -> str:
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, separators=(",", ":"))
