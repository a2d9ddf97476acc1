"""Cells: the sums of each slot and camera, from the fastest tables that have them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from bus.messages import MINUTE_US
from storage import tables
from storage.figures.timeline import Timeline, Unit
from storage.local_time import HOUR_US, date_of, day_start
from storage.rollups import read_hours_until, read_until
from storage.sums import (
    ALL_COLUMNS,
    VISIT_COLUMNS,
    Sums,
    Which,
    read_coverage,
    read_scheduled_sums,
    read_visit_sums,
)

Array = NDArray[np.float64]
EVERYBODY = ""
"""The camera of cells that are sums over cameras."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The sums of a timeline: `values` has the shape (slots, cameras, columns).

    `cameras` are those with rows in the period, by id; of merged cells also `EVERYBODY`.
    """

    timeline: Timeline
    cameras: tuple[str, ...]
    columns: tuple[str, ...]
    values: Array

    def column(self, name: str) -> Array:
        """One column, of the shape (slots, cameras)."""
        return self.values[:, :, self.columns.index(name)]

    def chosen(self, cameras: Collection[str] | None) -> Array:
        """The sums over some cameras, None for all, of the shape (slots, columns).

        Merged cells are those of the cameras for which they were read.
        """
        wanted = None if cameras is None else {*cameras, EVERYBODY}
        places = [place for place, camera in enumerate(self.cameras) if wanted is None or camera in wanted]
        sums: Array = self.values[:, places].sum(axis=1)
        return sums


@contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection whose queries all see the state of one moment."""
    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with engine.connect() as connection:
        yield connection.execution_options(**options)


def read_cells(
    connection: sa.Connection,
    timeline: Timeline,
    columns: Sequence[str] = ALL_COLUMNS,
    only: Collection[str] | None = None,
    merged: bool = False,
) -> Cells:
    """Read the cells of a timeline; of the cameras `only`, and where possible as a sum over them if `merged`.

    Edges of units from an hour on are at full local hours. Rolled up days and hours are used where slots
    consist of such, other rows for the rest.

    Raises DatabaseError where the database cannot be read.
    """
    reader = _Reader(connection, timeline, tuple(columns), only, merged)
    return reader.read()


class _Reader:
    def __init__(
        self,
        connection: sa.Connection,
        timeline: Timeline,
        columns: tuple[str, ...],
        only: Collection[str] | None,
        merged: bool,
    ) -> None:
        self._connection = connection
        self._timeline = timeline
        self._columns = columns
        self._only = only
        self._merged = merged

    def read(self) -> Cells:
        timeline = self._timeline
        rolled, at = self._rolled_up()
        recent = self._recent(at) if at < timeline.end else []
        if at > timeline.start:
            rolled.append(self._visit_sums(timeline.start, at, which_open=True))
        found = {camera for part in (*rolled, *recent) for camera in part.cameras}
        cameras = sorted(found if self._only is None else found & {*self._only, EVERYBODY})
        shape = (timeline.slots, len(cameras), len(self._columns))
        values = np.zeros(shape)
        for part in (*rolled, *recent):
            self._add(values, part, cameras)
        return Cells(timeline, tuple(cameras), self._columns, values)

    def _rolled_up(self) -> tuple[list[Sums], int]:
        """The parts that roll-ups have, and the time at which they end."""
        timeline, at = self._timeline, self._timeline.start
        parts: list[Sums] = []
        if timeline.unit in {Unit.MINUTE, Unit.FIVE_MINUTES}:
            return parts, at
        _, day_until = read_until(self._connection, timeline.zone.key)
        hour_until = read_hours_until(self._connection, timeline.zone, timeline.start, timeline.end)
        if timeline.unit in {Unit.DAY, Unit.WEEK} and _is_midnight(at, timeline.zone):
            last = day_start(date_of(timeline.end, timeline.zone), timeline.zone)
            stop = min(last, day_until)
            if stop > at:
                parts.append(self._rollup(tables.camera_days, "day", at, stop))
                at = stop
        stop = min(timeline.end, hour_until)
        if stop > at:
            parts.append(self._rollup(tables.camera_hours, "hour", at, stop))
            at = stop
        return parts, at

    def _rollup(self, table: sa.Table, time: str, start: int, stop: int) -> Sums:
        """The sums of a roll-up, which the database adds up as far as the cells do not tell rows apart."""
        when, camera = table.c[time], table.c.camera_id
        whole = self._timeline.slots == 1
        keys = (
            sa.literal(self._timeline.start) if whole else when,
            sa.literal(EVERYBODY) if self._merged else camera,
        )
        columns = [table.c[name] for name in self._columns]
        query = sa.select(*keys, *columns)
        if whole or self._merged:
            # Never a sum over no group at all: without rows, it would be NULL.
            query = sa.select(*keys, *map(sa.func.sum, columns)).group_by(camera if whole else when)
        query = query.where(when >= start, when < stop)
        if self._only is not None:
            query = query.where(camera.in_(sorted(self._only)))
        return Sums.of_rows(self._columns, self._connection.execute(query).all())

    def _recent(self, at: int) -> list[Sums]:
        """The parts from `at` on, from single visits and minutes of coverage."""
        timeline = self._timeline
        step = self._step
        end = min(timeline.end, max(timeline.now + HOUR_US, at + step))
        parts = [self._visit_sums(at, timeline.end, which_open=False)]
        if {"watched_us", "scheduled_us"} & set(self._columns):
            coverage = read_coverage(self._connection, at, end, step)
            edges = [*range(at, end, step), end]
            parts.append(coverage.sums)
            parts.append(read_scheduled_sums(self._connection, edges, timeline.now, timeline.zone, coverage))
        return parts

    @property
    def _step(self) -> int:
        """The length of the sums of single rows: slots consist of such."""
        return (self._timeline.unit.minutes or 60) * MINUTE_US

    def _visit_sums(self, start: int, end: int, which_open: bool) -> Sums:
        wanted = [name for name in VISIT_COLUMNS if name in self._columns]
        which: Which = "open" if which_open else "all"
        return read_visit_sums(self._connection, start, end, self._step, which=which, columns=wanted)

    def _add(self, values: Array, part: Sums, cameras: Sequence[str]) -> None:
        """Add the rows of a part to their slots and cameras."""
        number = {camera: place for place, camera in enumerate(cameras)}
        places = np.asarray([number.get(camera, -1) for camera in part.cameras], np.int64)
        keep = np.flatnonzero(places >= 0)
        slots = np.searchsorted(self._timeline.edges, part.starts[keep], side="right") - 1
        for place, name in enumerate(part.columns):
            if name in self._columns:
                target = values[:, :, self._columns.index(name)]
                np.add.at(target, (slots, places[keep]), part.values[keep, place])


def _is_midnight(time_us: int, zone: ZoneInfo) -> bool:
    return day_start(date_of(time_us, zone), zone) == time_us
