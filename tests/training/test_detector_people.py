"""Whose faces the detector finds: portraits on photographs of goods, and the groups of people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.detector import Faces
from training.data.datasets import FairFace
from training.data.importers.boxes import read_landmarks
from training.detector.people import TILE, find_people, group_members, head_turns, lay_out
from training.detector.scenes import Scene
from training.errors import DatasetError
from training.pages.detector_people_page import people_table

BOX = (16.0, 8.0, 64.0, 81.0)
NOWHERE = np.full((1, 3, 2), np.nan, np.float32)


def people(count: int) -> FairFace:
    """Black portraits with a white face, of two races and genders in turn."""
    images = np.zeros((count, 96, 96), np.uint8)
    x, y, w, h = (int(value) for value in BOX)
    images[:, y : y + h, x : x + w] = 255
    return FairFace(
        images,
        np.tile(np.array(BOX, np.float32), (count, 1)),
        np.arange(count, dtype=np.int64) % 2,
        np.full(count, "20-29"),
        np.array(["Black", "White"])[np.arange(count) // 2 % 2],
        np.array([f"val/{number}.jpg" for number in range(count)]),
    )


GOODS = [
    Scene(
        "goods",
        np.full((224, 224), 90, np.uint8),
        np.zeros((0, 4), np.float32),
        np.zeros(0, bool),
        np.zeros(0, np.float32),
    )
]


@pytest.mark.parametrize("size", [16, 40])
def test_every_portrait_is_laid_out_once_in_the_wanted_size(size: int) -> None:
    seen = []
    for sheet, rows, boxes in lay_out(people(14), GOODS, size):
        assert sheet.shape == (3 * TILE, 4 * TILE)
        seen += rows.tolist()
        np.testing.assert_allclose(np.sqrt(boxes[:, 2] * boxes[:, 3]), size, rtol=0.05)
        for x, y, w, h in boxes:
            inner = sheet[int(y + h / 4) : int(y + h * 3 / 4), int(x + w / 4) : int(x + w * 3 / 4)]
            assert inner.min() == 255
    assert seen == list(range(14))


def test_a_face_is_found_where_a_box_overlaps_it_by_half() -> None:
    """A detector that answers with the white areas of the left half finds exactly these faces."""

    def detect(sheet: np.ndarray) -> Faces:
        boxes = []
        for top in range(0, sheet.shape[0], TILE):
            for left in range(0, sheet.shape[1] // 2, TILE):
                bright = np.argwhere(sheet[top : top + TILE, left : left + TILE] > 200)
                if len(bright):
                    (y, x), (bottom, right) = bright.min(axis=0), bright.max(axis=0) + 1
                    boxes.append((left + x, top + y, right - x, bottom - y))
        found = np.array(boxes, np.float32).reshape(-1, 4)
        return Faces(found, np.ones(len(found), np.float32))

    hits = find_people(detect, people(12), GOODS, 40)
    assert hits.tolist() == [True, True, False, False] * 3


def test_groups_are_complete() -> None:
    members = group_members(people(8), np.repeat(NOWHERE, 8, axis=0))
    assert {key: int(rows.sum()) for key, rows in members.items()} == {
        ("all", "all"): 8,
        ("race", "Black"): 4,
        ("race", "White"): 4,
        ("perceived gender", "female"): 4,
        ("perceived gender", "male"): 4,
        ("age", "20-29"): 8,
        ("head", "not known"): 8,
    }


@pytest.mark.parametrize(
    ("nose", "turn"),
    [(50.0, "towards the camera"), (45.0, "towards the camera"), (58.0, "turned"), (20.0, "turned far")],
)
@pytest.mark.parametrize("tilted", [False, True])
def test_the_nose_tells_the_turn_of_a_head(nose: float, turn: str, tilted: bool) -> None:
    marks = np.array([[[30, 30], [70, 30], [nose, 52]]], np.float32)
    if tilted:
        marks = marks[..., ::-1] * np.array([1, -1], np.float32)
    assert head_turns(marks).tolist() == [turn]


def test_a_head_without_landmarks_is_not_known() -> None:
    assert head_turns(NOWHERE).tolist() == ["not known"]


HEADER = "file,x,y,w,h,right_eye_x,right_eye_y,left_eye_x,left_eye_y,nose_x,nose_y\n"


def test_landmarks_belong_to_the_face_nearest_the_centre(tmp_path: Path) -> None:
    table = tmp_path / "face_boxes.csv"
    table.write_text(HEADER + "val/1.jpg,0,0,20,20,1,2,3,4,5,6\nval/1.jpg,16,8,64,81,31,32,61,33,45,50\n")
    found = read_landmarks(table, ["val/1.jpg", "val/2.jpg"])
    assert found[0].tolist() == [[31, 32], [61, 33], [45, 50]]
    assert np.isnan(found[1]).all()


def test_a_table_without_landmarks_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "face_boxes.csv"
    table.write_text("file,x,y,w,h\nval/1.jpg,16,8,64,81\n")
    with pytest.raises(DatasetError, match="no column right_eye_x, right_eye_y"):
        read_landmarks(table, ["val/1.jpg"])


def test_the_table_names_a_kind_once() -> None:
    share = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 4}
    groups = [
        {"kind": "all", "group": "all", "found": {"16": share}},
        {"kind": "race", "group": "Black", "found": {"16": share}},
        {"kind": "race", "group": "White", "found": {"16": share}},
    ]
    assert people_table({"groups": groups}).splitlines() == [
        "|  | group | n | found % at 16 px |",
        "| --- | --- | --- | --- |",
        "| all | all | 4 | 50.0 (40.0-60.0) |",
        "| race | Black | 4 | 50.0 (40.0-60.0) |",
        "|  | White | 4 | 50.0 (40.0-60.0) |",
    ]
