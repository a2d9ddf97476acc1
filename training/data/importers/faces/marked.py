"""A photograph with boxes, and what the readers of all formats share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.importers.tables import quote
from training.errors import DatasetError

LONGEST_SIDE = 640
"""Photographs are reduced to this longest side: the size at which the detector runs."""


class LabelledBox(NamedTuple):
    """A box in pixels of the photograph, x y its upper left corner; `sure` where it is a face for certain."""

    x: float
    y: float
    w: float
    h: float
    sure: bool = True


@dataclass(frozen=True)
class Marked:
    """A grey photograph with the faces marked in it.

    Attributes:
        name: its path in the data set.
        pixels: (h, w) uint8, at most `LONGEST_SIDE` a side.
        boxes: the faces (n, 4) float32, x y w h in pixels.
        sure: which of them are faces without doubt (n,) bool.
    """

    name: str
    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    sure: NDArray[np.bool_]


def create_marked(name: str, pixels: NDArray[np.uint8], faces: list[LabelledBox]) -> Marked:
    """The photograph with its faces, both made smaller where it is large."""
    scale = min(LONGEST_SIDE / max(pixels.shape), 1.0)
    if scale < 1:
        size = max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    boxes = np.array([face[:4] for face in faces], np.float32).reshape(-1, 4) * np.float32(scale)
    return Marked(name, pixels, boxes, np.array([face.sure for face in faces], bool))


def parse_number(text: str | None, where: str, what: str) -> float:
    """A finite number; raises DatasetError that begins with `where`."""
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(f"{where}: {what} is {quote(text or '')}, expected a number")
    return value


def find_picture(wanted: str, names: Mapping[str, str], where: str) -> str:
    """The picture whose path ends in `wanted`; raises DatasetError where there is none, or more than one."""
    parts = PurePosixPath(wanted).parts
    found = [name for name in names if PurePosixPath(name).parts[-len(parts) :] == parts]
    if len(found) != 1:
        problem = "no picture" if not found else f"{len(found)} pictures"
        raise DatasetError(f"{where}: {problem} of the name {quote(wanted)} in the folder")
    return found[0]


def read_lines(path: Path) -> list[str]:
    """The lines of a text file; raises DatasetError for one that is not UTF-8 or cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as text ({error})") from error
