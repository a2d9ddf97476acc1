"""Hair and caps: outlines, and strands that follow the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.demo_people.canvas import HEIGHT, MIDDLE, WIDTH, Plane, Points, X, Y, blur, mirror, ramp


@dataclass(frozen=True)
class Hair:
    """One haircut.

    `outline` is the hair seen from the front; `opening` is the visible part of face and neck. In pixels:
    `parting` is the offset of the parting from the middle, `soft` the width of the hairline, `ragged` its
    variation.
    """

    outline: Points
    opening: Points
    parting: float = 0.0
    waves: bool = False
    soft: float = 6.0
    ragged: float = 2.0
    ears: bool = False
    bun: bool = False
    cap: bool = False


_LOW = 270.0
"""Below the canvas, for hair that extends beyond it."""

_LONG = mirror([(0, 11), (34, 15), (60, 40), (69, 86), (72, 140), (77, 200), (76, _LOW), (0, _LOW)])
_CURTAIN = mirror(
    [(0, 36), (10, 46), (26, 60), (42, 80), (49, 106), (51, 136), (49, 166), (46, 200), (44, _LOW), (0, _LOW)]
)
_WAVY = mirror(
    [(0, 9), (38, 14), (66, 44), (73, 88), (76, 130), (84, 170), (85, 215), (76, 240), (56, 248), (0, 240)]
)
_SWEPT: Points = [
    (-22, 40), (-2, 50), (22, 64), (42, 82), (52, 108), (54, 140), (50, 170), (48, 200), (44, _LOW),
    (-44, _LOW), (-48, 200), (-50, 170), (-53, 140), (-50, 112), (-42, 86), (-32, 60),
]  # fmt: skip
_BOB = mirror(
    [(0, 11), (36, 15), (62, 42), (70, 88), (74, 130), (74, 166), (66, 188), (48, 192), (36, 186), (0, 180)]
)
_FRINGE = mirror(
    [(0, 68), (24, 70), (42, 78), (49, 98), (52, 130), (50, 160), (44, 186), (30, _LOW), (0, _LOW)]
)
_BOUND = mirror([(0, 15), (34, 19), (54, 44), (58, 86), (56, 120), (50, 140), (0, 150)])
_BOUND_OPENING = mirror(
    [(0, 49), (18, 52), (33, 64), (43, 82), (51, 104), (60, 122), (80, 150), (80, 250), (0, 250)]
)
_CROPPED = mirror([(0, 18), (32, 21), (53, 46), (57, 84), (56, 106), (53, 122), (0, 130)])
_CROPPED_OPENING = mirror(
    [(0, 52), (22, 52), (39, 60), (46, 74), (50, 92), (54, 112), (60, 126), (90, 140), (80, 250), (0, 250)]
)
_SIDE = mirror([(0, 11), (30, 13), (55, 38), (60, 78), (58, 108), (54, 126), (0, 140)])
_SIDE_OPENING: Points = [
    (-30, 54), (-10, 47), (14, 50), (36, 61), (47, 78), (50, 94), (54, 116), (60, 128), (90, 140),
    (80, 250), (-80, 250), (-90, 140), (-60, 128), (-54, 116), (-50, 94), (-47, 78), (-40, 64),
]  # fmt: skip
_QUIFF = mirror([(0, 5), (30, 7), (54, 30), (58, 70), (57, 106), (53, 122), (0, 130)])

WOMEN = {
    "long": Hair(_LONG, _CURTAIN),
    "wavy": Hair(_WAVY, _SWEPT, parting=-24, waves=True),
    "bob": Hair(_BOB, _FRINGE),
    "bound": Hair(_BOUND, _BOUND_OPENING, soft=12, ragged=1.2, ears=True, bun=True),
    "cap": Hair(_LONG, _CURTAIN, cap=True),
}
MEN = {
    "side": Hair(_SIDE, _SIDE_OPENING, parting=-20, soft=11, ragged=1.2, ears=True),
    "cropped": Hair(_CROPPED, _CROPPED_OPENING, soft=16, ragged=1.0, ears=True),
    "quiff": Hair(_QUIFF, _CROPPED_OPENING, soft=14, ragged=1.0, ears=True),
    "cap": Hair(_CROPPED, _CROPPED_OPENING, soft=14, ragged=1.0, ears=True, cap=True),
}

_SPAN = 1.8
_STEPS = np.linspace(-_SPAN, _SPAN, 2048)


def meridians(parting: float = 0.0, waves: bool = False, phase: float = 0.0) -> Plane:
    """The strand at each pixel, about -1 to 1: strands run from the crown over the head, then down."""
    radius = np.sqrt(np.clip(1 - ((100 - Y) / 94) ** 2, 0.03, 1))
    radius[Y > 100] = 1
    centre = MIDDLE + parting * np.clip((100 - Y) / 80, 0, 1)
    strand = (X - centre) / (66 * radius)
    bend = 0.06 * np.sin(Y / 11 + phase + 2 * strand) * ramp((Y - 50) / 60)
    return np.asarray(strand + waves * bend, np.float32)


def strand_noise(rng: np.random.Generator, strands: Plane, counts: tuple[int, ...]) -> Plane:
    """Noise with standard deviation 1, constant along a strand, with `counts` features per unit."""
    line = np.zeros(len(_STEPS))
    for count in counts:
        knots = rng.normal(size=3 * count + 8)
        line += np.interp(_STEPS, np.linspace(-_SPAN, _SPAN, len(knots)), knots) / count**0.35
    values = np.interp(strands.ravel(), _STEPS, line / line.std())
    return np.asarray(values.reshape(HEIGHT, WIDTH), np.float32)


def texture(rng: np.random.Generator, strands: Plane) -> Plane:
    """Brightness of hair around 1: locks, single strands, and sheen around the head."""
    fine, locks = strand_noise(rng, strands, (40, 90, 180)), strand_noise(rng, strands, (5, 11, 22))
    patches = 15 * blur(rng.normal(size=(HEIGHT, WIDTH)).astype(np.float32), 9)
    mixed = blur(0.6 * fine * (1 + 0.4 * patches) + 0.7 * locks, 0.5)
    sheen = np.exp(-(((Y - 46 - 14 * strands**2) / 15) ** 2))
    return np.asarray(1 + 0.12 * mixed + 0.3 * sheen * np.clip(0.7 + 0.45 * mixed, 0, 2), np.float32)
