"""Access to Solteq's API: a token for each scope, and requests that carry it."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests.auth
from pydantic import SecretStr

from solteq_woo_assets.clients.http import JsonResponse, JsonSession, Params
from solteq_woo_assets.errors import SolteqError

_MARGIN_SECONDS, _MARGIN_SHARE = 60.0, 0.1
_UNAUTHORIZED = 401


class TokenCache:
    """Access tokens by scope, each renewed shortly before it expires. Thread-safe; one renewal at a time.

    :param renew: gets a new token for a scope, and its life in seconds
    :param clock: seconds from anywhere
    """

    def __init__(
        self, renew: Callable[[str], tuple[SecretStr, float]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._renew = renew
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, tuple[SecretStr, float]] = {}

    def get(self, scope: str, *, instead_of: SecretStr | None = None) -> SecretStr:
        """A token that can be used now.

        :param instead_of: one that was refused; not given again unless there is no other
        """
        with self._lock:
            token, until = self._held.get(scope, (None, 0.0))
            if token is None or token == instead_of or self._clock() >= until:
                asked = self._clock()  # a life counts from before the answer travelled
                token, life = self._renew(scope)
                margin = min(_MARGIN_SECONDS, life * _MARGIN_SHARE)
                self._held[scope] = (token, asked + life - margin)
            return token


class ScopedApi:
    """Solteq's API with a token for one scope. Thread-safe."""

    def __init__(self, api: JsonSession, tokens: TokenCache, scope: str) -> None:
        self._api = api
        self._tokens = tokens
        self._scope = scope

    def get(self, path: str, params: Params) -> JsonResponse:
        """Read. See :meth:`JsonSession.get`."""
        return self._with_token(lambda auth: self._api.get(path, params, auth=auth))

    def send(
        self, method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> JsonResponse:
        """Write, once. See :meth:`JsonSession.send`."""
        return self._with_token(lambda auth: self._api.send(method, path, body, headers=headers, auth=auth))

    def _with_token(self, request: Callable[[requests.auth.AuthBase], JsonResponse]) -> JsonResponse:
        token = self._tokens.get(self._scope)
        try:
            return request(_Bearer(token))
        except SolteqError as error:
            if error.status != _UNAUTHORIZED:
                raise
        # Revoked before its time, which a run can meet at any moment; a second 401 is the caller's.
        return request(_Bearer(self._tokens.get(self._scope, instead_of=token)))


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return r
