"""One system's wire: JSON over HTTP with time-outs, retries, a bound on size, a cap on requests in flight."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypedDict
from urllib.parse import quote_plus, urlsplit

import requests
import requests.auth
import simplejson
import stamina

from solteq_woo_assets.clients.deadline import Deadline, DeadlineAdapter
from solteq_woo_assets.clients.failures import (
    CONNECT_SECONDS,
    SHOWN_CHARACTERS,
    Diagnosis,
    Failure,
    code_and_words,
    diagnose,
    retry_after_seconds,
    said_time,
    shown,
)
from solteq_woo_assets.clients.json_reader import read_json
from solteq_woo_assets.errors import ConfigurationError, OutcomeUnknownError, RemoteError

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
ANSWER_SECONDS = 600.0
"""For a minute of silence and then the largest answer, at 120 kB a second. No store is slower; a broken one may be."""
MOST_CLOCK_SKEW = timedelta(hours=1)
"""Nothing is read when the clocks are further apart."""

_CHUNK_BYTES = 256 * 1024
_OK, _REDIRECT, _CLIENT_ERROR, _SERVER_ERROR = 200, 300, 400, 500
_TOO_MANY_REQUESTS, _NOT_IMPLEMENTED = 429, 501

_CLOCK_MEND = (
    "Let this machine and the other side get their time from the network (timedatectl set-ntp true); "
    "solteq-woo doctor tells how far each clock is off."
)

Params = Mapping[str, str | int]

for _name in ("urllib3.connectionpool", "requests_oauthlib", "oauthlib"):
    logging.getLogger(_name).setLevel(logging.INFO)  # below it they show queries, e-mail addresses in them


@dataclass(frozen=True)
class JsonResponse:
    """An answer that is not an error. Numbers with a fraction in ``body`` are :class:`~decimal.Decimal`.

    :param headers: found by their names in any case
    """

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    params: Params | None = None
    content: bytes | None = None
    headers: Mapping[str, str] | None = None
    auth: requests.auth.AuthBase | None = None


class Wire(TypedDict, total=False):
    """Options of a client's wire. See :class:`JsonSession`."""

    in_flight: int
    read_seconds: float
    attempts: int
    read_only: bool
    most_clock_skew: timedelta | None


class JsonSession:
    """One system's wire. Thread-safe: share one per system, since it caps the requests under way there.

    :param base_url: what every path is appended to
    :param auth: of every request that brings none of its own
    :param error: raised for this system's errors
    :param name: the system's, for messages
    :param in_flight: requests under way at once, at most
    :param read_seconds: longest silence of the other side
    :param answer_seconds: from the request to the last byte of its answer, at most
    :param attempts: of a request that may be repeated, in all
    :param mends: what to do about an error, by its code or its status; ``"redirect"`` and ``"not json"`` too
    :param secrets: never shown, even when the other side repeats them
    :param read_only: shadow mode: refuse to send anything that could change the other side
    :param most_clock_skew: reading raises when the other side's clock is further from ours; ``None`` reads on

    ``remote_time`` is the other side's clock as its last answer told it, naive UTC; an error is an answer, too.
    ``clock_ahead`` is how far that was ahead of ours, less what the answer took; ``None`` until an answer tells.
    """

    def __init__(
        self,
        base_url: str,
        auth: requests.auth.AuthBase | None,
        *,
        error: type[RemoteError],
        name: str,
        in_flight: int = 2,
        read_seconds: float = 60.0,
        answer_seconds: float = ANSWER_SECONDS,
        attempts: int = 5,
        mends: Mapping[int | str, str] | None = None,
        secrets: Sequence[str] = (),
        read_only: bool = False,
        most_clock_skew: timedelta | None = MOST_CLOCK_SKEW,
    ) -> None:
        self._read_only = read_only
        self._most_clock_skew = most_clock_skew
        self.requests_made = 0
        self.remote_time: datetime | None = None
        self.clock_ahead: timedelta | None = None
        self._base_url = base_url.rstrip("/")
        self._base_path = urlsplit(self._base_url).path
        self._auth = auth or Nobody()
        self._error = error
        self._name = name
        self._read_seconds = read_seconds
        self._answer_seconds = answer_seconds
        self._attempts = max(1, attempts)
        self._mends = {"clock": _CLOCK_MEND, **(mends or {})}
        self._secrets = [form for secret in secrets if secret for form in (secret, quote_plus(secret))]
        self._turns = threading.Semaphore(in_flight)
        self._counting = threading.Lock()
        self._session = _session(in_flight)

    def get(
        self, path: str, params: Params | None = None, *, auth: requests.auth.AuthBase | None = None
    ) -> JsonResponse:
        """Read; tried again while that can help.

        :raises RemoteError: of this system's kind
        """
        return self._exchange(_Request("GET", path, params, auth=auth), repeatable=True)

    def send(
        self,
        method: str,
        path: str,
        body: object,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        auth: requests.auth.AuthBase | None = None,
    ) -> JsonResponse:
        """Write, once: tried again only where the first try certainly did nothing.

        :raises RemoteError: of this system's kind; nothing was done
        :raises OutcomeUnknownError: it left, and no answer tells what became of it
        :raises ConfigurationError: this session only reads
        """
        if self._read_only:
            raise ConfigurationError(f"SOLTEQ_WOO_MODE is shadow: nothing is sent to {self._name}")
        content = simplejson.dumps(body, use_decimal=True, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        return self._exchange(_Request(method, path, params, content, headers, auth), repeatable=False)

    def send_form(self, path: str, form: str) -> JsonResponse:
        """Post a form that changes nothing there, such as a token request: repeated like a read."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._exchange(_Request("POST", path, None, form.encode(), headers), repeatable=True)

    def their_time(self, ours: datetime) -> datetime:
        """An instant of our clock by the other side's, as its answers tell it; ours where they do not.

        Times of ours are compared with those of the other side in this form. Both naive UTC.
        """
        return ours + (self.clock_ahead or timedelta(0))

    def close(self) -> None:
        self._session.close()

    def _exchange(self, request: _Request, *, repeatable: bool) -> JsonResponse:
        def is_tried_again(failure: Exception) -> bool | float:
            """Or after how many seconds."""
            if not isinstance(failure, Failure) or not failure.passing or not (repeatable or failure.not_done):
                return False
            return True if failure.wait is None else failure.wait

        tries = stamina.retry_context(
            on=is_tried_again,
            attempts=self._attempts,
            timeout=None,  # a long Retry-After is no reason to give up
            wait_initial=0.5,
            wait_max=30.0,
        )
        try:
            for attempt in tries:
                with attempt:
                    return self._once(request)
        except Failure as failure:
            # The library's own exception is left out: it would show the address with its query.
            if repeatable or failure.not_done:
                raise failure.error from None
            raise OutcomeUnknownError(
                f"{failure.error} Whether it was done is not known: read back before sending it again."
            ) from failure.error
        raise AssertionError("unreachable")

    def _once(self, request: _Request) -> JsonResponse:
        with self._turns:
            with self._counting:
                self.requests_made += 1
            deadline = Deadline(self._answer_seconds)
            try:
                with deadline:
                    response, content = self._receive(request)
            except requests.RequestException as error:
                what = self._too_late() if deadline.passed else diagnose(error, self._read_seconds)
                raise self._failure(request, **what._asdict()) from None
        if deadline.passed:  # cut short, it can look whole
            raise self._failure(request, **self._too_late()._asdict())
        if request.method == "GET":  # what a write's answer says is known by then, and counts
            self._check_clock(request)
        return self._read(request, response, content)

    def _too_late(self) -> Diagnosis:
        """Not tried again in this run: each try could take as long."""
        return Diagnosis(f"no whole answer within {self._answer_seconds:g} s", not_done=False, passing=False)

    def _receive(self, request: _Request) -> tuple[requests.Response, bytes]:
        with self._session.request(
            request.method,
            f"{self._base_url}/{request.path.lstrip('/')}",
            params=request.params,
            data=request.content,
            headers=request.headers,
            auth=request.auth or self._auth,
            timeout=(CONNECT_SECONDS, self._read_seconds),
            allow_redirects=False,  # would turn a POST into a GET, and drop or give away the credentials
            stream=True,
        ) as response:
            self._note_time(response.headers)
            content = bytearray()
            for chunk in response.iter_content(_CHUNK_BYTES):
                content += chunk
                if len(content) > MAX_RESPONSE_BYTES:
                    break
            return response, bytes(content)

    def _note_time(self, headers: Mapping[str, str]) -> None:
        self.remote_time = said_time(headers)
        if self.remote_time is not None:
            self.clock_ahead = self.remote_time - datetime.now(UTC).replace(tzinfo=None)

    def _check_clock(self, request: _Request) -> None:
        """:raises Failure: the clocks are too far apart for anything to be read"""
        ahead, most = self.clock_ahead, self._most_clock_skew
        if ahead is None or most is None or abs(ahead) <= most:
            return
        hours = abs(ahead) / timedelta(hours=1)
        where = "ahead of" if ahead > timedelta(0) else "behind"
        what = f"its clock is {hours:.1f} h {where} this machine's, so nothing is read"
        raise self._failure(request, what, mend="clock", not_done=True, passing=False)

    def _read(self, request: _Request, response: requests.Response, content: bytes) -> JsonResponse:
        status = response.status_code
        is_good = _OK <= status < _REDIRECT
        if len(content) > MAX_RESPONSE_BYTES:
            what = f"answered {status} with more than {MAX_RESPONSE_BYTES >> 20} MiB: ask for smaller pages"
            raise self._failure(request, what, status=status, not_done=False, passing=False)
        if _REDIRECT <= status < _CLIENT_ERROR:
            target = response.headers.get("Location", "").partition("?")[0][:SHOWN_CHARACTERS]
            what = f"answered {status} and points to {target or 'nowhere'}"
            raise self._failure(request, what, status=status, mend="redirect", not_done=True, passing=False)
        try:
            body = read_json(content)
        except ValueError:
            what = self._not_json(response, content)
            if is_good:
                mend = "not json"
                raise self._failure(request, what, status=status, mend=mend, not_done=False, passing=False) from None
            raise self._refusal(request, response, what, None) from None
        if is_good:
            return JsonResponse(status, response.headers, body)
        code, words = code_and_words(body)
        if not code and not words:
            what = self._not_json(response, content)
        else:
            what = self._shown(f"answered {status} {code or ''}: {words}", response)
        raise self._refusal(request, response, what, body)

    def _refusal(self, request: _Request, response: requests.Response, what: str, body: Any) -> Failure:
        status = response.status_code
        code, _ = code_and_words(body)
        code = self._shown(code, response) if code else None
        # WooCommerce's own last word is 500 with `"data": 500`, where a crash has an object there.
        is_final = status == _NOT_IMPLEMENTED or (isinstance(body, dict) and body.get("data") == _SERVER_ERROR)
        return self._failure(
            request,
            what,
            status=status,
            code=code,
            body=body,
            mend=code if code in self._mends else status,
            not_done=status < _SERVER_ERROR or is_final,
            passing=status == _TOO_MANY_REQUESTS or (status >= _SERVER_ERROR and not is_final),
            wait=retry_after_seconds(response.headers.get("Retry-After"), self.their_time(datetime.now(UTC))),
        )

    def _failure(
        self,
        request: _Request,
        what: str,
        *,
        not_done: bool,
        passing: bool,
        status: int | None = None,
        code: str | None = None,
        body: object = None,
        mend: int | str | None = None,
        wait: float | None = None,
    ) -> Failure:
        todo = self._mends.get(mend, "") if mend is not None else ""
        path = f"{self._base_path}/{request.path.lstrip('/')}"
        message = f"{self._name}: {request.method} {path}: {what.rstrip('.: ')}. {todo}".rstrip()
        error = self._error(message, status=status, code=code, body=body, mend=todo)
        return Failure(error, not_done=not_done, passing=passing, wait=wait)

    def _not_json(self, response: requests.Response, content: bytes) -> str:
        kind = response.headers.get("Content-Type") or "no content type"
        if not content.strip():
            return f"answered {response.status_code} ({kind}) with an empty body where JSON was due"
        start = self._shown(content.decode(errors="replace"), response)
        return f"answered {response.status_code} ({kind}) with something else than was due: {start!r}"

    def _shown(self, text: str, response: requests.Response) -> str:
        _, _, credential = str(response.request.headers.get("Authorization") or "").partition(" ")
        return shown(text, [*self._secrets, credential] if credential else self._secrets)


class Nobody(requests.auth.AuthBase):
    """No credentials, as a visitor. ``None`` would look for some in ``~/.netrc``."""

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        return r


def _session(in_flight: int) -> requests.Session:
    session = requests.Session()
    try:
        release = version("solteq-woo-assets")
    except PackageNotFoundError:
        release = "0"
    session.headers.update({"Accept": "application/json", "User-Agent": f"solteq-woo-assets/{release}"})
    # Threads share the session, and the other side has no business in remembering us.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = DeadlineAdapter(pool_connections=1, pool_maxsize=in_flight)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
