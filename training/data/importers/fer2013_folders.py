"""FER2013 as folders of pictures, `train/angry/*.jpg`, used if Kaggle's table does not exist.

FER+ has no votes for these files: all are 0. A file name that begins with PublicTest or PrivateTest decides
the part of a picture in `test`. If no name does, a tenth of `train` replaces PublicTest, and all of `test`
is PrivateTest.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from training.data.datasets import EXPRESSIONS, FER_SIDE, FERPLUS_COLUMNS, Fer2013, held_out
from training.data.importers.paths import Tick, no_progress
from training.data.importers.picture_files import find_pictures, open_pictures, resize_square
from training.data.importers.tables import quote
from training.errors import DatasetError

ARCHIVES = ("archive.zip", "fer2013.zip")

_EXPRESSIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "disgusted": "disgust",
    "fear": "fear",
    "fearful": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprise": "surprise",
    "surprised": "surprise",
    "neutral": "neutral",
} | {name: name for name in EXPRESSIONS}

_USAGES = {
    "train": "Training",
    "training": "Training",
    "val": "PublicTest",
    "valid": "PublicTest",
    "validation": "PublicTest",
    "publictest": "PublicTest",
    "test": "PrivateTest",
    "privatetest": "PrivateTest",
}


def find_picture_folders(folder: Path) -> Path | None:
    """The archive or folder with FER2013's pictures; None without pictures."""
    source = find_pictures(folder, *ARCHIVES)
    with open_pictures(source) as pictures:
        return source if pictures.names else None


def read_picture_folders(source: Path, tick: Tick = no_progress) -> Fer2013:
    """Read SPLIT/EXPRESSION/FILE, in the order of their names; raises DatasetError."""
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    usages: list[str] = []
    with open_pictures(source) as pictures:
        for name in pictures.names:
            usage, label = _parse_name(name, source)
            images.append(resize_square(pictures.gray(name), FER_SIDE, f"{source}: {quote(name)}"))
            labels.append(label)
            usages.append(usage)
            tick()
    stack, parts = np.stack(images), np.array(usages, np.str_)
    if "PublicTest" not in usages:
        validation = held_out(image.tobytes() for image in stack)
        parts[validation & (parts == "Training")] = "PublicTest"
    votes = np.zeros((len(images), len(FERPLUS_COLUMNS)), np.int64)
    return Fer2013(stack, np.array(labels, np.int64), parts, votes)


def _parse_name(name: str, source: Path) -> tuple[str, int]:
    """The part and the class number of a picture, from its path."""
    where = f"{source}: {quote(name)}"
    *_, split, expression, file = ("", "", *PurePosixPath(name).parts)
    known = _EXPRESSIONS.get(expression.lower())
    if known is None:
        raise DatasetError(
            f"{where}: folder {quote(expression)}, expected SPLIT/EXPRESSION/FILE with an expression of "
            "angry, disgust, fear, happy, sad, surprise, neutral"
        )
    usage = _USAGES.get(split.lower())
    if usage is None:
        raise DatasetError(
            f"{where}: folder {quote(split)}, expected SPLIT/EXPRESSION/FILE with a split of "
            "train, validation, test"
        )
    prefix = _USAGES.get(file.split("_")[0].lower(), usage)
    # A name separates only the two test parts; the folder decides what is for training.
    return (prefix if "Training" not in (usage, prefix) else usage), EXPRESSIONS.index(known)
