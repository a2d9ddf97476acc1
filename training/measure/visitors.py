"""Faces that walk up to a camera, or stand before it, made of stills, as the running detector sees them.

Each still becomes a short clip: the face grows from far to near as it does for somebody who walks at one
speed, or keeps its size; it sways, is blurred now and then and sometimes partly covered; every frame has
noise and is a JPEG. This shows how several looks at one face differ in quality, not how faces change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.crops import SCALE, crop
from inference.detector import Detector
from training.classifier.augment import erase

FRAMES, PER_SECOND = 12, 5.0
"""Frames of a clip, and in a second."""
SIDE = 128
"""Of a frame in pixels: the detector sees faces as in a picture whose longest side is 320."""

SWAY = 0.15
"""Standard deviation of the face's step from frame to frame, as a share of its size."""
TURN = np.rad2deg(0.15)
"""Largest tilt of the head in a clip, in degrees."""
BLURRED, BLUR = 0.25, (0.04, 0.12)
"""Share of the frames that are blurred, and the standard deviation of the blur in face sizes."""
COVERED, COVER = 0.2, (3, 7)
"""Share of the clips with something before the face, and for how many frames."""
NOISE, QUALITY = 3.0, (40, 80)
"""Standard deviation of the noise in grey levels, and JPEG quality, drawn per clip."""

NEAREST = 0.5
"""A detection is the face's if its centre lies within this many face sizes of where the face is."""


@dataclass(frozen=True)
class Gait:
    """How large a face is in pixels, drawn per clip between least and most."""

    first: tuple[float, float]
    """In the first frame."""
    last: tuple[float, float] | None
    """In the last one; as in the first where None."""


GAITS: Mapping[str, Gait] = {
    "walks up": Gait(first=(12, 16), last=(24, 44)),
    "stands": Gait(first=(18, 40), last=None),
}


@dataclass(frozen=True)
class Sightings:
    """Every face that the detector saw in a number of clips, in the order of clips and time."""

    clips: NDArray[np.int64]
    """(m,) the clip, counted from 0"""
    times: NDArray[np.float64]
    """(m,) seconds since the clip began"""
    crops: NDArray[np.uint8]
    """(m, size, size)"""
    scores: NDArray[np.float64]
    """(m,) the detector's, 0..1"""
    sizes: NDArray[np.float64]
    """(m,) square root of the box's area in pixels"""


def sightings(
    images: NDArray[np.uint8],
    squares: NDArray[np.float32],
    detector: Detector,
    size: int,
    gait: Gait,
    seed: int,
    seen: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Sightings:
    """What the detector sees of one clip per picture (n, h, w) around its square (n, 3): centre, side.

    The crops are of the given size. The same seed gives the same clips. `seen` wraps
    the numbers of the clips that are gone through.
    """
    rows: list[tuple[int, float, float, float]] = []
    crops = [np.empty((0, size, size), np.uint8)]
    for number in seen(range(len(images))):
        rng = np.random.default_rng([seed, number])
        for frame, (picture, x, y, pixels) in enumerate(clip(images[number], squares[number], gait, rng)):
            found = detector.detect(picture, detector.levels.weak)
            centres = found.boxes[:, :2] + found.boxes[:, 2:] / 2
            near = np.flatnonzero(np.hypot(*(centres - (x, y)).T) < NEAREST * pixels)
            if len(near):
                box = found.boxes[near[:1]]
                crops.append(crop(picture, box, size))
                area = float(box[0, 2] * box[0, 3])
                rows.append((number, frame / PER_SECOND, float(found.scores[near[0]]), area**0.5))
    clips, times, scores, sizes = np.array(rows).reshape(-1, 4).T
    return Sightings(clips.astype(np.int64), times, np.concatenate(crops), scores, sizes)


def clip(
    image: NDArray[np.uint8], square: NDArray[np.float32], gait: Gait, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], float, float, float]]:
    """The frames (SIDE, SIDE) of one clip; of each where the face is: centre x, y and size in pixels."""
    first = rng.uniform(*gait.first)
    last = first if gait.last is None else rng.uniform(*gait.last)
    angle, quality = rng.uniform(-TURN, TURN), int(rng.integers(*QUALITY))
    covers = range(0)
    if rng.random() < COVERED:
        begin = int(rng.integers(FRAMES))
        covers = range(begin, begin + int(rng.integers(*COVER)))
    place = rng.uniform(-0.5, 0.5, 2)
    # Who walks at one speed is seen at a size that is one over the distance.
    for frame, pixels in enumerate(1 / np.linspace(1 / first, 1 / last, FRAMES)):
        place = 0.8 * place + rng.normal(0, SWAY, 2)
        x, y = SIDE / 2 + place.clip(-1, 1) * pixels
        picture = _placed(image, square, float(pixels), angle, x, y)
        if frame in covers:
            _cover(picture, x, y, pixels, rng)
        if rng.random() < BLURRED:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), pixels * rng.uniform(*BLUR)), np.uint8)
        yield _recorded(picture, quality, rng), x, y, pixels


def _placed(
    image: NDArray[np.uint8], square: NDArray[np.float32], pixels: float, angle: float, x: float, y: float
) -> NDArray[np.uint8]:
    """A frame in which the face of a picture is `pixels` large, turned by degrees, at x, y."""
    centre_x, centre_y, side = (float(value) for value in square)
    scale = pixels * SCALE / side
    if scale < 1:
        # Sampling alone would skip pixels; a shrunk picture is sampled one to one.
        height, width = image.shape
        shape = max(round(width * scale), 1), max(round(height * scale), 1)
        image = np.asarray(cv2.resize(image, shape, interpolation=cv2.INTER_AREA), np.uint8)
        centre_x, centre_y = centre_x * shape[0] / width, centre_y * shape[1] / height
        scale = 1.0
    # Pixel centres lie at whole numbers in OpenCV, half a pixel from where squares count.
    move = cv2.getRotationMatrix2D((centre_x - 0.5, centre_y - 0.5), angle, scale)
    move[:, 2] += np.array([x - centre_x, y - centre_y])
    frame = cv2.warpAffine(image, move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(frame, np.uint8)


def _cover(picture: NDArray[np.uint8], x: float, y: float, pixels: float, rng: np.random.Generator) -> None:
    """Hold something before a part of the face, in place."""
    side = round(pixels)
    top, left = max(round(y) - side // 2, 0), max(round(x) - side // 2, 0)
    face = picture[top : top + side, left : left + side]
    if min(face.shape) == side:
        erase(face, rng)


def _recorded(picture: NDArray[np.uint8], quality: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    noisy = (picture + rng.normal(0, NOISE, picture.shape)).round().clip(0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
