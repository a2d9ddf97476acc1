"""A head around a composite face: neck, ears, hair and cap, drawn in the face's own tones."""

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
    blurred,
    coverage,
    inside,
    mirrored,
    ramp,
    relief,
)
from training.demo_people.composite import INNER, Composite
from training.demo_people.hair import Hair, meridians, texture, uneven

CONTRAST = 38.0
"""Standard deviation of a face's luminance."""

_FACE = mirrored(
    [(0, 40), (30, 46), (48, 66), (54, 92), (55, 118), (52, 142), (46, 162), (32, 181), (14, 191), (0, 192)]
)
_BUN = mirrored([(0, -8), (18, -4), (25, 8), (19, 20), (0, 26)])
_CAP = mirrored([(0, 6), (34, 9), (58, 34), (64, 62), (60, 72), (30, 68), (0, 67)])
_BRIM = mirrored([(0, 46), (38, 47), (61, 54), (66, 62), (62, 76), (34, 71), (0, 69)])
_NECK_WIDTHS = {"female": 35.0, "male": 42.0}
_SEEN_FROM = 66
"""Row from which FairFace's pictures show the forehead; above, its tone goes on."""


@dataclass(frozen=True)
class Look:
    """How a head is drawn; tones are mean luminances from 0 to 255."""

    gender: str
    hair: Hair
    skin: float
    hair_tone: float
    cap_tone: float


def draw(composite: Composite, look: Look, rng: np.random.Generator) -> Painting:
    """The head of a composite face."""
    skin = _skin(composite, look.skin)
    hair = look.hair
    painting = Painting()
    strands = meridians(hair.parting, hair.waves, float(rng.uniform(0, 6)))
    ragged = uneven(rng, strands, (30, 70, 140))
    outline = inside(hair.outline)
    locks = look.hair_tone * relief(outline, 34) * texture(rng, strands)
    covered = coverage(outline + 0.4 * ragged, 3)
    painting.lay(locks * _hollow(), covered)
    if hair.bun:
        bun = inside(_BUN)
        painting.lay(0.95 * locks * relief(bun, 16), coverage(bun))
    _neck(painting, skin, _NECK_WIDTHS[look.gender])
    if hair.ears:
        _ears(painting, skin)
    _face(painting, skin)
    opening = inside(hair.opening)
    painting.shade(0.3 * blurred(ramp(0.6 - opening / 8), 4) * painting.alpha)
    painting.lay(locks, ramp((hair.ragged * ragged - opening) / hair.soft + 0.5) * covered)
    if hair.cap:
        _cap(painting, look.cap_tone)
    return painting


def _skin(composite: Composite, tone: float) -> Plane:
    """The face's luminance; beyond its inner part, what the averaged faces do not share gives way to skin."""
    skin = np.asarray(composite.face * CONTRAST + tone, np.float32)
    plain = _forehead(skin) + (_cheeks(skin) - _forehead(skin)) * ramp((Y - EYE_LINE + EYES / 2) / EYES)
    shared = np.maximum(ramp((1.1 - composite.spread) / 0.5), blurred(INNER.astype(np.float32), 5))
    shared = blurred(shared, 3)
    return np.asarray(skin * shared + plain * (1 - shared), np.float32)


def _forehead(skin: Plane) -> float:
    return float(np.median(skin[_SEEN_FROM + 10 : _SEEN_FROM + 22, 70:106]))


def _cheeks(skin: Plane) -> float:
    return float(np.median(skin[112:160, [46, 50, 54, 122, 126, 130]]))


def _hollow() -> Plane:
    """Hair behind the neck lies in shadow."""
    return 1 - 0.5 * ramp((Y - 110) / 60) * ramp((62 - np.abs(X - MIDDLE)) / 14)


def _neck(painting: Painting, skin: Plane, width: float) -> None:
    cheeks = _cheeks(skin)
    half = [(0, 150), (width, 150), (width - 3, 190), (width - 2, 212), (width + 6, 240), (width + 30, 262)]
    neck = inside(mirrored([*half, (0, 280)]))
    below_chin = 1 - 0.42 * ramp((215 - Y + 10 * ((X - MIDDLE) / width) ** 2) / 34)
    painting.lay(0.92 * cheeks * relief(neck, 30, 0.6) * below_chin, coverage(neck, 3))


def _ears(painting: Painting, skin: Plane) -> None:
    cheeks = _cheeks(skin)
    for side in (-1, 1):
        outline = [(48, 100), (58, 97), (63, 104), (62, 118), (57, 134), (50, 138)]
        ear = inside([(side * x, y) for x, y in outline])
        hollow = np.exp(-(((X - MIDDLE - side * 57) / 3) ** 2 + ((Y - EYE_LINE - 10) / 10) ** 2))
        painting.lay(0.86 * cheeks * relief(ear, 8, 0.4) * (1 - 0.22 * hollow), coverage(ear))


def _face(painting: Painting, skin: Plane) -> None:
    outline = inside(_FACE)
    seen = ramp((Y - _SEEN_FROM) / 14)
    turned_away = 0.72 + 0.28 * ramp(outline / 16)
    painting.lay((skin * seen + _forehead(skin) * (1 - seen)) * turned_away, ramp(outline / 7))


def _cap(painting: Painting, tone: float) -> None:
    """A knitted cap."""
    ribs = np.asarray(1 + 0.07 * np.sin(70 * meridians()), np.float32)
    dome, brim = inside(_CAP), inside(_BRIM)
    painting.lay(tone * relief(dome, 36, 0.6) * ribs, coverage(dome))
    below = blurred(coverage(brim, 4), 4) * (1 - coverage(brim, 3)) * ramp((Y - 60) / 10)
    painting.shade(0.35 * below)
    painting.lay(1.06 * tone * relief(brim, 10, 0.6) * ribs, coverage(brim))
