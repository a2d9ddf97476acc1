"""A process that decodes pictures at one door under limits on memory and processor time.

`python -m tests.media.limited DOOR MEGABYTES SECONDS [FILE ...]` prints one line per file: "decoded", or the
error. A picture that takes more than `MEGABYTES` ends in a MemoryError or an OpenCV error that is not an
ImageError, and one that takes more than `SECONDS` ends the process.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
from typer.testing import CliRunner

from bus.embedded import EmbeddedBus
from bus.messages import Frame, LastFrame, Partition, Positions, Results
from bus.sinks import ResultSink
from common.clock import wall_clock_us
from inference.worker import Worker
from ingest.mjpeg import HttpCamera
from ingest.recordings import open_recording
from media import images
from media.errors import ImageError
from mien.cli.app import app
from tests.media.limits import limit
from tests.support.mjpeg_camera import MjpegCamera

Door = Callable[[Path], object]


def _decode_bytes(
    decode: Callable[[bytes, images.Limits], object], limits: images.Limits, path: Path
) -> None:
    decode(images.read_bytes(path, limits), limits)


def _read_folder(path: Path) -> None:
    """The picture as the only one of a folder."""
    folder = path.with_name(f"folder-{path.name}")
    folder.mkdir()
    (folder / path.with_suffix(".png").name).symlink_to(path)
    with closing(open_recording(folder, 1)) as source:
        picture = source.read()
        assert picture is not None
        picture.decode()


def _read_camera(path: Path) -> None:
    """The picture as sent by a network camera."""
    with MjpegCamera() as camera:
        camera.sends = path.read_bytes()
        with closing(HttpCamera(camera.url(), 5, 10, 10)) as source:
            picture = source.read()
            assert picture is not None
            picture.decode()


class _Analyser:
    """Accepts every frame."""

    cameras = ()

    def analyse(self, *_: object) -> SimpleNamespace:
        return SimpleNamespace(faces=0, results=Results())


class _Sink:
    def write(self, results: Results, positions: Positions) -> None:
        failed = sum(minute.failed for minute in results.minutes)
        if results.minutes and not failed:
            self.analysed = True

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        return {}

    def last_frames(self, camera_id: str) -> Sequence[LastFrame]:
        return ()

    analysed = False


class _Reasons(logging.Handler):
    """The reasons for which records were rejected."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _work(path: Path) -> None:
    """The picture as the JPEG of a frame on the bus; a worker must reject the record and continue."""
    bus, sink, reasons = EmbeddedBus(capacity=10), _Sink(), _Reasons()
    logging.getLogger("bus.embedded").addHandler(reasons)
    writer = bus.writer()
    now = wall_clock_us()
    writer.publish(Frame("door", now, 0, now, 640, 480, path.read_bytes()))
    writer.close()
    reader = bus.reader([0], sink.positions)
    worker = Worker(reader, cast(ResultSink, sink), cast(Any, _Analyser()), live_limits=None)
    worker.run(threading.Event())
    logging.getLogger("bus.embedded").removeHandler(reasons)
    if reasons.texts:
        raise ImageError(reasons.texts[0])
    assert sink.analysed


def _analyze(path: Path) -> None:
    """The picture as a file named to `mien analyze`."""
    result = CliRunner().invoke(app, ["analyze", str(path)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code:
        raise ImageError(" ".join(re.findall(r"[\w.,]+", result.output)))


DOORS: dict[str, Door] = {
    "decode_gray": partial(_decode_bytes, images.decode_gray, images.PICTURE_FILE),
    "decode_color": partial(_decode_bytes, images.decode_color, images.PICTURE_FILE),
    "read_gray": images.read_gray,
    "read_color": images.read_color,
    "camera_picture": partial(_decode_bytes, images.decode_gray, images.CAMERA_PICTURE),
    "bus_frame": partial(_decode_bytes, images.decode_gray, images.BUS_FRAME),
    "folder": _read_folder,
    "camera": _read_camera,
    "worker": _work,
    "analyze": _analyze,
}


def main(name: str, megabytes: int, seconds: int, paths: list[Path]) -> None:
    cv2.setNumThreads(1)
    door = DOORS[name]
    valid = Path(os.environ["TMPDIR"], "valid.jpg")
    valid.write_bytes(cv2.imencode(".jpg", np.full((480, 640), 99, np.uint8))[1].tobytes())
    door(valid)
    limit(megabytes, seconds)
    for path in paths:
        try:
            door(path)
        except ImageError as error:
            line = f"{type(error).__name__}: {error}"
        else:
            line = "decoded"
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), [Path(each) for each in sys.argv[4:]])
