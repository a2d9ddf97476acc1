"""What can be watched: webcams, network cameras, recordings, the demo shop."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from ingest.cameras import expand, redact
from ingest.errors import SourceError
from ingest.mjpeg import MjpegStream
from ingest.network import PORTS, Address
from ingest.pictures import Picture
from ingest.recordings import Folder, Repeated, VideoFile
from ingest.streams import check_webcam, open_rtsp, open_webcam

SCHEMES = (*PORTS, "demo")
DEFAULT_FPS = 5.0
"""Pictures per second of a folder and of the demo where every picture is asked for: they have no rate."""


class Source(Protocol):
    """Pictures of one camera or recording; one thread reads it and closes it."""

    @property
    def live(self) -> bool:
        """Whether it shows what is now and never ends; a recording has an end."""

    def read(self) -> Picture | None:
        """The next picture, None at the end of a recording.

        A camera is waited for, at most the read time-out, and gives pictures without an offset. A picture
        with an offset comes at once, and it is for the caller to wait until its time.

        Raises:
            SourceLost: the source broke; it is to be closed.
        """

    def close(self) -> None:
        """Give it back."""


class DemoShop:
    """A simulated camera of the demo shop, which shows the moment at which it is looked at."""

    live = True

    def __init__(self, name: str, fps: float) -> None:
        from ingest.demo.source import DemoSource  # noqa: PLC0415 - only the demo needs its drawings

        self._shop = DemoSource(name)
        self._fps = fps
        self._number = -1

    def read(self) -> Picture:
        """The next picture, to be looked at when its time has come."""
        self._number += 1
        return Picture(self._number / self._fps, self._shop.read)

    def close(self) -> None:
        """Let go of the drawings."""
        self._shop.close()


def check_source(source: str, environ: Mapping[str, str]) -> None:
    """Refuse what can never be opened, without opening anything.

    Raises:
        SourceError: naming what is wrong with `source`, and what to write instead.
    """
    expanded = expand(source, environ)
    scheme, separator, _ = expanded.partition("://")
    if expanded.isdigit():
        check_webcam(int(expanded))
    elif not separator:
        _check_exists(Path(expanded))
    elif scheme.lower() in PORTS:
        Address.parse(expanded)
    elif scheme.lower() not in SCHEMES:
        raise _unknown(expanded)


def is_recording(source: str) -> bool:
    """Whether `source` names something that ends: a file or a folder."""
    return not source.isdigit() and "://" not in source


def open_source(
    source: str,
    *,
    fps: float | None = None,
    open_timeout: float = 10.0,
    read_timeout: float = 10.0,
    loop: bool = False,
) -> Source:
    """Open a webcam's number, an address, a video file or a folder of pictures.

    Args:
        source: without references to the environment, see `ingest.cameras.expand`.
        fps: the rate of a folder's pictures and of the demo, None for `DEFAULT_FPS`.
        open_timeout: seconds until a network camera must have answered.
        read_timeout: seconds within which each picture of a network camera must come.
        loop: begin a recording again when it ends.

    Raises:
        SourceError: it cannot be used as it is written.
        SourceLost: it cannot be reached for now.
    """
    scheme, separator, rest = source.partition("://")
    if source.isdigit():
        return open_webcam(int(source), read_timeout)
    if not separator:
        return _open_recording(Path(source), fps or DEFAULT_FPS, loop)
    match scheme.lower():
        case "rtsp":
            return open_rtsp(source, open_timeout, read_timeout)
        case "http" | "https":
            return MjpegStream(source, open_timeout, read_timeout)
        case "demo":
            return DemoShop(rest, fps or DEFAULT_FPS)
    raise _unknown(source)


def _unknown(source: str) -> SourceError:
    known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    return SourceError(
        f"source {redact(source)}: its scheme is not known; use a webcam's number, {known}, "
        "a video file or a folder of pictures"
    )


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")


def _open_recording(path: Path, fps: float, loop: bool) -> Source:
    _check_exists(path)
    recording = partial(Folder, path, fps) if path.is_dir() else partial(VideoFile, path)
    return Repeated(recording) if loop else recording()
