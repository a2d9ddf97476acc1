"""A camera's password never appears: not in health, logs or errors, nor in output of the C libraries."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from bus.messages import CameraState
from ingest.cameras import Camera
from ingest.errors import IngestError
from ingest.sources import open_source
from tests.support.captures import capturing
from tests.support.mjpeg_camera import MjpegCamera

PASSWORD = "s3c@ret/#?&:%;x"
FORMS = (PASSWORD, "s3c", quote(PASSWORD, safe=""), quote(PASSWORD, safe=":"))

SCRIPT = """
import logging, sys, time
from media.native import configure_opencv
from ingest.sources import open_source
from ingest.errors import IngestError
configure_opencv()
logging.basicConfig(level="DEBUG")
for source in sys.argv[1:]:
    try:
        with_picture = open_source(source, open_timeout=1, read_timeout=1)
        while with_picture.read():
            pass
    except IngestError as error:
        print(type(error).__name__, error)
"""


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera() as camera:
        yield camera


@pytest.fixture
def refusing_rtsp() -> Iterator[int]:
    """The port of a server that answers every RTSP request with 401, and repeats the request."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        done = threading.Event()
        thread = threading.Thread(target=_refuse, args=(server, done))
        thread.start()
        yield server.getsockname()[1]
        done.set()
        thread.join()


def _refuse(server: socket.socket, done: threading.Event) -> None:
    while not done.is_set():
        with suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.settimeout(5)
                while request := connection.recv(4096):
                    number = request.partition(b"CSeq: ")[2].partition(b"\r\n")[0]
                    challenge = b'WWW-Authenticate: Basic realm="' + request.split()[1] + b'"'
                    lines = b"RTSP/1.0 401 Unauthorized", b"CSeq: " + number, challenge
                    connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")


def sources(camera: MjpegCamera, refusing_rtsp: int, secret: str) -> list[str]:
    """Addresses with a login that fail in different ways."""
    return [
        f"http://admin:{secret}@127.0.0.1:{camera.port}/video",
        f"http://admin:{secret}@127.0.0.1:{camera.port}/other?token={secret}",
        f"http://admin:{secret}@127.0.0.1:1/video",
        f"http://admin:{secret}@no-such-host.invalid/video?password={secret}",
        f"rtsp://admin:{secret}@127.0.0.1:{refusing_rtsp}/live",
        f"rtsp://admin:{secret}@127.0.0.1:1/live",
        f"rtsp://admin:{secret}@no-such-host.invalid/live",
        f"gopher://admin:{secret}@127.0.0.1/live?key={secret}",
    ]


def assert_no_secret(*texts: str) -> None:
    for text in texts:
        for secret in FORMS:
            assert secret not in text


def test_health_logs_and_failures(
    camera: MjpegCamera, refusing_rtsp: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    camera.login = ("admin", "another")
    cameras = [
        Camera(f"camera-{number}", source, 5)
        for number, source in enumerate(sources(camera, refusing_rtsp, "${SECRET}"))
    ]
    with capturing(*cameras, environ={"SECRET": PASSWORD}) as running:
        for each in cameras:
            state = CameraState.ENDED if each.source.startswith("gopher") else CameraState.RETRYING
            assert running.sink.wait_for_state(each.id, state).reason
        running.finish()
        assert_no_secret(*(f"{health}" for health in running.sink.healths))
        assert_no_secret(*running.supervisor.failures().values())
    assert len(caplog.records) >= len(cameras)
    assert_no_secret(caplog.text)


def test_a_working_camera_does_not_show_its_password(
    camera: MjpegCamera, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    camera.login, camera.digest = ("admin", PASSWORD), True
    with capturing(
        Camera("door", camera.url("admin:${SECRET}@"), 5), environ={"SECRET": PASSWORD}
    ) as running:
        running.consumer.wait_for_frames("door", 3)
        camera.stop()
        running.sink.wait_for_state("door", CameraState.RETRYING)
        assert_no_secret(*(f"{health}" for health in running.sink.healths), caplog.text)


@pytest.mark.parametrize("secret", [PASSWORD, quote(PASSWORD, safe=":")])
def test_errors(camera: MjpegCamera, refusing_rtsp: int, secret: str) -> None:
    camera.login = ("admin", "another")
    for source in sources(camera, refusing_rtsp, secret):
        with pytest.raises(IngestError) as caught, closing(open_source(source, open_timeout=2)):
            pass
        assert_no_secret(str(caught.value), repr(caught.value))
        assert_no_secret(str(caught.value.__cause__), repr(caught.value.__cause__))


def test_the_c_libraries_write_nothing(camera: MjpegCamera, refusing_rtsp: int, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0" * 5000)
    camera.shows = "damaged"
    finished = subprocess.run(
        [
            sys.executable,
            "-c",
            SCRIPT,
            *sources(camera, refusing_rtsp, quote(PASSWORD, safe=":"))[1:],
            broken,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert finished.stderr == ""
    assert len(finished.stdout.splitlines()) == 8
    assert_no_secret(finished.stdout)


def test_a_secret_that_is_not_utf8_ends_the_capture_with_the_name_of_its_variable() -> None:
    value = os.fsdecode(b"gr\xfc\xdfhush")
    with capturing(
        Camera("door", "rtsp://admin:${DOOR}@127.0.0.1:1/live", 5), environ={"DOOR": value}
    ) as running:
        health = running.sink.wait_for_state("door", CameraState.ENDED)
        assert health.reason == "${DOOR}: its value is not UTF-8: set the environment variable DOOR again"
