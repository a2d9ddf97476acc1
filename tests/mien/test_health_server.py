"""The health server answers and ends, whatever its other clients do."""

from __future__ import annotations

import logging
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from mien.errors import StartError
from mien.health_server import MOST_CONNECTIONS, serve
from mien.http_server import Limits, serve_application
from mien.metrics import Metrics
from tests.support.processes import free_port

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
PATIENCE_S = 60.0


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as clients:
        yield clients


def connect(clients: ExitStack, url: str) -> socket.socket:
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    made = socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S)
    return clients.enter_context(made)


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def drip(client: socket.socket, ended: threading.Event) -> None:
    """Send one byte of a header every 20 ms until the server ends the connection."""
    with suppress(OSError):
        client.sendall(REQUEST + b"X: ")
        while True:
            client.sendall(b"x")
            time.sleep(0.02)
    ended.set()


@pytest.mark.parametrize("sent", [b"", REQUEST], ids=["idle", "half a request"])
def test_connections_without_a_whole_request_delay_no_other_client(clients: ExitStack, sent: bytes) -> None:
    with serve(Metrics(), "127.0.0.1", 0) as url:
        for _ in range(3 * MOST_CONNECTIONS):
            connect(clients, url).sendall(sent)
        assert fetch(f"{url}/healthz") == "alive\n"
        assert "mien_lag_records" in fetch(f"{url}/metrics")


def test_a_dripping_connection_is_ended_and_delays_no_other_client(clients: ExitStack) -> None:
    with serve(Metrics(), "127.0.0.1", 0) as url:
        ended = threading.Event()
        thread = threading.Thread(target=drip, args=(connect(clients, url), ended))
        thread.start()
        assert fetch(f"{url}/healthz") == "alive\n"
        assert ended.wait(PATIENCE_S)
        thread.join()


def test_a_client_that_does_not_read_its_answer_is_ended(clients: ExitStack) -> None:
    metrics = Metrics()
    for number in range(20_000):  # An answer that is larger than the buffers of the connection.
        metrics.lag.labels(str(number)).set(number)
    with serve(metrics, "127.0.0.1", 0) as url:
        client = connect(clients, url)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(REQUEST.replace(b"healthz", b"metrics") + b"\r\n")
        assert fetch(f"{url}/healthz") == "alive\n"
        eventually_no_thread("process_request_thread")


def test_the_server_ends_while_connections_are_open(clients: ExitStack) -> None:
    done = threading.Event()

    def serve_once() -> None:
        with serve(Metrics(), "127.0.0.1", 0) as url:
            for _ in range(MOST_CONNECTIONS):
                connect(clients, url).sendall(REQUEST)
            assert fetch(f"{url}/healthz") == "alive\n"
        done.set()

    threading.Thread(target=serve_once, daemon=True).start()
    assert done.wait(PATIENCE_S)
    eventually_no_thread("process_request_thread")


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text; version=abc",
        "text/plain; version=1.x",
        "application/openmetrics-text; version=\xb2",
    ],
)
def test_a_header_accept_that_cannot_be_read_has_no_effect(accept: str) -> None:
    with serve(Metrics(), "127.0.0.1", 0) as url:
        request = urllib.request.Request(f"{url}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert "mien_lag_records" in answer.read().decode()


def test_a_failure_of_the_application_is_logged_once_and_not_printed(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise KeyError("http://u:secret@h/")

    with serve_application(fail, "127.0.0.1", 0, name="failing", limits=Limits()) as url:
        for _ in range(3):
            with pytest.raises(urllib.error.HTTPError, match="500") as refused:
                fetch(url)
            refused.value.close()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [
        "HTTP server: a request failed: 'http://u:secret@h/'"
    ]
    assert capfd.readouterr() == ("", "")


def test_an_ipv6_address_is_served() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        with serve(Metrics(), "::1", 0) as url:
            assert url.startswith("http://[::1]:")
            assert fetch(f"{url}/healthz") == "alive\n"
    except StartError as error:
        pytest.skip(f"IPv6 is switched off: {error}")


def test_the_port_is_free_again_at_once() -> None:
    port = free_port()
    for _ in range(2):
        with serve(Metrics(), "127.0.0.1", port) as url:
            assert fetch(f"{url}/healthz") == "alive\n"


def eventually_no_thread(name: str) -> None:
    """Wait until no thread of this name is left."""
    deadline = time.monotonic() + PATIENCE_S
    while any(name in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a connection still has its thread"
        time.sleep(0.02)
