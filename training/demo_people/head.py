"""Drawing of a head around a composite face: neck, ears, hair and cap in the face's tones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.demo_people.canvas import (
    EYE_LINE,
    EYES,
    MIDDLE,
    Painting,
    Plane,
    X,
    Y,
    blur,
    coverage,
    distance_inside,
    mirror,
    ramp,
    relief,
)
from training.demo_people.composite import INNER, Composite
from training.demo_people.hair import Hair, meridians, strand_noise, texture

CONTRAST = 38.0
"""Standard deviation of a face's luminance."""

_FACE = mirror(
    [(0, 40), (30, 46), (48, 66), (54, 92), (55, 118), (52, 142), (46, 162), (32, 181), (14, 191), (0, 192)]
)
_BUN = mirror([(0, -8), (18, -4), (25, 8), (19, 20), (0, 26)])
_CAP = mirror([(0, 6), (34, 9), (58, 34), (64, 62), (60, 72), (30, 68), (0, 67)])
_BRIM = mirror([(0, 46), (38, 47), (61, 54), (66, 62), (62, 76), (34, 71), (0, 69)])
_NECK_WIDTHS = {"female": 35.0, "male": 42.0}
_FOREHEAD_ROW = 66
"""Row from which FairFace's pictures show the forehead; its tone continues above."""


@dataclass(frozen=True)
class Look:
    """Appearance of a head; tones are mean luminances from 0 to 255."""

    gender: str
    hair: Hair
    skin: float
    hair_tone: float
    cap_tone: float


def draw(composite: Composite, look: Look, rng: np.random.Generator) -> Painting:
    """Draw the head of a composite face."""
    skin = _skin_tones(composite, look.skin)
    hair = look.hair
    painting = Painting()
    strands = meridians(hair.parting, hair.waves, float(rng.uniform(0, 6)))
    ragged = strand_noise(rng, strands, (30, 70, 140))
    outline = distance_inside(hair.outline)
    locks = look.hair_tone * relief(outline, 34) * texture(rng, strands)
    covered = coverage(outline + 0.4 * ragged, 3)
    painting.add(locks * _neck_shadow(), covered)
    if hair.bun:
        bun = distance_inside(_BUN)
        painting.add(0.95 * locks * relief(bun, 16), coverage(bun))
    _neck(painting, skin, _NECK_WIDTHS[look.gender])
    if hair.ears:
        _ears(painting, skin)
    _face(painting, skin)
    opening = distance_inside(hair.opening)
    painting.shade(0.3 * blur(ramp(0.6 - opening / 8), 4) * painting.alpha)
    painting.add(locks, ramp((hair.ragged * ragged - opening) / hair.soft + 0.5) * covered)
    if hair.cap:
        _cap(painting, look.cap_tone)
    return painting


def _skin_tones(composite: Composite, tone: float) -> Plane:
    """The face's luminance; outside its inner part, plain skin replaces what the faces do not share."""
    skin = np.asarray(composite.face * CONTRAST + tone, np.float32)
    plain = _forehead(skin) + (_cheeks(skin) - _forehead(skin)) * ramp((Y - EYE_LINE + EYES / 2) / EYES)
    shared = np.maximum(ramp((1.1 - composite.spread) / 0.5), blur(INNER.astype(np.float32), 5))
    shared = blur(shared, 3)
    return np.asarray(skin * shared + plain * (1 - shared), np.float32)


def _forehead(skin: Plane) -> float:
    return float(np.median(skin[_FOREHEAD_ROW + 10 : _FOREHEAD_ROW + 22, 70:106]))


def _cheeks(skin: Plane) -> float:
    return float(np.median(skin[112:160, [46, 50, 54, 122, 126, 130]]))


def _neck_shadow() -> Plane:
    """The shadow on hair behind the neck."""
    return 1 - 0.5 * ramp((Y - 110) / 60) * ramp((62 - np.abs(X - MIDDLE)) / 14)


def _neck(painting: Painting, skin: Plane, width: float) -> None:
    cheeks = _cheeks(skin)
    half = [(0, 150), (width, 150), (width - 3, 190), (width - 2, 212), (width + 6, 240), (width + 30, 262)]
    neck = distance_inside(mirror([*half, (0, 280)]))
    below_chin = 1 - 0.42 * ramp((215 - Y + 10 * ((X - MIDDLE) / width) ** 2) / 34)
    painting.add(0.92 * cheeks * relief(neck, 30, 0.6) * below_chin, coverage(neck, 3))


def _ears(painting: Painting, skin: Plane) -> None:
    cheeks = _cheeks(skin)
    for side in (-1, 1):
        outline = [(48, 100), (58, 97), (63, 104), (62, 118), (57, 134), (50, 138)]
        ear = distance_inside([(side * x, y) for x, y in outline])
        hollow = np.exp(-(((X - MIDDLE - side * 57) / 3) ** 2 + ((Y - EYE_LINE - 10) / 10) ** 2))
        painting.add(0.86 * cheeks * relief(ear, 8, 0.4) * (1 - 0.22 * hollow), coverage(ear))


def _face(painting: Painting, skin: Plane) -> None:
    outline = distance_inside(_FACE)
    seen = ramp((Y - _FOREHEAD_ROW) / 14)
    edge_shading = 0.72 + 0.28 * ramp(outline / 16)
    painting.add((skin * seen + _forehead(skin) * (1 - seen)) * edge_shading, ramp(outline / 7))


def _cap(painting: Painting, tone: float) -> None:
    """A knitted cap."""
    ribs = np.asarray(1 + 0.07 * np.sin(70 * meridians()), np.float32)
    dome, brim = distance_inside(_CAP), distance_inside(_BRIM)
    painting.add(tone * relief(dome, 36, 0.6) * ribs, coverage(dome))
    below = blur(coverage(brim, 4), 4) * (1 - coverage(brim, 3)) * ramp((Y - 60) / 10)
    painting.shade(0.35 * below)
    painting.add(1.06 * tone * relief(brim, 10, 0.6) * ribs, coverage(brim))
