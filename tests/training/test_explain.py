"""Grad-CAM on a network that is known to look at one place, and the sheet of a real fit."""

from __future__ import annotations

from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from keras import layers

from tests.support.training_data import write_data
from training.classifier.architectures import build
from training.errors import ExplainError, RunError
from training.measure.explain import Face, distinct, explain, heat_maps, surest
from training.pages.explain_sheet import check_sheet, draw_sheet, overlaid


def spotter() -> keras.Model:
    """Says "male" of bright spots and "female" of dark ones, on grey ground; 48 x 48 pixels."""
    pixels = keras.Input((48, 48, 1), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(pixels)
    spots = layers.Conv2D(2, 5, strides=4, padding="same", activation="relu", use_bias=False, name="spots")
    x = layers.GlobalAveragePooling2D(name="average")(spots(x))
    gender = layers.Dense(2, name="gender")
    model = keras.Model(pixels, {"gender": gender(x)})
    spots.set_weights([np.stack([-np.ones((5, 5, 1)), np.ones((5, 5, 1))], axis=-1) / 25])
    gender.set_weights([np.array([[5.0, -5.0], [-5.0, 5.0]]), np.zeros(2)])
    return model


def spotted(x: int, y: int, brightness: int) -> np.ndarray:
    crop = np.full((48, 48), 128, np.uint8)
    cv2.circle(crop, (x, y), 4, brightness, -1)
    return crop


@pytest.mark.parametrize("place", [(9, 33), (40, 12), (24, 24)])
def test_heat_is_where_the_answer_comes_from(place: tuple[int, int]) -> None:
    crop = spotted(*place, 255)
    other = (47 - place[0] + 5, 47 - place[1]) if place != (24, 24) else (6, 6)
    cv2.circle(crop, other, 4, 0, -1)
    bright, dark = heat_maps(spotter(), "gender", np.stack([crop] * 2), np.array([1, 0]))
    for heat, (x, y) in ((bright, place), (dark, other)):
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert np.hypot(column - x, row - y) <= 4
        assert heat.max() == pytest.approx(1, abs=0.1)
        assert heat.min() == 0
    assert bright[other[1], other[0]] == dark[place[1], place[0]] == 0


def test_nothing_is_hot_where_nothing_speaks_for_the_answer() -> None:
    heat = heat_maps(spotter(), "gender", spotted(20, 20, 255)[None], np.array([0]))
    assert heat.shape == (1, 48, 48)
    assert not heat.any()


@pytest.mark.parametrize("arch", ["paper_convlstm", "paper_lstm"])
def test_clips_are_explained_by_their_last_frame(arch: str) -> None:
    model = build(arch, {"gender": 2}, 0.1)
    clips = np.random.default_rng(0).integers(0, 256, (3, 3, 48, 48)).astype(np.uint8)
    answers = np.array([0, 1, 1])
    assert heat_maps(model, "gender", clips, answers).shape == (3, 48, 48)


def test_the_surest_come_first_of_the_right_and_of_the_wrong() -> None:
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]], np.float32)
    truth = np.array([0, 0, 0, 0, 1])
    assert surest(probabilities, truth, 0, True, 5).tolist() == [1, 0]
    assert surest(probabilities, truth, 0, False, 1).tolist() == [2]
    assert surest(probabilities, truth, 1, False, 5).tolist() == []


def test_a_picture_that_is_there_twice_counts_once() -> None:
    crops = np.stack([spotted(9, 9, 255), spotted(8, 9, 255), spotted(9, 9, 255)])
    assert distinct(crops).tolist() == [0, 1]


def test_a_sheet_shows_validation_faces_of_every_label(tmp_path: Path) -> None:
    data, run = write_data(tmp_path / "data"), tmp_path / "run" / "model.h5"
    run.parent.mkdir()
    keras.utils.set_random_seed(1)
    build("paper_cnn", {"expression": 7, "gender": 2}, 0.1).save(run)
    explained = explain(run, data, tmp_path / "cache", (), count=2)
    assert [(each.head, each.source) for each in explained] == [
        ("expression", "FER2013 PublicTest"),
        ("gender", "FairFace held-out slice of train"),
    ]
    for each in explained:
        for label in each.right:
            assert all(face.answer == face.truth == label for face in each.right[label])
            assert all(face.answer != face.truth == label for face in each.wrong[label])
        assert sum(len(faces) for faces in (*each.right.values(), *each.wrong.values())) > 1
    sheet = tmp_path / "sheets" / "sheet.jpg"
    draw_sheet(explained, "Grad-CAM", sheet)
    height, width, _ = cv2.imread(str(sheet)).shape
    assert width > 600
    assert height > 900
    with pytest.raises(ExplainError, match=r"has no head 'mood'; it has expression, gender"):
        explain(run, data, tmp_path / "cache", ("mood",), count=2)
    with pytest.raises(RunError, match="is not a trained model"):
        explain(data / "fer2013" / "fer2013.csv", data, tmp_path / "cache", (), count=2)


def test_heat_covers_the_second_of_two_pictures() -> None:
    heat = np.zeros((48, 48), np.float32)
    heat[10:20, 10:20] = 1
    shown = overlaid(Face(np.full((48, 48), 100, np.uint8), heat, "male", "male", 0.9))
    grey, covered = shown[:, :48], shown[:, 50:]
    assert np.allclose(grey, 100 / 255)
    assert np.array_equal(np.abs(covered - grey).max(axis=2) > 0.01, heat == 1)


def test_a_sheet_that_is_no_picture_is_refused() -> None:
    with pytest.raises(ExplainError, match=r"sheet\.gif ends with '\.gif', expected one of \.png"):
        check_sheet(Path("sheet.gif"))
