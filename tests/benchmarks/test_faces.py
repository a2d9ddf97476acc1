"""The photographs that faces are measured on: not those of the training, and sure faces alone."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks import presence, small_faces
from tests.support.detector_data import write_people, write_photographs
from training.detector.scenes import Scene, load_groceries


def test_people_who_sit_come_from_photographs_that_no_training_saw(tmp_path: Path) -> None:
    data = tmp_path / "datasets"
    write_photographs(data, scenes=1, portraits=2)
    write_people(data / "fairface", count=3)
    (data / "fairface" / "fairface_label_train.csv").write_text("file\ntrain/0.jpg\ntrain/1.jpg\n")
    assert len(list(presence._read_faces(tmp_path))) == 3
    goods, held_out = list(presence._read_goods(tmp_path)), load_groceries(data, "validation")
    assert all(np.array_equal(mine, each.pixels) for mine, each in zip(goods, held_out, strict=True))
    (film,) = presence.make_seated(tmp_path, 1, sways=True)
    assert {picture.shape for _, picture in film} == {(360, 640)}


def test_a_doubtful_mark_is_no_small_face() -> None:
    boxes = np.array([[10, 10, 20, 20], [50, 50, 20, 20]], np.float32)
    scores = np.array([1, np.nan], np.float32)
    scene = Scene("a", np.zeros((90, 90), np.uint8), boxes, np.array([True, False]), scores)
    found: dict[tuple[int, int], list[bool]] = defaultdict(list)
    small_faces._compare([(scene, 100, 0)], boxes[:1] + np.array([100, 0, 0, 0], np.float32), found)
    assert found == {(16, 24): [True]}
