"""Composite heads: aligned, sharp, nobody's, and read as meant by the shipped models."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.classifier import Classifier
from inference.crops import crop
from inference.detector import Detector
from training.data.datasets import GENDERS
from training.demo_people.candidates import Candidates, frontal, read_landmarks
from training.demo_people.canvas import (
    EYE_LINE,
    EYES,
    HEIGHT,
    MIDDLE,
    WIDTH,
    Plane,
    coverage,
    inside,
    mirrored,
)
from training.demo_people.composite import INNER, aligned, compose
from training.demo_people.hair import WOMEN
from training.demo_people.head import Look, draw
from training.demo_people.reading import read
from training.demo_people.selection import FACES, FEWEST, MOST_OF_A_GROUP, blends
from training.demo_people.sheet import Sprite, write_sheet
from training.errors import DatasetError

SHAPE = np.array([[30.0, 40.0], [66.0, 40.0], [48.0, 60.0], [34.0, 80.0], [62.0, 80.0]])


def dotted(points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A picture of bright landmarks on grey."""
    picture = np.full((120, 120), 90, np.uint8)
    for x, y in points:
        cv2.circle(picture, (round(x * 16), round(y * 16)), 3 * 16, 220, -1, cv2.LINE_AA, 4)
    return picture


@pytest.mark.parametrize("mirror", [False, True])
def test_landmarks_land_where_those_of_all_faces_do(mirror: bool) -> None:
    angle = np.radians(14)
    turn = 1.2 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (SHAPE - SHAPE.mean(axis=0)) @ turn.T + [60, 62]
    face = aligned(dotted(points), points, mirror)
    for x in (MIDDLE - EYES / 2, MIDDLE + EYES / 2):
        around = face[round(EYE_LINE) - 14 : round(EYE_LINE) + 15, round(x) - 14 : round(x) + 15]
        row, column = np.unravel_index(around.argmax(), around.shape)
        assert abs(row - 14) <= 5
        assert abs(column - 14) <= 5
    assert face[INNER].mean() == pytest.approx(0, abs=1e-3)
    assert face[INNER].std() == pytest.approx(1, abs=1e-3)


def faces_of_many(seed: int, count: int = 10) -> list[Plane]:
    """The same features at slightly different places for every face."""
    rng = np.random.default_rng(seed)
    faces = []
    for _ in range(count):
        points = SHAPE + rng.normal(0, 1.6, SHAPE.shape)
        faces.append(aligned(dotted(points), SHAPE, mirror=False))
    return faces


def test_bending_makes_a_mean_sharper() -> None:
    faces = faces_of_many(1)
    plain = np.mean(faces, axis=0)
    bent = compose(faces).face
    sharpness = [
        float(cv2.Laplacian(face.astype(np.float32), cv2.CV_32F)[INNER].std()) for face in (plain, bent)
    ]
    assert sharpness[1] > 1.2 * sharpness[0]


def test_a_composite_is_nearer_to_the_mean_of_all_than_to_anyone() -> None:
    faces = faces_of_many(2)
    composite = compose(faces)
    to_mean = np.corrcoef(composite.face[INNER], np.mean(faces, axis=0)[INNER])[0, 1]
    to_each = [np.corrcoef(composite.face[INNER], face[INNER])[0, 1] for face in faces]
    assert to_mean > max(to_each)
    assert composite.likeness.shape == (len(faces),)


def test_outlines_have_an_inside() -> None:
    distance = inside(mirrored([(0, 50), (40, 60), (40, 150), (0, 160)]))
    cover = coverage(distance)
    assert cover.shape == (HEIGHT, WIDTH)
    assert cover[105, round(MIDDLE)] == 1
    assert cover[20, round(MIDDLE)] == cover[105, 5] == 0
    assert np.allclose(cover[:, : WIDTH // 2], cover[:, : WIDTH // 2 - 1 : -1], atol=0.25)


def test_only_frontal_faces_pass() -> None:
    turned, tilted, small = SHAPE.copy(), SHAPE.copy(), SHAPE * 0.5
    turned[2, 0] += 12
    tilted = (SHAPE - 50) @ np.array([[0.87, 0.5], [-0.5, 0.87]]) + 50
    assert frontal(np.stack([SHAPE, turned, tilted, small])).tolist() == [True, False, False, False]


def test_a_landmark_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "face_boxes.csv"
    path.write_text("file,score\ntrain/1.jpg,0.9\n")
    with pytest.raises(DatasetError, match=r"face_boxes.csv: no column left_eye_x"):
        read_landmarks(path)
    names = [f"{n}_{a}" for n in ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth") for a in "xy"]
    path.write_text(f"file,score,{','.join(names)}\ntrain/1.jpg,0.9,{','.join(['1'] * 9)},wide\n")
    with pytest.raises(DatasetError, match=r"row 2: .*wide"):
        read_landmarks(path)


def test_nothing_to_write_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no composite is read as meant"):
        write_sheet([], Classifier(), tmp_path)


@pytest.fixture(scope="module")
def smiling() -> Candidates:
    """The first women of FairFace whom the shipped classifier sees smile."""
    if "MIEN_DATA" not in os.environ:
        pytest.skip("MIEN_DATA is not set: it names the folder with the data set fairface")
    folder = next(Path(os.environ["MIEN_DATA"]).glob("**/fairface"))
    rows = (folder / "fairface_label_train.csv").read_text().splitlines()[1:500]
    landmarks = read_landmarks(folder / "face_boxes.csv")
    images, points, groups = [], [], []
    with zipfile.ZipFile(folder / "fairface.zip") as archive:
        for name, age, gender, group in (row.split(",") for row in rows):
            if name in landmarks and gender == "Female" and age in ("20-29", "30-39", "40-49"):
                pixels = np.frombuffer(archive.read(name), np.uint8)
                images.append(np.asarray(cv2.imdecode(pixels, cv2.IMREAD_GRAYSCALE), np.uint8))
                points.append(landmarks[name][1])
                groups.append(group)
    chosen = frontal(np.stack(points))
    classifier = Classifier()
    crops = np.concatenate([crop(image, [(10, -7, 76, 100)], classifier.size) for image in images])
    return Candidates(
        images=np.stack(images)[chosen],
        points=np.stack(points)[chosen],
        genders=np.full(chosen.sum(), GENDERS.index("female")),
        groups=np.array(groups)[chosen],
        expressions=classifier.classify(crops).expressions[chosen],
        agreed=np.ones(chosen.sum(), np.bool_),
    )


def test_real_faces_become_a_head_that_is_read_as_meant(smiling: Candidates, tmp_path: Path) -> None:
    classifier, detector = Classifier(), Detector()
    rows = smiling.of("female", classifier.expression_head.labels.index("happiness"), 40)
    assert len(rows) >= FEWEST
    blend = blends(smiling, rows, most=1)[0]
    assert FEWEST <= len(blend.members) <= FACES
    _, counts = np.unique(smiling.groups[list(blend.members)], return_counts=True)
    assert counts.max() <= MOST_OF_A_GROUP
    look = Look("female", WOMEN["long"], skin=150, hair_tone=50, cap_tone=100)
    head = draw(blend.composite, look, np.random.default_rng(0))
    reading = read(head, classifier, detector)
    assert reading.says("female", "happiness")
    assert not reading.says("male", "happiness")
    assert not reading.says("female", "anger")
    picture, index = write_sheet([Sprite(look, "happiness", blend, head, reading)], classifier, tmp_path)
    pixels = np.asarray(cv2.imread(str(picture), cv2.IMREAD_UNCHANGED))
    assert pixels.shape[2] == 4
    assert np.abs(pixels[:HEIGHT, :WIDTH, 3] / 255 - head.alpha).mean() < 0.01
    (entry,) = json.loads(index.read_text())["sprites"]
    assert entry["faces"] == len(blend.members)
    assert entry["box"] == [0, 0, WIDTH, HEIGHT]
