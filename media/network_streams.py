"""Streams of network cameras in RTSP, read over TCP within time limits."""

from __future__ import annotations

import time

import av

from media.decoder import CODEC_OPTIONS, FrameDecoder
from media.errors import VideoError
from media.images import Gray

_MICROSECONDS = 1_000_000
_TIMED_OUT = 0.9
"""Share of a time-out after which a failure counts as timed out."""


class StreamError(VideoError):
    """A network stream that cannot be opened or read; `timed_out` tells whether a time limit passed."""

    def __init__(self, message: str, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class RtspDecoder:
    """An open RTSP stream; one thread reads it and closes it.

    Args:
        url: with the login, percent-encoded.
        open_timeout: seconds for the camera's answer, and again for its first picture.
        read_timeout: seconds within which each picture must arrive.

    Raises:
        StreamError: there is no stream.
        VideoError: it holds no picture that can be decoded.
    """

    def __init__(self, url: str, open_timeout: float, read_timeout: float) -> None:
        self._timeout = read_timeout
        self._frames = FrameDecoder(_open(url, open_timeout, read_timeout), patience=read_timeout)

    @property
    def codec(self) -> str:
        """Name of the codec, such as h264."""
        return self._frames.codec

    def grab(self) -> None:
        """Wait for the next frame.

        Raises:
            StreamError: the stream ended or broke.
            VideoError: data arrives of which no picture can be decoded.
        """
        began = time.monotonic()
        try:
            if self._frames.step():
                return
        except av.FFmpegError as error:
            raise _stream_error(error, began, self._timeout) from error
        raise StreamError(
            "the camera ended the stream", time.monotonic() - began >= _TIMED_OUT * self._timeout
        )

    def gray(self) -> Gray:
        """The luminance (height, width) uint8 of the current frame; raises ImageError."""
        return self._frames.gray()

    def close(self) -> None:
        """Close the connection."""
        self._frames.close()


def _open(url: str, open_timeout: float, read_timeout: float) -> av.container.InputContainer:
    options = {
        **CODEC_OPTIONS,
        "rtsp_transport": "tcp",
        "allowed_media_types": "video",
        # Without rtsp among them no redirection is followed: it needs a further connection of that protocol.
        "protocol_whitelist": "rtp,tcp",
        "format_whitelist": "rtsp",
        # Longer than both limits, which interrupt whatever FFmpeg waits for.
        "timeout": str(round(2 * max(open_timeout, read_timeout) * _MICROSECONDS)),
        # Without a wait for frames that only serve to measure the rate.
        "fpsprobesize": "0",
    }
    began = time.monotonic()
    try:
        return av.open(
            url,
            format="rtsp",
            options=options,
            metadata_errors="replace",
            timeout=(open_timeout, read_timeout),
        )
    except av.FFmpegError as error:
        raise _stream_error(error, began, open_timeout) from error


def _stream_error(error: av.FFmpegError, began: float, timeout: float) -> StreamError:
    timed_out = time.monotonic() - began >= _TIMED_OUT * timeout
    return StreamError(error.strerror or "the connection failed", timed_out)
