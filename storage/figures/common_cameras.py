"""Which cameras may be compared over two periods: those that were scheduled and watched in both.

Cameras differ in how many visitors pass them. A camera that is on one side alone changes every figure of the
sum over cameras, although nothing has changed in front of any of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from storage.figures.cells import Cells, read_cells
from storage.figures.timeline import Timeline, Unit
from storage.local_time import date_of

SCHEDULED_DAYS = 0.9
"""The part of the days of each side on which a camera has to be scheduled, of those weekdays that it has."""

WATCHED_PART = 0.5
"""The part that a camera has to watch on each side, of what the camera with the best coverage watches."""

_COLUMNS = ("visits", "watched_us", "scheduled_us")


@dataclass(frozen=True, slots=True)
class CommonCameras:
    """The cameras that are on both sides, and those that are on one side alone, by id."""

    both: frozenset[str]
    left_out: tuple[str, ...]


def find_common_cameras(
    connection: sa.Connection, a: Timeline, b: Timeline, cameras: Collection[str] | None
) -> CommonCameras:
    """The cameras of a choice (None for all) that may be compared over two periods.

    A camera is on a side if it was scheduled on nearly all days of it, as far as its weekdays go, and watched
    at least half as well as the best camera.

    Raises DatabaseError where the database cannot be read.
    """
    sides = [read_cells(connection, each.refined(Unit.DAY), _COLUMNS, only=cameras) for each in (a, b)]
    known = sorted({camera for cells in sides for camera in cells.cameras})
    days = [_Days.of(cells, known) for cells in sides]
    weekdays = days[0].weekdays() | days[1].weekdays()
    on_both = days[0].has_enough(weekdays) & days[1].has_enough(weekdays)
    both = frozenset(camera for camera, on in zip(known, on_both, strict=True) if on)
    return CommonCameras(both, tuple(camera for camera in known if camera not in both))


@dataclass(frozen=True, slots=True)
class _Days:
    """One side: the weekday of each day, and of the shape (days, cameras) who was there, and how long."""

    weekday: NDArray[np.int64]
    present: NDArray[np.bool_]
    watched_us: NDArray[np.float64]
    scheduled_us: NDArray[np.float64]

    @classmethod
    def of(cls, cells: Cells, cameras: Sequence[str]) -> _Days:
        timeline = cells.timeline
        places = [cameras.index(camera) for camera in cells.cameras]

        def spread(name: Literal["visits", "watched_us", "scheduled_us"]) -> NDArray[np.float64]:
            values = np.zeros((timeline.slots, len(cameras)))
            values[:, places] = cells.column(name)
            return values

        weekday = [date_of(edge, timeline.zone).weekday() for edge in timeline.edges[:-1]]
        scheduled = spread("scheduled_us")
        present = (scheduled > 0) | (spread("visits") > 0)
        return cls(np.asarray(weekday, np.int64), present, spread("watched_us"), scheduled)

    def weekdays(self) -> NDArray[np.bool_]:
        """The weekdays on which each camera was there, of the shape (7, cameras)."""
        return np.stack([self.present[self.weekday == number].any(axis=0) for number in range(7)])

    def has_enough(self, weekdays: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether each camera is on this side."""
        expected = self.present.any(axis=1, keepdims=True) & weekdays[self.weekday]
        scheduled = self.present.sum(axis=0) >= np.maximum(SCHEDULED_DAYS * expected.sum(axis=0), 1)
        total = self.scheduled_us.sum(axis=0)
        coverage = np.divide(self.watched_us.sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
        watched = (total == 0) | (coverage >= WATCHED_PART * coverage.max(initial=0.0))
        enough: NDArray[np.bool_] = scheduled & watched
        return enough
