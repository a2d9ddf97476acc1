"""Detector training from made photographs to a card, and the parts that it is made of."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="needs the extra train")

import onnx

from inference.detector import Detector, Faces
from inference.errors import ModelError
from inference.model_file import load_model
from tests.support.detector_data import draw, noise, write_photographs
from tests.support.training_data import write_picture
from tests.support.training_runs import tiny_detector
from training.detector import scenes
from training.detector.card import commands, publish
from training.detector.evaluate import evaluate
from training.detector.export import export_run
from training.detector.judging import Detected, average_precision, judge, recall, score_for
from training.detector.labelling import label
from training.detector.levels import balanced_score
from training.detector.mistakes import find_mistakes
from training.detector.provenance import DATASETS, data_sources
from training.detector.scenes import Scene
from training.detector.synthesis import KINDS, Place, Synthesis
from training.detector.targets import assign, cells, decode, encode, strides
from training.detector.train import DetectorConfig, fit, load_synthesis, read_config, samples_seen
from training.errors import DatasetError, RunError
from training.runs.quantise import quantise
from training.runs.run_folder import (
    ONNX_FILES,
    PARTS,
    as_stored,
    create_run,
    metrics_file,
    read_history,
    write_history,
    write_json,
)

pytestmark = pytest.mark.timeout(600)

TINY = tiny_detector(batch=4, samples=16, samples_per_round=8)


def photograph(
    pixels: NDArray[np.uint8], boxes: Sequence[Sequence[float]], scores: Sequence[float], name: str = "a"
) -> Scene:
    """A scene with faces; one whose score is not a number is doubtful."""
    wanted = np.array(scores, np.float32)
    return Scene(name, pixels, np.array(boxes, np.float32).reshape(-1, 4), wanted == 1, wanted)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four steps, exported and evaluated on both parts."""
    run = tmp_path_factory.mktemp("runs") / "detector"
    fit(TINY, data, run)
    export_run(run, data)
    for precision, file in ONNX_FILES.items():
        for part in PARTS:
            write_json(run / metrics_file(precision, part), evaluate(run / file, data, part))
    return run


class TestTargets:
    @pytest.mark.parametrize("finest", [8, 4])
    def test_decoding_inverts_encoding(self, finest: int) -> None:
        grid = cells(96, 128, finest)
        rng = np.random.default_rng(0)
        boxes = np.concatenate(
            [rng.uniform(0, 90, (len(grid.x), 2)), rng.uniform(8, 80, (len(grid.x), 2))], axis=1
        ).astype(np.float32)
        np.testing.assert_allclose(decode(encode(boxes, grid), grid), boxes, atol=1e-3)

    @pytest.mark.parametrize(("finest", "expected"), [(8, (8, 16, 32)), (4, (4, 8, 16, 32))])
    def test_every_grid_covers_the_picture(self, finest: int, expected: tuple[int, ...]) -> None:
        grid = cells(96, 128, finest)
        assert strides(finest) == expected
        assert len(grid.x) == sum((96 // stride) * (128 // stride) for stride in expected)
        for stride in expected:
            chosen = grid.stride == stride
            assert (grid.x[chosen].min(), grid.x[chosen].max()) == (stride / 2, 128 - stride / 2)

    @pytest.mark.parametrize(
        ("size", "finest", "stride"), [(12, 8, 8), (60, 8, 16), (120, 8, 32), (6, 4, 4), (24, 4, 8)]
    )
    def test_a_face_belongs_to_the_grid_of_its_size(self, size: float, finest: int, stride: int) -> None:
        box = np.array([[70 - size / 2, 66 - size / 2, size, size]], np.float32)
        target = assign(box, np.ones(1, np.float32), 160, 160, finest)
        positive = target[:, 0] == 1
        assert positive.any()
        assert set(cells(160, 160, finest).stride[positive]) == {stride}
        np.testing.assert_array_equal(target[positive, 2:], np.repeat(box, positive.sum(), axis=0))

    def test_a_face_smaller_than_the_finest_stride_is_neither_right_nor_wrong(self) -> None:
        target = assign(np.array([[60, 60, 6, 6]], np.float32), np.ones(1, np.float32), 160, 160)
        grid = cells(160, 160)
        inside = (abs(grid.x - 63) < 7) & (abs(grid.y - 63) < 7)
        assert not target[:, 0].any()
        assert inside.any()
        assert not target[inside, 1].any()

    def test_a_doubtful_face_is_neither_right_nor_wrong(self) -> None:
        box = np.array([[40, 40, 30, 30]], np.float32)
        target = assign(box, np.full(1, np.nan, np.float32), 160, 160)
        assert not target[:, 0].any()
        grid = cells(160, 160)
        inside = (abs(grid.x - 55) < 15) & (abs(grid.y - 55) < 15)
        assert not target[inside, 1].any()
        assert target[~inside, 1].sum() > 0.9 * (~inside).sum()

    def test_where_faces_overlap_the_smaller_one_is_the_target(self) -> None:
        boxes = np.array([[40, 40, 36, 36], [48, 48, 20, 20]], np.float32)
        target = assign(boxes, np.array([1.0, 0.6], np.float32), 160, 160)
        at = np.flatnonzero((cells(160, 160).x == 60) & (cells(160, 160).y == 60))
        np.testing.assert_array_equal(target[at[0], 2:], boxes[1])
        assert target[at[0], 0] == pytest.approx(0.6)


class TestSynthesis:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_gives_pictures_and_boxes(
        self, data: Path, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in KINDS:
            monkeypatch.setitem(KINDS, name, float(name == kind))
        synthesis = load_synthesis(data, 192)
        samples = [synthesis.sample(np.random.default_rng(seed)) for seed in range(12)]
        for sample in samples:
            boxes, scores = sample.arrays()
            sure = ~np.isnan(scores)
            assert (sample.pixels.shape, sample.pixels.dtype) == ((192, 192), np.uint8)
            assert (boxes.shape, scores.shape) == ((len(scores), 4), (len(boxes),))
            assert (boxes[:, 2:] > 0).all()
            middle = boxes[sure, :2] + boxes[sure, 2:] / 2
            assert ((middle >= 0) & (middle < 192)).all()
        assert any(len(sample.boxes) for sample in samples) is (kind != "empty")

    def test_the_same_seed_gives_the_same_sample(self, data: Path) -> None:
        synthesis = load_synthesis(data, 192)
        first, second = (synthesis.sample(np.random.default_rng(5)) for _ in range(2))
        np.testing.assert_array_equal(first.pixels, second.pixels)
        assert first.boxes == second.boxes

    def test_boxes_stay_on_the_faces(self) -> None:
        """What is drawn brightest is where the box says, however the scene is cut, turned and mirrored."""
        rng = np.random.default_rng(0)
        picture = draw(np.full((224, 224), 20, np.uint8), (90, 80, 40, 50))
        scene = photograph(picture, [[90, 80, 40, 50]], [1.0])
        goods = photograph(np.full((224, 224), 20, np.uint8), [], [])
        synthesis = Synthesis([scene] * 30, [goods], [], 192)
        found = 0
        for _ in range(20):
            sample = synthesis._around_face(rng)
            for (x, y, w, h), score in zip(sample.boxes, sample.scores, strict=True):
                if score == 1 and w > 20:
                    inner = sample.pixels[
                        int(y + h * 0.6) : int(y + h * 0.8), int(x + w / 3) : int(x + w / 1.5)
                    ]
                    found += 1
                    assert inner.size == 0 or np.median(inner) > 150
        assert found > 5


class Seeing:
    """A detector that sees the same places in every picture."""

    def __init__(self, *boxes: list[float]) -> None:
        self._boxes = np.array(boxes, np.float32)

    def detect(self, grey: np.ndarray, lowest: float) -> Faces:
        return Faces(self._boxes, np.full(len(self._boxes), 0.5, np.float32))

    def scale(self, height: int, width: int) -> float:
        return 1.0


class TestMistakes:
    def test_what_is_marked_is_no_mistake(self) -> None:
        marked = photograph(np.zeros((100, 100), np.uint8), [[10, 10, 30, 30]], [0.1])
        empty = photograph(np.zeros((100, 100), np.uint8), [], [])
        found = find_mistakes(Seeing([20, 20, 30, 30], [60, 60, 20, 20]), [marked, empty])
        assert [(place.scene is marked, place.box.tolist()) for place in found] == [
            (True, [60, 60, 20, 20]),
            (False, [20, 20, 30, 30]),
            (False, [60, 60, 20, 20]),
        ]

    def test_a_mistake_is_drawn_in_the_size_of_a_face(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a large dark photograph only one small bright place is drawn, again and again."""
        for name in KINDS:
            monkeypatch.setitem(KINDS, name, float(name == "empty"))
        pixels = np.full((600, 600), 20, np.uint8)
        pixels[500:520, 500:520] = 250
        dark = photograph(pixels, [], [])
        face = photograph(np.full((224, 224), 20, np.uint8), [[90, 80, 40, 50]], [1.0])

        def share_with_the_place(synthesis: Synthesis) -> float:
            samples = [synthesis.sample(np.random.default_rng(seed)) for seed in range(40)]
            assert not any(sample.boxes for sample in samples)
            return float(np.mean([(sample.pixels > 150).sum() > 30 for sample in samples]))

        plain = photograph(np.full((224, 224), 20, np.uint8), [], [])
        without, with_place = (Synthesis([face] * 30 + [plain], [dark], [], 192) for _ in range(2))
        with_place.add_hard([Place(dark, np.array([500, 500, 20, 20], np.float32))])
        assert share_with_the_place(with_place) > share_with_the_place(without) + 0.15


class TestPhotographs:
    def test_parts_are_disjoint_and_complete(self, data: Path) -> None:
        names = [{s.name for s in scenes.load_scenes(data, part)} for part in ("train", "validation", "test")]
        assert sum(len(part) for part in names) == len(set.union(*names)) == 80
        assert all(names)

    def test_doubtful_labels_are_not_sure_faces(self, data: Path) -> None:
        loaded = scenes.load_scenes(data, "train")
        assert {tuple(scene.sure.tolist()) for scene in loaded} == {(True,), (False,), ()}

    def test_a_damaged_table_is_refused(self, data: Path, tmp_path: Path) -> None:
        shutil.copytree(data, tmp_path / "data")
        table = tmp_path / "data" / "scenes" / "face_boxes.csv"
        table.write_text(table.read_text().replace("sports/1.jpg,0.9", "sports/1.jpg,much", 1))
        with pytest.raises(DatasetError, match=r"face_boxes.csv row 2: .*'much'"):
            scenes.load_scenes(tmp_path / "data", "train")

    def test_a_damaged_archive_is_refused(self, data: Path, tmp_path: Path) -> None:
        shutil.copytree(data, tmp_path / "data")
        (tmp_path / "data" / "backgrounds" / "grocery.zip").write_bytes(b"no archive")
        with pytest.raises(DatasetError, match=r"grocery.zip"):
            scenes.load_groceries(tmp_path / "data", "train")

    def test_too_few_faces_are_refused(self, tmp_path: Path) -> None:
        data = write_photographs(tmp_path, scenes=20)
        with pytest.raises(DatasetError, match=r"sure faces in scenes to train on, at least 20 are needed"):
            load_synthesis(data, 192)

    def test_further_photographs_leave_out_held_out_ones(self, data: Path, tmp_path: Path) -> None:
        """A set of which the scenes are a part gives no photograph that is measured on."""
        folder = tmp_path / "more"
        names = ["new", *(f"{number}" for number in range(80))]
        for name in names:
            write_picture(folder / f"{name}.jpg", noise(96, np.random.default_rng(0)))
            (folder / f"{name}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
        taken = {Path(scene.name).stem for scene in scenes.load_further(folder, data)}
        held_out = {name for name in names if scenes.part_of(f"sports/{name}.jpg") != "train"} - {"new"}
        assert taken == set(names) - held_out
        further = load_synthesis(data, 192, further=[str(folder)])
        assert len(further.faces) == len(load_synthesis(data, 192).faces) + len(taken)

    def test_folders_of_the_same_name_are_refused(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`.` has the name of the folder that it is."""
        folders = [tmp_path / "a" / "more", tmp_path / "b" / "more"]
        for folder in folders:
            folder.mkdir(parents=True)
        monkeypatch.chdir(folders[0])
        for given in (folders, [Path(), folders[1]]):
            with pytest.raises(DatasetError, match="expected folders of different names"):
                label(Seeing([20, 20, 30, 30]), data, tmp_path / "labels.csv", given)
            with pytest.raises(DatasetError, match="expected folders of different names"):
                load_synthesis(data, 192, further=[str(folder) for folder in given])
        assert not (tmp_path / "labels.csv").exists()
        write_picture(folders[0] / "new.png", noise(96, np.random.default_rng(0)))
        (folders[0] / "new.txt").write_text("0 0.5 0.5 0.5 0.5\n")
        assert [scene.name for scene in scenes.load_further(Path(), data)] == ["more/new.png"]

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="no folder scenes"):
            scenes.load_scenes(tmp_path, "train")


class TestFigures:
    def outcome(self, found: list[tuple[tuple[float, ...], float]]) -> Detected:
        truth = [[10, 10, 40, 40], [100, 10, 40, 40], [10, 100, 10, 10]]
        scene = photograph(noise(160, np.random.default_rng(0)), truth, [1.0, np.nan, 1.0])
        boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
        return Detected(scene, Faces(boxes, np.array([score for _, score in found], np.float32)), 1.0)

    def test_right_wrong_and_neither(self) -> None:
        seen = self.outcome(
            [
                ((12, 10, 40, 40), 0.9),  # the sure face
                ((101, 10, 40, 40), 0.8),  # the doubtful one
                ((10, 10, 40, 40), 0.7),  # the sure face again
                ((10, 100, 10, 10), 0.6),  # the small one
                ((60, 60, 30, 30), 0.5),  # nothing
            ]
        )
        judged = judge(seen)
        assert judged.right.tolist() == pytest.approx([0.9])
        assert judged.wrong.tolist() == pytest.approx([0.7, 0.5])
        assert judged.faces == 1
        assert judge(seen, smallest=8).faces == 2

    def test_average_precision_by_hand(self) -> None:
        """Right at .9, wrong at .7, and one face of two never found: precision 1 for half of the recall."""
        right = judge(self.outcome([((10, 10, 40, 40), 0.9), ((60, 60, 30, 30), 0.7)]))
        missed = judge(self.outcome([]))
        assert average_precision([right, missed]) == pytest.approx(0.5)
        assert recall([right, missed], 0.9) == pytest.approx(0.5)
        assert recall([right, missed], 0.95) == 0

    def test_score_for_a_given_number_of_false_faces(self) -> None:
        wrong = [judge(self.outcome([((60, 60, 30, 30), score)])) for score in np.linspace(0.1, 0.9, 9)]
        assert score_for(wrong, 0) == pytest.approx(0.9, abs=1e-6)
        assert score_for(wrong, 0) > 0.9
        assert 0.7 < score_for(wrong, 250) < 0.71

    def test_the_middle_of_equally_good_scores_is_taken(self) -> None:
        outcomes = [judge(self.outcome([((10, 10, 40, 40), 0.8), ((60, 60, 30, 30), 0.3)]))] * 10
        assert balanced_score(outcomes) == pytest.approx(0.55, abs=0.01)


class TestRun:
    def test_history_holds_every_round(self, run: Path) -> None:
        history = read_history(run)
        assert [row["round"] for row in history] == [1, 2]
        assert [row["steps"] for row in history] == [2, 2]
        assert samples_seen(run) == 16
        assert all(np.isfinite(row["loss"]) for row in history)

    def test_a_round_that_was_cut_off_counts_its_own_steps(self, tmp_path: Path) -> None:
        create_run(tmp_path / "run", TINY)
        row = {"round": 1.0, "seconds": 1.0, "loss": 1.0}
        write_history(tmp_path / "run", [row, row])
        assert samples_seen(tmp_path / "run") == 16, "rounds that do not store their steps are full"
        write_history(tmp_path / "run", [row, {**row, "steps": 1.0}])
        assert read_history(tmp_path / "run") == [row, {**row, "steps": 1.0}]
        assert samples_seen(tmp_path / "run") == 12

    def test_a_run_is_not_overwritten_and_resumes_only_unchanged(self, run: Path, data: Path) -> None:
        with pytest.raises(RunError, match="--resume"):
            fit(TINY, data, run)
        with pytest.raises(RunError, match="resume with the same options"):
            fit(DetectorConfig(), data, run, resume=True)

    def test_a_run_stored_before_an_option_existed_resumes_with_its_default(
        self, run: Path, data: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(run, tmp_path / "run")
        stored = json.loads((tmp_path / "run" / "config.json").read_text())
        del stored["finest_stride"], stored["quality"]
        write_json(tmp_path / "run" / "config.json", stored)
        fit(TINY, data, tmp_path / "run", resume=True)
        assert read_config(tmp_path / "run") == TINY
        with pytest.raises(RunError, match="resume with the same options"):
            fit(replace(TINY, quality=False), data, tmp_path / "run", resume=True)

    def test_an_interrupted_run_resumes(self, run: Path, data: Path, tmp_path: Path) -> None:
        shutil.copytree(run, tmp_path / "run")
        lines = (tmp_path / "run" / "history.csv").read_text().splitlines()
        (tmp_path / "run" / "history.csv").write_text("\n".join(lines[:-1]) + "\n")
        fit(TINY, data, tmp_path / "run", resume=True)
        assert [row["round"] for row in read_history(tmp_path / "run")] == [1, 2]

    def test_both_files_load_and_carry_their_levels(self, run: Path) -> None:
        for file in ONNX_FILES.values():
            detector = Detector(run / file, own=True)
            assert (detector.metadata.name, detector.metadata.run) == ("mien_detector", "detector")
            assert 0 <= detector.levels.weak <= detector.levels.face <= detector.levels.sure <= 1
            detector.detect(noise(160, np.random.default_rng(1)))

    def test_int8_gives_nearly_the_same_scores(self, run: Path) -> None:
        pixels = noise(192, np.random.default_rng(2))[None, ..., None]
        outputs = [
            load_model(run / file, "detector", own=True).session.run(["scores", "boxes"], {"pixels": pixels})
            for file in ONNX_FILES.values()
        ]
        np.testing.assert_allclose(outputs[0][0], outputs[1][0], atol=0.02)
        assert (run / ONNX_FILES["int8"]).stat().st_size < (run / ONNX_FILES["float32"]).stat().st_size

    def test_quantising_keeps_first_and_last_layers(self, run: Path) -> None:
        graph = onnx.load(run / ONNX_FILES["int8"]).graph
        quantised = {node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
        weights = [each for each in graph.initializer if each.name in quantised and len(each.dims) == 4]
        kept = [
            each
            for each in graph.initializer
            if len(each.dims) == 4 and each.data_type == onnx.TensorProto.FLOAT
        ]
        assert {weight.data_type for weight in weights} == {onnx.TensorProto.INT8}
        assert sorted(list(each.dims)[:2] for each in kept) == [[1, 16]] * 3 + [[4, 16]] * 3 + [[16, 1]]

    def test_figures_cover_every_part(self, run: Path, data: Path) -> None:
        figures = evaluate(run / ONNX_FILES["float32"], data, "validation")
        assert figures["scenes"] == len(scenes.load_scenes(data, "validation"))
        assert set(figures["compared"]["recall_at_false_per_1000_goods"]) == {"1", "10", "100"}
        groups = figures["running"]["recall_by_group"]
        assert groups["sports"]["n"] == figures["running"]["faces"] > 0
        assert groups["crowds"] == {"n": 0}
        precision = figures["running"]["average_precision"]
        assert 0 <= precision["low"] <= precision["value"] <= precision["high"] <= 1

    def test_publishing_writes_files_figures_card_and_checksums(self, run: Path, tmp_path: Path) -> None:
        card = publish(run, tmp_path).read_text()
        assert "$" not in card
        assert "mien train detector fit" in card
        assert "| test | float32 |" in card
        shipped = sorted(path.name for path in tmp_path.iterdir())
        assert {"checksums.json", "detector.json", "detector.md", "detector.onnx"} <= set(shipped)

    def test_metadata_and_card_name_the_further_photographs_of_the_run(
        self, run: Path, tmp_path: Path
    ) -> None:
        table = tmp_path / "labels.csv"
        table.write_text("file,score,x,y,w,h\nmafa/1.jpg,0.5,1,1,9,9\n")
        folders = ("sets/mafa", "/home/x/shop")
        config = replace(TINY, photographs=folders, start_from=str(run), teacher=str(table))
        assert data_sources(TINY) == DATASETS
        assert data_sources(config) == (*DATASETS, "MAFA (Ge et al. 2017)", "shop")
        older = tmp_path / "older.onnx"
        model = onnx.load(run / ONNX_FILES["float32"])
        fields = {entry.key: entry.value for entry in model.metadata_props}
        assert json.loads(fields["datasets"]) == list(DATASETS)
        onnx.helper.set_model_props(model, fields | {"datasets": json.dumps([*DATASETS, "another set"])})
        onnx.save(model, older)
        assert data_sources(replace(TINY, start_from=str(older))) == (*DATASETS, "another set")

        shutil.copytree(run, tmp_path / "run")
        for models in ("with", "without"):
            (tmp_path / models).mkdir()
        assert "MAFA" not in publish(run, tmp_path / "without").read_text()
        write_json(tmp_path / "run" / "config.json", as_stored(replace(config, start_from=str(older))))
        card = publish(tmp_path / "run", tmp_path / "with").read_text()
        assert "| MAFA (Ge et al. 2017) | covered faces, in training alone | research use |\n" in card
        assert "| shop | photographs with boxes, in training alone | not known |\n" in card
        assert "FairFace, another set.\nWhat that version" in card
        assert "It marked the scenes and the goods, MAFA (Ge et al. 2017).\nIn the other sets" in card
        assert "desks" not in card

    def test_the_card_has_the_options_of_the_run(self) -> None:
        config = DetectorConfig(
            widths=(32, 48, 64, 96, 144), finest_stride=4, quality=False, photographs=("a", "b")
        )
        fitted = next(line for line in commands(config, "runs/a").splitlines() if "fit" in line)
        assert fitted.split(" fit ")[1] == (
            "--widths 32 48 64 96 144 --finest-stride 4 --no-quality "
            "--photographs a --photographs b --out runs/a"
        )

    def test_the_card_labels_the_further_photographs_that_the_table_has(self, tmp_path: Path) -> None:
        table = tmp_path / "labels.csv"
        table.write_text("file,score,x,y,w,h\na/1.jpg,0.5,1,1,9,9\nc/1.jpg,0.5,1,1,9,9\n")
        config = replace(TINY, teacher=str(table), photographs=("a", "b", "c"))
        labelled = next(line for line in commands(config, "runs/a").splitlines() if " label " in line)
        assert labelled.endswith("labels.csv --photographs a --photographs c")

    def test_old_figures_are_refused(self, run: Path, tmp_path: Path) -> None:
        shutil.copytree(run, tmp_path / "run")
        now = (tmp_path / "run" / metrics_file("float32", "test")).stat().st_mtime
        os.utime(tmp_path / "run" / ONNX_FILES["float32"], (now + 10, now + 10))
        with pytest.raises(RunError, match="evaluate it again"):
            publish(tmp_path / "run", tmp_path / "models")

    @pytest.mark.parametrize(
        ("field", "value", "reason"),
        [
            ("face_score", None, "metadata field 'face_score' is missing"),
            ("weak_score", "0.99", "must rise"),
            ("nms_overlap", "many", "is 'many', expected a number from 0 to 1"),
            ("task", "classifier", "is 'classifier', expected detector"),
            ("colour", "rgb", "is 'rgb', expected grey"),
        ],
    )
    def test_invalid_metadata_are_refused(
        self, run: Path, tmp_path: Path, field: str, value: str | None, reason: str
    ) -> None:
        model = onnx.load(run / ONNX_FILES["float32"])
        fields = {entry.key: entry.value for entry in model.metadata_props}
        fields.pop(field)
        onnx.helper.set_model_props(model, fields | ({field: value} if value else {}))
        onnx.save(model, tmp_path / "model.onnx")
        with pytest.raises(ModelError, match=reason):
            Detector(tmp_path / "model.onnx", own=True)


def test_quantising_keeps_the_metadata(run: Path, tmp_path: Path) -> None:
    source, target = run / ONNX_FILES["float32"], tmp_path / "small.onnx"
    quantise(source, target, [noise(96, np.random.default_rng(3))[None, ..., None]])
    before, after = (
        {entry.key: entry.value for entry in onnx.load(path).metadata_props} for path in (source, target)
    )
    assert before == after
