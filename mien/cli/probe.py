"""Read one camera for some seconds and judge whether its pictures can be analysed."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.masks import Masks
from common.source_identity import whole_source
from inference.annotation.live_picture import draw_live_picture, encode_jpeg
from inference.annotation.picture import BLUR_FROM
from inference.detector import LONGEST_SIDE, Faces, scale_of
from inference.look import Look
from inference.recall_by_size import RecallBySize
from inference.thorough import TILE
from ingest.camera_source import UndecodedPicture
from ingest.cameras import CameraPolicy
from ingest.encoding import LONGEST_SIDE as LONGEST_PUBLISHED
from ingest.encoding import to_gray
from ingest.policy import PolicyInForce
from ingest.sources import SourceRules, open_source
from media.errors import ImageError
from media.native import configure_opencv
from media.pixels import luminance_of
from mien.wiring.models import create_detector, create_thorough_detector

_DARK, _BRIGHT = 40, 215
"""Mean grey (0 to 255) outside of which faces are hard to classify."""
_SMALL = 24.0
"""Size in pixels below which a face is hard to classify (the model card's figures for small faces)."""
_LEAST_SHARE = 0.5
"""Share of faces of the size that was seen below which the camera is too far away."""
_SMALLEST = 12.0
"""Smallest size in pixels for which the classifier is measured (docs/models.md)."""
_SMALLEST_SEEN = 8.0
"""Smallest size in pixels of the detector's picture for which the detector is measured."""
_DARK_FACE = 60
"""Mean grey below which a face counts as dark in the detector's card, which finds half of these."""
_LEAST_FPS = 2.0
_SEARCH_EVERY = 5
_MOST_SEARCHED = 16
"""Pictures in which faces are searched, after the camera has been read: the search takes longer than the
reading, which would then seem slow."""
_MOST_SEARCHED_THOROUGHLY = 6
"""The same for a thorough camera: its large pictures take seconds each."""
_WARM_UP = 1.0
"""Seconds at the start that do not count for the rate: a camera first sends what it has in store."""


class Verdict(StrEnum):
    """What a camera is good for, by the faces that were seen."""

    READABLE = "expression readable"
    PRESENCE = "presence only"
    DARK = "too dark"
    SMALL = "faces too small"
    NOBODY = "no face seen"
    NO_PICTURE = "no picture"


@dataclass(slots=True)
class Report:
    """Size, number and duration of the pictures, their mean greys, sizes in pixels and mean greys of faces.

    `thorough` says whether faces are searched in unreduced tiles, too, and not in the reduced picture alone.
    `shown` is the picture with the most faces, the latest of several, with the masked regions blanked.
    `arrivals` are the seconds from the start at which pictures arrived, `damaged` is how many could not be
    decoded, `damage` why the first could not.
    """

    width: int = 0
    height: int = 0
    pictures: int = 0
    seconds: float = 0.0
    thorough: bool = False
    greys: list[float] = field(default_factory=list)
    faces: list[float] = field(default_factory=list)
    face_greys: list[float] = field(default_factory=list)
    shown: NDArray[np.uint8] | None = field(default=None, repr=False)
    faces_shown: int = 0
    arrivals: list[float] = field(default_factory=list)
    damaged: int = 0
    damage: str = ""
    _samples: list[NDArray[np.uint8]] = field(default_factory=list, repr=False)
    _sample_every: int = _SEARCH_EVERY

    @property
    def fps(self) -> float:
        """Pictures per second, without those that were in store when the camera was opened."""
        later = [each for each in self.arrivals if each >= _WARM_UP]
        times = later if len(later) > 1 else self.arrivals
        return (len(times) - 1) / max(times[-1] - times[0], 1e-6) if len(times) > 1 else 0.0

    @property
    def scale(self) -> float:
        """The factor by which a face of these pictures is scaled for the detector."""
        longest = max(self.height, self.width)
        if self.thorough and longest > TILE:
            return min(1.0, LONGEST_PUBLISHED / longest)
        return scale_of(self.height, self.width, LONGEST_SIDE)

    def add(self, gray: NDArray[np.uint8]) -> None:
        """Add one grey picture (height, width) uint8; some are kept for `search`, spread over the time."""
        if self.pictures % self._sample_every == 0:
            if len(self._samples) == (_MOST_SEARCHED_THOROUGHLY if self.thorough else _MOST_SEARCHED):
                self._samples = self._samples[::2]
                self._sample_every *= 2
            if self.pictures % self._sample_every == 0:
                self._samples.append(gray)
        self.pictures += 1
        self.height, self.width = gray.shape
        self.greys.append(float(gray.mean()))

    def search(self, detect: Callable[[NDArray[np.uint8]], Faces]) -> None:
        """Detect the faces of the pictures that were kept, as large as workers get them."""
        for gray in self._samples:
            published = to_gray(gray, LONGEST_PUBLISHED)
            boxes = detect(published).boxes * np.float32(gray.shape[1] / published.shape[1])
            self.faces.extend(np.sqrt(boxes[:, 2] * boxes[:, 3]).tolist())
            self.face_greys.extend(_mean_grey(gray, box) for box in boxes)
            if self.shown is None or len(boxes) >= self.faces_shown:
                self.shown, self.faces_shown = gray, len(boxes)
        self._samples = []


def probe(
    source: str, seconds: float, rules: SourceRules, masks: Masks = (), *, thorough: bool = False
) -> Report:
    """Read a source for some seconds, without its masked regions; nothing is stored.

    Faces are searched as workers search those of a camera with this value of `thorough`. Raises IngestError
    where the source cannot be opened or breaks.
    """
    configure_opencv()
    detector = create_thorough_detector() if thorough else create_detector()
    report = Report(thorough=thorough)
    policy = PolicyInForce(CameraPolicy(masks))
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
                gray = luminance_of(picture.decode())
            except ImageError as error:
                report.damaged += 1
                report.damage = report.damage or str(error)
            else:
                report.add(policy.blank(gray))
    finally:
        opened.close()
    report.search(detector.detect)
    return report


def find_verdict(report: Report) -> Verdict:
    """What the camera is good for: by the median size of the faces, and the light on them."""
    if not report.pictures:
        return Verdict.NO_PICTURE
    if not report.faces:
        return Verdict.DARK if np.mean(report.greys) < _DARK else Verdict.NOBODY
    if np.median(report.face_greys) < _DARK_FACE:
        return Verdict.DARK
    size = float(np.median(report.faces))
    if size < _SMALLEST or size * report.scale < _SMALLEST_SEEN:
        return Verdict.SMALL
    often = RecallBySize().share(size * report.scale) >= _LEAST_SHARE
    return Verdict.READABLE if size >= _SMALL and often else Verdict.PRESENCE


def to_json(report: Report) -> dict[str, Any]:
    """The report as JSON types; `preview` is a JPEG with blurred faces as base64, None without a picture."""
    seen = bool(report.pictures)
    return {
        "verdict": find_verdict(report).value,
        "width": report.width,
        "height": report.height,
        "thorough": report.thorough,
        "fps": round(report.fps, 2),
        "brightness": round(float(np.mean(report.greys)) / 255, 3) if seen else None,
        "faces": len(report.faces),
        "face_size": round(float(np.median(report.faces)), 1) if report.faces else None,
        "found_share": _found_share(report),
        "lines": [{"fine": fine, "text": text} for fine, text in judge(report)],
        "preview": None if report.shown is None else b64encode(_draw_preview(report.shown)).decode(),
    }


def _found_share(report: Report) -> float | None:
    """The share of faces of the size that was seen that the detector finds in a single picture."""
    if not report.faces:
        return None
    return round(RecallBySize().share(float(np.median(report.faces)) * report.scale), 3)


def _draw_preview(gray: NDArray[np.uint8]) -> bytes:
    """The picture as JPEG, reduced, with everything blurred that may be a face."""
    faces = create_detector().detect(gray, BLUR_FROM).boxes
    return encode_jpeg(draw_live_picture(Look("probe", 0, gray, faces, (), 0), faces))


def judge(report: Report) -> list[tuple[bool, str]]:
    """Lines for an operator, each with whether the value is good enough."""
    if not report.pictures:
        reason = f" that can be decoded: {report.damage}" if report.damage else ""
        return [(False, f"the camera delivered no picture{reason}")]
    fps = report.fps
    grey = float(np.mean(report.greys))
    lines = [
        (True, f"{report.width} x {report.height} pixels; {_describe_search(report)}"),
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


def _describe_search(report: Report) -> str:
    """The profile of the camera."""
    if report.thorough:
        return f"thorough: faces are searched in tiles of {TILE} pixels, too"
    return f"not thorough: faces are searched in the picture scaled to at most {LONGEST_SIDE} pixels"


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
            f"{seen:.0f} pixels in the detector's {'tiles' if report.thorough else 'picture'} of "
            f"{LONGEST_SIDE}: it finds {share:.0%} of such faces in a single picture{closer}",
        ),
    ]


def _wait_for(picture: UndecodedPicture, started: float) -> None:
    """Wait until the time of a recording's picture; its pictures are available at once."""
    if picture.offset is not None:
        time.sleep(max(0.0, started + picture.offset - time.monotonic()))


def _mean_grey(gray: NDArray[np.uint8], box: NDArray[np.float32]) -> float:
    """The mean grey of a box x, y, width, height, as far as it is in the picture."""
    x, y, width, height = box.tolist()
    left, top = max(round(x), 0), max(round(y), 0)
    part = gray[top : max(round(y + height), top + 1), left : max(round(x + width), left + 1)]
    return float(part.mean()) if part.size else 0.0
