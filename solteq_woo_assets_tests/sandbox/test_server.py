import json
import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from solteq_woo_sandbox.server import ControlMiddleware, running


class Counter:
    """An app that counts what reached it."""

    def __init__(self) -> None:
        self.done = 0
        self.worked = threading.Event()

    async def work(self, request: Request) -> JSONResponse:
        body = await request.body()
        self.done += 1
        self.worked.set()
        return JSONResponse({"done": self.done, "bytes": len(body)})

    def app(self) -> ControlMiddleware:
        routes = [Route("/{path:path}", self.work, methods=["GET", "POST", "PUT"])]
        return ControlMiddleware(Starlette(routes=routes))


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def url(counter: Counter) -> Iterator[str]:
    with running(counter.app()) as url:
        yield url


def fault(url: str, **asked: object) -> None:
    requests.post(f"{url}/_sandbox/faults", json=asked, timeout=5).raise_for_status()


def log(url: str) -> list[dict[str, object]]:
    return requests.get(f"{url}/_sandbox/requests", timeout=5).json()


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=5)


def test_the_server_is_on_loopback_only(url: str) -> None:
    assert url.startswith("http://127.0.0.1:")


def test_requests_are_logged_without_those_to_the_sandbox(url: str) -> None:
    get(f"{url}/products?page=2&sku=a%20b")
    requests.put(f"{url}/_sandbox/anything", timeout=5).raise_for_status()
    requests.post(f"{url}/x/batch", json={"create": [1], "update": [1, 2], "delete": [3]}, timeout=5)
    requests.post(f"{url}/x/batch", data=b"not JSON", timeout=5)
    assert log(url) == [
        {"method": "GET", "path": "/products", "query": "page=2&sku=a%20b", "items": None},
        {"method": "POST", "path": "/x/batch", "query": "", "items": 4},
        {"method": "POST", "path": "/x/batch", "query": "", "items": None},
    ]
    requests.delete(f"{url}/_sandbox/requests", timeout=5).raise_for_status()
    assert log(url) == []


def test_the_log_keeps_the_last_ten_thousand() -> None:
    control = Counter().app()
    with running(control) as url:
        control.requests.extend([{}] * 10_000)
        get(f"{url}/last")
        assert len(log(url)) == 10_000
        assert log(url)[-1]["path"] == "/last"


def test_a_status_is_answered_instead_of_the_work(url: str, counter: Counter) -> None:
    fault(url, method="post", path="/products", status=503, headers={"Retry-After": "7"})
    assert get(f"{url}/products").status_code == 200
    answer = requests.post(f"{url}/products", timeout=5)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert answer.json()["error"] == "sandbox"
    assert requests.post(f"{url}/products", timeout=5).status_code == 200
    assert counter.done == 2
    assert len(log(url)) == 3


def test_a_body_of_any_type(url: str) -> None:
    fault(url, status=200, headers={"Content-Type": "text/html"}, body="<h1>Blocked</h1>")
    answer = get(f"{url}/")
    assert (answer.text, answer.headers["Content-Type"]) == ("<h1>Blocked</h1>", "text/html")


def test_skip_times_and_the_query(url: str) -> None:
    fault(url, path="page=2", status=500, skip=1, times=2)
    assert [get(f"{url}/?page=2").status_code for _ in range(4)] == [200, 500, 500, 200]
    assert get(f"{url}/?page=3").status_code == 200


def test_for_ever_until_deleted(url: str) -> None:
    fault(url, status=429, times=None)
    assert [get(url).status_code for _ in range(5)] == [429] * 5
    requests.delete(f"{url}/_sandbox/faults", timeout=5).raise_for_status()
    assert get(url).status_code == 200


def test_faults_are_met_one_at_a_time_in_their_order(url: str) -> None:
    fault(url, status=500)
    fault(url, status=502)
    assert [get(url).status_code for _ in range(3)] == [500, 502, 200]


@pytest.mark.parametrize(("drop", "done"), [("before", 0), ("after", 1)])
def test_a_dropped_connection(
    url: str, counter: Counter, drop: str, done: int, caplog: pytest.LogCaptureFixture
) -> None:
    fault(url, drop=drop)
    with requests.Session() as session, caplog.at_level(logging.WARNING):
        with pytest.raises(requests.ConnectionError):
            session.post(url, data=b"x" * 3_000_000, timeout=5)
        assert counter.done == done
        assert session.post(url, data=b"x" * 3_000_000, timeout=5).json() == {
            "done": done + 1,
            "bytes": 3_000_000,
        }
    assert not caplog.records


def test_a_delay_alone_still_does_the_work_when_the_client_has_gone(url: str, counter: Counter) -> None:
    fault(url, delay_seconds=0.5)
    with pytest.raises(requests.Timeout):
        requests.get(url, timeout=0.05)
    assert counter.worked.wait(5)


def test_a_slow_request_does_not_keep_the_server_from_stopping(counter: Counter) -> None:
    with running(counter.app()) as url:
        fault(url, delay_seconds=3600)
        with pytest.raises(requests.Timeout):
            requests.get(url, timeout=0.05)
    assert counter.done == 0


@pytest.mark.parametrize("asked", [{"stauts": 500}, {"drop": "sometimes"}, {"body": {}}, [], "x"])
def test_a_fault_that_makes_no_sense_is_refused(url: str, asked: object) -> None:
    assert requests.post(f"{url}/_sandbox/faults", json=asked, timeout=5).status_code == 400
    assert requests.put(f"{url}/_sandbox/faults", json=asked, timeout=5).status_code == 405
    assert get(url).status_code == 200


def test_a_stopped_server_has_closed_its_port_and_idle_connections(counter: Counter) -> None:
    with requests.Session() as session:
        with running(counter.app()) as url:
            session.get(url, timeout=5)
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=5)
    with running(counter.app(), port=int(url.rsplit(":", 1)[1])) as again:
        assert again == url


def test_a_taken_port_is_named(counter: Counter) -> None:
    with running(counter.app()) as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match=f"port {port} .* taken: stop what listens there"):
            running(counter.app(), port=port).__enter__()


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_until_a_signal(number: int) -> None:
    # Another process could take a free port before the child does; the output then says so.
    program = """
        import signal, sys
        from solteq_woo_sandbox.server import serve
        from solteq_woo_assets_tests.sandbox.test_server import Counter
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        serve({int(port): Counter().app() for port in sys.argv[1:]})
    """
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = [str(each.getsockname()[1]) for each in (one, other)]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *ports],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        for port in ports:
            while child.poll() is None:
                try:
                    assert get(f"http://127.0.0.1:{port}/").json()["done"] == 1
                    break
                except requests.ConnectionError:
                    continue
        child.send_signal(number)
        output, _ = child.communicate(timeout=20)
    assert (child.returncode, output) == (0, b"")


def test_the_whole_batch_reaches_the_app_after_it_was_counted(url: str) -> None:
    body = json.dumps({"create": [{"name": "x" * 100}] * 10_000}).encode()
    assert requests.post(f"{url}/batch", data=body, timeout=5).json()["bytes"] == len(body)
    assert log(url)[0]["items"] == 10_000
