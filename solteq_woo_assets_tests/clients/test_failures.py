import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.clients.failures import (
    MAX_RETRY_AFTER_SECONDS,
    SHOWN_CHARACTERS,
    code_and_words,
    diagnose,
    retry_after_seconds,
    said_time,
    shown,
)

NOW = datetime(2026, 11, 23, 5, 20, 38, tzinfo=UTC)
LAST_YEAR = {"Date": "Fri, 31 Dec 9999 23:59:59 -1200"}


@given(st.integers(0, 10**400))
def test_retry_after_in_seconds(seconds: int) -> None:
    assert retry_after_seconds(f" {seconds} ", NOW) == min(seconds, MAX_RETRY_AFTER_SECONDS)


@given(st.integers(-(10**6), 10**6))
def test_retry_after_as_a_date(seconds: int) -> None:
    value = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after_seconds(value, NOW) == min(max(seconds, 0), MAX_RETRY_AFTER_SECONDS)


@given(st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ \S*\Z"))
def test_retry_after_that_makes_no_sense_is_none(value: str) -> None:
    seconds = retry_after_seconds(value, NOW)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_SECONDS


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1.5", "١٢"])
def test_retry_after_without_a_meaning(value: str | None) -> None:
    assert retry_after_seconds(value, NOW) is None


@given(st.text(max_size=500), st.text(min_size=1, max_size=20).filter(lambda s: s.strip() and "*" not in s))
def test_what_is_shown_is_short_and_holds_no_secret(text: str, secret: str) -> None:
    seen = shown(f"{text}{secret}{text}", [secret])
    assert secret not in seen
    assert len(seen) <= SHOWN_CHARACTERS
    assert "\n" not in seen


def test_e_mail_addresses_are_not_shown() -> None:
    assert shown("taken by  maija.meikalainen@example.fi already", []) == "taken by …@… already"
    assert shown("GET /customers?email=maija%40example.fi failed", []) == "GET …@… failed"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"code": "rest_no_route", "message": "No &lt;route&gt;"}, ("rest_no_route", "No <route>")),
        ({"error": "duplicate", "id": "c-1"}, ("duplicate", "")),
        (
            {"error": "validation", "details": [{"path": "email", "message": "not one"}, 3]},
            ("validation", "email: not one"),
        ),
        ({"error": "invalid_client", "error_description": "unknown"}, ("invalid_client", "unknown")),
        ({}, (None, "")),
        ([1], (None, "")),
        (None, (None, "")),
    ],
)
def test_the_other_sides_words(body: object, expected: tuple[str | None, str]) -> None:
    assert code_and_words(body) == expected


def test_an_invalid_certificate_is_final() -> None:
    invalid = ssl.SSLCertVerificationError()
    invalid.verify_message = "self-signed certificate"
    pool = urllib3.HTTPSConnectionPool("shop.example")
    reason = urllib3.exceptions.MaxRetryError(pool, "/?token=x", urllib3.exceptions.SSLError(invalid))
    what, not_done, passing = diagnose(requests.exceptions.SSLError(reason), 60)
    assert what == "its certificate is not valid: self-signed certificate"
    assert (not_done, passing) == (True, False)


def test_an_address_that_cannot_be_used_is_final() -> None:
    what, not_done, passing = diagnose(requests.exceptions.InvalidHeader("Bearer secret\n"), 60)
    assert "secret" not in what
    assert (not_done, passing) == (True, False)


def test_the_other_sides_clock() -> None:
    """Protects the doctor's line on clocks: what a cache has kept is older than it says, and no header is no crash."""
    date, naive = {"Date": "Mon, 23 Nov 2026 05:20:38 GMT"}, NOW.replace(tzinfo=None)
    assert said_time(date) == naive
    assert said_time(date | {"Age": "90"}) == naive + timedelta(seconds=90)
    assert said_time(date | {"Age": "sesame"}) == naive
    assert said_time({"Date": "Mon, 23 Nov 2026 07:20:38 +0200"}) == naive
    for nothing in ({}, {"Date": ""}, {"Date": "sesame"}, {"Date": "Mon, 99 Nov 2026 05:20:38 GMT"}, LAST_YEAR):
        assert said_time(nothing) is None
    assert said_time(date | {"Age": "9" * 30}) is None
