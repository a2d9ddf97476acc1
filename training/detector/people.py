"""Whose faces the detector finds: portraits with labels of race, gender and age, and the turn of the head.

The photographs that the other figures come from have no labels of the people in them. FairFace's validation
portraits have, and no detector was trained on them: each is laid on photographs of goods, at a given size of
its face, and nothing else is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from inference.detector import Detector
from inference.model_file import shipped
from training.data.datasets import GENDERS, FairFace
from training.data.importers import load_fairface
from training.data.importers.boxes import read_landmarks
from training.data.importers.paths import dataset_folder
from training.detector.judging import overlap_matrix
from training.detector.scenes import Scene, load_groceries
from training.measure.bias import reading_order
from training.measure.statistics import share

FACE_SIZES = (16, 24, 40)
"""Sizes of a face, the root of its box's area, in pixels as the network sees them."""
TILE = 160
"""Side in pixels of a photograph of goods with one portrait."""
COLUMNS, ROWS = 4, 3
FOUND = 0.5
"""Least intersection over union of a box with the face, as in all figures of the detector."""
TURNED, FAR_TURNED = 0.15, 0.3
"""How far the nose is from the middle between the eyes, as a share of their distance: from here on a head
counts as turned, and as turned far."""
TURNS = ("towards the camera", "turned", "turned far", "not known")


def evaluate_people(
    model: Path | None, data: Path, cache: Path, sizes: Sequence[int] = FACE_SIZES
) -> dict[str, Any]:
    """The share of FairFace's validation faces found at `face`, by size and group, ready for JSON.

    `model` is an ONNX detector; None for the shipped one. Raises DatasetError, or ModelError for a file that
    is no detector.
    """
    longest = TILE * max(COLUMNS, ROWS)
    detector = Detector(model, own=model is not None, longest_side=longest)
    people, goods = load_fairface(data, cache, "val"), load_groceries(data, "validation")
    table = dataset_folder(data, "fairface") / "face_boxes.csv"
    members = group_members(people, read_landmarks(table, people.files.tolist()))
    found = {size: find_people(detector.detect, people, goods, size) for size in sizes}
    return {
        "file": (model or shipped("detector")).name,
        "people": len(people.files),
        "level": detector.levels.face,
        "groups": [
            {
                "kind": kind,
                "group": name,
                "found": {str(size): asdict(share(hits[rows])) for size, hits in found.items()},
            }
            for (kind, name), rows in members.items()
        ],
    }


def group_members(
    people: FairFace, landmarks: NDArray[np.float32]
) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """The groups by kind and name, each with its rows (n,): all, race, gender, age, turn of the head.

    `landmarks` (n, 3, 2) are right eye, left eye and nose in pixels, NaN where they are not known.
    """
    columns: Mapping[str, tuple[NDArray[Any], Sequence[str]]] = {
        "race": (people.races, sorted(set(people.races.tolist()))),
        "perceived gender": (np.array(GENDERS)[people.genders], GENDERS),
        "age": (people.ages, sorted(set(people.ages.tolist()), key=reading_order)),
        "head": (head_turns(landmarks), TURNS),
    }
    found = {("all", "all"): np.ones(len(people.files), np.bool_)}
    for kind, (values, names) in columns.items():
        for name in names:
            rows = np.asarray(values == name)
            if rows.any():
                found[kind, name] = rows
    return found


def head_turns(landmarks: NDArray[np.float32]) -> NDArray[np.str_]:
    """The turn of each head (n,), one of TURNS, from right eye, left eye and nose (n, 3, 2) in pixels.

    The nose's place along the line of the eyes is measured from their middle, as a share of their distance:
    0 in a face towards the camera, .5 where the nose covers an eye.
    """
    right, left, nose = landmarks[:, 0], landmarks[:, 1], landmarks[:, 2]
    across = left - right
    with np.errstate(invalid="ignore", divide="ignore"):
        offset = np.abs(((nose - (left + right) / 2) * across).sum(axis=1) / (across**2).sum(axis=1))
    kinds = np.digitize(offset, (TURNED, FAR_TURNED))
    return np.where(np.isfinite(offset), np.array(TURNS)[kinds], TURNS[-1])


def find_people(
    detect: Callable[[NDArray[np.uint8]], Any], people: FairFace, goods: Sequence[Scene], size: int
) -> NDArray[np.bool_]:
    """Which faces (n,) are found where they are `size` pixels large, by `detect` on sheets of portraits."""
    hits = np.zeros(len(people.files), np.bool_)
    sheets = list(lay_out(people, goods, size))
    for sheet, rows, boxes in track(sheets, f"{size} pixels"):
        found = detect(sheet).boxes
        hits[rows] = (overlap_matrix(boxes, found) >= FOUND).any(axis=1)
    return hits


def lay_out(
    people: FairFace, goods: Sequence[Scene], size: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]]:
    """Sheets (ROWS * TILE, COLUMNS * TILE) uint8 with one portrait on each tile, their rows and face boxes.

    A portrait lies at a random place of its tile, the same in every call, and whole, whatever its size is.
    """
    rng = np.random.default_rng(0)
    for first in range(0, len(people.files), COLUMNS * ROWS):
        rows = np.arange(first, min(first + COLUMNS * ROWS, len(people.files)))
        sheet = np.zeros((ROWS * TILE, COLUMNS * TILE), np.uint8)
        boxes = np.zeros((len(rows), 4), np.float32)
        for place in range(COLUMNS * ROWS):
            top, left = TILE * (place // COLUMNS), TILE * (place % COLUMNS)
            tile = sheet[top : top + TILE, left : left + TILE]
            tile[:] = _background(goods[(first + place) % len(goods)].pixels)
            if place < len(rows):
                boxes[place] = _lay_portrait(tile, people, int(rows[place]), size, rng)
                boxes[place, :2] += left, top
        yield sheet, rows, boxes


def _background(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(pixels, (TILE, TILE), interpolation=cv2.INTER_AREA), np.uint8)


def _lay_portrait(
    tile: NDArray[np.uint8], people: FairFace, row: int, size: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Lay a portrait on a tile; returns the box (4,) of its face, x y w h in pixels of the tile."""
    picture, box = people.images[row], people.boxes[row]
    side = min(max(round(len(picture) * size / float(np.sqrt(box[2] * box[3]))), 1), TILE)
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    left, top = rng.integers(0, TILE - side + 1, 2)
    tile[top : top + side, left : left + side] = small
    placed = box * np.float32(side / len(picture))
    placed[:2] += left, top
    return np.asarray(placed, np.float32)
