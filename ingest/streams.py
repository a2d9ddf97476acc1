"""Cameras that send a stream of video: RTSP, and webcams."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from typing_extensions import override

from ingest.camera_source import CameraSource, Pixels, UndecodedPicture
from ingest.errors import SourceError, SourceLost
from ingest.login import explain_unauthorized
from ingest.network import REFUSED, Address, connect, explain
from media.errors import ImageError, VideoError
from media.network_streams import RtspDecoder, StreamError

_LINUX = sys.platform == "linux"
_TIMED_OUT = 0.9
"""Share of the time-out after which a failed read counts as timed out."""
_REDIRECTIONS = (301, 302, 303, 305)
_STATUS_LINE = re.compile(rb"RTSP/1\.\d (\d{3})")


class RtspStream(CameraSource):
    """Pictures of a camera over RTSP."""

    live = True

    def __init__(self, stream: RtspDecoder, read_timeout: float) -> None:
        self._stream = stream
        self._timeout = read_timeout

    @override
    def read(self) -> UndecodedPicture:
        try:
            self._stream.grab()
        except StreamError as error:
            if error.timed_out:
                raise SourceLost(f"no picture for {self._timeout:g} s") from error
            raise SourceLost("the camera ended the stream") from error
        except VideoError as error:
            raise SourceLost(str(error)) from error
        return UndecodedPicture(None, self._stream.gray)

    @override
    def close(self) -> None:
        self._stream.close()


class Webcam(CameraSource):
    """Pictures of a webcam, read through OpenCV."""

    live = True

    def __init__(self, capture: cv2.VideoCapture, read_timeout: float) -> None:
        self._capture = capture
        self._timeout = read_timeout

    @override
    def read(self) -> UndecodedPicture:
        began = time.monotonic()
        if self._capture.grab():
            return UndecodedPicture(None, self._decode)
        if time.monotonic() - began >= _TIMED_OUT * self._timeout:
            raise SourceLost(f"no picture for {self._timeout:g} s")
        raise SourceLost("the camera ended the stream")

    @override
    def close(self) -> None:
        self._capture.release()

    def _decode(self) -> Pixels:
        try:
            done, pixels = self._capture.retrieve()
        except cv2.error as error:
            raise ImageError(f"a frame that cannot be decoded: {error.err}") from error
        if not done:
            raise ImageError("a frame that cannot be decoded")
        return np.asarray(pixels, np.uint8)


def open_rtsp(url: str, open_timeout: float, read_timeout: float) -> RtspStream:
    """The RTSP stream at `url`, over TCP.

    Raises:
        SourceError: `url` is not an address.
        SourceLost: there is no stream; gives the reason.
    """
    address = Address.parse(url)
    deadline = time.monotonic() + open_timeout
    try:
        return RtspStream(RtspDecoder(url, open_timeout, read_timeout), read_timeout)
    except StreamError as error:
        left = deadline - time.monotonic()
        if error.timed_out or left <= 0:
            raise SourceLost(f"no answer within {open_timeout:g} s") from error
        raise SourceLost(_refusal(address, left)) from error
    except VideoError as error:
        raise SourceLost(f"the camera sends {error}") from error


def _refusal(address: Address, timeout: float) -> str:
    """Why there is no stream from a camera.

    Only requested after a failure: some servers refuse a stream after a description without a stream.
    """
    status = _describe(address, timeout)
    if status == 401:
        return explain_unauthorized(address)
    if status in _REDIRECTIONS:
        return (
            f"the camera redirects to another address ({status}), which is not followed: enter that address"
        )
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


def open_webcam(number: int, read_timeout: float) -> Webcam:
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
    return Webcam(capture, read_timeout)


def check_webcam(number: int) -> None:
    """Raise SourceError if no webcam has that number, as far as that is known without opening it."""
    if _LINUX and not Path(f"/dev/video{number}").exists():
        found = sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video*"))
        there = f"there is {', '.join(found)}" if found else "no camera is connected"
        raise SourceError(f"webcam {number} does not exist: {there}")
