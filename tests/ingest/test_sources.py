"""Camera sources: real files, folders and an MJPEG camera."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from ingest.camera_source import CameraSource, UndecodedPicture
from ingest.errors import IngestError, SourceError, SourceLost
from ingest.sources import SourceRules, check_source, is_recording, open_source
from media.errors import ImageError
from tests.support.captures import write_video
from tests.support.mjpeg_camera import MjpegCamera

NOT_ENCODED = "p@ss/w#rd?"
ENCODED = "p%40ss%2Fw%23rd%3F"


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera() as camera:
        yield camera


def read_all(source: CameraSource) -> list[UndecodedPicture]:
    with closing(source):
        return list(iter(source.read, None))


def offsets(source: CameraSource) -> list[float]:
    return [picture.offset or 0.0 for picture in read_all(source)]


def refusal(source: str, timeout: float = 5.0) -> str:
    """Why a source cannot be opened or read: one line."""
    with pytest.raises(IngestError) as caught:
        read_all(open_source(source, read_timeout=timeout))
    assert "\n" not in str(caught.value)
    return f"{type(caught.value).__name__}: {caught.value}"


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """The port of a server that sends `answer` to each connection's first request, and then closes it."""
    done = threading.Event()

    def serve(server: socket.socket) -> None:
        while not done.is_set():
            with suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(5)
                    connection.sendall(answer(connection.recv(4096)))

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi"])
def test_every_picture_of_a_video_with_its_time(tmp_path: Path, name: str) -> None:
    source = open_source(str(write_video(tmp_path / name, pictures=30, fps=10)))
    assert not source.live
    assert offsets(source) == pytest.approx([n / 10 for n in range(30)], abs=0.002)


def test_pictures_of_a_video_are_decoded_on_demand(tmp_path: Path) -> None:
    with closing(open_source(str(write_video(tmp_path / "clip.mp4", size=(64, 48))))) as source:
        picture = source.read()
        assert picture is not None
        assert picture.decode().shape == (48, 64)


@pytest.mark.skipif("MIEN_DATA" not in os.environ, reason="MIEN_DATA names no data folder")
@pytest.mark.parametrize("clip", ["face-demographics-walking-and-pause", "one-by-one-person-detection"])
def test_shared_clips_are_read_to_their_end(clip: str) -> None:
    path = Path(os.environ["MIEN_DATA"], "videos", f"{clip}.mp4")
    announced = cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT)
    times = offsets(open_source(str(path)))
    assert len(times) == announced
    assert all(np.diff(times) > 0)


def test_a_recording_can_be_looped_and_its_times_continue(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", pictures=10, fps=10)
    with closing(open_source(str(path), loop=True)) as source:
        times = [picture.offset for picture in (source.read() for _ in range(35)) if picture]
    assert times == pytest.approx([n / 10 for n in range(35)], abs=0.01)


def test_a_folder_of_pictures_is_sorted_and_has_the_cameras_rate(tmp_path: Path) -> None:
    for name, grey in (("b.png", 20), ("a.jpg", 10), ("c.BMP", 30)):
        assert cv2.imwrite(str(tmp_path / name), np.full((20, 30), grey, np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    pictures = read_all(open_source(str(tmp_path), fps=2))
    assert [picture.offset for picture in pictures] == [0, 0.5, 1]
    assert [round(float(picture.decode().mean())) for picture in pictures] == [10, 20, 30]


def test_a_folder_of_one_picture_can_be_looped(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 30), np.uint8))
    with closing(open_source(str(tmp_path), fps=4, loop=True)) as source:
        assert [picture.offset for picture in (source.read() for _ in range(3)) if picture] == [0, 0.25, 0.5]


def test_a_damaged_picture_in_a_folder_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    assert cv2.imwrite(str(tmp_path / "b.jpg"), np.zeros((20, 30), np.uint8))
    damaged, whole = read_all(open_source(str(tmp_path)))
    with pytest.raises(ImageError, match=r"a\.jpg: damaged JPEG"):
        damaged.decode()
    assert whole.decode().shape == (20, 30)


def test_a_jpeg_with_a_tail_in_a_folder_is_decoded(tmp_path: Path) -> None:
    whole = cv2.imencode(".jpg", np.full((20, 30), 99, np.uint8))[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(whole + b"\0\0\0\x18ftypmp42" * 99)
    (tmp_path / "b.jpg").write_bytes(whole[:-5])
    with_tail, truncated = read_all(open_source(str(tmp_path)))
    assert with_tail.decode().shape == (20, 30)
    with pytest.raises(ImageError, match=r"b\.jpg: truncated JPEG"):
        truncated.decode()


def test_a_truncated_video_gives_its_frames_and_an_error(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.avi", pictures=60)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with closing(open_source(str(cut))) as source:
        read: list[UndecodedPicture] = []
        with pytest.raises(SourceLost, match=r"damaged video: it ends after \d+ of 60 frames"):
            read.extend(iter(source.read, None))
    assert 20 < len(read) < 40


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere/clip.mp4", "SourceError: nowhere/clip.mp4: no such file or folder"),
        ("97", "SourceError: webcam 97 does not exist"),
        (
            "ftp://admin:s3cret@cam/x",
            "SourceError: source ftp://***@cam/x: its scheme is not known; use",
        ),
        ("rtsp://", "SourceError: rtsp address that cannot be parsed"),
        ("rtsp://admin:pa/ss@cam/live", "SourceError: rtsp address that cannot be parsed"),
        ("http://admin:12/34@cam/live", "SourceError: http address that cannot be parsed"),
        ("http://cam:http/", "SourceError: http address that cannot be parsed"),
        ("http://a..b/", "SourceError: http address that cannot be parsed"),
        ("rtsp://127.0.0.1:1/x", "SourceLost: no connection: connection refused"),
        ("http://127.0.0.1:1/x", "SourceLost: no connection: connection refused"),
        ("http://no-such-host.invalid/x", "SourceLost: its host name cannot be resolved"),
    ],
)
def test_a_source_that_cannot_be_opened_is_refused_in_one_line(source: str, message: str) -> None:
    assert refusal(source).startswith(message)


def test_mistakes_in_a_source_are_found_without_opening_it(tmp_path: Path) -> None:
    rules = SourceRules({"MIEN_CAMERA_P": NOT_ENCODED})
    for source, message in (
        ("nowhere/clip.mp4", "nowhere/clip.mp4: no such file"),
        ("admin:hush@cam/live", r"\*\*\*@cam/live: no such file"),
        ("97", "webcam 97 does not exist"),
        ("20261128", "20261128: no such file"),
        ("\u00b2", "\u00b2: no such file"),
        ("ftp://cam/x", "its scheme is not known"),
        ("rtsp://a:b/c@d/x", "an @ behind the host"),
        ("rtsp://a:hush@d/x", "user name may be a secret"),
        ("rtsp://u:${MIEN_CAMERA_MISSING}@h/", "set the environment variable MIEN_CAMERA_MISSING"),
        ("rtsp://u:${MISSING}@h/", "cameras may not refer to this variable"),
        ("http://169.254.169.254/", "not allowed"),
    ):
        with pytest.raises(SourceError, match=message) as caught:
            check_source(source, rules)
        assert "hush" not in str(caught.value)
    for source in (str(tmp_path), "rtsp://127.0.0.1:1/x", "demo://door", "http://u:${MIEN_CAMERA_P}@h/"):
        check_source(source, rules)


@pytest.mark.parametrize("content", [b"", b"this is no video", b"\0" * 5000])
def test_a_file_that_is_not_a_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert refusal(str(path)) == f"SourceError: {path}: not a video that can be decoded"


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    assert "holds no pictures (BMP" in refusal(str(tmp_path))


def test_files_and_folders_are_recordings() -> None:
    assert [is_recording(each) for each in ("clip.mp4", "0", "rtsp://h/x", "demo://a")] == [
        True,
        *[False] * 3,
    ]


@pytest.mark.parametrize("sends_length", [True, False])
def test_pictures_of_an_mjpeg_camera(camera: MjpegCamera, sends_length: bool) -> None:
    camera.sends_length = sends_length
    with closing(open_source(camera.url())) as source:
        assert source.live
        pictures = [source.read() for _ in range(5)]
    means = {round(float(picture.decode().mean()), 3) for picture in pictures if picture}
    assert len(means) == 5
    assert all(
        picture and picture.offset is None and picture.decode().shape == (96, 128) for picture in pictures
    )


def test_an_mjpeg_camera_that_pads_its_pictures(camera: MjpegCamera) -> None:
    camera.shows = "padded"
    with closing(open_source(camera.url())) as source:
        pictures = [source.read() for _ in range(3)]
    assert all(picture and picture.decode().shape == (96, 128) for picture in pictures)


def test_a_camera_that_sends_another_format_than_jpeg(camera: MjpegCamera) -> None:
    camera.sends = cv2.imencode(".png", np.zeros((20, 30), np.uint8))[1].tobytes()
    with closing(open_source(camera.url())) as source:
        picture = source.read()
        assert picture is not None
        with pytest.raises(ImageError, match="PNG: expected JPEG"):
            picture.decode()


@pytest.mark.parametrize("digest", [False, True])
def test_an_mjpeg_camera_with_a_login(camera: MjpegCamera, digest: bool) -> None:
    camera.login, camera.digest = ("admin", NOT_ENCODED), digest
    assert "asks" in refusal(camera.url()) or "(401)" in refusal(camera.url())
    assert "refuses the login (401)" in refusal(camera.url("admin:wrong@"))
    with closing(open_source(camera.url(f"admin:{ENCODED}@"))) as source:
        picture = source.read()
        assert picture is not None
        assert picture.decode().shape == (96, 128)


def test_a_response_that_is_not_an_mjpeg_stream_is_named(camera: MjpegCamera) -> None:
    assert "(404)" in refusal(camera.url() + "/other")
    camera.shows = "page"
    assert "sends text/html, not an MJPEG stream" in refusal(camera.url())


def test_an_mjpeg_camera_that_sends_nothing_times_out(camera: MjpegCamera) -> None:
    camera.shows = "nothing"
    began = time.monotonic()
    assert refusal(camera.url(), timeout=0.5) == "SourceLost: no picture for 0.5 s"
    assert time.monotonic() - began < 5


def test_a_camera_that_closes_the_connection_ends_the_stream(camera: MjpegCamera) -> None:
    source = open_source(camera.url())
    assert source.read()
    camera.stop()
    with pytest.raises(SourceLost, match=r"ended the stream|no connection"):
        read_all(source)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_camera_that_accepts_the_connection_and_never_responds(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/live"
        with pytest.raises(SourceLost, match=r"no answer within 0\.5 s"):
            open_source(url, open_timeout=0.5)


@pytest.mark.parametrize(
    ("answer", "scheme", "message"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "http", "does not respond in HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "rtsp", "does not respond in RTSP"),
        (b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n", "rtsp", r"no such stream \(404\)"),
        (b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n", "rtsp", "asks for a login"),
        (
            b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"
            b"--b\r\nContent-Length: 99999999999\r\n\r\n",
            "http",
            "ended the stream without a picture",
        ),
        (
            b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"
            b"--b\r\nContent-Length: " + b"9" * 4000 + b"\r\n\r\n",
            "http",
            "ended the stream without a picture",
        ),
        (
            b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"
            + b"x" * 100_000,
            "http",
            "ended the stream without a picture",
        ),
    ],
)
def test_responses_of_servers_that_are_not_cameras(answer: bytes, scheme: str, message: str) -> None:
    with answering(lambda asked: answer) as port, pytest.raises(SourceLost, match=message):
        read_all(open_source(f"{scheme}://127.0.0.1:{port}/live"))


def test_a_hostile_camera_raises_only_ingest_errors() -> None:
    """Responses damaged at random: every failure is an IngestError."""
    challenge = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="a", nonce="b", qop="auth"\r\n\r\n'
    stream = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
        b'Content-Type: multipart/x-mixed-replace; boundary="b"\r\n\r\n'
        b"2f\r\n--b\r\nContent-Length: 3\r\nContent-Type: a/b\r\n\r\nabc\r\n\r\n"
    )
    random = np.random.default_rng(6)

    def damaged(asked: bytes) -> bytes:
        data = bytearray(stream if b"Authorization" in asked else challenge)
        for at in random.integers(0, len(data), random.integers(0, 6)):
            data[at] = random.integers(0, 256)
        return bytes(data)

    reasons = set()
    with answering(damaged) as port:
        for _ in range(300):
            with pytest.raises(IngestError) as caught:
                read_all(open_source(f"http://u:p@127.0.0.1:{port}/", open_timeout=2, read_timeout=2))
            reasons.add(str(caught.value))
    assert len(reasons) > 4


def test_the_error_for_a_missing_webcam_lists_the_existing_ones() -> None:
    with pytest.raises(SourceError, match=r"webcam 97 does not exist: (there is|no camera is connected)"):
        open_source("97")


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    odd = tmp_path / "clip 100%03d: #1?.mp4"
    shutil.copy(write_video(tmp_path / "clip.mp4", pictures=10), odd)
    assert len(read_all(open_source(str(odd)))) == 10


def test_rtsp_over_tls_is_a_network_camera() -> None:
    check_source("rtsps://192.168.1.10/stream1", SourceRules())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert "no connection" in refusal(f"rtsps://127.0.0.1:{unused.getsockname()[1]}/stream1")
