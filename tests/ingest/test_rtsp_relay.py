"""FFmpeg behind the relay: it follows no redirect, reaches no other address, and TLS is checked."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

import pytest

from ingest import rtsp_relay
from ingest.address_policy import AddressPolicy
from ingest.deadline import Deadline
from ingest.errors import IngestError, SourceLost
from ingest.network import Address, connect_by
from ingest.sources import open_source
from tests.support.http_camera import certificate

SDP = (
    "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"
)

Answer = Callable[[str, str], str]
"""The answer to a method, given the sequence number."""


def plain(method: str, number: str) -> str:
    """A camera that answers every request and then sends nothing."""
    head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n"
    if method == "DESCRIBE":
        return f"{head}Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
    if method == "SETUP":
        return f"{head}Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
    return f"{head}Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\nSession: 1\r\n\r\n"


@contextmanager
def camera(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[str]]]:
    """The port of an RTSP server, and the first lines of the requests that it gets."""
    done, asked = threading.Event(), list[str]()

    def serve_one(connection: socket.socket) -> None:
        with suppress(OSError), connection, ExitStack() as stack:
            connection.settimeout(20)
            channel = connection
            if tls:
                channel = stack.enter_context(tls.wrap_socket(connection, server_side=True))
            received = b""
            while chunk := channel.recv(4096):
                received += chunk
                while b"\r\n\r\n" in received:
                    request, _, received = received.partition(b"\r\n\r\n")
                    lines = request.decode().split("\r\n")
                    asked.append(lines[0])
                    number = next((line[6:] for line in lines if line.startswith("CSeq: ")), "0")
                    channel.sendall(answer(lines[0].split()[0], number).encode())

    def accept(server: socket.socket) -> None:
        while not done.is_set():
            with suppress(TimeoutError):
                connection, _ = server.accept()
                threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        thread = threading.Thread(target=accept, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1], asked
        finally:
            done.set()
            thread.join()


def failure(source: str) -> str:
    """Why a source gives no picture."""
    with (
        pytest.raises(IngestError) as caught,
        closing(open_source(source, open_timeout=3, read_timeout=1)) as opened,
    ):
        opened.read()
    return str(caught.value)


@pytest.mark.parametrize(
    "status_line",
    [
        "RTSP/1.0 302 Moved Temporarily\r\n",
        "RTSP/1.0 301 Moved\n",
        "RTSP/1.0 \t 303 See Other\r\n",
        "RTSP/1.0 0305 Use Proxy\r\n",
        "RTSP/1.0 +399 Odd\r\n",
        "RT\rSP/1.0 3\r02 Moved\r\n",
        "RTSP/2.0 307\r\n",
        "RTSP/x 300\r\n",
        "$\0\0\2abRTSP/1.0 302 Moved\r\n",
        "RTSP/1.0 100 Continue\r\n\r\nRTSP/1.0 302 Moved\r\n",
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_redirect_is_not_followed_however_it_is_written(status_line: str, method: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as target:
        location = f"Location: rtsp://127.0.0.1:{target.getsockname()[1]}/x\r\n"

        def answer(asked: str, number: str) -> str:
            moved = f"{status_line}CSeq: {number}\r\n{location}Content-Length: 0\r\n\r\n"
            return moved if asked == method else plain(asked, number)

        with camera(answer) as (port, asked):
            text = failure(f"rtsp://127.0.0.1:{port}/live")
        assert any(line.startswith(method) for line in asked)
        assert "redirects to another address (3" in text
        target.settimeout(0)
        with pytest.raises(BlockingIOError):
            target.accept()


def test_a_camera_that_is_asked_to_end_gets_the_request() -> None:
    with camera(plain) as (port, asked):
        assert failure(f"rtsp://127.0.0.1:{port}/live") == "no picture for 1 s"
        deadline = time.monotonic() + 20
        while not asked[-1].startswith("TEARDOWN"):
            assert time.monotonic() < deadline, asked
            time.sleep(0.02)
    assert [line.split()[0] for line in asked] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("401 Unauthorized", "asks for a login (401)"),
        ("403 Forbidden", "refuses access (403)"),
        ("404 Not Found", "no such stream (404)"),
        ("453 Not Enough Bandwidth", "sends no video that can be decoded"),
    ],
)
def test_the_reason_is_known_from_the_answer_itself(status: str, text: str) -> None:
    def answer(method: str, number: str) -> str:
        return (
            plain(method, number).replace("200 OK", status) if method == "DESCRIBE" else plain(method, number)
        )

    with camera(answer) as (port, asked):
        assert text in failure(f"rtsp://127.0.0.1:{port}/live")
    assert len({line.split()[0] for line in asked}) <= 2
    assert sum(line.startswith("OPTIONS") for line in asked) == 1, "one connection"


def test_what_is_not_rtsp_is_named() -> None:
    with camera(lambda _method, _number: "HTTP/1.1 400 Bad Request\r\n\r\n") as (port, _):
        assert "does not respond in RTSP" in failure(f"rtsp://127.0.0.1:{port}/live")


def test_the_certificate_of_an_encrypted_camera_is_checked_or_pinned(tmp_path: Path) -> None:
    def refuse(method: str, number: str) -> str:
        return plain(method, number).replace("200 OK", "404 Not Found")

    with certificate(tmp_path, "camera") as (made, context), camera(refuse, context) as (port, asked):
        url = f"rtsps://admin:secret@127.0.0.1:{port}/live"
        fingerprint = sha256(ssl.PEM_cert_to_DER_cert(made.read_text())).hexdigest()
        assert "not trusted" in failure(url)
        assert "is not the pinned one" in failure(f"{url}#sha256={'0' * 64}")
        assert asked == [], "nothing is sent before the certificate is accepted"
        assert "no such stream (404)" in failure(f"{url}#sha256={fingerprint}")
        assert asked != []


def test_a_camera_that_sends_a_line_without_end_is_given_up() -> None:
    with camera(lambda _method, _number: "x" * 3_000_000) as (port, _), pytest.raises(SourceLost):
        open_source(f"rtsp://127.0.0.1:{port}/live", open_timeout=5, read_timeout=5)


@pytest.mark.skipif("not Path('/proc/self/fd').exists()", reason="no /proc")
def test_no_thread_and_no_socket_is_left() -> None:
    def refuse(method: str, number: str) -> str:
        return plain(method, number).replace("200 OK", "404 Not Found")

    def open_files() -> int:
        for thread in threading.enumerate():
            if thread.name.startswith("relay"):
                thread.join(20)
                assert not thread.is_alive()
        return len(os.listdir("/proc/self/fd"))

    def fail(port: int) -> None:
        failure(f"rtsp://127.0.0.1:{port}/live")
        failure("rtsp://127.0.0.1:1/live")

    with camera(refuse) as (port, _):
        fail(port)
    before = open_files()
    with camera(refuse) as (port, _):
        for _ in range(8):
            fail(port)
    assert open_files() <= before + 2


@pytest.mark.parametrize("reason", [OSError(errno.EMFILE, "Too many open files"), RuntimeError("no thread")])
def test_a_machine_without_further_files_or_threads_is_named_and_the_connection_is_closed(
    monkeypatch: pytest.MonkeyPatch, reason: Exception
) -> None:
    opened: list[socket.socket] = []

    def connected(address: Address, deadline: Deadline, policy: AddressPolicy) -> socket.socket:
        opened.append(connect_by(address, deadline, policy))
        return opened[0]

    def refuse(*_: object, **__: object) -> NoReturn:
        raise reason

    monkeypatch.setattr(rtsp_relay, "connect_by", connected)
    if isinstance(reason, OSError):
        monkeypatch.setattr(socket, "create_server", refuse)
    else:
        monkeypatch.setattr(threading.Thread, "start", refuse)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = Address.parse(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/live")
        with pytest.raises(SourceLost, match="no further open files or threads"):
            rtsp_relay.RtspRelay(address, AddressPolicy(), Deadline(5), 5)
    assert opened[0].fileno() == -1
