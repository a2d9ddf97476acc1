"""Which FairFace faces may become part of a composite: adults who face the camera."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.classifier import Classifier
from inference.crops import crop
from training.data.datasets import FAIRFACE_SIDE, GENDERS, FairFace
from training.data.importers import dataset_folder, load_fairface
from training.errors import DatasetError

ADULTS = ("20-29", "30-39", "40-49", "50-59", "60-69")
LEAST_EYES = 26.0
"""Distance between the eyes in pixels: about what FairFace's frontal faces have."""
LEAST_FOUND = 0.8
"""Score with which the landmarks were found."""
MOST_TURNED = 0.16
"""How far nose and mouth may lie from between the eyes, in eye distances: a turn of about 10 degrees."""
MOST_TILTED = np.radians(20)

_POINTS = [
    f"{name}_{axis}"
    for name in ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
    for axis in "xy"
]
_BATCH = 512


@dataclass(frozen=True)
class Candidates:
    """n faces: pictures (n, 96, 96) uint8, landmarks (n, 5, 2), labels, and the classifier's estimates."""

    images: NDArray[np.uint8]
    points: NDArray[np.float64]
    genders: NDArray[np.int64]
    """(n,) index into `training.data.datasets.GENDERS`"""
    groups: NDArray[np.str_]
    """(n,) FairFace's race label: a composite is to mix them."""
    expressions: NDArray[np.float32]
    """(n, expressions) in the order of the classifier's labels"""
    agreed: NDArray[np.bool_]
    """(n,) whether the classifier perceives the gender that FairFace's label says"""

    def of(self, gender: str, expression: int, most: int) -> NDArray[np.int64]:
        """Rows of at most so many faces with this gender and top expression, surest first."""
        fits = (self.genders == GENDERS.index(gender)) & self.agreed
        rows = np.flatnonzero(fits & (self.expressions.argmax(axis=1) == expression))
        return rows[np.argsort(-self.expressions[rows, expression], kind="stable")][:most]


def load_candidates(data: Path, cache: Path, classifier: Classifier) -> Candidates:
    """All candidates of FairFace's training split; raises DatasetError for files that do not fit."""
    people = load_fairface(data, cache, "train")
    landmarks = read_landmarks(dataset_folder(data, "fairface") / "face_boxes.csv")
    nowhere = (0.0, np.zeros((5, 2)))
    scores, points = zip(*(landmarks.get(str(file), nowhere) for file in people.files), strict=True)
    chosen = (np.array(scores) > LEAST_FOUND) & np.isin(people.ages, ADULTS) & frontal(np.array(points))
    rows = np.flatnonzero(chosen)
    people = people.rows(rows)
    expressions, agreed = _read(people, classifier)
    return Candidates(
        people.images, np.array(points)[rows], people.genders, people.races, expressions, agreed
    )


def read_landmarks(path: Path) -> dict[str, tuple[float, NDArray[np.float64]]]:
    """Score and landmarks (5, 2) of the face nearest the centre of each picture, by file name."""
    found: dict[str, tuple[float, NDArray[np.float64]]] = {}
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        missing = {"file", "score", *_POINTS}.difference(reader.fieldnames or ())
        if missing:
            raise DatasetError(f"{path}: no column {', '.join(sorted(missing))}; found {reader.fieldnames}")
        for row, record in enumerate(reader, start=2):
            try:
                points = np.array([float(record[name]) for name in _POINTS]).reshape(5, 2)
                score = float(record["score"])
            except ValueError as error:
                raise DatasetError(f"{path.name} row {row}: {error}") from error
            name = record["file"]
            if name not in found or _off_centre(points) < _off_centre(found[name][1]):
                found[name] = (score, points)
    return found


def frontal(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which faces (n,) with landmarks (n, 5, 2) look into the camera, upright and large enough."""
    right, left = points[:, 0], points[:, 1]
    eyes = np.linalg.norm(left - right, axis=1)
    size = np.maximum(eyes, 1e-6)
    along = (left - right) / size[:, None]
    middle = (left + right) / 2
    nose = np.abs(((points[:, 2] - middle) * along).sum(axis=1)) / size
    mouth = np.abs(((points[:, 3:].mean(axis=1) - middle) * along).sum(axis=1)) / size
    tilt = np.abs(np.arctan2(along[:, 1], along[:, 0]))
    return np.asarray(
        (eyes > LEAST_EYES) & (nose < MOST_TURNED) & (mouth < MOST_TURNED) & (tilt < MOST_TILTED)
    )


def _off_centre(points: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(points.mean(axis=0) - FAIRFACE_SIDE / 2))


def _read(people: FairFace, classifier: Classifier) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    expressions, agreed = [], []
    order = [classifier.gender_head.labels.index(name) for name in GENDERS]
    for start in range(0, len(people.files), _BATCH):
        part = people.rows(np.arange(start, min(start + _BATCH, len(people.files))))
        pairs = zip(part.images, part.boxes, strict=True)
        crops = np.concatenate([crop(image, box[None], classifier.size) for image, box in pairs])
        classes = classifier.classify(crops)
        expressions.append(classes.expressions)
        agreed.append(classes.genders[:, order].argmax(axis=1) == part.genders)
    return np.concatenate(expressions), np.concatenate(agreed)
