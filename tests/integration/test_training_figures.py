"""The files that ship on the real data sets: their figures, and faces as our detector frames them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from inference.classifier import Classifier
from inference.detector import Detector
from inference.model_file import MODELS
from training.classifier.evaluate import headline
from training.classifier.validation import Pictures, load_pictures, outputs
from training.measure.robustness import detected
from training.runs.folder import ONNX_FILES

FILES = {precision: MODELS / source.replace("model", "faces") for precision, source in ONNX_FILES.items()}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    data = os.environ.get("MIEN_DATA")
    if not data:
        pytest.skip("MIEN_DATA names no folder with the data sets")
    return load_pictures("validation", Path(data), tmp_path_factory.mktemp("cache"), Classifier().size)


@pytest.mark.parametrize("precision", FILES)
def test_shipped_figures_come_from_the_shipped_files(precision: str, pictures: Pictures) -> None:
    stated = json.loads((MODELS / "faces.json").read_text())
    if precision not in stated:
        pytest.skip(f"no {precision} file ships")
    found = headline(outputs(Classifier(FILES[precision]).logits, pictures), pictures)
    for name, share in stated[precision]["validation"]["headline"].items():
        assert found[name].n == share["n"]
        assert found[name].value == pytest.approx(share["value"], abs=0.003), name


def test_our_detector_frames_faces_as_the_data_sets_do(pictures: Pictures) -> None:
    rows = np.arange(100)
    few = Pictures(
        pictures.part,
        pictures.faces.rows(rows),
        pictures.face_crops[rows],
        pictures.people.rows(rows),
        pictures.person_crops[rows],
    )
    found = detected(few, Detector())
    assert len(found.face_crops) == len(found.faces.labels) > 70
    assert len(found.person_crops) == len(found.people.genders) > 70
    given = dict(zip(few.people.files, few.person_crops, strict=True))
    alike = [
        np.corrcoef(given[file].ravel(), crop.ravel())[0, 1]
        for file, crop in zip(found.people.files, found.person_crops, strict=True)
    ]
    assert np.median(alike) > 0.8
