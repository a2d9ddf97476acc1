"""Cameras that OpenCV reads: RTSP by way of FFmpeg, and webcams."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from ingest.errors import BadPicture, SourceError, SourceLost
from ingest.network import ASKS_FOR_LOGIN, REFUSED, WRONG_LOGIN, Address, connect, explain
from ingest.pictures import Picture, Pixels

_LINUX = sys.platform == "linux"
_NEARLY = 0.9
"""Share of the time-out after which a failed read counts as timed out."""
_STATUS_LINE = re.compile(rb"RTSP/1\.\d (\d{3})")


class Stream:
    """Pictures as a camera brings them, read through OpenCV."""

    live = True

    def __init__(self, capture: cv2.VideoCapture, read_timeout: float) -> None:
        self._capture = capture
        self._timeout = read_timeout

    def read(self) -> Picture:
        """The next picture.

        Raises:
            SourceLost: the stream broke, or brings no picture in time.
        """
        began = time.monotonic()
        if self._capture.grab():
            return Picture(None, self._pixels)
        if time.monotonic() - began >= _NEARLY * self._timeout:
            raise SourceLost(f"no picture for {self._timeout:g} s")
        raise SourceLost("the camera ended the stream")

    def close(self) -> None:
        """Give the camera back."""
        self._capture.release()

    def _pixels(self) -> Pixels:
        return retrieve(self._capture)


def retrieve(capture: cv2.VideoCapture) -> Pixels:
    """Decode what was grabbed last; raises BadPicture where that fails."""
    try:
        done, pixels = capture.retrieve()
    except cv2.error as error:
        raise BadPicture(f"a picture that cannot be decoded: {error.err}") from error
    if not done:
        raise BadPicture("a picture that cannot be decoded")
    return np.asarray(pixels, np.uint8)


def open_rtsp(url: str, open_timeout: float, read_timeout: float) -> Stream:
    """The RTSP stream at `url`, over TCP where the camera can.

    Raises:
        SourceError: `url` is no address.
        SourceLost: saying why there is no stream.
    """
    address = Address.parse(url)
    deadline = time.monotonic() + open_timeout
    settings = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(1000 * open_timeout)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(1000 * read_timeout)),
        # More threads make FFmpeg hold back a picture for each, and cost more.
        *(cv2.CAP_PROP_N_THREADS, 1),
    ]
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, settings)
    if capture.isOpened():
        return Stream(capture, read_timeout)
    capture.release()
    left = deadline - time.monotonic()
    if left <= 0:
        raise SourceLost(f"no answer within {open_timeout:g} s")
    raise SourceLost(_refusal(address, left))


def _refusal(address: Address, timeout: float) -> str:
    """Why FFmpeg, which does not tell, got no stream from a camera.

    Not asked before: a description that is not followed by a stream makes some servers refuse the next one.
    """
    status = _describe(address, timeout)
    if status == 401:
        return ASKS_FOR_LOGIN if address.user is None else WRONG_LOGIN
    return REFUSED.get(status, "the camera answers, but sends no video that can be decoded")


def _describe(address: Address, timeout: float) -> int:
    """The status with which the camera answers when it is asked for the stream's description."""
    request = f"DESCRIBE {address.url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    with connect(address, timeout) as connection:
        try:
            connection.sendall(request.encode("ascii"))
            answer = connection.recv(64)
        except OSError as error:
            raise SourceLost(explain(error, timeout)) from error
    status = _STATUS_LINE.match(answer)
    if not status:
        raise SourceLost("the camera does not answer in RTSP")
    return int(status[1])


def open_webcam(number: int, read_timeout: float) -> Stream:
    """The webcam of that number.

    Raises:
        SourceError: there is none of that number.
        SourceLost: it is there and cannot be used for now.
    """
    check_webcam(number)
    capture = cv2.VideoCapture(number, cv2.CAP_V4L2 if _LINUX else cv2.CAP_ANY)
    if not capture.isOpened():
        capture.release()
        raise SourceLost("the webcam cannot be opened: another program may use it, or permission is missing")
    return Stream(capture, read_timeout)


def check_webcam(number: int) -> None:
    """Raise SourceError where it can be told, without opening it, that there is no webcam of that number."""
    if _LINUX and not Path(f"/dev/video{number}").exists():
        found = sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video*"))
        there = f"there is {', '.join(found)}" if found else "no camera is connected"
        raise SourceError(f"webcam {number} does not exist: {there}")
