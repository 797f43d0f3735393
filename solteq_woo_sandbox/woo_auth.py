"""Who may speak to the WooCommerce stand-in: Basic over HTTPS, OAuth 1.0a over plain HTTP."""

import base64
import binascii
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

from oauthlib.oauth1.rfc5849 import signature as oauth

from .clock import Clock

CONSUMER_KEY = "ck_sandbox"
CONSUMER_SECRET = "cs_sandbox"  # noqa: S105 - opens made-up data only, and is printed by the command line

_WINDOW_SECONDS = 15 * 60
_VERIFIERS = {"HMAC-SHA1": oauth.verify_hmac_sha1, "HMAC-SHA256": oauth.verify_hmac_sha256}
_PARAMETERS = ("oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method")


class ApiError(Exception):
    """An answer that is an error, in WordPress's words.

    :param data: what stands in ``data`` beside the status
    """

    def __init__(self, status: int, code: str, message: str, **data: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.data = {"status": status} | data

    def document(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"code": self.code, "message": self.message, "data": self.data}


class PhpError(ApiError):
    """The store's own code failed; WordPress tells nothing then of what the path can be asked."""

    def __init__(self) -> None:
        handbook = "https://wordpress.org/documentation/article/faq-troubleshooting/"
        link = f'<a href="{handbook}">Learn more about troubleshooting WordPress.</a>'
        message = f"<p>There has been a critical error on this website.</p><p>{link}</p>"
        super().__init__(500, "internal_server_error", message)


@dataclass
class Gate:
    """Checks credentials and remembers nonces; these are forgotten at a restart, which no client can tell."""

    clock: Clock = field(default_factory=Clock)
    _nonces: dict[str, float] = field(default_factory=dict)

    def admits(self, method: str, url: str, authorization: str) -> bool:
        """Whether the request is the shop's; ``False`` is a stranger, who may still read the index.

        :param url: as the client wrote it: the scheme decides what is accepted, the query is signed too
        :raises ApiError: the credentials were recognised and do not hold
        """
        parts = urlsplit(url)
        if parts.scheme == "https" and _basic(authorization):
            return True
        try:
            headers = {"Authorization": authorization} if authorization[:6].lower() == "oauth " else {}
            given = oauth.collect_parameters(parts.query, headers=headers, exclude_oauth_signature=False)
        except ValueError:  # a query that is not URL-encoded has no signature that could hold
            return False
        found = _as_php_has_them(given)
        if not any(name in found for name in _PARAMETERS):
            return False
        if missing := [name for name in _PARAMETERS if not found.get(name)]:
            plural = "s" if len(missing) > 1 else ""
            raise _refused(f"Missing OAuth parameter{plural} {', '.join(missing)}")
        if found["oauth_consumer_key"] != CONSUMER_KEY:
            raise _refused("Consumer key is invalid.")
        verify = _VERIFIERS.get(found["oauth_signature_method"])
        if verify is None:
            raise _refused("Invalid signature - signature method is invalid.")
        # WooCommerce undoes the space that an unescaped plus sign in a query becomes.
        signature = unquote(found.pop("oauth_signature").replace(" ", "+"))
        request = SimpleNamespace(uri=url, http_method=method, params=list(found.items()), signature=signature)
        if not verify(request, CONSUMER_SECRET, ""):
            raise _refused("Invalid signature - provided signature does not match.")
        self._once(found["oauth_timestamp"], found["oauth_nonce"])
        return True

    def _once(self, timestamp: str, nonce: str) -> None:
        now = self.clock.seconds()
        if not timestamp.isdigit() or abs(now - int(timestamp)) > _WINDOW_SECONDS:
            raise _refused("Invalid timestamp.")
        if self._nonces.get(nonce, 0) > now - 2 * _WINDOW_SECONDS:
            raise _refused("Invalid nonce - nonce has already been used.")
        self._nonces[nonce] = now
        if len(self._nonces) > 100_000:
            self._nonces = {seen: at for seen, at in self._nonces.items() if at > now - 2 * _WINDOW_SECONDS}


def guard_key(method: str, permissions: str) -> None:
    """What the key was made for: WooCommerce asks before it looks for the route (WC_REST_Authentication, in its
    filter of ``rest_pre_dispatch``).

    :raises ApiError: the key may not do this, in the words of WooCommerce's source
    """
    if method not in ("GET", "HEAD", "OPTIONS") and permissions == "read":
        raise _refused("The API key provided does not have write permissions.")


def _as_php_has_them(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """WooCommerce signs what PHP made of the query: of one name the last value, and ``a[]`` with its number. So
    who signs ``a[]`` as it was sent, as the standard says, is refused."""
    found: dict[str, str] = {}
    for name, value in pairs:
        place = sum(known.startswith(name[:-1]) for known in found) if name.endswith("[]") else None
        found[name if place is None else f"{name[:-2]}[{place}]"] = value
    return found


def _basic(authorization: str) -> bool:
    if authorization[:6].lower() != "basic ":
        return False
    try:
        key, _, secret = base64.b64decode(authorization[6:], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    if key != CONSUMER_KEY:
        return False
    if secret != CONSUMER_SECRET:
        raise _refused("Consumer secret is invalid.")
    return True


def _refused(message: str) -> ApiError:
    return ApiError(401, "woocommerce_rest_authentication_error", message)
