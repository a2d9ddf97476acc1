"""Backdrops of the three kinds of places that demo cameras watch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.demo import furniture, shelves
from ingest.demo.drawing import FINE, Canvas, Plane
from ingest.demo.view import HEIGHT, WIDTH, View

VIEWS = {
    "entrance": View(haze=205),
    "shelf": View(haze=176),
    "till": View(focal=720, height=1.7, horizon=158, haze=180),
}
"""By the kind of place."""


@dataclass(frozen=True)
class Layer:
    """Something that hides visitors who are further away than `depth` metres."""

    depth: float
    luminance: NDArray[np.uint8]
    alpha: Plane
    """(480, 640) float32: 1 where it is opaque."""


@dataclass(frozen=True)
class Backdrop:
    """A place without people, and the part of it that may hide them."""

    view: View
    background: NDArray[np.uint8]
    front: Layer


def entrance(rng: np.random.Generator) -> Backdrop:
    """From inside, towards a glass front and its open door on a bright day."""
    wall = 6.6
    canvas = Canvas(VIEWS["entrance"], 236)
    _street(canvas, rng)
    furniture.floor(canvas, 132, 196, wall)
    front = Canvas(canvas.view)
    _glass_front(front, wall)
    canvas.put(front)
    furniture.ceiling(canvas, 150, wall)
    for x in (-1.7, 1.7):
        furniture.light_strip(canvas, x, (1.6, 5.8), 0.44)
    canvas.fill([(-0.95, 0, wall), (0.95, 0, wall), (1.5, 0, 3.4), (-1.5, 0, 3.4)], 255, 0.3, 6)
    canvas.level((-0.85, 0.85), 0, (5.0, 6.3), 84, 0.8, 0.6)
    furniture.plant(canvas, -2.35, 5.6, rng)
    furniture.table(canvas, (1.55, 2.9), (4.4, 5.4), rng)
    furniture.table(canvas, (-3.2, -1.75), (3.9, 4.7), rng)
    canvas.glow(0.10, 16, 215)
    return _scene(canvas, wall, front)


def shelf(rng: np.random.Generator) -> Backdrop:
    """Along an aisle between two shelves."""
    end, back = 8.2, 11.0
    canvas = Canvas(VIEWS["shelf"], 150)
    furniture.ceiling(canvas, 118, back + 1)
    furniture.floor(canvas, 120, 190, back)
    canvas.upright((-6, 6), (0, furniture.CEILING), back, 186)
    shelves.shelf_across(canvas, (-2.6, 2.6), back - 0.4, shelves.BOARDS, rng)
    for x in (-0.75, 0.75):
        furniture.light_strip(canvas, x, (2.0, 10.0), 0.24)
    sides = Canvas(canvas.view)
    for x in (-1.55, 1.55):
        shelves.shelf_along(sides, x, (2.0, end), rng)
    canvas.put(sides)
    for x in (-1.55, 1.55):
        canvas.fill([(x, 0, 2), (0.71 * x, 0, 2), (0.77 * x, 0, end), (x, 0, end)], 20, 0.35, 5)
    canvas.glow(0.10, 14, 210)
    return _scene(canvas, end, sides)


def till(rng: np.random.Generator) -> Backdrop:
    """From behind a counter, towards the customers."""
    wall = 7.0
    canvas = Canvas(VIEWS["till"], 160)
    furniture.ceiling(canvas, 140, wall)
    furniture.floor(canvas, 112, 168, wall)
    canvas.upright((-8, 8), (0, furniture.CEILING), wall, 172)
    canvas.upright((-8, 8), (0, 0.14), wall, 92)
    for x in ((-3.3, -1.9), (-1.7, -0.3), (1.6, 3.0)):
        shelves.shelf_across(canvas, x, wall - 0.4, shelves.BOARDS[:-1], rng)
    _poster(canvas, 0.65, wall - 0.05)
    for across in (-1.5, 0.0, 1.5):
        furniture.pendant(canvas, across, 2.25, 4.4)
    canvas.glow(0.35, 14, 225)
    counter = Canvas(canvas.view)
    _counter(counter, 1.5)
    canvas.put(counter)
    return _scene(canvas, 1.5, counter)


BACKDROPS: dict[str, Callable[[np.random.Generator], Backdrop]] = {
    "entrance": entrance,
    "shelf": shelf,
    "till": till,
}
"""By the kind of place."""


def _street(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw the street behind the glass: pavement and houses, pale in the daylight."""
    canvas.level((-20, 20), 0, (6, 12), 214)
    left, far = -14.0, 22.0
    while left < 14:
        width, height, tone = (float(rng.uniform(*span)) for span in ((2.5, 4.5), (4.5, 8), (196, 226)))
        canvas.upright((left, left + width), (0, height), far, tone)
        for y in np.arange(0.8, height - 1, 1.5).tolist():
            for x in np.arange(left + 0.4, left + width - 0.7, 1.1).tolist():
                canvas.upright((x, x + 0.55), (y, y + 0.9), far, tone - 34)
        left += width + 0.1
    canvas.luminance = np.asarray(cv2.GaussianBlur(canvas.luminance, (0, 0), 4), np.float32)


def _glass_front(front: Canvas, z: float) -> None:
    """Draw wall, panes and an open sliding door; the panes are mostly transparent."""
    lintel, frame = 2.55, 78
    for wall in ((-9.0, -3.4), (3.4, 9.0)):
        front.upright(wall, (0, furniture.CEILING), z, 148)
    front.upright((-9, 9), (lintel, furniture.CEILING), z, 138)
    for x0, x1 in ((-3.4, -1.0), (1.0, 3.4)):
        front.upright((x0, x1), (0, lintel), z, 240, 0.28)
        front.upright((x0, x1), (0, 0.28), z, 120)
        foot, head = x0 + 0.5, x0 + 1.3
        front.fill(
            [(foot, 0.28, z), (foot + 0.4, 0.28, z), (head + 0.4, lintel, z), (head, lintel, z)], 255, 0.25, 1
        )
    for x in (-3.4, -2.2, -1.0, 1.0, 2.2, 3.4):
        front.upright((x - 0.04, x + 0.04), (0, lintel), z, frame)
    for y in (2.2, lintel):
        front.upright((-3.4, 3.4), (y - 0.04, y + 0.04), z, frame)


def _poster(canvas: Canvas, x: float, z: float) -> None:
    """Draw a framed picture of hills."""
    canvas.upright((x - 0.55, x + 0.55), (1.05, 2.35), z, 60)
    canvas.upright((x - 0.5, x + 0.5), (1.1, 2.3), z, 226)
    across = np.linspace(-0.5, 0.5, 20)
    for top, tone in ((1.75, 168), (1.5, 124), (1.3, 88)):
        ridge = zip((x + across).tolist(), (top + 0.12 * np.sin(7 * across + 9 * top)).tolist(), strict=True)
        canvas.fill([(x - 0.5, 1.1, z), *((a, y, z) for a, y in ridge), (x + 0.5, 1.1, z)], tone)


def _counter(counter: Canvas, edge: float) -> None:
    """Draw the counter's top in front of the camera, with a card reader and a stand of small things."""
    top = 1.08
    counter.box((-3, 3), (0.9, top), (0.8, edge), (150, 204, 150))
    counter.level((-3, 3), top, (edge - 0.03, edge), 238)
    counter.box((0.38, 0.5), (top, top + 0.04), (edge - 0.28, edge - 0.1), (52, 84, 40))
    counter.box((0.395, 0.485), (top + 0.04, top + 0.09), (edge - 0.14, edge - 0.1), (44, 70, 36))
    counter.box((-0.72, -0.42), (top, top + 0.07), (edge - 0.32, edge - 0.1), (112, 150, 92))
    for number in range(6):
        left, tone = -0.7 + 0.045 * number, 80 + 28 * (number % 3)
        counter.box(
            (left, left + 0.035), (top + 0.07, top + 0.12), (edge - 0.24, edge - 0.18), (tone, 200, 90)
        )


def _scene(canvas: Canvas, depth: float, front: Canvas) -> Backdrop:
    """The finished backdrop; `front` hides visitors further away than `depth`."""
    canvas.luminance *= _vignette()
    background, _ = canvas.finished()
    _, alpha = front.finished()
    return Backdrop(canvas.view, background, Layer(depth, background, alpha))


def _vignette() -> Plane:
    """Darken the corners, as a lens does."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * FINE * 1j, -1 : 1 : WIDTH * FINE * 1j]
    return np.asarray(1.02 - 0.13 * (x**2 + y**2), np.float32)
