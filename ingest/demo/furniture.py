"""Furniture of a shop except its shelves: floor, ceiling, lamps, plants, tables."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ingest.demo.drawing import Canvas

CEILING = 3.0
"""Height in metres."""

_WIDE = (-9.0, 9.0)
_TILE = 0.6
_JOINT = 0.012


def floor(canvas: Canvas, near: float, far: float, deepest: float) -> None:
    """Draw a tiled floor up to `deepest` metres; it is brighter at flat angles."""
    steps = np.geomspace(2.0, deepest, 60).tolist()
    for z0, z1 in pairwise(steps):
        share = (z0 - steps[0]) / (deepest - steps[0])
        canvas.level(_WIDE, 0, (z0, z1), near + (far - near) * share**0.6)
    for x in np.arange(*_WIDE, _TILE).tolist():
        canvas.level((x, x + _JOINT), 0, (2.0, deepest), 0.8 * near, 0.5)
    for z in np.arange(2.4, deepest, _TILE).tolist():
        canvas.level(_WIDE, 0, (z, z + _JOINT), 0.8 * near, 0.45)


def ceiling(canvas: Canvas, tone: float, deepest: float) -> None:
    """Draw a plain ceiling."""
    for z in pairwise(np.geomspace(1.2, deepest, 40).tolist()):
        canvas.level(_WIDE, CEILING, z, tone)


def light_strip(canvas: Canvas, x: float, z: tuple[float, float], width: float) -> None:
    """Draw a lamp in the ceiling, along the camera's axis."""
    canvas.level((x - width / 2, x + width / 2), CEILING - 0.02, z, 252)


def pendant(canvas: Canvas, x: float, y: float, z: float) -> None:
    """Draw a round lamp that hangs from the ceiling."""
    radius = 0.17
    canvas.upright((x - 0.008, x + 0.008), (y, CEILING), z, 60)
    angles = np.linspace(0, np.pi, 24)
    dome = zip(
        (x + radius * np.cos(angles)).tolist(), (y + 0.9 * radius * np.sin(angles)).tolist(), strict=True
    )
    canvas.fill([(across, up, z) for across, up in dome], 70)
    canvas.upright((x - 0.45 * radius, x + 0.45 * radius), (y - 0.05, y), z, 255)


def plant(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """Draw a plant in a pot, as high as a child."""
    rim, leaves = 0.42, 34
    canvas.level((x - 0.45, x + 0.45), 0, (z - 0.1, z + 0.5), 40, 0.4, 5)
    canvas.fill([(x - 0.17, 0, z), (x + 0.17, 0, z), (x + 0.22, rim, z), (x - 0.22, rim, z)], 205)
    canvas.fill([(x + 0.17, 0, z), (x + 0.22, rim, z), (x + 0.05, rim, z), (x + 0.05, 0, z)], 165, 0.7, 2)
    for _ in range(leaves):
        angle, length = float(rng.uniform(0.15, np.pi - 0.15)), float(rng.uniform(0.4, 0.9))
        tip = (x + 0.62 * length * float(np.cos(angle)), rim + length * float(np.sin(angle)) ** 0.8)
        half = 0.035 + 0.02 * float(rng.random())
        middle, up = (x + tip[0]) / 2, (rim + tip[1]) / 2
        outline = [(x, rim), (middle - half, up + 0.05), tip, (middle + half, up + 0.08)]
        canvas.fill([(across, height, z) for across, height in outline], float(rng.uniform(48, 118)))


def table(canvas: Canvas, x: tuple[float, float], z: tuple[float, float], rng: np.random.Generator) -> None:
    """Draw a low table with stacks of goods, and the shadow under it."""
    (x0, x1), (z0, z1) = x, z
    canvas.level((x0 - 0.1, x1 + 0.1), 0, (z0 - 0.1, z1), 30, 0.45, 5)
    canvas.box((x0 + 0.08, x1 - 0.08), (0, 0.7), (z0 + 0.08, z1 - 0.08), (112, 120, 84))
    canvas.box(x, (0.7, 0.76), z, (196, 226, 150))
    width = 0.24
    for back in np.linspace(z1 - 0.3, z0 + 0.06, 3).tolist():
        for left in np.arange(x0 + 0.05, x1 - width, width + 0.03).tolist():
            top, tone = 0.76 + float(rng.uniform(0.08, 0.26)), float(rng.uniform(70, 215))
            sides = (tone, min(1.25 * tone, 245), 0.7 * tone)
            canvas.box((left, left + width), (0.76, top), (back, back + 0.2), sides)
