"""Sums of visits and coverage by slot and camera, from the finest rows: the source of every roll-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from bus.messages import MICROSECONDS, MINUTE_US, OFF, UNKNOWN
from storage import schedules, tables
from storage.mood import mood_of
from storage.tables import EXPRESSIONS, GENDERS

SIMULATED_MODEL = "simulation"
"""The model that the rows of a simulated history name."""

VISIT_COLUMNS = (*tables.VISIT_COUNTS, *tables.VISIT_SUMS, *tables.DWELL_BINS)
ALL_COLUMNS = (*VISIT_COLUMNS, *tables.COVERAGE_SUMS)
Which = Literal["all", "open", "closed"]


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums by time and camera: row i of `values` has `columns`, of `cameras[i]`, from `starts[i]` on."""

    columns: tuple[str, ...]
    starts: NDArray[np.int64]
    cameras: tuple[str, ...]
    values: NDArray[np.float64]

    @classmethod
    def of_rows(cls, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sums:
        """The sums of rows of a query: time, camera, and the columns."""
        starts, cameras, *values = zip(*rows, strict=True) if rows else ((),) * (2 + len(columns))
        # By column, since that is an order faster than by row.
        return cls(tuple(columns), np.asarray(starts, np.int64), cameras, np.asarray(values, np.float64).T)


def read_visit_sums(
    connection: sa.Connection,
    start: int,
    end: int,
    step: int,
    *,
    which: Which = "all",
    columns: Sequence[str] = VISIT_COLUMNS,
) -> Sums:
    """The sums of the visits that started from `start` to `end`, in steps of `step` microseconds."""
    query = _visit_query(which, tuple(columns), connection.dialect.name)
    limits = {"start": start, "end": end, "step": step}
    return _sums(connection.execute(query, limits).all(), columns, start, step)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Frame counts and watched time, and the first minute with coverage of each camera."""

    sums: Sums
    first: Mapping[str, int]


def read_coverage(connection: sa.Connection, start: int, end: int, step: int) -> Coverage:
    """The frame counts and the watched time from `start` to `end`, in steps of `step` microseconds."""
    limits = {"start": start, "end": end, "step": step}
    rows = connection.execute(_coverage_query(), limits).all()
    first: dict[str, int] = {}
    for row in rows:
        first[row.camera_id] = min(first.get(row.camera_id, row.first), row.first)
    return Coverage(_sums([row[:-1] for row in rows], tables.COUNTS, start, step), first)


def read_scheduled_sums(
    connection: sa.Connection, edges: Sequence[int], now: int, zone: ZoneInfo, coverage: Coverage
) -> Sums:
    """The scheduled time between neighbouring `edges`, at least the watched time, so coverage is a share."""
    cameras = schedules.read_scheduled(connection, edges[0], edges[-1], now, coverage.first)
    column = coverage.sums.columns.index("watched_us")
    times = {
        (start, camera): time
        for start, camera, time in zip(
            coverage.sums.starts.tolist(),
            coverage.sums.cameras,
            coverage.sums.values[:, column].tolist(),
            strict=True,
        )
    }
    for camera, by_slot in schedules.scheduled_time(cameras, edges, zone).items():
        for start, time in zip(edges, by_slot.tolist(), strict=False):
            if time > times.get((start, camera), 0.0):
                times[start, camera] = time
    return Sums(
        ("scheduled_us",),
        np.asarray([start for start, _ in times], np.int64),
        tuple(camera for _, camera in times),
        np.asarray(list(times.values()), np.float64).reshape(-1, 1),
    )


def _sums(rows: Sequence[Sequence[Any]], columns: Sequence[str], start: int, step: int) -> Sums:
    """The sums of rows whose times are numbers of steps after `start`."""
    sums = Sums.of_rows(columns, rows)
    return replace(sums, starts=start + step * sums.starts)


@cache
def _visit_query(which: Which, columns: tuple[str, ...], dialect: str) -> sa.Select[Any]:
    """The query of `read_visit_sums`, built once, since building takes longer than a short read."""
    visits = tables.visits.c
    time: sa.ColumnElement[int] = visits.first_seen
    if which == "open" and dialect == "sqlite":
        # The few open visits have an index, but SQLite prefers that of the time. It cannot use it for a sum.
        time = visits.first_seen + sa.literal_column("0", sa.BigInteger)
    query = _grouped(time, visits.camera_id, [_visit_column(name) for name in columns])
    if which == "open":
        return query.where(~visits.closed, visits.last_seen >= sa.bindparam("start", type_=sa.BigInteger))
    return query.where(visits.closed) if which == "closed" else query


@cache
def _coverage_query() -> sa.Select[Any]:
    minutes = tables.camera_minutes.c
    sums = [_coverage_column(minutes[name]) for name in tables.COUNTS]
    return _grouped(minutes.minute, minutes.camera_id, [*sums, sa.func.min(minutes.minute).label("first")])


def _coverage_column(column: sa.ColumnElement[int]) -> sa.ColumnElement[Any]:
    """The sum of a count; a minute has at most a minute of watched time."""
    if column.key == "watched_us":
        return sa.func.sum(sa.case((column > MINUTE_US, MINUTE_US), else_=column))
    return sa.func.sum(column)


def _grouped(
    time: sa.ColumnElement[int], camera: sa.ColumnElement[str], sums: Sequence[sa.ColumnElement[Any]]
) -> sa.Select[Any]:
    """The sums by slot of time and by camera; `start`, `end` and `step` are given at execution."""
    start, end, step = (sa.bindparam(name, type_=sa.BigInteger) for name in ("start", "end", "step"))
    rows = sa.select(((time - start) // step).label("slot"), camera, *sums)
    return rows.where(time >= start, time < end).group_by(sa.text("1"), sa.text("2"))


def _visit_column(name: str) -> sa.ColumnElement[Any]:
    """The SQL of one column of `VISIT_COLUMNS`, over the rows of `visits`."""
    visits = tables.visits.c
    if name == "visits":
        return sa.func.count()
    if name == "simulated":
        return sa.func.count().filter(visits.model == SIMULATED_MODEL)
    if name.startswith("n_"):
        expression, gender = name[2:].split("_")
        return sa.func.count().filter(
            _labelled(visits.expression, expression, EXPRESSIONS), _labelled(visits.gender, gender, GENDERS)
        )
    dwell = visits.last_seen - visits.first_seen
    if name.startswith("dwell_") and name[6:].isdigit():
        return sa.func.count().filter(_in_bin(dwell, int(name[6:])))
    seconds = sa.cast(dwell, sa.Float) / MICROSECONDS
    mood = mood_of(dict(visits))
    values = {
        "mood": mood,
        "mood_squared": mood * mood,
        "dwell_us": sa.cast(dwell, sa.Float),
        "dwell_squared": seconds * seconds,
    }
    # A visit without an estimate has no mood, and adds nothing.
    return sa.func.coalesce(sa.func.sum(values[name]), 0.0)


def _labelled(column: sa.ColumnElement[str], label: str, known: Sequence[str]) -> sa.ColumnElement[bool]:
    """Rows of one label; every label that is not known counts as unknown, except that of no estimate."""
    return column.not_in((*known, OFF)) if label == UNKNOWN else column == label


def _in_bin(dwell: sa.ColumnElement[int], number: int) -> sa.ColumnElement[bool]:
    edges = [edge * MICROSECONDS for edge in tables.DWELL_EDGES_S]
    conditions = []
    if number:
        conditions.append(dwell >= edges[number - 1])
    if number < len(edges):
        conditions.append(dwell < edges[number])
    return sa.and_(*conditions)
