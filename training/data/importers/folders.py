"""FER2013 as folders of pictures, `train/angry/*.jpg`: what serves where Kaggle's table is not there.

FER+ has no votes for these files: all are 0. Whether a picture of `test` belongs to PublicTest or to
PrivateTest is told by its name where it begins with one of the two; in a layout that keeps silent about it
a tenth of `train` stands in for PublicTest, and all of `test` for PrivateTest.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from training.data.datasets import EXPRESSIONS, FER_SIDE, FERPLUS_COLUMNS, Fer2013, held_out
from training.data.importers.pictures import opened_pictures, picture_source, resized
from training.data.importers.places import Tick, silent
from training.data.importers.tables import shown
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


def find_folders(folder: Path) -> Path | None:
    """Where the pictures of FER2013 are: an archive in its folder, or the folder; None without any."""
    source = picture_source(folder, *ARCHIVES)
    with opened_pictures(source) as pictures:
        return source if pictures.names else None


def read_folders(source: Path, tick: Tick = silent) -> Fer2013:
    """Read SPLIT/EXPRESSION/FILE, in the order of their names; raises DatasetError."""
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    usages: list[str] = []
    with opened_pictures(source) as pictures:
        for name in pictures.names:
            usage, label = _meaning(name, source)
            images.append(resized(pictures.gray(name), FER_SIDE, f"{source}: {shown(name)}"))
            labels.append(label)
            usages.append(usage)
            tick()
    stack, parts = np.stack(images), np.array(usages, np.str_)
    if "PublicTest" not in usages:
        aside = held_out(image.tobytes() for image in stack)
        parts[aside & (parts == "Training")] = "PublicTest"
    votes = np.zeros((len(images), len(FERPLUS_COLUMNS)), np.int64)
    return Fer2013(stack, np.array(labels, np.int64), parts, votes)


def _meaning(name: str, source: Path) -> tuple[str, int]:
    """The part and the class number of a picture, by the folders it is in."""
    where = f"{source}: {shown(name)}"
    *_, split, expression, file = ("", "", *PurePosixPath(name).parts)
    known = _EXPRESSIONS.get(expression.lower())
    if known is None:
        raise DatasetError(
            f"{where}: folder {shown(expression)}, expected SPLIT/EXPRESSION/FILE with an expression of "
            "angry, disgust, fear, happy, sad, surprise, neutral"
        )
    usage = _USAGES.get(split.lower())
    if usage is None:
        raise DatasetError(
            f"{where}: folder {shown(split)}, expected SPLIT/EXPRESSION/FILE with a split of "
            "train, validation, test"
        )
    prefix = _USAGES.get(file.split("_")[0].lower(), usage)
    # A name tells the two test parts apart; what is trained on is for the folder to say.
    return (prefix if "Training" not in (usage, prefix) else usage), EXPRESSIONS.index(known)
