"""Solteq Commerce Cloud: its feeds as documents."""

import base64
import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Unpack
from urllib.parse import urlsplit

import simplejson
from oauthlib.oauth2 import BackendApplicationClient
from pydantic import BaseModel, Field, SecretStr, ValidationError

from solteq_woo_assets.clients.http import JsonSession, Wire
from solteq_woo_assets.clients.solteq_access import ScopedApi, TokenCache
from solteq_woo_assets.clients.solteq_customers import SolteqCustomers
from solteq_woo_assets.clients.solteq_documents import D, Feed, FeedPage, documents_of, validated
from solteq_woo_assets.clients.solteq_sales import SolteqSales
from solteq_woo_assets.errors import ConfigurationError, SolteqError
from solteq_woo_assets.settings import FEEDS, Endpoint

TOKEN_REPEATS = 5
"""How often one continuation token may come back before the feed is taken to run in circles."""
EMPTY_PAGES = 1000
"""How many empty pages in a row a feed may have."""

_NAMES_OF_TENANT = ("tenant_id", "tenantId", "tenant", "tid", "company_id", "companyId", "company")
TENANT_CLAIMS = (*_NAMES_OF_TENANT, *(f"client_{name}" for name in _NAMES_OF_TENANT))
"""Names of the claim that names the tenant; IdentityServer puts ``client_`` before a client's."""

_UNSTATED_LIFE_SECONDS = 300
_CREDENTIALS = "Check SOLTEQ_CLIENT_ID and SOLTEQ_CLIENT_SECRET"

_MENDS: Mapping[int | str, str] = {
    401: f"{_CREDENTIALS}; changing the credential in Solteq's back office revokes its tokens.",
    403: "The client lacks a scope or a right: register the feed's scope for it in Solteq's back office "
    "(setting SOLTEQ_WOO_SOLTEQ_FEEDS).",
    404: "Check SOLTEQ_API_URL and the feed's path (setting SOLTEQ_WOO_SOLTEQ_FEEDS).",
    "redirect": "Use the https address that it points to in SOLTEQ_API_URL.",
    "not json": "Check that SOLTEQ_API_URL is the API's address and that no proxy or firewall answers for it.",
}
_IDENTITY_MENDS: Mapping[int | str, str] = {
    "invalid_client": f"{_CREDENTIALS}.",
    "invalid_scope": "Register the scope for the client in Solteq's back office, or mend the setting "
    "SOLTEQ_WOO_SOLTEQ_FEEDS.",
    400: f"{_CREDENTIALS}.",
    401: f"{_CREDENTIALS}.",
    403: f"{_CREDENTIALS}; a firewall may also stand in between.",
    404: "Check SOLTEQ_IDENTITY_URL.",
    "redirect": "Use the https address that it points to in SOLTEQ_IDENTITY_URL.",
    "not json": "Check that SOLTEQ_IDENTITY_URL is the identity server's address.",
}


class SolteqClient:
    """Reads the feeds. Thread-safe.

    :param timezone: of the shop, a TZ database name
    :param feeds: paths and scopes; customers and sales are written there, too
    :raises ConfigurationError: an address over which the secret would travel in the clear
    """

    def __init__(
        self,
        api_url: str,
        identity_url: str,
        client_id: str,
        client_secret: SecretStr,
        *,
        timezone: str = "Europe/Helsinki",
        feeds: Mapping[str, Endpoint] = FEEDS,
        **wire: Unpack[Wire],
    ) -> None:
        _check_address("SOLTEQ_API_URL", api_url)
        _check_address("SOLTEQ_IDENTITY_URL", identity_url)
        shared: dict[str, Any] = {**wire, "error": SolteqError, "secrets": [client_secret.get_secret_value()]}
        self._api = JsonSession(api_url, None, name="Solteq", mends=_MENDS, **shared)
        self._identity = JsonSession(
            identity_url, None, name="Solteq's identity server", mends=_IDENTITY_MENDS, **shared
        )
        self._client_id = client_id
        self._client_secret = client_secret
        self._timezone = timezone
        self._tokens = TokenCache(self._new_token)
        customers, sales = feeds["customers"], feeds["sales"]
        self.customers = SolteqCustomers(customers.path, ScopedApi(self._api, self._tokens, customers.scope))
        self.sales = SolteqSales(sales.path, ScopedApi(self._api, self._tokens, sales.scope))

    @property
    def requests_made(self) -> int:
        """Requests so far, tokens and repeated ones included."""
        return self._api.requests_made + self._identity.requests_made

    def sign_in(self, scope: str) -> None:
        """Get a token for a scope, unless there is one.

        :raises SolteqError: with the code ``invalid_scope`` where the credentials hold and the scope does not
        """
        self._tokens.get(scope)

    def tenant(self, scope: str) -> str | None:
        """The tenant by the claims of the access token; ``None`` when it names none.

        :raises SolteqError: there is no token to be had
        """
        claims = _claims(self._tokens.get(scope))
        return next((str(claims[name]) for name in TENANT_CLAIMS if claims.get(name)), None)

    @property
    def remote_time(self) -> datetime | None:
        """Solteq's clock at the API's last answer, naive UTC; without one, at its identity server's."""
        return self._api.remote_time or self._identity.remote_time

    def their_time(self, ours: datetime) -> datetime:
        """An instant of our clock by Solteq's; see :class:`~solteq_woo_assets.clients.http.JsonSession`."""
        return self._api.their_time(ours)

    def close(self) -> None:
        self._api.close()
        self._identity.close()

    def read(
        self, feed: Feed[D], *, modified_since: datetime | None = None, page_size: int = 1000
    ) -> Iterator[FeedPage[D]]:
        """The feed's pages, as they arrive; empty ones are followed but not given.

        The same document may come twice, and an older version after a newer one.

        :param modified_since: inclusive, with a time zone; ``None`` reads everything
        :raises SolteqError: the feed cannot be read on
        """
        params: dict[str, str | int] = {"pageSize": page_size, "timezone": self._timezone}
        if modified_since is not None:
            params["modifiedSince"] = _utc(modified_since)
        api = ScopedApi(self._api, self._tokens, feed.scope)
        seen: Counter[str] = Counter()
        empty = 0
        while True:
            documents, token = documents_of(api.get(feed.path, params).body, feed.path)
            if documents:
                yield validated(feed.document, documents)
            if not token:
                return
            seen[token] += 1
            empty = 0 if documents else empty + 1
            if seen[token] > TOKEN_REPEATS or empty > EMPTY_PAGES:
                why = "repeats a continuation token" if empty <= EMPTY_PAGES else "has nothing but empty pages"
                raise SolteqError(f"Solteq: the feed of {feed.name} {why} and would never end: report it to Solteq.")
            params["continuationToken"] = token

    def answers_for(self, feed: Feed) -> str:
        """The path of a feed and the time zone of its question, which decide its answer."""
        return f"{feed.path} {self._timezone}"

    def newest_page(self, feed: Feed[D], *, modified_since: datetime, page_size: int = 100) -> FeedPage[D]:
        """The first page with anything in it since then, or an empty one: the cheap question of a sensor."""
        pages = self.read(feed, modified_since=modified_since, page_size=page_size)
        return next(pages, FeedPage[D]([], []))

    def _new_token(self, scope: str) -> tuple[SecretStr, float]:
        # The grant is oauthlib's; its binding to requests would log the token at debug level.
        form = BackendApplicationClient(self._client_id).prepare_request_body(
            scope=scope, include_client_id=True, client_secret=self._client_secret.get_secret_value()
        )
        answer = self._identity.send_form("connect/token", form)
        try:
            token = _Token.model_validate(answer.body)
        except ValidationError:
            raise SolteqError(
                "Solteq's identity server: POST connect/token: the answer holds no usable access_token. "
                "Check SOLTEQ_IDENTITY_URL.",
                status=answer.status,
            ) from None
        return token.access_token, float(token.expires_in)


class _Token(BaseModel):
    access_token: Annotated[SecretStr, Field(min_length=1)]
    expires_in: int = _UNSTATED_LIFE_SECONDS


def _claims(token: SecretStr) -> Mapping[str, Any]:
    """The claims of a JWT. Its signature is not checked, since it came from the identity server itself."""
    _, _, payload = token.get_secret_value().partition(".")
    payload = payload.partition(".")[0]
    try:
        claims = simplejson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _check_address(setting: str, address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise ConfigurationError(f"{setting} must begin with https://: over http the secret could be read by anyone")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _utc(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("modified_since needs a time zone")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
