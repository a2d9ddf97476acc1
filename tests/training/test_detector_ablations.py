"""Runs of the detector that differ in one choice: differences, stored figures, tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the extra train")

from inference.detector import Faces
from tests.support.detector_data import write_photographs
from training.detector.ablations import COMPARED, FILE, compare_runs, difference
from training.detector.evaluate import Photographs
from training.detector.export import export, metadata
from training.detector.judging import Detected
from training.detector.network import build
from training.detector.scenes import Scene
from training.detector.train import DetectorConfig
from training.errors import RunError
from training.pages.detector_ablations_page import cost_table, describe, found_table
from training.runs.run_folder import create_run, read_history, write_history

FIRST = DetectorConfig(samples=24_000)
FACE = np.array([[10, 10, 40, 40]], np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs that differ in the finest grid and the scores, with weights of the first step."""
    folder = tmp_path_factory.mktemp("runs")
    configs = {"labels": FIRST, "fine": replace(FIRST, finest_stride=4, quality=False)}
    for name, config in configs.items():
        create_run(folder / name, config)
        write_history(folder / name, [{"round": 1.0, "seconds": 60.0, "loss": 1.0}])
        model = build(config.widths, config.depth, config.finest_stride)
        fields = metadata(model.name, name, config.size, "1")
        export(model, fields, folder / name / FILE, config.finest_stride)
    return [folder / name for name in configs]


def photographs(found: list[bool]) -> Photographs:
    """Scenes of one face each, found or not; one photograph of goods in which nothing is found."""
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    picture = np.zeros((64, 64), np.uint8)
    scenes = [
        Detected(
            Scene(str(number), picture, FACE, np.array([True]), np.ones(1, np.float32)),
            Faces(FACE, np.full(1, 0.9, np.float32)) if each else Faces(*nothing),
            1.0,
        )
        for number, each in enumerate(found)
    ]
    goods = Detected(Scene("goods", picture, nothing[0], np.zeros(0, bool), nothing[1]), Faces(*nothing), 1.0)
    return Photographs(scenes, [goods])


class TestDifference:
    def test_equal_detectors_do_not_differ(self) -> None:
        """Photographs are paired: that one of them is hard for both widens no interval."""
        same = photographs([True, False] * 20)
        for figure in COMPARED.values():
            assert difference(figure, same, same) == {"value": 0, "low": 0, "high": 0}

    def test_a_detector_that_finds_more_differs_by_that(self) -> None:
        more, fewer = photographs([True] * 40), photographs([True] * 30 + [False] * 10)
        found = difference(COMPARED["recall_at_10"], more, fewer)
        assert found["value"] == pytest.approx(0.25)
        assert 0 < found["low"] < 0.25 < found["high"]


class TestRuns:
    def test_runs_are_measured_against_the_first_one(self, runs: list[Path], data: Path) -> None:
        figures = compare_runs(runs, data, calls=2)
        first, second = figures["runs"]
        assert (figures["part"], figures["samples"]) == ("validation", 24_000)
        assert [first["run"], second["run"]] == ["labels", "fine"]
        assert first["changed"] == {}
        assert second["changed"] == {"finest_stride": 4, "quality": False}
        assert "differences" not in first["compared"]
        assert set(second["running"]["differences"]) == set(COMPARED)
        assert second["weights"] > first["weights"]
        assert set(first["milliseconds"]) == set(figures["shipped_milliseconds"])
        rows = found_table(figures).splitlines()
        assert rows[2].startswith("| labels alone | ")
        assert rows[3].startswith("| finest stride 4, scores without overlap | ")
        assert cost_table(figures).splitlines()[-1].startswith("| the file that ships | ")

    def test_runs_of_another_length_and_folders_without_a_file_are_refused(
        self, runs: list[Path], data: Path
    ) -> None:
        with pytest.raises(
            RunError, match=r"gone: has no model.int8.onnx yet; run `mien train detector export"
        ):
            compare_runs([runs[0], runs[0].parent / "gone"], data)
        history = read_history(runs[1])
        write_history(runs[1], history * 2)
        with pytest.raises(
            RunError, match=r"saw 48,000 samples, .*labels 24,000; compare runs of one length"
        ):
            compare_runs(runs, data)
        write_history(runs[1], history)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "labels alone"),
        ({"teacher": "runs/labels.csv"}, "with the teacher"),
        ({"photographs": ["widerface"]}, "with further photographs"),
        ({"widths": [32, 48, 64, 96, 144]}, "filters 32-48-64-96-144"),
        ({"seed": 2}, "seed 2"),
        ({"teacher": None, "quality": True}, "without the teacher, scores with overlap"),
    ],
)
def test_a_row_says_what_the_run_changes(changed: dict[str, object], text: str) -> None:
    assert describe(changed) == text
