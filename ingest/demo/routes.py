"""Routes of visitors through each place: where they enter, where they stop, how they leave."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

PACE = 1.15
"""Metres per second."""

_TURNING = 0.4
"""Seconds that a change of direction takes."""


@dataclass(frozen=True)
class Pose:
    """Where a visitor is: metres right of and ahead of the camera, degrees turned, metres walked so far."""

    x: float
    z: float
    yaw: float
    walked: float


class Route:
    """A route, built leg by leg; yaw is 0 towards the camera and grows to the viewer's right."""

    def __init__(self, x: float, z: float) -> None:
        self._marks: list[tuple[float, float, float, float, float]] = [(0.0, x, z, 0.0, 0.0)]

    @property
    def duration(self) -> float:
        """Duration in seconds."""
        return self._marks[-1][0]

    def walk(self, x: float, z: float, pace: float = PACE) -> Route:
        """Go straight to a place, looking ahead."""
        _, x0, z0, _, _ = self._marks[-1]
        distance = math.hypot(x - x0, z - z0)
        heading = math.degrees(math.atan2(x - x0, z0 - z))
        yaw = 0.75 * heading if abs(heading) < 90 else heading
        self._turn(yaw, distance / pace, x, z, distance)
        return self

    def stay(self, seconds: float, yaw: float) -> Route:
        """Stand and look in a direction."""
        _, x, z, _, _ = self._marks[-1]
        self._turn(yaw, seconds, x, z, 0.0)
        return self

    def at(self, time: float) -> Pose:
        """The pose so many seconds after the start."""
        after = bisect_right(self._marks, time, key=lambda mark: mark[0])
        start, *before = self._marks[max(after - 1, 0)]
        end, *then = self._marks[min(after, len(self._marks) - 1)]
        share = min(max((time - start) / (end - start), 0.0), 1.0) if end > start else 0.0
        return Pose(*(old + share * (new - old) for old, new in zip(before, then, strict=True)))

    def _turn(self, yaw: float, seconds: float, x: float, z: float, distance: float) -> None:
        time, x0, z0, _, walked = self._marks[-1]
        if time == 0:
            self._marks[-1] = (time, x0, z0, yaw, walked)
        turning = min(_TURNING, 0.5 * seconds)
        share = turning / seconds
        self._marks.append(
            (time + turning, x0 + share * (x - x0), z0 + share * (z - z0), yaw, walked + share * distance)
        )
        self._marks.append((time + seconds, x, z, yaw, walked + distance))


_SPOTS = ((-0.48, 1.65), (0.62, 2.15), (-0.5, 2.8), (0.6, 1.5), (-0.76, 2.0), (0.52, 3.0))
"""Where visitors stop, used in turn, so that consecutive visitors do not hide each other."""


def _spot(number: int, rng: np.random.Generator, nearest: float = 0.0) -> tuple[float, float]:
    x, z = _SPOTS[number % len(_SPOTS)]
    return x + float(rng.uniform(-0.08, 0.08)), max(z + float(rng.uniform(-0.12, 0.2)), nearest)


def _past_the_camera(route: Route, x: float, z: float) -> Route:
    side = 1.0 if x >= 0 else -1.0
    return route.walk(side * 1.25, min(1.35, z - 0.1), 0.95)


def through_entrance(number: int, rng: np.random.Generator) -> Route:
    """From the street, with a look around, into the shop."""
    x, z = _spot(number, rng)
    route = Route(float(rng.uniform(-1.3, 1.3)), 11.0).walk(float(rng.uniform(-0.5, 0.5)), 6.8, 1.3)
    route.walk(x, z, float(rng.uniform(1.1, 1.35)))
    route.stay(float(rng.uniform(1.0, 2.4)), float(rng.uniform(-16, 16)))
    route.stay(float(rng.uniform(1.6, 4.6)), float(rng.uniform(-6, 6)))
    return _past_the_camera(route, x, z)


def along_shelf(number: int, rng: np.random.Generator) -> Route:
    """Down the aisle, a stop at the goods; then past the camera or back."""
    side = float(rng.choice((-1, 1)))
    x, z = _spot(number, rng)
    start = float(rng.uniform(-0.5, 0.5))
    route = Route(side * 2.4, 9.3).walk(start, 8.6, 1.5).walk(x, z, float(rng.uniform(1.15, 1.45)))
    route.stay(float(rng.uniform(1.0, 2.2)), math.copysign(float(rng.uniform(22, 36)), x))
    route.stay(float(rng.uniform(2.0, 5.0)), float(rng.uniform(-8, 8)))
    if rng.random() < 0.45:
        return route.walk(start, 8.7, 1.5).walk(-side * 2.4, 9.3, 1.5)
    return _past_the_camera(route, x, z)


def up_to_till(number: int, rng: np.random.Generator) -> Route:
    """From the shop to the counter, some seconds there, and out at the other side."""
    side = 1.0 if number % 2 else -1.0
    x, z = _spot(number, rng, nearest=1.8)
    route = Route(side * 3.1, 6.2).walk(x, z, float(rng.uniform(0.95, 1.15)))
    route.stay(float(rng.uniform(3.0, 6.5)), float(rng.uniform(-7, 7)))
    return route.walk(-side * 2.6, z + float(rng.uniform(0.6, 1.6)), 1.2)


ROUTES: dict[str, Callable[[int, np.random.Generator], Route]] = {
    "entrance": through_entrance,
    "shelf": along_shelf,
    "till": up_to_till,
}
"""By the kind of place."""
