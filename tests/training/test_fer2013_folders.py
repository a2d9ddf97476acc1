"""Image folders instead of FER2013's table: from the pictures to figures."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.training_data import write_data, write_picture
from training.classifier.architectures import build
from training.classifier.evaluate import evaluate
from training.classifier.recipes import recipe
from training.classifier.train import fit
from training.classifier.validation import load_evaluation_set
from training.data.importers import load_fer2013
from training.errors import DatasetError
from training.measure.explain import explain
from training.measure.pooling import measure
from training.runs.run_folder import read_history

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The synthetic data with faces in train/angry/Training_0.png, test/sad/PrivateTest_1.png and so on."""
    data = write_data(tmp_path / "data", faces=84, people=32, tested=6)
    folder = data / "fer2013"
    faces = load_fer2013(data, None)
    for number, (image, label, usage) in enumerate(
        zip(faces.images, faces.labels, faces.usages, strict=True)
    ):
        split = "train" if usage == "Training" else "test"
        write_picture(folder / split / CLASSES[label] / f"{usage}_{number:03}.png", image)
    (folder / "fer2013.csv").unlink()
    (folder / "fer2013new.csv").unlink()
    return data


@pytest.mark.usefixtures("eagerly")
def test_without_votes_the_labels_are_learnt_and_measured(data: Path, tmp_path: Path) -> None:
    run, cache = tmp_path / "run", tmp_path / "cache"
    config = replace(
        recipe("paper_logreg"),
        epochs=8,
        expression_batch=7,
        gender_batch=8,
        augment=False,
        learning_rate=0.01,
    )
    model = fit(config, data, run, cache, resume=False)
    history = read_history(run)
    assert history[-1]["expression_crossentropy"] < history[0]["expression_crossentropy"]
    assert history[-1]["val_expression_accuracy"] > 0.5
    figures = evaluate(model, data, cache, "test")
    assert figures["headline"]["fer2013"]["n"] == 21
    assert figures["calibration"]["expression"]["coverage"]["n"] == 21
    assert not {"ferplus_strict", "ferplus_argmax"} & figures["headline"].keys()
    assert "ferplus" not in figures
    assert np.isfinite(figures["calibration"]["expression"]["ece_after"])


def test_heat_maps_show_the_labels_where_there_are_no_votes(data: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.h5"
    build("paper_cnn", {"expression": 7}, 0.1).save(model)
    (explained,) = explain(model, data, tmp_path / "cache", (), count=2)
    assert sum(len(faces) for faces in (*explained.right.values(), *explained.wrong.values())) > 0


def test_pooling_asks_for_votes(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no FER\\+ votes; pooling needs"):
        measure(data, tmp_path / "cache", faces=10)


def test_a_part_without_pictures_is_named(data: Path, tmp_path: Path) -> None:
    shutil.rmtree(data / "fer2013" / "test")
    with pytest.raises(DatasetError, match="there are no pictures of FER2013 PrivateTest to measure"):
        load_evaluation_set("test", data, tmp_path / "cache", 48)
