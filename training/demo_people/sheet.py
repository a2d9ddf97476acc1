"""From candidates to the sprite sheet: what is kept, and how it is packed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from inference.classifier import Classifier
from inference.detector import Detector
from training.data.datasets import GENDERS
from training.demo_people.candidates import Candidates
from training.demo_people.canvas import EYE_LINE, EYES, HEIGHT, MIDDLE, WIDTH, Painting
from training.demo_people.hair import MEN, WOMEN
from training.demo_people.head import Look, draw
from training.demo_people.reading import Reading, read
from training.demo_people.selection import Blend, blends
from training.errors import DatasetError

WANTED = {"happiness": 5, "neutral": 5, "surprise": 3, "sadness": 3, "anger": 3}
"""Heads of each gender."""
TRIES = 18
"""Composites of one gender and expression from which these are taken."""
LOOKS = 3
"""Ways of drawing hair and skin that are tried for one composite."""

_POOL = 300
"""Candidates of one gender and expression, surest first, of which composites are made."""
_COLUMNS = 6
_QUALITY = 88
_SKINS = (150.0, 132.0, 162.0, 120.0, 142.0)
_HAIR_TONES = (45.0, 75.0, 38.0, 120.0, 60.0, 95.0, 50.0)
_CAP_TONES = (150.0, 80.0, 115.0, 65.0)


@dataclass(frozen=True)
class Sprite:
    """A head, and how it was read."""

    look: Look
    expression: str
    blend: Blend
    head: Painting
    reading: Reading

    def is_as_meant(self) -> bool:
        """Whether detector and classifier see the head for what it was made."""
        return self.reading.says(self.look.gender, self.expression)

    def describe(self) -> dict[str, Any]:
        """What the index says of it, but for its name and place."""
        gender, expression = self.look.gender, self.expression
        return {
            "gender": gender,
            "expression": expression,
            "faces": len(self.blend.members),
            "read_gender": round(self.reading.gender(gender), 3),
            "read_expression": round(self.reading.expression(expression), 3),
            "hair_tone": self.look.hair_tone,
        }


class Looks:
    """Heads that differ: skins, hair and caps are used in turn."""

    def __init__(self) -> None:
        self._hair = {"female": cycle(WOMEN.values()), "male": cycle(MEN.values())}
        self._skins, self._tones, self._caps = cycle(_SKINS), cycle(_HAIR_TONES), cycle(_CAP_TONES)

    def take(self, gender: str) -> list[Look]:
        """The next looks for one face of a gender, to be tried in turn."""
        return [
            Look(gender, next(self._hair[gender]), next(self._skins), next(self._tones), next(self._caps))
            for _ in range(LOOKS)
        ]


def make_sprites(
    people: Candidates, classifier: Classifier, detector: Detector, seed: int
) -> Iterator[Sprite]:
    """All sprites, by gender and expression: sharp composites that differ and are read as meant."""
    rng = np.random.default_rng(seed)
    looks = Looks()
    for gender in GENDERS:
        for expression, wanted in WANTED.items():
            label = classifier.expression_head.labels.index(expression)
            kept: list[Blend] = []
            for blend in blends(people, people.of(gender, label, _POOL), TRIES):
                if len(kept) == wanted or not all(blend.differs_from(other) for other in kept):
                    continue
                tried = (
                    Sprite(look, expression, blend, head, read(head, classifier, detector))
                    for look in looks.take(gender)
                    for head in [draw(blend.composite, look, rng)]
                )
                if sprite := next((sprite for sprite in tried if sprite.is_as_meant()), None):
                    kept.append(blend)
                    yield sprite


def write_sheet(sprites: Sequence[Sprite], classifier: Classifier, out: Path) -> tuple[Path, Path]:
    """Write `people.webp` (grey with alpha) and `people.json` (its index) into a folder.

    Raises DatasetError where there is nothing to write, or no WebP to write it with.
    """
    if not sprites:
        raise DatasetError("no composite is read as meant; ship a better classifier or detector first")
    lines = -(-len(sprites) // _COLUMNS)
    sheet = np.zeros((lines * HEIGHT, _COLUMNS * WIDTH, 4), np.uint8)
    index = []
    for place, sprite in enumerate(sprites):
        x, y = place % _COLUMNS * WIDTH, place // _COLUMNS * HEIGHT
        grey = np.clip(sprite.head.luminance, 0, 255)
        planes = np.dstack([grey, grey, grey, 255 * sprite.head.alpha])
        sheet[y : y + HEIGHT, x : x + WIDTH] = planes.round()
        index.append({"id": place, **sprite.describe(), "box": [x, y, WIDTH, HEIGHT]})
    ok, encoded = cv2.imencode(".webp", sheet, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    if not ok:
        raise DatasetError("OpenCV cannot write WebP; install opencv-python from PyPI")
    picture, listing = out / "people.webp", out / "people.json"
    picture.write_bytes(encoded.tobytes())
    listing.write_text(json.dumps(_head(classifier) | {"sprites": index}, indent=1) + "\n")
    return picture, listing


def _head(classifier: Classifier) -> dict[str, Any]:
    model = classifier.metadata
    return {
        "source": "composites of FairFace training faces (CC BY 4.0); no real person, see ATTRIBUTION.md",
        "read_by": f"{model.name} {model.version}, run {model.run}",
        "eyes": {"x": MIDDLE, "y": EYE_LINE, "distance": EYES},
    }
