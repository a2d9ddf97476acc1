"""A small made data folder in the published formats: noise, lit from the side that tells the class."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.demo.sheet import load_sheet
from training.classifier.recipes import Config, recipe
from training.data.datasets import EXPRESSIONS, FERPLUS_COLUMNS, GENDERS

RACES = ("Black", "East Asian", "White")
AGES = ("3-9", "20-29", "more than 70")


def write_data(folder: Path, faces: int = 84, people: int = 64, tested: int = 12) -> Path:
    """Write FER2013, FER+ and FairFace; half of the faces are Training, a quarter each is tested."""
    rng = np.random.default_rng(0)
    fer, fairface = folder / "fer2013", folder / "fairface"
    fer.mkdir(parents=True)
    fairface.mkdir()
    rows = ["emotion,pixels,Usage"]
    votes = ["Usage,Image name," + ",".join(FERPLUS_COLUMNS)]
    for number in range(faces):
        label = number % len(EXPRESSIONS)
        usage = ("Training", "PublicTest", "Training", "PrivateTest")[number // len(EXPRESSIONS) % 4]
        pixels = " ".join(map(str, lit(48, label / len(EXPRESSIONS), rng).ravel()))
        rows.append(f"{label},{pixels},{usage}")
        votes.append(f"{usage},fer{number}.png,{','.join(map(str, votes_for(EXPRESSIONS[label])))}")
    (fer / "fer2013.csv").write_text("\n".join(rows) + "\n")
    (fer / "fer2013new.csv").write_text("\n".join(votes) + "\n")
    boxes = ["file,score,x,y,w,h"]
    with zipfile.ZipFile(fairface / "fairface.zip", "w") as archive:
        for split, count in (("train", people), ("val", tested)):
            table = ["file,age,gender,race"]
            for number in range(count):
                file, gender = f"{split}/{number}.jpg", number % 2
                archive.writestr(file, jpeg(lit(96, 0.25 + gender / 2, rng)))
                row = file, AGES[number % 3], GENDERS[gender].title(), RACES[number // 2 % 3]
                table.append(",".join(row))
                boxes.append(f"{file},0.9,16,8,64,80")
            (fairface / f"fairface_label_{split}.csv").write_text("\n".join(table) + "\n")
    (fairface / "face_boxes.csv").write_text("\n".join(boxes) + "\n")
    return folder


def tiny(arch: str, **changes: object) -> Config:
    """One pass of an architecture's recipe over such data."""
    return replace(recipe(arch), epochs=1, expression_batch=7, gender_batch=8, **changes)


def votes_for(expression: str, count: int = 10) -> list[int]:
    """FER+ votes (10) that all agree."""
    return [count if name == expression else 0 for name in FERPLUS_COLUMNS]


def lit(side: int, turn: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Noise (side, side) under a light from one direction, a share of a full turn."""
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    light = x * np.cos(2 * np.pi * turn) + y * np.sin(2 * np.pi * turn)
    return (128 + 160 * light + rng.normal(0, 8, light.shape)).clip(0, 255).astype(np.uint8)


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A picture as the bytes of a JPEG file."""
    return cv2.imencode(".jpg", picture)[1].tobytes()


def portrait(number: int = 0, side: int = 96) -> NDArray[np.uint8]:
    """One of the demo's composite heads on light grey (side, side): a face to a detector."""
    head = load_sheet().heads[number]
    height, width = head.alpha.shape
    alpha = head.alpha / 255
    square = np.full((height, height), 200, np.uint8)
    left = (height - width) // 2
    square[:, left : left + width] = head.luminance * alpha + 200 * (1 - alpha)
    return np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def write_picture(path: Path, picture: NDArray[np.uint8]) -> Path:
    """Write a picture in the format of its name, with the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def zipped(folder: Path, archive: Path) -> Path:
    """Pack the files of a folder, and leave only the archive."""
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, path.relative_to(folder.parent))
    shutil.rmtree(folder)
    return archive
