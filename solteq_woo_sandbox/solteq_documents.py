"""The memory of the Solteq stand-in: the documents of the feeds, sales and tokens, in one SQLite file."""

import base64
import hashlib
import re
import secrets
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import simplejson

from solteq_woo_sandbox import catalogue
from solteq_woo_sandbox.clock import Clock
from solteq_woo_sandbox.database import Database

Document = dict[str, Any]

KEYS = {"products": ["id"], "balances": ["productCode", "storeId"], "customers": ["id"], "campaigns": ["id"]}
"""The feeds, and what their documents are known by."""

_CODES = {"products": "code", "balances": "productCode"}
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
    for feed in KEYS
)


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


class Documents(Database):
    """What Solteq has. A method that changes something has committed when it returns.

    :param seed: of the catalogue that fills a new file; 0 leaves it empty
    """

    def __init__(self, path: Path, seed: int, clock: Clock) -> None:
        super().__init__(path, _SCHEMA)
        self._clock = clock
        self._late_balances = False
        self._late: list[tuple[Document, datetime]] = []
        self._latest = 0
        with self.transaction():
            if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
                for feed in KEYS if seed else ():
                    self._put_all(feed, getattr(catalogue, feed)(seed))
                self._db.execute("PRAGMA user_version = 2")
            query = "INSERT INTO tenant SELECT ? WHERE NOT EXISTS (SELECT 1 FROM tenant)"
            self._db.execute(query, (str(uuid.uuid4()),))
        self._tenant: str = self._db.execute("SELECT id FROM tenant").fetchone()[0]

    # Feeds

    def put(self, feed: str, documents: Iterable[Any]) -> datetime:
        """Merges documents over the stored ones, all or none; gives their common ``modifiedAt``."""
        with self.transaction():
            return self._put_all(feed, documents)

    def _put_all(self, feed: str, documents: Iterable[Any]) -> datetime:
        now = self._instant()
        for number, document in enumerate(documents):
            try:
                self._put(feed, document, now)
            except ValueError as error:
                raise Invalid(f"documents[{number}]", str(error)) from error
        return _EPOCH + timedelta(microseconds=now)

    def _instant(self) -> int:
        """One a call: many documents with an equal modifiedAt are normal, two calls with one are not."""
        self._latest = max(int(self._clock.seconds() * 1000), self._latest + 1)
        return self._latest * 1000

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
            raise ValueError(f"a key is missing: {' and '.join(KEYS[feed])}")
        row = self._db.execute(f"SELECT document FROM {feed} WHERE place = ?", (place,)).fetchone()
        document = (loads(row[0]) if row else {}) | changes
        if "modifiedAt" not in changes:
            document["modifiedAt"], now = self._later(feed, place, now)
        self._store(feed, place, document, dumps(document), now)

    def _later(self, feed: str, place: int, now: int) -> tuple[str, int]:
        """``now``, or just after what is stored in this place, whose time may be told to be ahead."""
        row = self._db.execute(f"SELECT modified FROM {feed} WHERE place = ?", (place,)).fetchone()
        now = max(now, row[0] + 1000) if row else now
        return catalogue.wire_instant(_EPOCH + timedelta(microseconds=now)), now

    def _put_raw(self, feed: str, raw: Any, now: int) -> None:
        if not isinstance(raw, str):
            raise ValueError("raw is a document's JSON text")
        read = loads(raw)
        document = read if isinstance(read, dict) else {}
        place = self._place(feed, document)
        # Rubbish without a key is known by its own text; no key begins with a line break.
        self._store(feed, _hash("\n" + raw) if place is None else place, document, raw, now)

    def _store(self, feed: str, place: int, document: Document, text: str, now: int) -> None:
        modified = microseconds(document.get("modifiedAt"))
        code = document.get(_CODES.get(feed, ""))
        self._db.execute(
            f"""INSERT INTO {feed} (place, code, modified, document) VALUES (?, ?, ?, ?)
            ON CONFLICT (place) DO UPDATE SET
                previous = CASE WHEN modified < excluded.modified THEN document
                    WHEN modified = excluded.modified THEN previous END,
                code = excluded.code, modified = excluded.modified, document = excluded.document""",
            (place, code if isinstance(code, str) else None, now if modified is None else modified, text),
        )
        if feed == "customers":
            self._db.execute("DELETE FROM customer_keys WHERE place = ?", (place,))
            rows = [(*key, place) for key in customer_keys(document)]
            self._db.executemany("INSERT INTO customer_keys VALUES (?, ?, ?)", rows)

    def _place(self, feed: str, key: Mapping[str, Any]) -> int | None:
        """Where the document with this key is or would be; ``None`` without a whole key."""
        values = [key.get(name) for name in KEYS[feed]]
        if all(isinstance(value, str) for value in values):
            return _hash("\n".join(map(str, values)))
        if feed == "products" and isinstance(key.get("code"), str):
            row = self._db.execute("SELECT place FROM products WHERE code = ?", (key["code"],)).fetchone()
            return row[0] if row else None
        return None

    def one(self, feed: str, key: Mapping[str, str]) -> str | None:
        """The stored document with this key, as JSON text."""
        place = self._place(feed, key)
        row = self._db.execute(f"SELECT document FROM {feed} WHERE place = ?", (place,)).fetchone()
        return row[0] if row else None

    def places(self, feed: str) -> list[int]:
        """Where its documents are, tombstones included."""
        return [place for (place,) in self._db.execute(f"SELECT place FROM {feed} ORDER BY place")]

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

    # Customers

    def customer(self, identifier: str) -> Document | None:
        """The stored document."""
        text = self.one("customers", {"id": identifier})
        return loads(text) if text else None

    def customers_with(self, kind: str, value: str) -> list[Document]:
        """Those that are not deleted, by ``email`` or ``externalId``."""
        value = value.strip().lower() if kind == "email" else value
        query = """SELECT document FROM customers WHERE place IN
            (SELECT place FROM customer_keys WHERE kind = ? AND value = ?) ORDER BY place"""
        return [loads(row[0]) for row in self._db.execute(query, (kind, value))]

    def store_customer(self, document: Document) -> Document:
        """Put a whole document in the place of the one with its id; as it is stored, with its new ``modifiedAt``."""
        document = {name: value for name, value in document.items() if name != "modifiedAt"}
        place = _hash(document["id"])
        with self.transaction():
            document["modifiedAt"], now = self._later("customers", place, self._instant())
            self._store("customers", place, document, dumps(document), now)
        return document

    # Sales

    def sale(self, external_id: str) -> Document | None:
        """The stored document."""
        row = self._db.execute("SELECT document FROM sales WHERE external_id = ?", (external_id,)).fetchone()
        return loads(row[0]) if row else None

    def refunds_of(self, external_id: str) -> list[Document]:
        """The stored refunds that refer to a sale."""
        rows = self._db.execute("SELECT document FROM sales WHERE refers_to = ?", (external_id,))
        return [loads(row[0]) for row in rows]

    def sales(self) -> Iterator[str]:
        """All of them as JSON text, oldest first."""
        return (row[0] for row in self._db.execute("SELECT document FROM sales ORDER BY number"))

    def knows_product(self, code: str) -> bool:
        """Whether there is a product with this code."""
        return self._db.execute("SELECT 1 FROM products WHERE code = ?", (code,)).fetchone() is not None

    def store_sale(self, document: Document) -> None:
        """Keep a sale or refund, and move the balances of its products."""
        row = (document["externalId"], document.get("refersTo"), dumps(document))
        with self.transaction():
            self._db.execute("INSERT INTO sales SELECT ?, ?, ?, coalesce(max(number), 0) + 1 FROM sales", row)
            if not self._late_balances:
                self._put_all("balances", self._moved_balances(document))
        if self._late_balances:
            self._late.append((document, self._clock.now()))

    def delay_balances(self, is_late: bool) -> None:
        """Whether the feed shows what a booking moves only later, with the time of the booking (contract, Feeds).

        A balance that was changed since then shows both, with the later time.
        """
        self._late_balances = is_late
        while self._late and not is_late:
            document, moment = self._late.pop(0)
            moved = self._moved_balances(document)
            self.put("balances", [each | {"modifiedAt": self._not_before_the_last(each, moment)} for each in moved])

    def _not_before_the_last(self, balance: Document, moment: datetime) -> str:
        place = self._place("balances", balance)
        row = self._db.execute("SELECT modified FROM balances WHERE place = ?", (place,)).fetchone()
        last = _EPOCH + timedelta(microseconds=row[0] + 1000) if row else moment
        return catalogue.wire_instant(max(moment, last))

    def _moved_balances(self, document: Document) -> list[Document]:
        moved: dict[tuple[str, str], Document] = {}
        for line in document["lines"]:
            if line["kind"] != "Product" or "productCode" not in line or line.get("restock") is False:
                continue
            balance = self._balance_for(line["productCode"], document["storeId"])
            if balance is not None:
                key = (balance["productCode"], balance["storeId"])
                free = moved.get(key, balance)["freeBalance"] - line["quantity"]
                moved[key] = {"productCode": key[0], "storeId": key[1], "freeBalance": free}
        return list(moved.values())

    def _balance_for(self, code: str, store: str) -> Document | None:
        rows = self._db.execute("SELECT document FROM balances WHERE code = ?", (code,)).fetchall()
        balances = [balance for row in rows if has_number(balance := loads(row[0]), "balances", "freeBalance")]
        return max(balances, key=lambda each: (each["storeId"] == store, each["freeBalance"]), default=None)

    # Tokens

    def issue(self, scopes: str, seconds: int) -> str:
        """A new token."""
        claims = {"tenant": self._tenant, "scope": scopes.split(), "jti": secrets.token_hex(16)}
        parts = ({"alg": "RS256", "typ": "at+jwt"}, claims)
        head, payload = (base64.urlsafe_b64encode(dumps(part).encode()).decode().rstrip("=") for part in parts)
        token = f"{head}.{payload}.{secrets.token_urlsafe(32)}"
        now = time.time()
        with self.transaction():
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


def customer_keys(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a customer is found by; nothing finds a deleted one."""
    if document.get("deleted"):
        return []
    email, identifiers = document.get("email"), document.get("identifiers")
    keys = [("email", email.strip().lower())] if isinstance(email, str) and email.strip() else []
    entries = [each for each in identifiers if isinstance(each, dict)] if isinstance(identifiers, list) else []
    return keys + [("externalId", str(each.get("value"))) for each in entries if each.get("type") == "ExternalID"]


def has_number(document: Any, feed: str, name: str) -> bool:
    """Whether it is a document of the feed that lives, with its key and a number of this name."""
    if not isinstance(document, dict) or document.get("deleted"):
        return False
    return isinstance(document.get(name), int | Decimal) and all(isinstance(document.get(k), str) for k in KEYS[feed])


@lru_cache(maxsize=1024)  # a bulk load has a hundred thousand equal ones
def microseconds(instant: object) -> int | None:
    """Since 1970; ``None`` when it is no instant in UTC."""
    if not isinstance(instant, str) or not _UTC_INSTANT.fullmatch(instant):
        return None
    try:
        return (datetime.fromisoformat(instant) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None


def loads(text: str | bytes) -> Any:
    """JSON with its numbers to the digit."""
    return simplejson.loads(text, use_decimal=True)


def dumps(value: Any) -> str:
    """The same the other way."""
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, separators=(",", ":"))


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) >> 1
