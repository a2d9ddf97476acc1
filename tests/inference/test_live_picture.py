"""Live pictures: no face can be recognised in them unless blurring is switched off."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bus.messages import MICROSECONDS
from inference.analyser import Analyser
from inference.annotation.live_picture import DETAIL, SHOWN, draw_live_picture, encode_jpeg
from inference.classifier import Classifier
from inference.detector import Detector
from inference.look import Look
from inference.preview import PreviewBoard
from tests.support.clips import MAN, PAUSE, WALKING, WOMAN, frames

NOBODY = np.zeros((0, 4), np.float32)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 255, (height, width), np.uint8)


def look(gray: NDArray[np.uint8], faces: NDArray[np.float32] = NOBODY) -> Look:
    return Look("till", 0, gray, faces, (), 0)


def detail(picture: NDArray[np.uint8], box: tuple[int, int, int, int]) -> float:
    """Mean brightness differences of neighbours within a box: the detail that is left."""
    x, y, width, height = box
    part = picture[y : y + height, x : x + width].astype(float).mean(axis=2)
    return float(np.abs(np.diff(part, axis=1)).mean())


@pytest.mark.parametrize("size", [(90, 160), (480, 640), (720, 1280), (1280, 720), (60, 2000)])
def test_a_blurred_picture_has_the_detail_that_the_detector_examines(size: tuple[int, int]) -> None:
    picture = draw_live_picture(look(noise(*size)), NOBODY)
    assert max(picture.shape) == SHOWN
    assert picture.shape[1] / picture.shape[0] == pytest.approx(size[1] / size[0], rel=0.05)
    if max(size) > DETAIL:
        exact = cv2.resize(noise(*size), picture.shape[1::-1])
        assert picture.std() < 0.8 * exact.std(), "it is not merely the frame in another size"


def test_faces_of_the_look_and_further_ones_are_blurred() -> None:
    gray = noise(360, 640)
    one, other = (np.array([box], np.float32) for box in ((100, 100, 60, 60), (400, 200, 60, 60)))
    picture = draw_live_picture(look(gray, one), other)
    for x, y in ((100, 100), (400, 200)):
        box = (round(1.5 * x), round(1.5 * y), 90, 90)
        assert detail(picture, box) < 0.1 * detail(draw_live_picture(look(gray), NOBODY), box)
    clear = draw_live_picture(look(gray, one), other, blur=False)
    assert detail(clear, (100, 100, 60, 60)) > 40


def test_a_picture_becomes_a_jpeg() -> None:
    data = encode_jpeg(draw_live_picture(look(noise(90, 160)), NOBODY))
    assert data.startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("clip", [PAUSE, WALKING, WOMAN, MAN])
def test_no_face_of_a_real_clip_is_found_in_its_live_pictures(
    clip: str, detector: Detector, classifier: Classifier
) -> None:
    board = PreviewBoard()
    analyser = Analyser(detector, classifier, "m", previews=board)
    found, hidden = 0, 0
    for time_s, gray in frames(clip, every=0.4):
        board.watch("till")
        analyser.analyse("till", round((100 + time_s) * MICROSECONDS), gray)
        shown = board.newest("till")
        assert shown
        found += len(detector.detect(gray))
        unlabelled = look(gray, shown.look.faces)
        blurred = draw_live_picture(unlabelled, detector.detect(gray, 0.12).boxes)
        hidden += len(detector.detect(cv2.cvtColor(blurred, cv2.COLOR_BGR2GRAY)))
    assert found >= 3, "the clip has faces"
    assert hidden == 0
