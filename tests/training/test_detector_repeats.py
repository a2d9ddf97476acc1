"""Pictures that repeat a held-out one under another name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.detector_data import draw, noise, write_photographs
from tests.support.training_data import write_picture
from training.detector import scenes
from training.detector.repeats import find_repeats

RNG = np.random.default_rng(3)
HELD_OUT = [draw(noise(224, RNG), (20, 60, 40, 50)), draw(noise(200, RNG), (120, 20, 60, 80))]


def test_a_smaller_a_brighter_and_a_compressed_picture_are_repeats() -> None:
    small = cv2.resize(HELD_OUT[0], (97, 97), interpolation=cv2.INTER_AREA)
    bright = cv2.convertScaleAbs(HELD_OUT[1], alpha=0.6, beta=90)
    coarse = cv2.imdecode(
        cv2.imencode(".jpg", HELD_OUT[0], [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_GRAYSCALE
    )
    pictures = [np.asarray(each, np.uint8) for each in (small, bright, coarse)]
    assert find_repeats(pictures, HELD_OUT) == [True, True, True]


def test_other_pictures_are_none() -> None:
    others = [draw(noise(224, RNG), (120, 100, 40, 50)), np.full((50, 60), 128, np.uint8)]
    assert find_repeats(others, [*HELD_OUT, np.full((80, 80), 130, np.uint8)]) == [False, False]
    assert find_repeats(others, []) == [False, False]
    assert find_repeats([], HELD_OUT) == []


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photographs"))


def test_training_leaves_out_further_photographs_that_repeat_a_held_out_one(
    data: Path, tmp_path: Path
) -> None:
    held_out = scenes.load_scenes(data, "test")[0]
    folder = tmp_path / "more"
    for name, picture in (("known", held_out.pixels), ("new", noise(224, np.random.default_rng(11)))):
        write_picture(folder / f"{name}.png", picture)
        (folder / f"{name}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    assert [each.name for each in scenes.load_further(folder, data)] == ["more/new.png"]


def test_training_leaves_out_scenes_that_repeat_a_held_out_one(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = scenes.load_scenes(data, "train")
    monkeypatch.setattr(scenes, "find_repeats", lambda found, _: [each is found[0] for each in found])
    assert [each.name for each in scenes.load_scenes(data, "train")] == [each.name for each in before[1:]]
