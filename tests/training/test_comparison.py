"""The comparison: systems trained and measured, and tables made from the stored figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from inference.classifier import softmax
from mien.cli.train.app import app
from tests.support.training_data import write_data
from tests.support.training_runs import running_eagerly
from training.classifier.architectures import ARCHITECTURES
from training.classifier.recipes import recipe
from training.errors import UnknownSystem
from training.measure.comparison import FIGURES_FILE, mean_of_frames, merge_figures, train_and_measure
from training.measure.systems import REMEDIES, SYSTEMS, chosen, gender_passes
from training.pages.comparison_page import (
    accuracy_table,
    claim_table,
    cost_table,
    draw,
    draw_remedies,
    remedy_table,
)
from training.runs.run_folder import MODEL_FILE

FEW = ["paper_cnn", "paper_logreg_features", "remedy_none"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three systems, one of which copies weights of another, trained for one pass on synthetic data."""
    folder = tmp_path_factory.mktemp("comparison")
    data = write_data(folder / "data")
    lines: list[str] = []
    with running_eagerly():
        train_and_measure(chosen(FEW), folder / "runs", data, folder / "cache", 1, lines.append)
    assert [line.split(":")[0] for line in lines] == [f"{n}/3 {name}" for n, name in enumerate(FEW, 1)]
    before = (folder / "runs" / "paper_cnn" / MODEL_FILE).stat().st_mtime_ns
    train_and_measure(chosen(FEW), folder / "runs", data, folder / "cache", 1, lines.append)
    assert len(lines) == len(FEW), "measured systems are skipped"
    assert (folder / "runs" / "paper_cnn" / MODEL_FILE).stat().st_mtime_ns == before
    return folder / "runs"


def test_every_system_has_a_network_and_copies_weights_only_from_an_earlier_one() -> None:
    seen: set[str] = set()
    for system in (*SYSTEMS, *REMEDIES):
        assert system.arch in ARCHITECTURES
        assert system.trunk is None or system.trunk in seen
        assert system.config(Path("runs"), 6).epochs == 6
        seen.add(system.name)
    assert len(seen) == len(SYSTEMS) + len(REMEDIES), "names are unique"
    assert {system.arch for system in SYSTEMS} == set(ARCHITECTURES) - {"residual", "lite0"}


def test_networks_for_both_tasks_have_as_many_passes_over_both_data_sets() -> None:
    """Passes over FairFace follow from the faces with a gender per step, and from the number of faces."""
    for system in SYSTEMS:
        config = system.config(Path("runs"), 6)
        assert gender_passes(config) == pytest.approx(0 if config.task == "emotion" else 6, abs=0.02)
    assert gender_passes(replace(recipe("mien"), epochs=6)) == pytest.approx(2.9, abs=0.01)
    assert gender_passes(replace(recipe("paper_cnn"), epochs=2), 1280, 500) == pytest.approx(4.48)


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(UnknownSystem, match="'resnet' is unknown; known: paper_cnn, "):
        chosen(["resnet"])


def test_figures_of_runs_replace_stored_ones_and_the_rest_is_kept(runs: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps({"paper_cnn": {"passes": 99}, "mien": {"passes": 7}}))
    found = merge_figures(runs, kept)
    assert found["mien"] == {"passes": 7}
    assert found["paper_cnn"]["passes"] == 1
    assert set(found) == {"mien", *FEW}


def test_the_tables_show_the_measured_figures(runs: Path, tmp_path: Path) -> None:
    figures = merge_figures(runs, tmp_path / "none.json")
    rows = accuracy_table(figures).splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == [
        "`paper_cnn`",
        "`paper_cnn, mean of 3`",
        "`paper_cnn, one frame`",
        "`paper_logreg_features`",
        "`mien, as it ships`",
    ]
    right = figures["paper_cnn"]["parts"]["test"]["headline"]["gender"]["value"]
    assert f"| {100 * right:.1f} (" in rows[0]
    assert "| `paper_cnn` | 1,150,672 | 14.51 |" in cost_table(figures)
    assert "`zhou_transfer`" in claim_table(figures)
    stored = {"paper_cnn": figures["paper_cnn"] | {"passes": 6}}
    assert stored["paper_cnn"].pop("gender_passes") == round(165 / 57, 1)
    assert "| `paper_cnn` | CNN of the paper | 6 | 4.1 |" in accuracy_table(stored)
    assert remedy_table(figures).splitlines()[2].startswith("| no remedy |")
    for name, drawn in (("chart.png", draw), ("remedies.png", draw_remedies)):
        drawn(figures, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5_000


def test_the_mean_over_frames_is_that_of_probabilities() -> None:
    rows = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, -1.0]], np.float32)
    clips = np.arange(3, dtype=np.uint8).reshape(1, 3, 1, 1)
    found = mean_of_frames(lambda crops: {"gender": rows[crops[:, 0, 0]]})(clips)
    assert np.allclose(softmax(found["gender"], 1.0), softmax(rows, 1.0).mean(axis=0), atol=1e-6)


def test_without_data_the_command_names_the_missing_option(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["compare", "--runs", str(tmp_path)], env={"MIEN_DATA": ""})
    assert result.exit_code == 2
    assert "--data is missing" in result.stderr
    assert not (tmp_path / FIGURES_FILE).exists()
