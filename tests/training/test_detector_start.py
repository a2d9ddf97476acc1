"""The network's loss, and weights that it starts with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the extra train")

import keras

from inference.detector import Detector
from inference.model_file import load_model
from tests.support.detector_data import noise
from training.detector.export import export, metadata
from training.detector.losses import DetectionLoss
from training.detector.network import build
from training.detector.start import read_detector, read_start, scaled, start_from
from training.detector.targets import assign, cells, encode
from training.errors import RunError
from training.runs.quantise import quantise

SIZE = 96
BOX = np.array([[20, 24, 30, 36]], np.float32)


def answer(box: np.ndarray, logit: float, finest: int = 8) -> np.ndarray:
    """What a network says that gives one box, everywhere, and one score where the face is."""
    grid = cells(SIZE, SIZE, finest)
    target = assign(BOX, np.ones(1, np.float32), SIZE, SIZE, finest)
    codes = encode(np.repeat(box, len(grid.x), axis=0), grid)
    logits = np.where(target[:, 0] > 0, logit, -12.0)
    return np.concatenate([logits[:, None], codes], axis=1)[None].astype(np.float32)


def loss(prediction: np.ndarray, scores: np.ndarray) -> float:
    target = assign(BOX, scores, SIZE, SIZE)[None]
    return float(DetectionLoss(SIZE)(target, prediction))


class TestLoss:
    def test_a_correct_prediction_has_no_loss(self) -> None:
        assert loss(answer(BOX, 12.0), np.ones(1, np.float32)) == pytest.approx(0, abs=1e-3)

    def test_the_target_score_depends_on_the_fit_of_the_box(self) -> None:
        """A box that fits by half asks for a score of one half: more certainty costs more."""
        half = BOX.copy()
        half[0, 2] /= 2
        costs = [loss(answer(half, logit), np.ones(1, np.float32)) for logit in (-4.0, 0.0, 4.0)]
        assert costs[1] < min(costs[0], costs[2])

    def test_without_quality_the_target_score_does_not_depend_on_the_box(self) -> None:
        half = BOX.copy()
        half[0, 2] /= 2
        target = assign(BOX, np.ones(1, np.float32), SIZE, SIZE)[None]
        costs = [
            float(DetectionLoss(SIZE, quality=False)(target, answer(half, logit)))
            for logit in (-4.0, 0.0, 4.0)
        ]
        assert costs[0] > costs[1] > costs[2]

    def test_a_grid_at_stride_4_has_its_own_cells(self) -> None:
        target = assign(BOX, np.ones(1, np.float32), SIZE, SIZE, 4)[None]
        fine = DetectionLoss(SIZE, finest_stride=4)
        assert float(fine(target, answer(BOX, 12.0, 4))) == pytest.approx(0, abs=1e-3)
        assert float(fine(target, answer(BOX, -12.0, 4))) > 1

    def test_a_soft_score_is_its_own_target(self) -> None:
        soft = np.full(1, 0.5, np.float32)
        costs = [loss(answer(BOX, logit), soft) for logit in (-4.0, 0.0, 4.0)]
        assert costs[1] < min(costs[0], costs[2])

    def test_ignored_cells_have_no_loss(self) -> None:
        nothing = np.full(1, np.nan, np.float32)
        assert loss(answer(BOX, 0.0), nothing) == pytest.approx(0, abs=1e-3)

    def test_the_loss_is_restored_from_its_configuration(self) -> None:
        made = DetectionLoss(SIZE, finest_stride=4, quality=False, box_weight=2.0, gamma=1.5)
        assert DetectionLoss.from_config(made.get_config()).get_config() == made.get_config()


class TestNetwork:
    def test_a_grid_at_stride_4_is_exported_with_its_boxes(self, tmp_path: Path) -> None:
        """`export` compares the boxes of both; the runtime decodes nothing itself."""
        path = tmp_path / "model.onnx"
        model = build((16, 16, 16, 16, 16), depth=1, finest_stride=4)
        export(model, metadata(model.name, "a", SIZE, "1"), path, finest_stride=4)
        session = load_model(path, "detector", own=True).session
        pictures = noise(SIZE, np.random.default_rng(0))[None, ..., None]
        scores, boxes = session.run(["scores", "boxes"], {"pixels": pictures})
        assert scores.shape[1] == boxes.shape[1] == len(cells(SIZE, SIZE, 4).x)
        quantise(path, tmp_path / "small.onnx", [pictures])
        found = Detector(tmp_path / "small.onnx", own=True).detect(pictures[0, ..., 0], 0.0)
        assert len(found) > 0

    @pytest.mark.parametrize(
        ("widths", "depth", "finest", "reason"),
        [
            ((16, 32, 48, 64), 2, 8, r"widths are \(16, 32, 48, 64\), expected 5 positive multiples of 16"),
            ((16, 32, 40, 64, 96), 2, 8, "expected 5 positive multiples of 16"),
            ((16, 32, 48, 64, 96), 0, 8, "depth is 0, expected at least 1"),
            ((16, 32, 48, 64, 96), 2, 16, r"finest_stride is 16, expected one of \[8, 4\]"),
        ],
    )
    def test_numbers_that_make_no_network_are_refused(
        self, widths: tuple[int, ...], depth: int, finest: int, reason: str
    ) -> None:
        with pytest.raises(RunError, match=reason):
            build(widths, depth, finest)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of random weights that are no longer those it began with, exported."""
    path = tmp_path_factory.mktemp("run") / "model.onnx"
    keras.utils.set_random_seed(0)
    model = build((16, 16, 16, 16, 16), depth=1)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "norm" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    export(model, metadata(model.name, "a", SIZE, "1"), path)
    return path


class TestStart:
    @pytest.mark.parametrize("widths", [(16, 16, 16, 16, 16), (16, 32, 32, 16, 32)])
    def test_a_larger_network_starts_with_the_outputs_of_the_smaller_one(
        self, small: Path, widths: tuple[int, ...]
    ) -> None:
        pictures = np.stack([noise(SIZE, np.random.default_rng(seed)) for seed in range(4)])
        keras.utils.set_random_seed(1)
        model = build(widths, depth=2)
        taken = start_from(model, read_detector(small), scaled(pictures))
        assert "stride8_more1_conv" in taken
        assert "stride8_more2_conv" not in taken
        session = load_model(small, "detector", own=True).session
        expected = session.run(["scores"], {"pixels": pictures[..., None]})[0]
        for training in (False, True):
            logits = np.array(model(scaled(pictures), training=training))[..., 0]
            np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, atol=5e-3)

    def test_a_run_gives_its_exported_weights(self, small: Path) -> None:
        assert read_start(small.parent).keys() == read_detector(small).keys()

    def test_a_run_that_was_not_exported_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(RunError, match=r"model.onnx: cannot be read as an ONNX file"):
            read_start(tmp_path)

    def test_a_file_without_convolutions_is_refused(self, tmp_path: Path) -> None:
        from tests.support.teacher_file import write_teacher  # noqa: PLC0415

        with pytest.raises(RunError, match="holds no convolutions of a detector in float32"):
            read_detector(write_teacher(tmp_path / "teacher.onnx"))
