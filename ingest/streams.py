"""Cameras that send a stream of video: RTSP, and webcams."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np
from typing_extensions import override

from ingest.address_policy import DEFAULT_POLICY, AddressPolicy
from ingest.camera_source import CameraSource, Pixels, UndecodedPicture
from ingest.deadline import Deadline
from ingest.errors import SourceError, SourceLost
from ingest.network import REFUSED, Address
from ingest.rtsp_relay import REDIRECTIONS, RtspRelay
from media.errors import ImageError, VideoError
from media.network_streams import RtspDecoder, StreamError

_LINUX = sys.platform == "linux"
_TIMED_OUT = 0.9
"""Share of the time-out after which a failed read counts as timed out."""


class RtspStream(CameraSource):
    """Pictures of a camera over RTSP."""

    live = True

    def __init__(self, stream: RtspDecoder, relay: RtspRelay, read_timeout: float) -> None:
        self._stream = stream
        self._relay = relay
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
        self._relay.close()


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


def open_rtsp(
    url: str, open_timeout: float, read_timeout: float, policy: AddressPolicy = DEFAULT_POLICY
) -> RtspStream:
    """The RTSP stream at `url`, over TCP.

    Raises:
        SourceError: `url` is not an address, or one that is not allowed.
        SourceLost: there is no stream; gives the reason.
    """
    address = Address.parse(url)
    deadline = Deadline(open_timeout)
    relay = RtspRelay(address, policy, deadline, read_timeout)
    try:
        return RtspStream(RtspDecoder(relay.url, deadline.left(), read_timeout), relay, read_timeout)
    except (StreamError, TimeoutError) as error:
        relay.close()
        timed_out = isinstance(error, TimeoutError) or error.timed_out
        raise SourceLost(_refusal(relay, timed_out, open_timeout)) from error
    except VideoError as error:
        relay.close()
        raise SourceLost(f"the camera sends {error}") from error


def _refusal(relay: RtspRelay, timed_out: bool, timeout: float) -> str:
    """Why there is no stream from the camera behind a relay."""
    status = relay.status
    if status == 401:
        return relay.refusal
    if status in REDIRECTIONS:
        return (
            f"the camera redirects to another address ({status}), which is not followed: enter that address"
        )
    if status in REFUSED:
        return REFUSED[status]
    if timed_out:
        return f"no answer within {timeout:g} s"
    if status is None:
        return "the camera does not respond in RTSP"
    return "the camera responds, but sends no video that can be decoded"


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
