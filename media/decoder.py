"""Decoder of an open container or network stream, on FFmpeg through PyAV: the next frame, and its pixels."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from media.clock import LONGEST_GAP, MediaClock
from media.errors import ImageError, VideoError
from media.frames import Layout, check_aspect, read_display_matrix, to_color, to_gray
from media.images import Color, Gray

MOST_PIXELS = 8192 * 4608
"""Pixels of a frame, at most: up to an 8K sensor. A larger one is refused before it is decoded."""
CODEC_OPTIONS = {"threads": "1", "max_pixels": str(MOST_PIXELS)}
"""One thread: each more delays a stream by a frame, and there is a thread for each camera already."""
_COMPLETE = 0.9
"""Share of the frames, and of the time, that the container states below which it is truncated."""
_FEW = 3
"""Frames by which a complete video may differ from what its container states."""
_STATED_DURATIONS = ("matroska", "flv")
"""Beginnings of the names of formats whose header states no frames but the time at which the file ends; that
of the other formats is computed from what is there."""
_USUAL_FPS = 25.0
_MOST_FPS = 1000


class FrameDecoder:
    """The frames of the moving picture in an open container; one thread reads it and closes it.

    Args:
        container: open; is closed by `close`, and where the constructor raises.
        longest_gap: see `MediaClock`.
        patience: seconds within which data must give a frame.

    Raises:
        VideoError: there is no moving picture that can be decoded.
    """

    def __init__(
        self, container: InputContainer, longest_gap: float = LONGEST_GAP, patience: float = math.inf
    ) -> None:
        self._container = container
        try:
            self._stream = _choose_stream(container)
        except VideoError:
            container.close()
            raise
        self._codec = self._stream.codec_context
        self._codec.options = CODEC_OPTIONS
        self._codec.thread_count = 1
        self._patience = patience
        self.fps = _rate(self._stream)
        """Frames per second, 25 where it is not announced."""
        self.period = 1 / self.fps
        """Seconds from one frame to the next, usually."""
        self.announced = max(0, self._stream.frames)
        """Number of frames that the container itself states; 0 where it does not, which is usual."""
        self.frames = 0
        """Number of frames that were decoded."""
        self.refused = 0
        """Number of pieces of data, usually a frame each, that the decoder refused behind the first frame."""
        self.time_s = 0.0
        """Time of the current frame in seconds from the first one, see `MediaClock`."""
        self._first_stamp = self._last_stamp = 0.0
        self._clock = MediaClock(self.period, longest_gap)
        self._stated_end_s = _read_stated_end(container)
        self._end_s = 0.0
        # The end of a file is that of its longest stream, which may be the sound.
        streams = list(container.streams) if self._stated_end_s else [self._stream]
        self._packets: Iterator[av.Packet[Any]] = container.demux(streams)
        self._decoded: deque[av.VideoFrame] = deque()
        self._frame: av.VideoFrame | None = None
        self._layout = Layout()
        self._first_aspect = self._codec.sample_aspect_ratio

    @property
    def codec(self) -> str:
        """Name of the codec, such as h264."""
        return str(self._codec.codec.canonical_name)

    def step(self) -> bool:
        """Move to the next frame, False at the end.

        Data that is refused behind the first frame counts as a frame, whose pixels raise ImageError. What
        comes before the first frame is passed over: recordings and streams may begin between two key frames.

        Raises:
            VideoError: data is damaged or gives no frame for too long.
            av.FFmpegError: reading failed otherwise.
        """
        began = time.monotonic()
        while not self._decoded:
            packet = next(self._packets, None)
            if packet is None:
                return False
            if self._stated_end_s:
                self._note_end(packet)
            if packet.stream.index == self._stream.index and not self._decode(packet):
                self._frame = None
                return True
            if time.monotonic() - began > self._patience and not self._decoded:
                raise VideoError(
                    f"data arrives, but no picture of it can be decoded for {self._patience:g} s "
                    f"({self.codec})"
                )
        self._show(self._decoded.popleft())
        return True

    def gray(self) -> Gray:
        """The luminance (height, width) uint8 of the current frame; raises ImageError."""
        return to_gray(self._current(), self._layout)

    def color(self) -> Color:
        """The current frame as (height, width, 3) uint8 blue, green, red; raises ImageError."""
        return to_color(self._current(), self._layout)

    @property
    def missing(self) -> str:
        """How much there is of what the container itself states, such as "12 of 60 frames"; empty if all is.

        Frames alone say too little: containers also count the empty ones of a recorder that paused.
        """
        if not self.announced:
            if self._end_s >= _COMPLETE * self._stated_end_s:
                return ""
            return f"{self._end_s:.1f} of {self._stated_end_s:.1f} seconds"
        seen = self.frames + self.refused
        stated_s = float(self._stream.duration or 0) * float(self._stream.time_base or 0)
        complete = seen >= min(_COMPLETE * self.announced, self.announced - _FEW)
        if complete or self._last_stamp - self._first_stamp >= _COMPLETE * stated_s:
            return ""
        return f"{seen} of {self.announced} frames"

    def close(self) -> None:
        """Close the container."""
        self._frame = None
        self._decoded.clear()
        self._container.close()

    def _note_end(self, packet: av.Packet[Any]) -> None:
        if packet.pts is not None and packet.time_base is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._end_s = max(self._end_s, end)

    def _decode(self, packet: av.Packet[Any]) -> bool:
        """Decode a packet, which may give any number of frames; False if it is to be counted as refused."""
        try:
            self._decoded.extend(self._codec.decode(packet))
        except av.EOFError:
            return True
        except (av.InvalidDataError, av.PatchWelcomeError):
            if not self.frames:
                return True
            self.refused += 1
            return False
        except av.ArgumentError as error:
            raise VideoError(
                f"a video that the decoder does not accept ({self.codec}): {_describe_size(self._codec)}"
            ) from error
        return True

    def _show(self, frame: av.VideoFrame) -> None:
        self._frame = frame
        self.frames += 1
        self.time_s = self._clock.tick(frame.time)
        if frame.pts is not None:
            self._last_stamp = frame.time
            if self.frames == 1:
                self._first_stamp = frame.time
        if self.frames == 1 or frame.key_frame:
            self._layout = Layout(self._read_aspect(), read_display_matrix(frame))

    def _read_aspect(self) -> float:
        """Width of a pixel: the container's word counts, unless the codec's own changes on the way."""
        own = self._codec.sample_aspect_ratio
        aspect = own if own != self._first_aspect and own else self._stream.sample_aspect_ratio or own
        return check_aspect(float(aspect) if aspect else None)

    def _current(self) -> av.VideoFrame:
        if self._frame is None:
            raise ImageError("a frame that cannot be decoded")
        if self._frame.is_corrupt:
            raise ImageError("a frame of which parts are missing")
        return self._frame


def _choose_stream(container: InputContainer) -> VideoStream:
    """The moving picture, the main one where there are several; the cover of a song is none."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        raise VideoError("it holds no moving picture")
    if stream.codec_context is None:
        raise VideoError("a video whose codec is not known")
    codec = stream.codec_context
    if codec.width * codec.height > MOST_PIXELS:
        raise VideoError(f"a video of {_describe_size(codec)}")
    return stream


def _describe_size(codec: VideoCodecContext) -> str:
    return f"{codec.width} x {codec.height} pixels, the most is {MOST_PIXELS / 1e6:.3g} million"


def _read_stated_end(container: InputContainer) -> float:
    """The time in seconds at which the header of the container says that it ends; 0 where it does not."""
    if not container.format.name.startswith(_STATED_DURATIONS) or not container.duration:
        return 0.0
    return container.duration / av.time_base


def _rate(stream: VideoStream) -> float:
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    return rate if 0 < rate <= _MOST_FPS else _USUAL_FPS
