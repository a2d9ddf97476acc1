"""HTTP cameras over real connections: types of answers, redirects, certificates, deadlines, limits."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingest.address_policy import AddressPolicy
from ingest.camera_source import CameraSource
from ingest.errors import IngestError, SourceError, SourceLost
from ingest.mjpeg import HttpCamera as HttpSource
from ingest.network import Address
from media.errors import ImageError
from tests.support.http_camera import STREAM, Connection, HttpCamera, Script, answer, certificate
from tests.support.mjpeg_camera import jpeg

SHORT = 1.0
PATIENCE = 30.0
PICTURES = [jpeg(number) for number in range(4)]
PART = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n"


def open_camera(
    url: str, timeout: float = PATIENCE, fps: float = 1000.0, policy: AddressPolicy | None = None
) -> HttpSource:
    return HttpSource(url, fps, timeout, timeout, policy or AddressPolicy())


def read(source: CameraSource, count: int = len(PICTURES)) -> list[float]:
    """The mean of each of the next pictures."""
    pictures = [source.read() for _ in range(count)]
    return [float(picture.decode().mean()) for picture in pictures if picture]


def means(pictures: list[bytes]) -> list[float]:
    """The means that `read` returns for these pictures."""
    with (
        HttpCamera(sending(STREAM, *(PART + each for each in pictures))) as camera,
        closing(open_camera(camera.url())) as source,
    ):
        return read(source, len(pictures))


def sending(*data: bytes) -> Script:
    """A script that answers each request with all of `data` and keeps the connection open."""

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(*data)
        connection.wait()

    return serve


def refusal(url: str, timeout: float = PATIENCE, policy: AddressPolicy | None = None) -> str:
    """Why a camera cannot be opened, or delivers no picture."""
    with pytest.raises(IngestError) as caught, closing(open_camera(url, timeout, policy=policy)) as source:
        read(source, 1000)
    assert "\n" not in str(caught.value)
    return f"{type(caught.value).__name__}: {caught.value}"


@pytest.fixture(scope="module")
def expected() -> list[float]:
    return means(PICTURES)


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


def chunked(data: bytes, size: int) -> bytes:
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(b"%x;name=value\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Type: multipart/x-mixed-replace; boundary=frame"],
        ["Content-Type: Multipart/X-Mixed-Replace;Boundary=frame"],
        ['content-type:multipart/x-mixed-replace; charset=utf-8; boundary="--frame"'],
        ["Content-Type: multipart/x-mixed-replace;boundary=another"],
        ["Content-Type: multipart/x-mixed-replace"],
        ["Content-Type: multipart/mixed; boundary=frame", "Content-Length: 3000"],
        ["Content-Type: multipart/x-mixed-replace; boundary=frame", "Content-Length: " + "9" * 5000],
        ["Content-Type: multipart/x-mixed-replace; boundary=frame", "Content-Length: -1"],
        ["Content-Type: video/x-motion-jpeg"],
        ["Content-Type: application/octet-stream"],
        ["Content-Type: text/plain"],
        ["Content-Type: "],
        [],
    ],
)
def test_a_stream_whatever_its_type_is_called(headers: list[str], expected: list[float]) -> None:
    body = b"".join(PART + each + b"\r\n" for each in PICTURES)
    with (
        HttpCamera(sending(head(*headers), b"\r\n" + body)) as camera,
        closing(open_camera(camera.url())) as source,
    ):
        assert read(source) == expected


@pytest.mark.parametrize("size", [1, 50, 100_000])
def test_a_chunked_stream(size: int, expected: list[float]) -> None:
    body = b"".join(PART + each + b"\r\n" for each in PICTURES)
    begin = head("Content-Type: multipart/x-mixed-replace; boundary=frame", "Transfer-Encoding: chunked")
    with (
        HttpCamera(sending(begin, chunked(body, size))) as camera,
        closing(open_camera(camera.url())) as source,
    ):
        assert read(source) == expected


def test_lines_of_the_head_may_end_with_line_feeds_alone(expected: list[float]) -> None:
    body = b"".join(PART + each for each in PICTURES)
    with (
        HttpCamera(sending(STREAM.replace(b"\r\n", b"\n"), body)) as camera,
        closing(open_camera(camera.url())) as source,
    ):
        assert read(source) == expected


@pytest.mark.parametrize(
    "begin", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200\r\nContent-Type: image/jpeg\r\n\r\n"]
)
def test_pictures_without_any_framing(begin: bytes, expected: list[float]) -> None:
    with HttpCamera(sending(begin, *PICTURES)) as camera, closing(open_camera(camera.url())) as source:
        assert read(source) == expected


def one_picture_each(headers: list[str], keep: bool) -> Script:
    """A script that sends one picture for each request."""
    number = 0

    def serve(connection: Connection) -> None:
        nonlocal number
        while connection.request():
            body = PICTURES[number % len(PICTURES)]
            number += 1
            connection.send(answer("200 OK", *headers, body=body) if keep else head(*headers) + body)
            if not keep:
                return

    return serve


@pytest.mark.parametrize("kind", ["image/jpeg", "IMAGE/JPG; x=y", "application/octet-stream"])
@pytest.mark.parametrize("keep", [True, False])
def test_a_camera_that_sends_one_picture_for_each_request(
    kind: str, keep: bool, expected: list[float]
) -> None:
    with HttpCamera(one_picture_each([f"Content-Type: {kind}"], keep)) as camera:
        with closing(open_camera(camera.url())) as source:
            assert source.live
            assert read(source) == expected
        assert len(camera.requests) == 4
        assert camera.connections == (1 if keep else 4)


@pytest.mark.parametrize("behind", [b"\r\n", b"\0\0\0\0", b"\xff\xd9" * 40_000])
def test_a_camera_that_sends_bytes_behind_a_picture_is_asked_again_over_another_connection(
    behind: bytes, expected: list[float]
) -> None:
    number = 0

    def serve(connection: Connection) -> None:
        nonlocal number
        connection.request()
        connection.send(answer("200 OK", "Content-Type: image/jpeg", body=PICTURES[number]))
        number += 1
        if connection.request():
            connection.send(behind)

    with HttpCamera(serve) as camera:
        with closing(open_camera(camera.url())) as source:
            assert read(source) == expected
        assert camera.connections == len(PICTURES)


def test_a_picture_is_requested_at_the_rate_of_the_camera() -> None:
    script = one_picture_each(["Content-Type: image/jpeg"], keep=True)
    with HttpCamera(script) as camera, closing(open_camera(camera.url(), fps=20)) as source:
        began = time.monotonic()
        read(source, 9)
        assert time.monotonic() - began > 8 / 20 * 0.9


def test_a_broken_picture_for_one_request_is_counted_and_the_next_is_read() -> None:
    bodies = [PICTURES[0], PICTURES[1][:500], b"\xff\xd8\xff\xe0", PICTURES[2]]

    def serve(connection: Connection) -> None:
        while connection.request():
            connection.send(answer("200 OK", "Content-Type: image/jpeg", body=bodies.pop(0)))

    with HttpCamera(serve) as camera, closing(open_camera(camera.url())) as source:
        assert read(source, 1)
        for _ in range(2):
            picture = source.read()
            with pytest.raises(ImageError):
                picture.decode()
        assert read(source, 1)


def test_a_camera_that_fails_between_two_pictures_is_lost() -> None:
    answers = [answer("200 OK", "Content-Type: image/jpeg", body=PICTURES[0]), answer("503 Busy")]

    def serve(connection: Connection) -> None:
        while connection.request():
            connection.send(answers.pop(0))

    with HttpCamera(serve) as camera:
        assert "cannot serve the stream now (503)" in refusal(camera.url())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (answer("200 OK", "Content-Type: text/html", body=b"<html>"), "sends text/html, not an MJPEG stream"),
        (answer("200 OK", body=b"hello"), "sends an answer without a type, not an MJPEG stream"),
        (answer("200 OK", "Content-Type: image/png", body=b"\x89PNG"), "sends image/png"),
        (answer("200 OK", "Content-Type: image/jpeg"), "sends image/jpeg, not an MJPEG stream"),
        (head("Content-Encoding: gzip", "Content-Type: image/jpeg"), r"compresses its answer \(gzip\)"),
        (answer("204 Nothing"), "responds with status 204"),
        (answer("404 Not Found"), r"no such stream \(404\)"),
        (answer("500 Error"), "responds with status 500"),
        (answer("301 Moved"), "responds with status 301"),
        (b"ICY 200 OK\r\n\r\n", "does not respond in HTTP"),
        (b"HTTP/1.1 999999 OK\r\n\r\n", "does not respond in HTTP"),
        (b"HTTP/1.1 \xff\xff\r\n\r\n", "does not respond in HTTP"),
        (head(*(f"X-{n}: 1" for n in range(1000))), "does not respond in HTTP"),
        (head("X: " + "x" * 100_000), "does not respond in HTTP"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, "does not respond in HTTP"),
        (
            head("Transfer-Encoding: chunked", "Content-Type: multipart/x") + b"zz\r\n",
            "interrupted the stream",
        ),
        (head("Content-Type: multipart/x; boundary*0*=''x; boundary*=%%%"), "does not respond in HTTP"),
        (STREAM + PART * 1000, "ended the stream without a picture"),
        (STREAM + b"--frame\r\n" + b"X: 1\r\n" * 1000, "header of a part does not end"),
    ],
)
def test_an_answer_that_is_no_stream_is_refused_with_its_reason(data: bytes, message: str) -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(data)

    with HttpCamera(serve) as camera:
        reason = refusal(camera.url())
    assert re.search(message, reason), reason


def redirecting(location: Callable[[], str], status: str = "302 Found") -> Script:
    def serve(connection: Connection) -> None:
        while connection.request():
            connection.send(answer(status, f"Location: {location()}"))

    return serve


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("location", ["/other?a=1", "other?a=1", "absolute"])
def test_a_redirect_is_followed(status: str, location: str, expected: list[float]) -> None:
    def serve(connection: Connection) -> None:
        while request := connection.request():
            if request.target == "/other?a=1":
                connection.send(STREAM, *(PART + each for each in PICTURES))
                connection.wait()
            else:
                target = camera.url("/other?a=1") if location == "absolute" else location
                connection.send(answer(status, f"Location: {target}"))

    with HttpCamera(serve) as camera, closing(open_camera(camera.url())) as source:
        assert read(source) == expected
        assert camera.connections == 1


def test_a_login_is_not_sent_to_another_server() -> None:
    asks = answer("401 Unauthorized", "WWW-Authenticate: Basic realm=x")
    with HttpCamera(sending(asks), host="127.0.0.2") as other, HttpCamera(sending(asks)) as same_host:
        for target in (other.url(), same_host.url(login="user:secret@")):
            with HttpCamera(redirecting(lambda target=target: target)) as camera:  # type: ignore[misc]
                assert "another server, which asks for a login" in refusal(camera.url(login="user:secret@"))
        for each in (other, same_host):
            assert each.requests
            assert all("authorization" not in request.headers for request in each.requests)


def test_a_redirect_is_judged_like_an_address() -> None:
    for target in ("http://169.254.169.254/latest", "http://127.1:1/", "http://2130706433:1/"):
        with HttpCamera(redirecting(lambda target=target: target)) as camera:  # type: ignore[misc]
            reason = refusal(camera.url())
            assert reason.startswith("SourceLost: the camera redirects: its address is not allowed"), reason
    for target in ("rtsp://127.0.0.1/", "file:///etc/passwd", "javascript:x"):
        with HttpCamera(redirecting(lambda target=target: target)) as camera:  # type: ignore[misc]
            assert "redirects to an address that is not HTTP" in refusal(camera.url())
    with HttpCamera(redirecting(lambda: "http://[::1")) as camera:
        assert "redirects to an address that cannot be parsed" in refusal(camera.url())
    assert refusal("http://169.254.169.254/").startswith("SourceError: its address is not allowed")


def test_redirects_without_end_are_given_up() -> None:
    with HttpCamera(redirecting(lambda: "/again")) as camera:
        assert "redirects or asks for a login without end" in refusal(camera.url())
        assert len(camera.requests) < 20


def dripping(begin: bytes, endless: bytes) -> Script:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(begin)
        connection.drip(endless)

    return serve


def slowly_redirecting(connection: Connection) -> None:
    while connection.request():
        connection.drip_once(answer("302 Found", "Location: /again"))


@pytest.mark.parametrize(
    ("begin", "endless"),
    [
        (b"", b"HTTP/1.1 200 OK"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Field: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Field:", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 401 No\r\nContent-Length: 9999\r\nWWW-Authenticate: Basic\r\n\r\n", b"x"),
        (b"HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\nLocation: /x\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\nLocation: /x\r\n\r\n0\r\n", b"X: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        (STREAM, b"X: 1\r\n"),
        (STREAM + b"--frame\r\n", b"X: 1\r\n"),
        (STREAM + PART, b"\x89PNG"),
        (STREAM + PART + PICTURES[0][:-2], b"\0"),
        (STREAM + PART + PICTURES[0] + b"\r\n", b"\0"),
        (head("Transfer-Encoding: chunked", "Content-Type: multipart/x"), b"0"),
        (head("Transfer-Encoding: chunked", "Content-Type: multipart/x") + b"0\r\n", b"X: 1\r\n"),
    ],
)
def test_a_camera_that_drips_is_given_up_at_its_deadline(begin: bytes, endless: bytes) -> None:
    with HttpCamera(dripping(begin, endless)) as camera:
        reason = refusal(camera.url(login="a:b@"), SHORT)
    assert re.fullmatch(r"SourceLost: (the camera redirects: )?no (answer within|picture for) 1 s", reason)


def test_redirects_that_drip_share_one_deadline() -> None:
    with HttpCamera(slowly_redirecting) as camera:
        assert refusal(camera.url(), SHORT) == "SourceLost: no answer within 1 s"


def test_a_tls_handshake_that_drips_is_given_up_at_its_deadline() -> None:
    def serve(connection: Connection) -> None:
        connection.drip(b"\x16\x03\x03\x40\x00")

    with HttpCamera(serve) as camera:
        url = camera.url().replace("http:", "https:")
        assert refusal(url, SHORT) in (
            "SourceLost: no answer within 1 s",
            "SourceLost: no connection: it was interrupted",
        )


def test_a_stream_faster_than_its_pictures_end_is_refused_within_its_limit() -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(STREAM + PART + PICTURES[0][:-2])
        connection.repeat(bytes(65_536))

    with HttpCamera(serve) as camera:
        assert "no picture that ends within 8000000 bytes" in refusal(camera.url())


@pytest.fixture(scope="module")
def certificates(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, tuple[Path, ssl.SSLContext]]]:
    folder = tmp_path_factory.mktemp("certificates")
    with (
        certificate(folder, "camera") as without_name,
        certificate(folder, "127.0.0.1", "subjectAltName=IP:127.0.0.1") as with_name,
    ):
        yield {"without name": without_name, "with name": with_name}


def fingerprint(path: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text())).hexdigest()


def test_a_certificate_of_the_cameras_own_is_refused_and_can_be_pinned(
    certificates: dict[str, tuple[Path, ssl.SSLContext]], expected: list[float]
) -> None:
    path, context = certificates["without name"]
    pin = f"#sha256={fingerprint(path)}"
    with HttpCamera(sending(STREAM, *(PART + each for each in PICTURES)), tls=context) as camera:
        reason = refusal(camera.url())
        assert "its certificate is not trusted" in reason
        assert pin in reason
        colons = ":".join(pin[8:].upper()[at : at + 2] for at in range(0, 64, 2))
        for each in (pin, f"#SHA256={colons}"):
            with closing(open_camera(camera.url() + each)) as source:
                assert read(source) == expected
        other = fingerprint(certificates["with name"][0])
        assert f"not the pinned one: it has the fingerprint sha256={pin[8:]}" in refusal(
            camera.url() + f"#sha256={other}"
        )
    assert all(request.target == "/video" for request in camera.requests)


def test_a_certificate_that_an_authority_vouches_for(
    certificates: dict[str, tuple[Path, ssl.SSLContext]],
    monkeypatch: pytest.MonkeyPatch,
    expected: list[float],
) -> None:
    path, context = certificates["with name"]
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with (
        HttpCamera(sending(STREAM, *(PART + each for each in PICTURES)), tls=context) as camera,
        closing(open_camera(camera.url())) as source,
    ):
        assert read(source) == expected
        assert "its certificate is not trusted" in refusal(camera.url(host="localhost"))


@pytest.mark.parametrize(
    "url",
    [
        "https://camera/#password",
        "https://camera/#sha256=12",
        f"http://camera/#sha256={'0' * 64}",
        f"https://camera/#sha256={'0' * 65}",
        "http://a%0d%0aX:b@camera/",
        "http://a:b%00@camera/",
    ],
)
def test_what_is_no_fingerprint_or_login_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        Address.parse(url)
    assert "password" not in str(caught.value).replace("or password", "")
    assert "fingerprint" in str(caught.value) or "control character" in str(caught.value)


@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:{port}", "socks5://127.0.0.1:{port}", "127.0.0.1:{port}"]
)
def test_a_camera_is_never_asked_through_a_proxy(
    value: str, monkeypatch: pytest.MonkeyPatch, expected: list[float]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, value.format(port=proxy.getsockname()[1]))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with HttpCamera(sending(STREAM, *(PART + each for each in PICTURES))) as camera:
            for host in ("127.0.0.1", "localhost"):
                with closing(open_camera(camera.url(host=host))) as source:
                    assert read(source) == expected
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_a_picture_arrives_without_waiting_for_the_next(expected: list[float]) -> None:
    seen = threading.Event()

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(STREAM, PART + PICTURES[0])
        assert seen.wait(PATIENCE)
        connection.send(b"\r\n" + PART + PICTURES[1])
        connection.wait()

    with HttpCamera(serve) as camera, closing(open_camera(camera.url())) as source:
        assert read(source, 1) == expected[:1]
        seen.set()
        assert read(source, 1) == expected[1:2]


def test_no_connection_is_left_open_when_a_camera_is_refused() -> None:
    ended = threading.Event()

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(answer("200 OK", "Content-Type: text/html", body=b"<html>"))
        connection.wait()
        ended.set()

    with HttpCamera(serve) as camera:
        with pytest.raises(SourceLost):
            open_camera(camera.url())
        assert ended.wait(PATIENCE)
