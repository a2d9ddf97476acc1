"""Camera sources by their written form: webcam, network camera, recording or demo shop."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from typing_extensions import override

from ingest.camera_source import CameraSource, UndecodedPicture
from ingest.cameras import expand, redact
from ingest.errors import SourceError
from ingest.mjpeg import MjpegStream
from ingest.network import PORTS, Address
from ingest.recordings import LoopedRecording, PictureFolder, VideoFile
from ingest.streams import check_webcam, open_rtsp, open_webcam

SCHEMES = (*PORTS, "demo")
DEFAULT_FPS = 5.0
"""Pictures per second of a folder and of the demo, which have no rate of their own."""


class DemoSource(CameraSource):
    """A simulated camera of the demo shop; a picture shows the moment at which it is decoded."""

    live = True

    def __init__(self, name: str, fps: float) -> None:
        from ingest.demo.camera import DemoCamera  # noqa: PLC0415 - only the demo needs its drawings

        self._demo = DemoCamera(name)
        self._fps = fps
        self._number = -1

    @override
    def read(self) -> UndecodedPicture:
        self._number += 1
        return UndecodedPicture(self._number / self._fps, self._demo.read)

    @override
    def close(self) -> None:
        self._demo.close()


def check_source(source: str, environ: Mapping[str, str]) -> None:
    """Check that `source` can be opened, as far as that is known without opening it.

    Raises:
        SourceError: names the mistake in `source`, and what to write instead.
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
        raise _unknown_scheme(expanded)


def is_recording(source: str) -> bool:
    """Whether `source` names a file or a folder, which end."""
    return not source.isdigit() and "://" not in source


def open_source(
    source: str,
    *,
    fps: float | None = None,
    open_timeout: float = 10.0,
    read_timeout: float = 10.0,
    loop: bool = False,
) -> CameraSource:
    """Open a webcam by its number, an address, a video file or a folder of pictures.

    Args:
        source: with references to the environment already replaced (`ingest.cameras.expand`).
        fps: the rate of a folder's pictures and of the demo, None for `DEFAULT_FPS`.
        open_timeout: seconds within which a network camera must respond.
        read_timeout: seconds within which each picture of a network camera must arrive.
        loop: restart a recording when it ends.

    Raises:
        SourceError: it cannot be used as it is written.
        SourceLost: it cannot be reached at present.
    """
    scheme, separator, rest = source.partition("://")
    if source.isdigit():
        return open_webcam(int(source), read_timeout)
    if not separator:
        return _open_recording(Path(source), fps or DEFAULT_FPS, loop)
    match scheme.lower():
        case "rtsp" | "rtsps":
            return open_rtsp(source, open_timeout, read_timeout)
        case "http" | "https":
            return MjpegStream(source, open_timeout, read_timeout)
        case "demo":
            return DemoSource(rest, fps or DEFAULT_FPS)
    raise _unknown_scheme(source)


def _unknown_scheme(source: str) -> SourceError:
    known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    return SourceError(
        f"source {redact(source)}: its scheme is not known; use a webcam's number, {known}, "
        "a video file or a folder of pictures"
    )


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")


def _open_recording(path: Path, fps: float, loop: bool) -> CameraSource:
    _check_exists(path)
    recording = partial(PictureFolder, path, fps) if path.is_dir() else partial(VideoFile, path)
    return LoopedRecording(recording) if loop else recording()
