"""Read one camera for some seconds and judge whether its pictures can be analysed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from common.source_identity import whole_source
from inference.detector import LONGEST_SIDE, Faces, scale_of
from inference.recall_by_size import RecallBySize
from ingest.camera_source import UndecodedPicture
from ingest.sources import SourceRules, open_source
from media.errors import ImageError
from media.native import configure_opencv
from mien.wiring.models import create_detector

_DARK, _BRIGHT = 40, 215
"""Mean grey (0 to 255) outside of which faces are hard to classify."""
_SMALL = 24.0
"""Size in pixels below which a face is hard to classify (the model card's figures for small faces)."""
_LEAST_SHARE = 0.5
"""Share of faces of the size that was seen below which the camera is too far away."""
_LEAST_FPS = 2.0
_SEARCH_EVERY = 5
_WARM_UP = 1.0
"""Seconds at the start that do not count for the rate: a camera first sends what it has in store."""


@dataclass(slots=True)
class Report:
    """Size, number and duration of the pictures, their mean greys, and the sizes of faces in pixels.

    `arrivals` are the seconds from the start at which pictures arrived, `damaged` is how many could not be
    decoded, `damage` why the first could not.
    """

    width: int = 0
    height: int = 0
    pictures: int = 0
    seconds: float = 0.0
    greys: list[float] = field(default_factory=list)
    faces: list[float] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    damaged: int = 0
    damage: str = ""

    @property
    def fps(self) -> float:
        """Pictures per second, without those that were in store when the camera was opened."""
        later = [each for each in self.arrivals if each >= _WARM_UP]
        times = later if len(later) > 1 else self.arrivals
        return (len(times) - 1) / max(times[-1] - times[0], 1e-6) if len(times) > 1 else 0.0

    @property
    def scale(self) -> float:
        """The factor by which the detector scales these pictures."""
        return scale_of(self.height, self.width, LONGEST_SIDE)

    def add(self, gray: NDArray[np.uint8], detect: Callable[[NDArray[np.uint8]], Faces]) -> None:
        """Add one grey picture (height, width) uint8; faces are detected in every fifth."""
        if self.pictures % _SEARCH_EVERY == 0:
            boxes = detect(gray).boxes
            self.faces.extend(np.sqrt(boxes[:, 2] * boxes[:, 3]).tolist())
        self.pictures += 1
        self.height, self.width = gray.shape
        self.greys.append(float(gray.mean()))


def probe(source: str, seconds: float, rules: SourceRules) -> Report:
    """Read a source for some seconds; nothing is stored.

    Raises IngestError where it cannot be opened or breaks.
    """
    configure_opencv()
    detector = create_detector()
    report = Report()
    opened = open_source(rules.expand(whole_source(source)), policy=rules.policy)
    try:
        started = time.monotonic()
        while report.seconds < seconds:
            picture = opened.read()
            if picture is None:
                break
            _wait_for(picture, started)
            report.seconds = time.monotonic() - started
            report.arrivals.append(report.seconds)
            try:
                gray = _gray(picture.decode())
            except ImageError as error:
                report.damaged += 1
                report.damage = report.damage or str(error)
            else:
                report.add(gray, detector.detect)
    finally:
        opened.close()
    return report


def judge(report: Report) -> list[tuple[bool, str]]:
    """Lines for an operator, each with whether the value is good enough."""
    if not report.pictures:
        reason = f" that can be decoded: {report.damage}" if report.damage else ""
        return [(False, f"the camera delivered no picture{reason}")]
    fps = report.fps
    grey = float(np.mean(report.greys))
    lines = [
        (True, f"{report.width} x {report.height} pixels"),
        (fps >= _LEAST_FPS, f"{fps:.1f} pictures per second"),
        (_DARK <= grey <= _BRIGHT, f"mean brightness {grey / 2.55:.0f} %"),
    ]
    if report.damaged:
        lines.append((False, f"{report.damaged} pictures cannot be decoded, such as {report.damage}"))
    if report.faces:
        lines += _judge_sizes(report)
    else:
        lines.append((True, "no face was found; to check face sizes, let somebody look into the camera"))
    return lines


def _judge_sizes(report: Report) -> list[tuple[bool, str]]:
    """Whether faces of the size that was seen are found and can be classified."""
    size = float(np.median(report.faces))
    seen = size * report.scale
    share = RecallBySize().share(seen)
    far = "" if size >= _SMALL else f": below {_SMALL:.0f} pixels they are hard to classify"
    closer = "" if size >= _SMALL and share >= _LEAST_SHARE else "; move the camera closer or zoom in"
    return [
        (size >= _SMALL, f"faces of {size:.0f} pixels{far}"),
        (
            share >= _LEAST_SHARE,
            f"{seen:.0f} pixels in the detector's picture of {LONGEST_SIDE}: it finds {share:.0%} of such "
            f"faces in a single picture{closer}",
        ),
    ]


def _wait_for(picture: UndecodedPicture, started: float) -> None:
    """Wait until the time of a recording's picture; its pictures are available at once."""
    if picture.offset is not None:
        time.sleep(max(0.0, started + picture.offset - time.monotonic()))


def _gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
