import contextlib
import gzip
import socket
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest
import requests.auth
import stamina
import tenacity.nap

from solteq_woo_assets.clients import http
from solteq_woo_assets.clients.deadline import Deadline
from solteq_woo_assets.clients.http import JsonSession
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.errors import OutcomeUnknownError, RemoteError, WooError
from solteq_woo_assets_tests.clients.wire import Answer, Wire, json_answer, serving

NOON = datetime(2026, 3, 1, 12)  # noqa: DTZ001  UTC, as the database keeps it
SECRET = "cs_very+secret/indeed"
HTML = Answer(body="<html>\n  <h1>Checking your browser</h1>" + "x" * 500, headers={"content-type": "text/html"})
DOWN = json_answer({"error": "down"}, 503)


def session(wire: Wire, **options: object) -> JsonSession:
    settings = {"error": WooError, "name": "Shop", "attempts": 3, "mends": {401: "Check the key."}, **options}
    return JsonSession(f"{wire.url}/wp-json", None, **settings)  # type: ignore[arg-type]


class TestReads:
    def test_an_answer_is_read_with_exact_numbers(self) -> None:
        with serving(Answer(body='\ufeff{"price": 0.1, "count": 3, "huge": 1e2}', headers={"X-WP-Total": "7"})) as wire:
            answer = session(wire).get("wc/v3/products", {"sku": "a,b&c", "page": 2})
        assert answer.body == {"price": Decimal("0.1"), "count": 3, "huge": Decimal(100)}
        assert isinstance(answer.body["price"], Decimal)
        assert (answer.status, answer.headers["x-wp-total"]) == (200, "7")
        assert wire.asked[0].path == "/wp-json/wc/v3/products"
        assert wire.asked[0].query == {"sku": ["a,b&c"], "page": ["2"]}

    @pytest.mark.parametrize("trouble", [DOWN, json_answer({}, 429), json_answer({}, 500), Answer(drop=True)])
    def test_passing_trouble_is_tried_again(self, trouble: Answer) -> None:
        with serving(trouble, trouble, json_answer([1])) as wire:
            shop = session(wire)
            assert shop.get("x").body == [1]
            assert shop.requests_made == len(wire.asked) == 3

    def test_a_silent_server_is_tried_again(self) -> None:
        with serving(Answer(hang=True), json_answer([1])) as wire:
            assert session(wire, read_seconds=0.2).get("x").body == [1]

    def test_trouble_that_does_not_pass_is_an_error(self) -> None:
        with serving(json_answer({"code": "down", "message": "for repairs"}, 503)) as wire:
            with pytest.raises(WooError, match=r"Shop: GET /wp-json/x: answered 503 down: for repairs\.$") as caught:
                session(wire).get("x", {"email": "maija@example.fi"})
            assert len(wire.asked) == 3
        assert (caught.value.status, caught.value.code) == (503, "down")

    @pytest.mark.parametrize(
        "final",
        [
            json_answer({"code": "invalid", "message": "no"}, 400),
            json_answer({"error": "gone"}, 404),
            json_answer({"code": "refund", "message": "no", "data": 500}, 500),
            json_answer({"code": "x"}, 501),
        ],
    )
    def test_what_is_final_is_asked_once(self, final: Answer) -> None:
        with serving(final) as wire:
            with pytest.raises(WooError) as caught:
                session(wire).get("x")
            assert len(wire.asked) == 1
        assert caught.value.status == final.status

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (HTML, "answered 200 (text/html) with something else than was due: '<html> <h1>Checking your browser"),
            (Answer(body=""), "answered 200 (application/json) with an empty body where JSON was due"),
            (Answer(body='{"id": 1'), "answered 200 (application/json) with something else than was due: '{\"id\": 1'"),
            (Answer(body=b"\xff\xfe"), "answered 200"),
            (Answer(body="[" * 100_000), "answered 200"),
            (Answer(403, HTML.body, HTML.headers), "answered 403 (text/html) with something else"),
            (Answer(404, "", {}), "answered 404 (application/json) with an empty body"),
            (json_answer({}, 418), "answered 418 (application/json) with something else than was due: '{}'"),
        ],
    )
    def test_what_is_not_json_is_shown(self, answer: Answer, words: str) -> None:
        with serving(answer) as wire, pytest.raises(WooError) as caught:
            session(wire).get("x")
        assert words in str(caught.value)
        assert len(str(caught.value)) < 350
        assert caught.value.status == answer.status

    @pytest.mark.parametrize("encoding", ["identity", "gzip"])
    def test_an_answer_has_a_bound(self, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http, "MAX_RESPONSE_BYTES", 1024 * 1024)
        body = b'"' + b"x" * (8 * 1024 * 1024) + b'"'
        body = gzip.compress(body) if encoding == "gzip" else body
        with serving(Answer(body=body, headers={"content-encoding": encoding})) as wire:
            with pytest.raises(WooError, match="more than 1 MiB: ask for smaller pages"):
                session(wire).get("x")
            assert len(wire.asked) == 1

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_redirect_is_an_error(self, status: int, method: str) -> None:
        target = {"location": "https://www.shop.example/wp-json/x?secret=1"}
        with serving(Answer(status, "", target)) as wire:
            shop = session(wire, mends={"redirect": "Use that."})
            with pytest.raises(WooError) as caught:
                shop.get("x") if method == "GET" else shop.send(method, "x", {})
            assert len(wire.asked) == 1
        expected = f"answered {status} and points to https://www.shop.example/wp-json/x. Use that."
        assert str(caught.value).endswith(expected)

    def test_tls_is_spoken_to_https(self) -> None:
        with serving() as wire:
            shop = JsonSession(wire.url.replace("http", "https"), None, error=WooError, name="Shop", attempts=1)
            with pytest.raises(WooError, match="the encrypted connection broke off"):
                shop.get("x")


class TestWaiting:
    @pytest.mark.parametrize(("asked_for", "waited"), [("7", 7), ("9999", 120), ("Thu, 01 Jan 1970 00:00:00 GMT", 0)])
    def test_retry_after_is_honoured(self, asked_for: str, waited: float, monkeypatch: pytest.MonkeyPatch) -> None:
        waits: list[float] = []
        monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=waits.append))
        busy = json_answer({}, 429, Retry_After=asked_for)
        with stamina.set_testing(False), serving(busy, json_answer([])) as wire:
            session(wire).get("x")
        assert waits == [waited]

    def test_other_trouble_waits_longer_each_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waits: list[float] = []
        monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=waits.append))
        with stamina.set_testing(False), serving(DOWN) as wire, pytest.raises(WooError):
            session(wire, attempts=6).get("x")
        assert len(waits) == 5
        assert all(0.5 * 2**turn <= wait <= 0.5 * 2**turn + 1 for turn, wait in enumerate(waits))


class TestWrites:
    def test_a_write_carries_exact_numbers(self) -> None:
        with serving(json_answer({"ok": True}, 201)) as wire:
            body = {"name": "Hääkakku", "cost": Decimal("8.10")}
            answer = session(wire).send("PUT", "x/1", body, params={"a": 1}, headers={"If-Match": "v1"})
        assert (answer.status, answer.body) == (201, {"ok": True})
        asked = wire.asked[0]
        assert (asked.method, asked.query) == ("PUT", {"a": ["1"]})
        assert asked.body.decode() == '{"name": "Hääkakku", "cost": 8.10}'
        assert asked.headers["content-type"] == "application/json"
        assert asked.headers["if-match"] == "v1"

    @pytest.mark.parametrize(
        "answer",
        [DOWN, json_answer({"code": "c", "data": {"status": 500}}, 500), HTML, Answer(body=""), Answer(drop=True)],
    )
    def test_an_unknown_outcome_is_not_sent_again(self, answer: Answer) -> None:
        with serving(answer) as wire:
            with pytest.raises(OutcomeUnknownError, match="read back before sending it again") as caught:
                session(wire).send("POST", "batch", {"create": []})
            assert len(wire.asked) == 1
        assert isinstance(caught.value.__cause__, WooError)
        assert str(caught.value.__cause__) in str(caught.value)

    def test_a_silent_server_is_not_sent_it_again(self) -> None:
        with serving(Answer(hang=True)) as wire:
            with pytest.raises(OutcomeUnknownError, match=r"no answer within 0\.2 s"):
                session(wire, read_seconds=0.2).send("POST", "batch", {})
            assert len(wire.asked) == 1

    def test_too_many_requests_is_sent_again(self) -> None:
        with serving(json_answer({}, 429), json_answer({"ok": 1})) as wire:
            assert session(wire).send("POST", "batch", {}).body == {"ok": 1}

    def test_too_many_requests_for_ever_was_not_done(self) -> None:
        with serving(json_answer({}, 429)) as wire:
            with pytest.raises(WooError):
                session(wire).send("POST", "batch", {})
            assert len(wire.asked) == 3

    @pytest.mark.parametrize("status", [400, 401, 403, 413, 501])
    def test_a_refusal_was_not_done(self, status: int) -> None:
        with serving(json_answer({"code": "no", "message": "No."}, status)) as wire:
            with pytest.raises(WooError) as caught:
                session(wire).send("POST", "batch", {})
            assert len(wire.asked) == 1
        assert caught.value.status == status

    def test_the_stores_own_last_word_was_not_done(self) -> None:
        with serving(json_answer({"code": "no", "message": "No.", "data": 500}, 500)) as wire:
            with pytest.raises(WooError):
                session(wire).send("POST", "refunds", {})
            assert len(wire.asked) == 1

    def test_nobody_there_is_tried_again_and_was_not_done(self) -> None:
        with socket.socket() as taken:  # bound but not listening: nobody else can answer there
            taken.bind(("127.0.0.1", 0))
            shop = JsonSession(
                f"http://127.0.0.1:{taken.getsockname()[1]}", None, error=WooError, name="Shop", attempts=3
            )
            with pytest.raises(WooError, match="no connection \\(Connection refused\\)") as caught:
                shop.send("POST", "batch", {})
        assert shop.requests_made == 3
        assert caught.value.status is None

    def test_a_form_is_repeated_like_a_read(self) -> None:
        with serving(Answer(drop=True), json_answer({"token": 1})) as wire:
            assert session(wire).send_form("token", "a=b").body == {"token": 1}
            assert wire.asked[1].body == b"a=b"
            assert wire.asked[1].headers["content-type"] == "application/x-www-form-urlencoded"


class TestManners:
    def test_no_secret_is_shown_even_when_the_other_side_repeats_it(self) -> None:
        token = requests.auth._basic_auth_str("key", SECRET)
        echo = json_answer({"code": "bad", "message": f"{token} of {SECRET} is bad"}, 401)
        with serving(echo, Answer(403, f"<p>{token} {SECRET}"), DOWN) as wire:
            auth = requests.auth.HTTPBasicAuth("key", SECRET)
            shop = JsonSession(
                wire.url,
                auth,
                error=RemoteError,
                name="Shop",
                attempts=1,
                secrets=[SECRET, ""],
                mends={401: "Check the key."},
            )
            seen = [repr(shop), str(vars(shop)["_auth"])]
            for _ in range(3):
                try:
                    shop.send("POST", "x", {"password": SECRET}, params={"code": SECRET})
                except (RemoteError, OutcomeUnknownError) as error:
                    seen += [repr(error), "".join(traceback.format_exception(error))]
        assert wire.asked[0].headers["authorization"] == token
        assert not any(SECRET in text or token.split()[1] in text for text in seen)
        assert any("*** is bad. Check the key." in text for text in seen)

    def test_no_stranger_s_credentials_and_no_cookies_are_sent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        with serving(json_answer({}, Set_Cookie="session=1; Path=/")) as wire:
            shop = session(wire)
            shop.get("x")
            shop.get("x")
        assert not any({"authorization", "cookie"} & set(asked.headers) for asked in wire.asked)
        assert wire.asked[0].headers["user-agent"].startswith("solteq-woo-assets/")

    def test_requests_under_way_are_capped(self) -> None:
        with serving(meet=2) as wire, ThreadPoolExecutor(8) as pool:
            shop = session(wire, in_flight=2)
            list(pool.map(lambda _: shop.get("x"), range(8)))
        assert wire.most_at_once == 2
        assert shop.requests_made == 8


def dated(ahead: timedelta, status: int = 200) -> Answer:
    """An answer of a server whose clock is so far ahead of ours."""
    return json_answer([1], status, Date=f"{format_datetime(utc_now() + ahead)[:-5]}GMT")


class TestClocks:
    @pytest.mark.parametrize("minutes", [-59, -6, 0, 6, 59])
    def test_an_instant_of_ours_is_told_by_the_other_sides_clock(self, minutes: int) -> None:
        with serving(dated(timedelta(minutes=minutes))) as wire:
            shop = session(wire)
            shop.get("x")
        late = NOON + timedelta(minutes=minutes) - shop.their_time(NOON)
        assert timedelta(0) <= late < timedelta(seconds=10), "a Date is cut to the second, and answers take a while"

    def test_a_side_that_does_not_say_the_time_is_taken_to_have_ours(self) -> None:
        with serving(json_answer([1])) as wire:
            shop = session(wire)
            assert shop.their_time(NOON) == NOON
            shop.get("x")
            assert shop.their_time(NOON) == NOON

    @pytest.mark.parametrize(("hours", "words"), [(2, "2.0 h ahead of"), (-30, "30.0 h behind")])
    @pytest.mark.parametrize("status", [200, 401])
    def test_nothing_is_read_when_the_clocks_are_an_hour_apart(self, hours: int, words: str, status: int) -> None:
        """Nor is a refused signature told instead, which is what such a clock leads to over plain http."""
        with serving(dated(timedelta(hours=hours, minutes=1), status)) as wire:
            with pytest.raises(WooError, match=f"its clock is {words} this machine's, .*timedatectl.*doctor") as caught:
                session(wire).get("x")
            assert len(wire.asked) == 1
            assert caught.value.status is None
            if status == 200:
                assert session(wire, most_clock_skew=None).get("x").body == [1]

    def test_what_came_of_a_write_counts_whatever_the_clock_says(self) -> None:
        with serving(dated(timedelta(hours=2))) as wire:
            assert session(wire).send("POST", "batch", {}).body == [1]


class Dripping:
    """A server that begins its answer and goes on byte by byte, until it is done or nobody listens any more."""

    def __init__(self, begin: bytes, drops: int) -> None:
        self._begin = begin
        self._drops = drops
        self._is_closed = threading.Event()
        self.asked = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:  # closed
                return
            self.asked += 1
            with connection, contextlib.suppress(OSError):  # the other side went away
                connection.recv(65536)
                connection.sendall(self._begin)
                for _ in range(self._drops):
                    if self._is_closed.wait(0.01):
                        return
                    connection.sendall(b" ")
                connection.sendall(b"[1]")


HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FOR_EVER = 10**6


class TestDeadline:
    @pytest.mark.parametrize(
        "begin",
        [
            HEADERS + b"Connection: close\r\n\r\n",
            HEADERS + b"Content-Length: 1000003\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX-Slow: ",
            HEADERS + b"Connection: close\r\n\r\n[1]",
        ],
        ids=["body", "body of a known length", "headers", "whole at first sight"],
    )
    def test_an_answer_that_drips_for_ever_is_given_up(self, begin: bytes) -> None:
        with Dripping(begin, FOR_EVER) as server:
            shop = JsonSession(server.url, None, error=WooError, name="Shop", answer_seconds=0.3)
            with pytest.raises(WooError, match=r"no whole answer within 0\.3 s"):
                shop.get("x")
            assert server.asked == 1, "each try would take as long"
            with pytest.raises(OutcomeUnknownError, match=r"no whole answer within 0\.3 s.* read back before"):
                shop.send("POST", "x", {})
            assert server.asked == 2
            shop.close()

    def test_a_slow_answer_that_ends_is_read(self) -> None:
        with Dripping(HEADERS + b"Content-Length: 53\r\n\r\n", 50) as server:
            shop = JsonSession(server.url, None, error=WooError, name="Shop")
            assert shop.get("x").body == [1]
            shop.close()

    def test_a_deadline_that_was_kept_ends_no_later_request(self) -> None:
        """Its connection stays open for the next one, and its timer may be late."""
        with serving(json_answer([1])) as wire, Deadline(3600) as deadline:
            shop = session(wire)
            assert shop.get("x").body == [1]
        deadline._end()
        assert not deadline.passed
