"""The shares of faces that the detector finds by size: those of the published figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference.errors import ModelError
from inference.model_file import MODELS
from inference.recall_by_size import FILE, RecallBySize, make_table

FIGURES = Path(__file__).parents[2] / "docs/figures/detector.json"


def test_the_table_beside_the_model_is_that_of_the_published_figures() -> None:
    figures = json.loads(FIGURES.read_text())
    assert json.loads((MODELS / FILE).read_text()) == make_table(
        figures.get("int8", figures["float32"])["test"]
    )


def test_larger_faces_are_found_more_often() -> None:
    recall = RecallBySize()
    shares = [recall.share(size) for size in (2, 10, 20, 30, 60, 100, 2000)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] == shares[-2] > 0.5


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"8-16": {}}', '{"small": 0.5}', '{"8": 0.5}'])
def test_a_table_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / FILE).write_text(text)
    with pytest.raises(ModelError, match=r"detector_recall\.json: .*; publish the detector again"):
        RecallBySize(tmp_path)
