"""Failures on the wire, in words for a message: short, without secrets and personal data."""

import html
import re
import ssl
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import requests
from urllib3.exceptions import NewConnectionError, ProxyError

from solteq_woo_assets.errors import RemoteError

CONNECT_SECONDS = 10.0
MAX_RETRY_AFTER_SECONDS = 120.0
SHOWN_CHARACTERS = 200

_E_MAIL = re.compile(r"[^\s@<>\"]{1,100}(?:@|%40)[^\s@<>\"']{1,255}")  # also as a query spells it
_LOOKED_AT = 20_000  # characters; enough to show the first 200 once spaces are squeezed


class Failure(Exception):
    """One request that went wrong.

    :param error: what to raise if it is not tried again
    :param not_done: the other side certainly did nothing
    :param passing: it may go better in a while
    :param wait: the seconds that the other side asked for
    """

    def __init__(self, error: RemoteError, *, not_done: bool, passing: bool, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.not_done = not_done
        self.passing = passing
        self.wait = wait


class Diagnosis(NamedTuple):
    """Why no answer came. See :class:`Failure`."""

    what: str
    not_done: bool
    passing: bool


def diagnose(error: requests.RequestException, read_seconds: float) -> Diagnosis:
    """The meaning of an exception of requests, without the address and query that its own text repeats."""
    reason = getattr(error.args[0], "reason", error.args[0]) if error.args else error
    if isinstance(error, requests.exceptions.SSLError):
        return _broken_tls(reason)
    if isinstance(error, requests.ConnectTimeout):
        return Diagnosis(f"no connection within {CONNECT_SECONDS:g} s", not_done=True, passing=True)
    if isinstance(reason, NewConnectionError | ProxyError):
        why = reason.original_error if isinstance(reason, ProxyError) else reason.__cause__
        words = getattr(why, "strerror", None) or type(why).__name__
        return Diagnosis(f"no connection ({words})", not_done=True, passing=True)
    if isinstance(error, requests.Timeout) or "timed out" in str(reason).lower():
        return Diagnosis(f"no answer within {read_seconds:g} s", not_done=False, passing=True)
    if isinstance(error, ValueError):
        what = f"cannot be sent ({type(error).__name__}): check the address and the credentials"
        return Diagnosis(what, not_done=True, passing=False)
    return Diagnosis(f"the connection broke off ({type(error).__name__})", not_done=False, passing=True)


def _broken_tls(reason: Any) -> Diagnosis:
    inner = reason.args[0] if getattr(reason, "args", ()) else reason
    if isinstance(inner, ssl.SSLCertVerificationError):
        words = inner.verify_message or "it does not belong to this address"
        return Diagnosis(f"its certificate is not valid: {words}", not_done=True, passing=False)
    return Diagnosis("the encrypted connection broke off", not_done=False, passing=True)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """The seconds that a ``Retry-After`` header asks for, two minutes at most; ``None`` without one."""
    value = (value or "").strip()
    if re.fullmatch(r"[0-9]+", value):
        return min(float(value), MAX_RETRY_AFTER_SECONDS)
    try:
        until = parsedate_to_datetime(value)
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def said_time(headers: Mapping[str, str]) -> datetime | None:
    """When the other side says that it is, naive UTC; of an answer that a cache has kept, its age is added."""
    age = headers.get("Age", "").strip()
    try:
        said = parsedate_to_datetime(headers.get("Date", ""))
        said += timedelta(seconds=int(age) if age.isdecimal() else 0)
        return said.replace(tzinfo=said.tzinfo or UTC).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def code_and_words(body: Any) -> tuple[str | None, str]:
    """The other side's error code and words, as WooCommerce, Solteq or an identity server spells them."""
    if not isinstance(body, Mapping):
        return None, ""
    code = body.get("code") or body.get("error")
    words = body.get("message") or body.get("error_description") or ""
    details = body.get("details")
    if not words and isinstance(details, list):
        named = [each for each in details if isinstance(each, Mapping)]
        words = "; ".join(f"{each.get('path')}: {each.get('message')}" for each in named)
    return (str(code) if code else None), html.unescape(str(words))


def shown(text: str, secrets: Iterable[str]) -> str:
    """The beginning of what the other side said, on one line, without secrets and e-mail addresses."""
    text = text[:_LOOKED_AT]
    for secret in secrets:
        text = text.replace(secret, "***")
    return _E_MAIL.sub("…@…", " ".join(text.split()))[:SHOWN_CHARACTERS]
