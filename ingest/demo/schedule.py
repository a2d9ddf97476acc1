"""The truth about a simulated camera: which faces it shows, and from when to when."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ingest.demo.figure import EYES_BELOW_CROWN
from ingest.demo.scene import VIEWS
from ingest.demo.view import HEIGHT, WIDTH, View
from ingest.demo.visitors import LONGEST, PLACE, Visitor, arriving, kind_of

FACE = 0.19
"""Size of a face (square root of its box's area) in metres, as the sprites are drawn."""
SMALLEST = 16.0
"""Pixels from which a face counts as shown."""
MOST_TURNED = 50.0
"""Degrees up to which a face counts as shown."""

_STEP = 0.2
"""Seconds between the moments that are looked at."""
_SHORTEST = 1.0


@dataclass(frozen=True)
class ScheduledVisit:
    """A face that is to be seen; times in seconds since the epoch."""

    camera: str
    gender: str
    expression: str
    first_seen: float
    last_seen: float


def scheduled_visits(camera: str, start: float, end: float) -> list[ScheduledVisit]:
    """The visits of which at least a second lies between two moments, in the order of their arrival.

    One visitor may hide another for a while: this says who could be seen, not who was.
    """
    view = VIEWS[kind_of(camera)]
    places = range(math.floor((start - LONGEST) / PLACE), math.floor(end / PLACE) + 1)
    visits = []
    for visitor in (visitor for place in places for visitor in arriving(camera, place)):
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
