"""Small made photographs in the published formats: noise, where pale ovals with dark eyes are the faces."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.training_data import jpeg
from training.data.importers.boxes import LANDMARK_COLUMNS

Box = tuple[int, int, int, int]


def write_photographs(folder: Path, scenes: int = 80, goods: int = 40, portraits: int = 12) -> Path:
    """Write scenes, three of four with a face, of which two of three are sure; goods; portraits."""
    rng = np.random.default_rng(0)
    for name in ("scenes", "backgrounds", "fairface"):
        (folder / name).mkdir(parents=True)
    rows = []
    with zipfile.ZipFile(folder / "scenes" / "scenes.zip", "w") as archive:
        for number in range(scenes):
            file, box = f"sports/{number}.jpg", (int(rng.integers(20, 150)), 60, 40, 50)
            picture = noise(224, rng)
            if number % 4:
                draw(picture, box)
                rows.append((file, 0.9 if number % 3 else 0.4, box))
            archive.writestr(file, jpeg(picture))
    _write_boxes(folder / "scenes" / "face_boxes.csv", rows)
    with zipfile.ZipFile(folder / "backgrounds" / "grocery.zip", "w") as archive:
        for number in range(goods):
            archive.writestr(f"goods/{number}.jpg", jpeg(noise(224, rng)))
    rows = []
    with zipfile.ZipFile(folder / "fairface" / "fairface.zip", "w") as archive:
        for number in range(portraits):
            file, box = f"train/{number}.jpg", (18, 12, 60, 74)
            archive.writestr(file, jpeg(draw(noise(96, rng), box)))
            rows.append((file, 0.9, box))
    _write_boxes(folder / "fairface" / "face_boxes.csv", rows)
    return folder


def write_people(folder: Path, count: int = 3) -> None:
    """Add a validation split to FairFace's folder: portraits with labels, and with landmarks in its table."""
    labels, boxes = ["file,age,gender,race"], []
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "fairface.zip", "a") as archive:
        for number in range(count):
            archive.writestr(f"val/{number}.jpg", jpeg(draw(noise(96, rng), (18, 12, 60, 74))))
            labels.append(f"val/{number}.jpg,20-29,{'Male' if number % 2 else 'Female'},White")
            boxes.append(f"val/{number}.jpg,0.9,18,12,60,74,36,40,60,40,48,56")
    (folder / "fairface_label_val.csv").write_text("\n".join(labels) + "\n")
    marks = ",".join(LANDMARK_COLUMNS)
    (folder / "face_boxes.csv").write_text("\n".join([f"file,score,x,y,w,h,{marks}", *boxes]) + "\n")


def noise(side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A grey picture (side, side) of soft noise."""
    picture = rng.normal(110, 60, (side, side)).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2), np.uint8)


def draw(picture: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The picture with a face drawn into a box x, y, w, h."""
    x, y, w, h = box
    centre = (x + w // 2, y + h // 2)
    cv2.ellipse(picture, centre, (w // 2, h // 2), 0, 0, 360, 210, -1)
    for side in (-1, 1):
        cv2.circle(picture, (centre[0] + side * w // 5, centre[1] - h // 8), w // 10, 30, -1)
    return picture


def _write_boxes(path: Path, rows: list[tuple[str, float, Box]]) -> None:
    lines = [f"{file},{score},{','.join(map(str, box))}" for file, score, box in rows]
    path.write_text("\n".join(["file,score,x,y,w,h", *lines]) + "\n")
