"""`mien cameras test`: what is said about the faces that were seen."""

from __future__ import annotations

import pytest

from inference.recall_by_size import RecallBySize
from mien.cli.probe import Report, Verdict, find_verdict, judge


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
