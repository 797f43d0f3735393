"""Who the WooCommerce stand-in lets in: Basic over HTTPS alone, OAuth 1.0a over plain HTTP."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from oauthlib.oauth1 import Client
from requests_oauthlib import OAuth1

from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox.woo import CONSUMER_KEY, CONSUMER_SECRET, create_app

HTTPS = {"X-Forwarded-Proto": "https"}
NOT_ALLOWED = (401, "woocommerce_rest_cannot_view")
REFUSED = (401, "woocommerce_rest_authentication_error")


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the list of products."""
    with running(create_app(tmp_path_factory.mktemp("woo") / "woo.sqlite")) as url:
        yield f"{url}/wp-json/wc/v3/products"


def outcome(answer: requests.Response) -> tuple[int, str]:
    body = answer.json()
    return answer.status_code, body["code"] if isinstance(body, dict) and "code" in body else ""


@pytest.mark.parametrize("method", ["HMAC-SHA256", "HMAC-SHA1"])
@pytest.mark.parametrize("place", ["auth_header", "query"])
def test_oauth_over_plain_http(products: str, method: str, place: str) -> None:
    """Protects shops without TLS on the inner leg: reads with odd queries and writes with JSON both pass."""
    auth = OAuth1(CONSUMER_KEY, CONSUMER_SECRET, signature_method=method, signature_type=place)
    query = {"sku": "a b,ä+&=", "include[0]": "1", "include[1]": "2", "search": "~*'()"}
    assert outcome(requests.get(products, params=query, auth=auth, timeout=5)) == (200, "")
    listed = requests.get(products, params={"include[]": ["1", "2"]}, auth=auth, timeout=5)
    assert outcome(listed) == REFUSED, "WooCommerce signs include[0] for it: send lists with commas"
    name = f"{method} {place}"
    answer = requests.post(products, json={"name": name}, auth=auth, timeout=5)
    assert (answer.status_code, answer.json()["name"]) == (201, name)


def test_oauth_over_https_too(products: str) -> None:
    """Protects clients that always sign: the signature is over the https address then."""
    client = Client(CONSUMER_KEY, CONSUMER_SECRET, signature_method="HMAC-SHA256")
    _, headers, _ = client.sign(products.replace("http:", "https:"))
    assert outcome(requests.get(products, headers=headers | HTTPS, timeout=5)) == (200, "")


@pytest.mark.parametrize(
    ("credentials", "headers", "expected"),
    [
        pytest.param((CONSUMER_KEY, CONSUMER_SECRET), HTTPS, (200, ""), id="https"),
        pytest.param((CONSUMER_KEY, CONSUMER_SECRET), {}, NOT_ALLOWED, id="plain http ignores Basic"),
        pytest.param((CONSUMER_KEY, "cs_wrong"), {}, NOT_ALLOWED, id="and does not even check it"),
        pytest.param((CONSUMER_KEY, "cs_wrong"), HTTPS, REFUSED, id="wrong secret"),
        pytest.param(("ck_wrong", CONSUMER_SECRET), HTTPS, NOT_ALLOWED, id="wrong key"),
        pytest.param(None, HTTPS, NOT_ALLOWED, id="none"),
        pytest.param(None, HTTPS | {"Authorization": "Basic ?"}, NOT_ALLOWED, id="no base64"),
    ],
)
def test_basic(products: str, credentials: Any, headers: dict[str, str], expected: tuple[int, str]) -> None:
    """Protects doctor's advice: over plain http a right key looks like a wrong one."""
    assert outcome(requests.get(products, auth=credentials, headers=headers, timeout=5)) == expected


@pytest.mark.parametrize(
    ("signing", "message"),
    [
        ({"client_secret": "cs_wrong"}, "Invalid signature - provided signature does not match."),
        ({"client_key": "ck_wrong"}, "Consumer key is invalid."),
        ({"signature_method": "HMAC-SHA512"}, "Invalid signature - signature method is invalid."),
        ({"timestamp": str(int(time.time()) - 100_000)}, "Invalid timestamp."),
        ({"timestamp": str(int(time.time()) + 100_000)}, "Invalid timestamp."),
    ],
)
def test_a_signature_has_to_hold(products: str, signing: dict[str, str], message: str) -> None:
    """Protects the client's signing from a stand-in that takes anything."""
    right = {"client_key": CONSUMER_KEY, "client_secret": CONSUMER_SECRET, "signature_method": "HMAC-SHA256"}
    _, headers, _ = Client(**right | signing).sign(products)
    answer = requests.get(products, headers=headers, timeout=5)
    assert (outcome(answer), answer.json()["message"]) == (REFUSED, message)


def test_a_signature_holds_once_and_for_one_request(products: str) -> None:
    """Protects retries: each attempt has to be signed anew, and for its own query."""
    client = Client(CONSUMER_KEY, CONSUMER_SECRET, signature_method="HMAC-SHA256")
    _, headers, _ = client.sign(f"{products}?page=1")
    assert outcome(requests.get(f"{products}?page=2", headers=headers, timeout=5)) == REFUSED
    assert outcome(requests.get(f"{products}?page=1", headers=headers, timeout=5)) == (200, "")
    again = requests.get(f"{products}?page=1", headers=headers, timeout=5)
    assert (outcome(again), again.json()["message"][:13]) == (REFUSED, "Invalid nonce")


def test_a_signature_needs_all_its_parts(products: str) -> None:
    """Protects the client's signing: what is missing is named."""
    answer = requests.get(products, params={"oauth_consumer_key": CONSUMER_KEY, "oauth_nonce": "n"}, timeout=5)
    assert outcome(answer) == REFUSED
    assert answer.json()["message"].endswith("oauth_timestamp, oauth_signature, oauth_signature_method")


def test_what_strangers_see(products: str) -> None:
    """Protects doctor: the index is open, wrong parameters and routes are told before credentials."""
    api = products.removesuffix("/wc/v3/products")
    assert requests.get(f"{api}/", timeout=5).json()["namespaces"]
    assert outcome(requests.get(products, params={"per_page": 101}, timeout=5)) == (400, "rest_invalid_param")
    assert outcome(requests.get(f"{api}/wc/v3/nothing", timeout=5)) == (404, "rest_no_route")
    assert outcome(requests.post(f"{products}/batch", json={}, timeout=5))[1] == "woocommerce_rest_cannot_batch"
    assert "Allow" not in requests.get(products, timeout=5).headers
    site = api.removesuffix("/wp-json")
    page = requests.get(f"{site}/product/none/", timeout=5)
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=UTF-8")


def test_a_key_that_may_only_read(products: str) -> None:
    """Protects doctor: such a key reads, and is refused before the route is looked for, as in WooCommerce's source."""
    control = products.partition("/wp-json")[0] + "/_sandbox/settings"
    requests.put(control, json={"key_permissions": "read"}, timeout=5).raise_for_status()
    auth, words = (CONSUMER_KEY, CONSUMER_SECRET), "The API key provided does not have write permissions."
    assert outcome(requests.get(products, auth=auth, headers=HTTPS, timeout=5)) == (200, "")
    for method, path in (("POST", "/batch"), ("PUT", "/1"), ("DELETE", "/1"), ("POST", "/no/such/route")):
        answer = requests.request(method, products + path, json={}, auth=auth, headers=HTTPS, timeout=5)
        assert (outcome(answer), answer.json()["message"]) == (REFUSED, words)
    requests.put(control, json={"key_permissions": "read_write"}, timeout=5).raise_for_status()
    answer = requests.post(f"{products}/batch", json={}, auth=auth, headers=HTTPS, timeout=5)
    assert (answer.status_code, answer.json()) == (200, [])
