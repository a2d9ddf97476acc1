"""Ground truth of a demo camera: which faces it shows, and when."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ingest.demo.backdrop import VIEWS
from ingest.demo.figure import EYES_BELOW_CROWN
from ingest.demo.view import HEIGHT, WIDTH, View
from ingest.demo.visitors import LONGEST, SLOT, Visitor, arriving, kind_of

FACE = 0.19
"""Size of a face (square root of its box's area) in metres, as the sprites are drawn."""
SMALLEST = 16.0
"""Smallest size in pixels at which a face counts as shown."""
MOST_TURNED = 50.0
"""Largest angle in degrees at which a face counts as shown."""

_STEP = 0.2
"""Seconds between the moments that are examined."""
_SHORTEST = 1.0


@dataclass(frozen=True)
class ScheduledVisit:
    """A face that the camera shows; times in seconds since the epoch."""

    camera: str
    gender: str
    expression: str
    first_seen: float
    last_seen: float


def scheduled_visits(camera: str, start: float, end: float) -> list[ScheduledVisit]:
    """The visits of at least a second between two times, in the order of arrival.

    Visitors may hide each other for some time: these visits could be seen, not all of them were.
    """
    view = VIEWS[kind_of(camera)]
    slots = range(math.floor((start - LONGEST) / SLOT), math.floor(end / SLOT) + 1)
    visits = []
    for visitor in (visitor for slot in slots for visitor in arriving(camera, slot)):
        moments = [
            time for time in _moments(visitor) if start <= time <= end and shows_face(view, visitor, time)
        ]
        if moments and moments[-1] - moments[0] >= _SHORTEST:
            visits.append(ScheduledVisit(camera, visitor.gender, visitor.expression, moments[0], moments[-1]))
    return visits


def shows_face(view: View, visitor: Visitor, time: float) -> bool:
    """Whether the visitor's face is in the picture, large enough and turned to the camera."""
    pose = visitor.at(time)
    column, row = view.project(pose.x, visitor.height - EYES_BELOW_CROWN, pose.z)
    size = FACE * view.scale(pose.z)
    inside = size / 2 < column < WIDTH - size / 2 and size / 2 < row < HEIGHT - size / 2
    return inside and size >= SMALLEST and abs(pose.yaw) <= MOST_TURNED


def _moments(visitor: Visitor) -> list[float]:
    steps = int(visitor.route.duration / _STEP)
    return [visitor.arrives + step * _STEP for step in range(steps + 1)]
