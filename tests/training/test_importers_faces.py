"""Photographs with boxes around their faces: WIDER FACE, Pascal VOC, YOLO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.training_data import lit, write_picture
from training.data.importers.faces import Marked, load_marked
from training.data.importers.faces.marked import LONGEST_SIDE, LabelledBox, create_marked
from training.errors import DatasetError

WIDER = "wider_face_split/wider_face_train_bbx_gt.txt"
PARADE = "0--Parade/0_Parade_1.jpg"
EMPTY = "0--Parade/0_Parade_2.jpg"
VOC = """\
<annotation><filename>a.jpg</filename>
<object><name>with_mask</name><bndbox><xmin>10</xmin><ymin>20</ymin><xmax>40</xmax><ymax>60</ymax></bndbox></object>
<object><name>face</name><difficult>1</difficult>
<bndbox><xmin>5</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>
</annotation>
"""


def picture(path: Path, side: int = 96) -> None:
    write_picture(path, lit(side, 0.1, np.random.default_rng(0)))


def wider(folder: Path, table: str | None = None) -> Path:
    for name in (PARADE, EMPTY):
        picture(folder / "WIDER_train" / "images" / name)
    (folder / WIDER).parent.mkdir(parents=True)
    (folder / WIDER).write_text(
        table
        or f"{PARADE}\n3\n10 20 30 40 0 0 0 0 0 0 \n5 5 8 8 2 0 0 1 0 0 \n1 1 0 9 0 0 0 0 0 0 \n"
        f"{EMPTY}\n0\n0 0 0 0 0 0 0 0 0 0 \n"
    )
    return folder


def voc(folder: Path, text: str = VOC) -> Path:
    picture(folder / "JPEGImages" / "a.jpg")
    (folder / "Annotations").mkdir(parents=True)
    (folder / "Annotations" / "a.xml").write_text(text)
    return folder


def yolo(folder: Path, text: str = "0 0.5 0.25 0.5 0.25\n", name: str = "labels/train/a.txt") -> Path:
    picture(folder / "images" / "train" / "a.jpg")
    picture(folder / "images" / "train" / "b.jpg")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


def read(folder: Path) -> list[Marked]:
    return list(load_marked(folder))


def refused(folder: Path) -> str:
    with pytest.raises(DatasetError) as refusal:
        read(folder)
    return str(refusal.value)


class TestWider:
    def test_faces_are_read_and_invalid_ones_are_doubtful(self, tmp_path: Path) -> None:
        parade, empty = read(wider(tmp_path))
        assert parade.name == f"WIDER_train/images/{PARADE}"
        assert parade.pixels.shape == (96, 96)
        assert parade.boxes.tolist() == [[10, 20, 30, 40], [5, 5, 8, 8], [1, 1, 1, 9]]
        assert parade.sure.tolist() == [True, False, False]
        assert empty.boxes.shape == (0, 4)

    def test_a_picture_without_faces_may_have_no_line_of_zeros(self, tmp_path: Path) -> None:
        table = f"{EMPTY}\n0\n{PARADE}\n1\n10 20 30 40 0 0 0 0 0 0\n"
        assert [len(each.boxes) for each in read(wider(tmp_path, table))] == [0, 1]

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            (f"{PARADE}\nmany\n", "line 2: 'many', expected a whole number from 0 to 10000"),
            (
                f"{PARADE}\n2\n1 2 3 4 0 0 0 0 0 0\n",
                "line 1: 2 faces announced, 1 lines follow; the",
            ),
            (
                f"{PARADE}\n",
                "line 1: the table ends after '0--Parade/0_Parade_1.jpg', expected a",
            ),
            (f"{PARADE}\n1\n1 2 3 4\n", "line 3: 4 numbers, expected 10: x y w h blur"),
            (f"{PARADE}\n1\n1 2 wide 4 0 0 0 0 0 0\n", "line 3: w is 'wide', expected a number"),
            ("1 2 3 4 0 0 0 0 0 0\n", "line 1: '1 2 3 4 0 0 0 0 0 0', expected the path of a picture"),
            ("0--Parade/no.jpg\n0\n", "line 1: no picture of the name '0--Parade/no.jpg' in the folder"),
        ],
    )
    def test_invalid_input_is_named(self, tmp_path: Path, table: str, message: str) -> None:
        assert message in refused(wider(tmp_path, table))


class TestVoc:
    def test_objects_are_faces_and_difficult_ones_are_doubtful(self, tmp_path: Path) -> None:
        (photograph,) = read(voc(tmp_path))
        assert photograph.boxes.tolist() == [[10, 20, 30, 40], [5, 5, 4, 4]]
        assert photograph.sure.tolist() == [True, False]

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (
                "<xmax>40</xmax>",
                "<xmax>8</xmax>",
                "a.xml object 1: xmin 10, ymin 20, xmax 8, ymax 60, expected",
            ),
            ("<xmin>10</xmin>", "<xmin>left</xmin>", "a.xml object 1: xmin is 'left', expected a number"),
            ("<xmin>10</xmin>", "", "a.xml object 1: xmin is '', expected a number"),
            ("<filename>a.jpg</filename>", "", "a.xml: expected an element annotation with a filename in it"),
            ("a.jpg", "c.jpg", "a.xml: no picture of the name 'c.jpg' in the folder"),
            ("</annotation>", "", "a.xml: is no XML"),
            ("<annotation>", "<!DOCTYPE a><annotation>", "a.xml: declares a document type or entities"),
        ],
    )
    def test_invalid_input_is_named(self, tmp_path: Path, old: str, new: str, message: str) -> None:
        assert message in refused(voc(tmp_path, VOC.replace(old, new, 1)))


class TestYolo:
    @pytest.mark.parametrize("name", ["labels/train/a.txt", "images/train/a.txt"])
    def test_shares_become_pixels(self, tmp_path: Path, name: str) -> None:
        first, second = read(yolo(tmp_path, name=name))
        assert first.boxes.tolist() == [[24, 12, 48, 24]]
        assert first.sure.all()
        assert second.boxes.shape == (0, 4)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("0 0.5 0.5 0.5\n", "a.txt line 1: 4 numbers, expected 5: class x y width height"),
            ("\n0 0.5 0.5 0.5 high\n", "a.txt line 2: height is 'high', expected a number"),
            ("0 0.5 0.5 48 0.5\n", "a.txt line 1: width is '48', expected a share of the picture, 0 to 1"),
            ("0 0.5 0.5 0 0.5\n", "a.txt line 1: width is '0', expected a share of the picture, 0 to 1"),
        ],
    )
    def test_invalid_input_is_named(self, tmp_path: Path, text: str, message: str) -> None:
        assert message in refused(yolo(tmp_path, text))

    def test_labels_without_a_picture_are_named(self, tmp_path: Path) -> None:
        message = refused(yolo(tmp_path, name="labels/train/c.txt"))
        assert "c.txt: no picture of that name; remove the file, or add its picture" in message


def test_a_folder_in_no_format_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    assert "holds no wider_face_train_bbx_gt.txt, no *.xml and no *.txt with boxes" in refused(tmp_path)
    assert "no such folder" in refused(tmp_path / "no")


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    folder = yolo(tmp_path)
    (folder / "images" / "train" / "a.jpg").write_bytes(b"no picture")
    assert "images/train/a.jpg" in refused(folder)


def test_a_large_photograph_is_reduced_with_its_boxes() -> None:
    photograph = create_marked(
        "a", np.zeros((2 * LONGEST_SIDE, LONGEST_SIDE), np.uint8), [LabelledBox(100, 200, 50, 60)]
    )
    assert photograph.pixels.shape == (LONGEST_SIDE, LONGEST_SIDE // 2)
    assert photograph.boxes.tolist() == [[50, 100, 25, 30]]
