"""Pictures of the figures of the files that ship, and of networks with one head."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from matplotlib.axes import Axes

from inference.model_file import MODELS
from training.pages.figure_pictures import (
    PICTURES,
    Figures,
    bias,
    calibration,
    confusion,
    draw,
    risk_coverage,
)


@pytest.fixture(scope="module")
def figures() -> Figures:
    shipped: Figures = json.loads((MODELS / "faces.json").read_text())["float32"]["test"]
    return shipped


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_every_picture_is_written_and_holds_something(figures: Figures, tmp_path: Path) -> None:
    written = draw(figures, tmp_path / "new" / "folder", "faces-")
    assert [path.name for path in written] == [f"faces-{name}.png" for name in PICTURES]
    for path in written:
        picture = cv2.imread(str(path))
        assert min(picture.shape[:2]) > 400
        assert picture.std() > 10
        assert path.stat().st_size < 250_000


def test_confusion_says_share_of_row_and_count(figures: Figures) -> None:
    votes, labels, gender = confusion(figures).axes
    counts = figures["fer2013"]["confusion"]
    assert f"{100 * counts[3][3] / sum(counts[3]):.0f}\n({counts[3][3]})" in texts(labels)
    assert len(texts(gender)) == 4
    assert [label.get_text() for label in votes.get_xticklabels()][3] == "happiness"


def test_calibration_shows_both_curves_and_all_faces(figures: Figures) -> None:
    heads = figures["calibration"]
    upper, lower = calibration(figures).axes[0], calibration(figures).axes[2]
    names = [text.get_text() for text in upper.get_legend().get_texts()]
    assert names[:2] == [
        f"{w}: ECE {100 * heads['expression'][f'ece_{w}']:.1f} %" for w in ("before", "after")
    ]
    heights = sum(bar.get_height() for bar in lower.patches)
    assert heights == 2 * heads["expression"]["coverage"]["n"]


def test_risk_is_drawn_for_both_heads_with_what_the_threshold_keeps(figures: Figures) -> None:
    (axes,) = risk_coverage(figures).axes
    for name, head in figures["calibration"].items():
        curve, point = (line for line in axes.lines if str(line.get_label()).startswith(f"{name}:"))
        assert curve.get_ydata()[-1] == head["risk_coverage"]["risk"][-1]
        assert point.get_xdata()[0] == head["coverage"]["value"]
        # The threshold's point is one of its curve.
        near = abs(curve.get_xdata() - point.get_xdata()[0]).argmin()
        assert curve.get_ydata()[near] == pytest.approx(point.get_ydata()[0], abs=0.01)


def test_bias_has_every_group_in_its_place(figures: Figures) -> None:
    (axes,) = bias(figures).axes
    cells = figures["gender"]["cells"]
    assert len(texts(axes)) == len(cells)
    ages, rows = ([label.get_text() for label in axis.get_ticklabels()] for axis in (axes.xaxis, axes.yaxis))
    cell = next(c for c in cells if (c["race"], c["gender"], c["age"]) == ("White", "female", "60-69"))
    (text,) = (
        t for t in axes.texts if t.get_position() == (ages.index("60-69"), rows.index("White, female"))
    )
    assert text.get_text() == f"{100 * cell['value']:.0f}\n({cell['n']})"


@pytest.mark.parametrize(
    ("kept", "names"),
    [
        ("expression", ["confusion", "calibration", "risk-coverage"]),
        ("gender", ["confusion", "calibration", "risk-coverage", "bias"]),
    ],
)
def test_a_network_with_one_head_has_the_pictures_of_that(
    figures: Figures, tmp_path: Path, kept: str, names: list[str]
) -> None:
    sets = {"expression": ("fer2013", "ferplus"), "gender": ("gender",)}[kept]
    few = {key: figures[key] for key in ("model", "part", *sets)}
    few["calibration"] = {kept: figures["calibration"][kept]}
    assert [path.stem for path in draw(few, tmp_path)] == names
