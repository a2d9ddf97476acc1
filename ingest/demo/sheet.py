"""Sprite sheet: composite heads with their gender and expression."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]

HEAD_SCALE = 640.0
"""Sprite pixels per metre: eyes 48 pixels apart; heads are enlarged so that small pictures show them."""


@dataclass(frozen=True, eq=False)
class Head:
    """One composite head, seen from the front: `luminance` and `alpha` (height, width) uint8."""

    gender: str
    expression: str
    faces: int
    """Number of faces that were averaged."""
    hair_tone: float
    luminance: Gray
    alpha: Gray


@dataclass(frozen=True, eq=False)
class Sheet:
    """All heads, and the position of the eyes in each, in pixels."""

    heads: tuple[Head, ...]
    eyes: tuple[float, float]

    def numbers(self, gender: str) -> dict[str, list[int]]:
        """The numbers of the heads of one perceived gender, by expression."""
        found: dict[str, list[int]] = {}
        for number, head in enumerate(self.heads):
            if head.gender == gender:
                found.setdefault(head.expression, []).append(number)
        return found


@cache
def load_sheet() -> Sheet:
    """The sheet that ships with Mien."""
    folder = files("ingest.demo")
    index = json.loads(folder.joinpath("people.json").read_text())
    encoded = np.frombuffer(folder.joinpath("people.webp").read_bytes(), np.uint8)
    pixels = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED))
    heads = []
    for entry in index["sprites"]:
        x, y, width, height = entry["box"]
        cut = np.asarray(pixels[y : y + height, x : x + width], np.uint8)
        heads.append(
            Head(
                gender=entry["gender"],
                expression=entry["expression"],
                faces=entry["faces"],
                hair_tone=entry["hair_tone"],
                luminance=np.ascontiguousarray(cut[..., 0]),
                alpha=np.ascontiguousarray(cut[..., 3]),
            )
        )
    return Sheet(tuple(heads), (index["eyes"]["x"], index["eyes"]["y"]))
