"""Logins of RTSP cameras: FFmpeg behind the relay, and a server that checks what arrives."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from urllib.parse import quote, urlsplit

import pytest

from ingest.address_policy import AddressPolicy
from ingest.deadline import Deadline
from ingest.errors import IngestError
from ingest.network import Address
from ingest.rtsp_relay import RtspRelay
from ingest.rtsp_requests import RtspRequests, answer_end
from ingest.sources import open_source
from tests.support.http_camera import Request, is_valid_digest

USER, PASSWORD = "viewer", "p@ss: w/rd"
LOGIN = " with a login"
ADMITTED = "no such stream (404)"
"""What the server below answers to a valid login."""
SDP = "v=0\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n"


def is_admitted(request: Request, method: str, user: str, password: str) -> bool:
    given = request.headers.get("authorization", "")
    if given.startswith("Basic "):
        return base64.b64decode(given[6:]) == f"{user}:{password}".encode()
    return is_valid_digest(request, user, password, method=method)


@contextmanager
def camera(
    *challenges: str, user: str = USER, password: str = PASSWORD, base: str = ""
) -> Iterator[tuple[int, list[str]]]:
    """The port of an RTSP server with a login, and the first lines of the requests that it gets.

    With `base` it describes a stream, whose address begins with `base`; its set-up needs the login, too.
    """
    done, asked = threading.Event(), list[str]()
    refusal = "".join(f"WWW-Authenticate: {each}\r\n" for each in challenges)

    def answer(head: str) -> str:
        lines = head.split("\r\n")
        method, target, _ = lines[0].split()
        given = (line.partition(":") for line in lines[1:])
        headers = {name.lower(): value.strip() for name, _, value in given}
        asked.append(lines[0] + (LOGIN if "authorization" in headers else ""))
        number = f"CSeq: {headers['cseq']}\r\n"
        if method == "OPTIONS":
            return f"RTSP/1.0 200 OK\r\n{number}Public: DESCRIBE\r\n\r\n"
        if is_admitted(Request(target, headers), method, user, password):
            if base and method == "DESCRIBE":
                kind = f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n"
                return f"RTSP/1.0 200 OK\r\n{number}Content-Base: {base}\r\n{kind}\r\n{SDP}"
            return f"RTSP/1.0 404 Not Found\r\n{number}\r\n"
        body = "<html>no</html>"
        return f"RTSP/1.0 401 Unauthorized\r\n{number}{refusal}Content-Length: {len(body)}\r\n\r\n{body}"

    def serve(server: socket.socket) -> None:
        while not done.is_set():
            with suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(20)
                    received = b""
                    while chunk := connection.recv(4096):
                        received += chunk
                        while b"\r\n\r\n" in received:
                            request, _, received = received.partition(b"\r\n\r\n")
                            connection.sendall(answer(request.decode("latin-1")).encode("latin-1"))

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1], asked
        finally:
            done.set()
            thread.join()


def failure(port: int, user: str | None = USER, password: str = PASSWORD) -> str:
    login = "" if user is None else f"{quote(user, safe='')}:{quote(password, safe='')}@"
    with (
        pytest.raises(IngestError) as caught,
        closing(open_source(f"rtsp://{login}127.0.0.1:{port}/live?a=1", open_timeout=20, read_timeout=20)),
    ):
        pass
    return str(caught.value)


def challenge(algorithm: str = "", qop: str = 'qop="auth", ', nonce: str = "n1") -> str:
    return f'Digest realm="r", {qop}nonce="{nonce}"' + (f", algorithm={algorithm}" if algorithm else "")


@pytest.mark.parametrize(
    "challenges",
    [
        ['Basic realm="door"'],
        [],
        [challenge()],
        [challenge(qop="")],
        [challenge("MD5")],
        [challenge("SHA-256")],
        [challenge("SHA-256"), challenge("MD5")],
        [challenge("MD5"), challenge("SHA-256")],
        [challenge("SHA-256"), 'Basic realm="r"'],
        [f'Basic realm="r", {challenge("SHA-256-sess")}'],
        ["digest REALM=r, NONCE=n"],
    ],
)
def test_an_rtsp_camera_accepts_the_logins_that_an_http_camera_accepts(challenges: Sequence[str]) -> None:
    with camera(*challenges) as (port, asked):
        assert ADMITTED in failure(port)
        assert f"DESCRIBE rtsp://127.0.0.1:{port}/live?a=1 RTSP/1.0" in asked, "the camera's own address"
        asked.clear()
        assert "refuses the login (401)" in failure(port, password="wrong")
        assert sum(LOGIN in each for each in asked) == 1, "cameras lock an account after a few failures"
        assert "asks for a login (401)" in failure(port, user=None)


@pytest.mark.parametrize(
    "base", ["rtsp://door/live/", "rtsps://door:322/live/", "RTSPS://door/live/", "/live/"]
)
@pytest.mark.parametrize("scheme", ['Basic realm="door"', challenge()])
def test_a_stream_is_set_up_with_the_login_whatever_the_camera_calls_itself(base: str, scheme: str) -> None:
    with camera(scheme, base=base) as (port, asked):
        assert ADMITTED in failure(port)
        assert [each for each in asked if each.startswith("SETUP")] == [f"SETUP {base}track1 RTSP/1.0{LOGIN}"]


def test_a_refused_login_is_not_tried_again_on_the_same_connection() -> None:
    requests = RtspRequests(Address.parse("rtsp://u:p@camera/live"), "rtsp://127.0.0.1:5000")
    refused = f"RTSP/1.0 401 No\r\nWWW-Authenticate: {challenge()}\r\n\r\n".encode()
    describe = b"DESCRIBE rtsp://127.0.0.1:5000/live RTSP/1.0\r\nCSeq: 2\r\n\r\n"
    requests.complete(describe)
    assert requests.answer_challenge(refused)
    assert requests.answer_challenge(refused) is None
    assert b"Authorization" not in requests.complete(describe)
    assert requests.answer_challenge(refused) is None
    assert "refuses the login (401)" in requests.refusal


def test_a_password_that_is_not_ascii_over_rtsp() -> None:
    for each in ('Basic realm="r"', challenge("SHA-256")):
        with camera(each, user="Empf\u00e4nger", password='\u5bc6 "x"') as (port, _):
            assert ADMITTED in failure(port, "Empf\u00e4nger", '\u5bc6 "x"')


def test_an_rtsp_login_that_is_not_supported_is_not_called_wrong() -> None:
    with camera("NTLM", challenge("SHA3-999")) as (port, _):
        assert "a login that is not supported (ntlm, digest SHA3-999)" in failure(port)


def test_every_request_has_the_login_and_each_use_of_a_nonce_is_counted() -> None:
    address = Address.parse("rtsps://u:p@camera/live")
    requests = RtspRequests(address, "rtsp://127.0.0.1:5000")
    describe = b"DESCRIBE rtsp://127.0.0.1:5000/live RTSP/1.0\r\nCSeq: 2\r\n\r\n"
    completed = b"DESCRIBE rtsps://camera/live RTSP/1.0\r\n"
    assert requests.complete(describe) == completed + b"CSeq: 2\r\n\r\n"
    refused = f"RTSP/1.0 401 No\r\nCSeq: 2\r\nWWW-Authenticate: {challenge()}\r\n\r\n".encode()
    repeated = requests.answer_challenge(refused) or b""
    assert repeated.startswith(completed + b"Authorization: Digest ")
    assert b"nc=00000001" in repeated
    play = requests.complete(b"PLAY rtsp://127.0.0.1:5000/live RTSP/1.0\r\nCSeq: 4\r\n\r\n")
    assert b'uri="rtsps://camera/live"' in play
    assert b"nc=00000002" in play
    binary = b"$\0\0\x04PLAY\r\nx"
    assert requests.complete(binary) == binary


PACKET = b"$\0\0\x09\xff\r\n\r\n 401"
"""A packet of a stream."""


@pytest.mark.parametrize("stale", ["", ", stale=true"])
@pytest.mark.parametrize("by_chance", [b"RTSP/1.0 401 \r\n\r\n", b"RTSP/1.0 401 in a picture"])
def test_a_nonce_that_expires_during_the_stream_is_renewed(stale: str, by_chance: bytes) -> None:
    """FFmpeg repeats a keep-alive that is refused; the test takes its place, and that of the camera."""
    with ExitStack() as opened:
        server = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = Address.parse(f"rtsp://u:p@127.0.0.1:{server.getsockname()[1]}/live")
        relay = opened.enter_context(closing(RtspRelay(address, AddressPolicy(), Deadline(20), 20)))
        camera = opened.enter_context(server.accept()[0])
        at = (str(urlsplit(relay.url).hostname), urlsplit(relay.url).port or 0)
        ffmpeg = opened.enter_context(socket.create_connection(at))
        for each in (camera, ffmpeg):
            each.settimeout(20)

        def ask(method: str) -> str:
            """What arrives at the camera."""
            ffmpeg.sendall(f"{method} {relay.url} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            return received(camera, b"\r\n\r\n").decode()

        def refusal(nonce: str, stale: str = "") -> bytes:
            head = f"WWW-Authenticate: {challenge(nonce=nonce)}{stale}\r\n\r\n"
            return f"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n{head}".encode()

        assert "Authorization" not in ask("PLAY")
        camera.sendall(refusal("n1"))
        assert 'nonce="n1"' in received(camera, b"\r\n\r\n").decode()
        camera.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n" + PACKET)
        received(ffmpeg, PACKET)
        for number in range(2, 5):
            assert f'nonce="n{number - 1}"' in ask("OPTIONS")
            refused = PACKET + refusal(f"n{number}", stale) + PACKET
            camera.sendall(refused)
            assert received(ffmpeg, refused) == refused, "FFmpeg sees it, too"
            repeated = ask("OPTIONS")
            assert f'nonce="n{number}", uri="{address.url}", ' in repeated
            assert "nc=00000001" in repeated
            camera.sendall(PACKET + by_chance + PACKET)
            received(ffmpeg, PACKET + by_chance + PACKET)


def received(connection: socket.socket, end: bytes) -> bytes:
    """What arrives on a connection, up to `end`."""
    data = b""
    while not data.endswith(end):
        chunk = connection.recv(4096)
        assert chunk, data
        data += chunk
    return data


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_the_end_of_an_answer_is_behind_its_body(line_end: str) -> None:
    whole = "RTSP/1.0 401 No\ncontent-length : 4\n\nbody".replace("\n", line_end).encode()
    assert answer_end(whole + b"RTSP") == len(whole)
    assert all(answer_end(whole[:end]) is None for end in range(len(whole)))
