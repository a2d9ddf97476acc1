"""`mien cameras test`: what is said about the faces that were seen."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.detector import Faces
from inference.recall_by_size import RecallBySize
from ingest.demo.render import Renderer
from ingest.sources import NO_VARIABLES
from mien.cli.probe import Report, Verdict, find_verdict, judge, probe


def lines_about_faces(width: int, height: int, size: float) -> list[tuple[bool, str]]:
    report = Report(width, height, pictures=50, seconds=10, greys=[120.0] * 50, faces=[size] * 5)
    return judge(report)[3:]


@pytest.mark.parametrize(("width", "height", "seen"), [(640, 360, 48), (1280, 720, 24), (3840, 2160, 8)])
def test_the_share_of_faces_that_are_found_follows_their_size_in_the_detectors_picture(
    width: int, height: int, seen: int
) -> None:
    """A face of 48 pixels is large in a picture of 640 pixels, and lost in one of 3840."""
    (large, _), (often, text) = lines_about_faces(width, height, 48)
    share = RecallBySize().share(seen)
    assert large
    assert text.startswith(
        f"{seen} pixels in the detector's picture of 640: it finds {share:.0%} of such faces"
    )
    assert often is (share >= 0.5)
    assert ("move the camera closer" in text) is not often


@pytest.mark.parametrize(
    ("width", "height", "seen"), [(640, 480, 12), (320, 240, 24), (3840, 2160, 12), (8192, 4320, 6)]
)
def test_a_thorough_camera_is_judged_by_its_unreduced_tiles(width: int, height: int, seen: int) -> None:
    report = Report(width, height, pictures=9, seconds=3, thorough=True, greys=[120.0] * 9, faces=[12.0] * 3)
    share = RecallBySize().share(seen)
    lines = [text for _, text in judge(report)]
    assert lines[0] == f"{width} x {height} pixels; thorough: faces are searched in tiles of 640 pixels, too"
    assert lines[-1].startswith(f"{seen} pixels in the detector's tiles of 640: it finds {share:.0%}")


def test_faces_are_searched_by_the_profile_of_the_camera(tmp_path: Path) -> None:
    """Two faces of 60 pixels are too small in a picture of 3840 that is scaled to 640."""
    picture = np.full((2160, 3840), 120, np.uint8)
    picture[500:980, 700:1340] = Renderer("till").frame(1_700_000_060)
    cv2.imwrite(str(tmp_path / "till.png"), picture)
    assert len(probe(str(tmp_path), 1, NO_VARIABLES).faces) == 0
    assert len(probe(str(tmp_path), 1, NO_VARIABLES, thorough=True).faces) == 2


@pytest.mark.parametrize("thorough", [False, True])
def test_the_pictures_that_are_searched_are_few_and_spread_over_the_time(thorough: bool) -> None:
    report, searched = Report(thorough=thorough), []

    def detect(gray: NDArray[np.uint8]) -> Faces:
        searched.append(int(gray[0, 0]))
        return Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    for number in range(250):
        report.add(np.full((8, 8), number, np.uint8))
    report.search(detect)
    assert 3 <= len(searched) <= (6 if thorough else 16)
    assert len({later - earlier for earlier, later in pairwise(searched)}) == 1
    assert searched[-1] > 150


def test_small_pictures_are_enlarged_twice_at_most() -> None:
    assert lines_about_faces(160, 120, 30)[1][1].startswith("60 pixels in the detector's picture of 640")


@pytest.mark.parametrize(
    ("width", "size", "light", "verdict"),
    [
        (640, 40, 120, Verdict.READABLE),
        (640, 40, 50, Verdict.DARK),
        (1920, 30, 120, Verdict.PRESENCE),
        (640, 20, 120, Verdict.PRESENCE),
        (640, 10, 120, Verdict.SMALL),
        (3840, 40, 120, Verdict.SMALL),
    ],
)
def test_the_verdict_follows_the_size_of_faces_and_the_light_on_them(
    width: int, size: float, light: float, verdict: Verdict
) -> None:
    report = Report(
        width, width * 9 // 16, pictures=9, seconds=3, greys=[100.0], faces=[size] * 3, face_greys=[light] * 3
    )
    assert find_verdict(report) is verdict


def test_without_a_face_or_a_picture_the_verdict_says_so() -> None:
    assert find_verdict(Report()) is Verdict.NO_PICTURE
    assert find_verdict(Report(640, 360, pictures=9, greys=[100.0] * 9)) is Verdict.NOBODY
    assert find_verdict(Report(640, 360, pictures=9, greys=[20.0] * 9)) is Verdict.DARK
