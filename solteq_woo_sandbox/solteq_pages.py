"""The pages of a Solteq feed: as the contract says, and as unruly as Cosmos DB may cut them."""

import base64
import re
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import simplejson

from solteq_woo_sandbox.solteq_documents import Documents, Invalid, Row, dumps, loads, microseconds

DEFAULT_PAGE_SIZE = 100
_UNSAID = {"active": True, "deleted": False, "reservedBalance": 0, "priority": 0, "type": "Simple"}


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


def page(
    documents: Documents, feed: str, query: Mapping[str, str], *, longest: int, whims: int | None
) -> tuple[list[str], str | None]:
    """The documents of a page as JSON text, and the token of the page after it.

    :param longest: no page is longer, whatever was asked for
    :param whims: the seed of an unruly feed; ``None`` is a tame one
    :raises Invalid: names the parameter
    """
    since_text = query.get("modifiedSince", "")
    since = microseconds(since_text) if since_text else None
    if since_text and since is None:
        raise Invalid("modifiedSince", "not an ISO 8601 instant in UTC, such as 2026-01-05T06:00:00.000Z")
    if not _is_zone(query.get("timezone", "Europe/Helsinki")):
        raise Invalid("timezone", "not a name in the TZ database")
    asked = query.get("pageSize", str(DEFAULT_PAGE_SIZE))
    if not re.fullmatch(r"[0-9]{1,9}", asked) or int(asked) == 0:
        raise Invalid("pageSize", "not a positive whole number")
    limit = min(int(asked), longest)
    token = query.get("continuationToken")
    cursor = Cursor.of(token, feed, since_text) if token else Cursor(feed, since_text)
    if whims is None:
        rows = documents.after(feed, cursor.place, since, limit + 1)
        following = cursor._replace(place=rows[limit - 1].place) if len(rows) > limit else None
        found = [row.document for row in rows[:limit]]
    else:
        whim = zlib.crc32(f"{whims} {cursor.place}".encode())
        found, following = _unruly(documents, cursor, since, limit, whim, is_first=not token)
    return found, following.token() if following else None


def _unruly(
    documents: Documents, cursor: Cursor, since: int | None, limit: int, whim: int, *, is_first: bool
) -> tuple[list[str], Cursor | None]:
    """The same page for the same whim: cut short, empty, or with repeats. What fits in one page takes one."""
    if not is_first and not cursor.paused and whim % 4 == 0:
        return [], cursor._replace(paused=True)
    feed = cursor.feed
    found = [row.previous or row.document for row in documents.at(feed, cursor.again[:limit])]
    room = limit - len(found)
    rows = documents.after(feed, cursor.place, since, room + 1)
    if not is_first or len(rows) > room:
        room -= whim % (room // 4 + 1)
    more, rows = len(rows) > room, rows[:room]
    found += [row.document for row in rows]
    again = _again(rows, whim)
    if more:
        place = rows[-1].place if rows else cursor.place
        return found, Cursor(feed, cursor.since, place, again=tuple(row.place for row in again))
    return found + [row.previous or row.document for row in again[: limit - len(found)]], None


def _again(rows: list[Row], whim: int) -> list[Row]:
    """Which documents of a page come once more: a few, those with an older version first."""
    older = sorted((row for row in rows if row.previous), key=lambda row: zlib.crc32(b"%d" % row.place))[:3]
    return older + (rows[:1] if whim % 3 == 0 else [])


def sparse(document: str) -> str:
    """Without what it need not say (contract, Required)."""
    read = loads(document)
    if not isinstance(read, dict):
        return document
    kept = {n: v for n, v in read.items() if v not in (None, [], {}, "") and not (n in _UNSAID and v == _UNSAID[n])}
    return dumps(kept)


@lru_cache(maxsize=100)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
