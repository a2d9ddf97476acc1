"""`mien cameras test`: what is said about the faces that were seen."""

from __future__ import annotations

import pytest

from inference.recall_by_size import RecallBySize
from mien.cli.probe import Report, judge


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
