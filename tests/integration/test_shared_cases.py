"""Files of the data folder's `cases/`, as cameras and recorders write them, through `mien analyze`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import mien

CASES = Path(os.environ.get("MIEN_DATA", ""), "cases")
pytestmark = pytest.mark.skipif(
    "MIEN_DATA" not in os.environ or not CASES.is_dir(), reason="MIEN_DATA names no folder with cases"
)


def analyze(folder: Path, *arguments: object) -> list[dict[str, Any]]:
    """The findings of `mien analyze`, which must succeed."""
    done = mien(folder, "analyze", *arguments, "--out", "findings.jsonl")
    assert done.returncode == 0, done.stderr + done.stdout
    return [json.loads(line) for line in (folder / "findings.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("case", "findings", "faces"),
    [
        ("alpha-and-orientation/sideways.png", 1, 1),
        ("animated-pictures/title-then-people.gif", 4, 3),
        ("clock-starts-again/two-parts.ts", 124, 124),
        ("interlaced-video/interlaced.mpg", 50, 50),
        ("pixel-aspect/wide-pixels.mp4", 62, 62),
        ("recording-with-gaps/on-motion.mkv", 62, 62),
        ("video-by-another-ending/clip.flv", 23, 23),
        ("jpeg-with-a-tail/1.jpg", 1, 1),
    ],
)
def test_every_picture_with_a_face_is_found(case: str, findings: int, faces: int, tmp_path: Path) -> None:
    found = analyze(tmp_path, CASES / case)
    assert len(found) == findings
    assert sum(bool(each["faces"]) for each in found) == faces
    times = [each["time_s"] for each in found]
    assert times == sorted(times)


def test_an_interval_is_kept_where_the_clock_of_a_recording_starts_again(tmp_path: Path) -> None:
    found = analyze(tmp_path, CASES / "clock-starts-again" / "two-parts.ts", "--every", 0.5)
    assert len(found) in (21, 22)


def test_a_sideways_picture_with_transparency_is_upright(tmp_path: Path) -> None:
    (found,) = analyze(tmp_path, CASES / "alpha-and-orientation" / "sideways.png")
    assert (found["width"], found["height"]) == (320, 180)
    assert found["faces"][0]["gender"] == "male"
    assert found["faces"][0]["expression"] == "happiness"


def test_a_folder_is_told_by_its_content(tmp_path: Path) -> None:
    found = analyze(tmp_path, CASES / "video-by-another-ending")
    assert len(found) == 23
