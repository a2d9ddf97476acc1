"""Thorough detection: small faces in large pictures, each found once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.detector import Detector, Faces
from inference.thorough import OVERLAP, TILE, ThoroughDetector
from tests.support.clips import PAUSE, frames

WIDTH, HEIGHT = 1920, 1080


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.fixture(scope="module")
def face() -> NDArray[np.uint8]:
    """The picture of three people, 270 high and 480 wide."""
    *_, (_, gray) = frames(PAUSE, 1.0)
    return gray


def wall(face: NDArray[np.uint8], left: int, top: int) -> NDArray[np.uint8]:
    """A large picture with one small one in it."""
    picture = np.full((HEIGHT, WIDTH), 120, np.uint8)
    small = face[::2, ::2]
    picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    return picture


def centres(faces: Faces) -> list[tuple[float, float]]:
    boxes = faces.boxes
    return sorted((float(x + w / 2), float(y + h / 2)) for x, y, w, h in boxes)


@pytest.mark.parametrize("left", [0, TILE - 120, TILE - OVERLAP - 60, WIDTH - 240])
@pytest.mark.parametrize("top", [0, TILE - 70, HEIGHT - 135])
def test_every_small_face_is_found_once_wherever_tiles_meet(
    detector: Detector, face: NDArray[np.uint8], left: int, top: int
) -> None:
    picture = wall(face, left, top)
    found = ThoroughDetector(detector).detect(picture)
    assert len(found) == 3
    assert len(detector.detect(picture)) < 3, "they are too small in the reduced picture"
    alone = detector.detect(np.ascontiguousarray(face[::2, ::2]))
    assert np.abs(np.array(centres(found)) - [left, top] - np.array(centres(alone))).max() < 4


def test_a_small_picture_is_examined_once(detector: Detector, face: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(ThoroughDetector(detector).detect(face).boxes, detector.detect(face).boxes)


@pytest.mark.parametrize("shape", [(641, 100), (100, 641), (1080, 1920), (2161, 4096), (1, 5000)])
def test_tiles_cover_every_picture(detector: Detector, shape: tuple[int, int]) -> None:
    assert len(ThoroughDetector(detector).detect(np.zeros(shape, np.uint8))) == 0


def test_the_scale_is_that_at_which_small_faces_are_searched(detector: Detector) -> None:
    for height, width, reduced, thorough in (
        (HEIGHT, WIDTH, 1 / 3, 1),
        (240, 320, 2, 2),
        (640, 1280, 0.5, 1),
    ):
        picture = np.full((height, width), 120, np.uint8)
        assert detector.detect(picture).scale == pytest.approx(reduced)
        assert ThoroughDetector(detector).detect(picture).scale == pytest.approx(thorough)
