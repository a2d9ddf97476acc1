"""Cameras that OpenCV reads: RTSP through FFmpeg, and webcams."""

from __future__ import annotations

import re
import sys
import time
from functools import partial
from pathlib import Path

import cv2
from typing_extensions import override

from ingest.camera_source import CameraSource, UndecodedPicture
from ingest.errors import SourceError, SourceLost
from ingest.login import explain_unauthorized
from ingest.network import REFUSED, Address, connect, explain
from media.videos import decode_grabbed

_LINUX = sys.platform == "linux"
_TIMED_OUT = 0.9
"""Share of the time-out after which a failed read counts as timed out."""
_STATUS_LINE = re.compile(rb"RTSP/1\.\d (\d{3})")


class OpenCVStream(CameraSource):
    """Pictures of a live camera, read through OpenCV."""

    live = True

    def __init__(self, capture: cv2.VideoCapture, read_timeout: float) -> None:
        self._capture = capture
        self._timeout = read_timeout

    @override
    def read(self) -> UndecodedPicture:
        began = time.monotonic()
        if self._capture.grab():
            return UndecodedPicture(None, partial(decode_grabbed, self._capture))
        if time.monotonic() - began >= _TIMED_OUT * self._timeout:
            raise SourceLost(f"no picture for {self._timeout:g} s")
        raise SourceLost("the camera ended the stream")

    @override
    def close(self) -> None:
        self._capture.release()


def open_rtsp(url: str, open_timeout: float, read_timeout: float) -> OpenCVStream:
    """The RTSP stream at `url`, over TCP where the camera supports it.

    Raises:
        SourceError: `url` is not an address.
        SourceLost: there is no stream; gives the reason.
    """
    address = Address.parse(url)
    deadline = time.monotonic() + open_timeout
    settings = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(1000 * open_timeout)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(1000 * read_timeout)),
        # With more threads FFmpeg delays the stream by one picture per thread, and costs more.
        *(cv2.CAP_PROP_N_THREADS, 1),
    ]
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, settings)
    if capture.isOpened():
        return OpenCVStream(capture, read_timeout)
    capture.release()
    left = deadline - time.monotonic()
    if left <= 0:
        raise SourceLost(f"no answer within {open_timeout:g} s")
    raise SourceLost(_refusal(address, left))


def _refusal(address: Address, timeout: float) -> str:
    """Why FFmpeg, which does not report it, got no stream from a camera.

    Only requested after a failure: some servers refuse a stream after a description without a stream.
    """
    status = _describe(address, timeout)
    if status == 401:
        return explain_unauthorized(address)
    return REFUSED.get(status, "the camera responds, but sends no video that can be decoded")


def _describe(address: Address, timeout: float) -> int:
    """The status of the camera's response to a request for the stream's description."""
    request = f"DESCRIBE {address.url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    with connect(address, timeout) as connection:
        try:
            connection.sendall(request.encode("ascii"))
            answer = connection.recv(64)
        except OSError as error:
            raise SourceLost(explain(error, timeout)) from error
    status = _STATUS_LINE.match(answer)
    if not status:
        raise SourceLost("the camera does not respond in RTSP")
    return int(status[1])


def open_webcam(number: int, read_timeout: float) -> OpenCVStream:
    """The webcam of that number.

    Raises:
        SourceError: no webcam has that number.
        SourceLost: it exists and cannot be used at present.
    """
    check_webcam(number)
    capture = cv2.VideoCapture(number, cv2.CAP_V4L2 if _LINUX else cv2.CAP_ANY)
    if not capture.isOpened():
        capture.release()
        raise SourceLost("the webcam cannot be opened: another program may use it, or permission is missing")
    return OpenCVStream(capture, read_timeout)


def check_webcam(number: int) -> None:
    """Raise SourceError if no webcam has that number, as far as that is known without opening it."""
    if _LINUX and not Path(f"/dev/video{number}").exists():
        found = sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video*"))
        there = f"there is {', '.join(found)}" if found else "no camera is connected"
        raise SourceError(f"webcam {number} does not exist: {there}")
