"""Video files: opened without access to the network or to other files, and decoded frame by frame.

The kind is told by the content. Formats that name further files or addresses, such as playlists and session
descriptions, are not among the accepted ones.
"""

from __future__ import annotations

import os
from pathlib import Path

import av

from media.clock import LONGEST_GAP
from media.decoder import CODEC_OPTIONS, FrameDecoder
from media.errors import VideoError
from media.images import Color, Gray

FORMATS = (
    *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "mxf"),
    *("mpegvideo", "h264", "hevc", "m4v", "mjpeg", "ivf", "obu", "av1", "dhav", "dv", "gxf", "nut"),
    *("rm", "wtv", "yuv4mpegpipe", "vc1", "mpjpeg", "swf", "nuv", "pmp"),
)
"""Formats of containers and raw streams that are accepted, by FFmpeg's names."""


class VideoDecoder:
    """An open video file; one thread reads it and closes it.

    Args:
        path: the file.
        longest_gap: see `MediaClock`.

    Raises:
        VideoError: the file cannot be read, is not a video or not one that is accepted.
    """

    def __init__(self, path: Path, longest_gap: float = LONGEST_GAP) -> None:
        try:
            path.open("rb").close()
        except OSError as error:
            raise VideoError(f"cannot be read: {error.strerror}") from error
        self._frames = FrameDecoder(_open(path), longest_gap)
        self.fps = self._frames.fps
        """Frames per second, 25 where the container does not announce them."""
        self.period = self._frames.period
        """Seconds from one frame to the next, usually."""
        self.announced = self._frames.announced
        """Number of frames that the container itself states; 0 where it does not."""

    @property
    def frames(self) -> int:
        """Number of frames up to the current one, without those that cannot be decoded."""
        return self._frames.frames

    @property
    def time_s(self) -> float:
        """Time of the current frame in seconds from the first one; rises from frame to frame."""
        return self._frames.time_s

    def grab(self) -> bool:
        """Move to the next frame; False at the end.

        Raises:
            VideoError: the file is damaged, or ends before its container states.
        """
        try:
            if self._frames.step():
                return True
        except av.FFmpegError as error:
            raise VideoError(f"damaged video: {error.strerror} after {self.frames} frames") from error
        if not self.frames:
            raise VideoError("damaged video: no frame can be decoded")
        if missing := self._frames.missing:
            raise VideoError(f"damaged video: it ends after {missing}")
        return False

    def gray(self) -> Gray:
        """The luminance (height, width) uint8 of the current frame.

        Raises:
            ImageError: it cannot be decoded.
        """
        return self._frames.gray()

    def color(self) -> Color:
        """The current frame as (height, width, 3) uint8 blue, green, red; raises ImageError like `gray`."""
        return self._frames.color()

    def close(self) -> None:
        """Close the file."""
        self._frames.close()


def _open(path: Path) -> av.container.InputContainer:
    options = {
        **CODEC_OPTIONS,
        "format_whitelist": ",".join(FORMATS),
        # Whatever a file refers to, only this one is opened.
        "protocol_whitelist": "file",
    }
    try:
        # With a scheme, no name of a file can be taken for an address.
        return av.open(f"file:{os.path.abspath(path)}", options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        raise VideoError("not a video that can be decoded") from error
