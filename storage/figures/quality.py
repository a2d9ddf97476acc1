"""How good the data of each camera are: coverage, and what became of its frames. They contain no visits."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from storage import tables
from storage.day_partitions import PARTITION_COLUMNS, has_day_partitions, read_oldest_time
from storage.figures.cells import read_cells, snapshot
from storage.figures.timeline import Timeline
from storage.rolled_up import LOCAL_DAY_US, read_rolled_up

_OUTCOMES = tuple(
    name for name in tables.COUNTS if name not in {"captured", "faces", "watched_us", "age_sum_us"}
)
_COLUMNS = tables.COVERAGE_SUMS

_CUT_DAYS_US = 2 * LOCAL_DAY_US
"""The oldest rows may be of a local day whose start was deleted, or of a visit that started a day earlier."""


@dataclass(frozen=True, slots=True)
class CameraQuality:
    """One camera in a period: `outcomes` are frames by what became of them, `age_us` the mean age of results.

    `coverage` is None where nothing was scheduled, `age_us` where nothing was analysed.
    """

    camera_id: str
    coverage: float | None
    captured: int
    outcomes: dict[str, int]
    age_us: float | None


def read_quality(engine: sa.Engine, timeline: Timeline) -> list[CameraQuality]:
    """The quality of every camera with rows in the period, by id.

    Raises DatabaseError where the database cannot be read.
    """
    with snapshot(engine) as connection:
        cells = read_cells(connection, timeline.whole(), _COLUMNS)
    (sums,) = cells.values
    result = []
    for place, camera in enumerate(cells.cameras):
        row = dict(zip(_COLUMNS, sums[place].tolist(), strict=True))
        result.append(
            CameraQuality(
                camera,
                row["watched_us"] / row["scheduled_us"] if row["scheduled_us"] else None,
                round(row["captured"]),
                {name: round(row[name]) for name in _OUTCOMES},
                row["age_sum_us"] / row["analysed"] if row["analysed"] else None,
            )
        )
    return result


def read_oldest(engine: sa.Engine, cameras: frozenset[str] | None = None) -> dict[str, int | None]:
    """The time of the oldest row of each kind that retention deletes, None without rows.

    If `cameras` are given, of them alone, and without the audit log, which is about no camera.

    Raises DatabaseError where the database cannot be read.
    """
    times = {
        "visits": tables.visits.c.first_seen,
        "observations": tables.observations.c.observed_at,
        "coverage": tables.camera_minutes.c.minute,
    }
    if cameras is not None and not cameras:
        return dict.fromkeys(times)
    with engine.connect() as connection:
        oldest = {kind: _read_oldest(connection, time, cameras) for kind, time in times.items()}
        if cameras is None:
            oldest["audit"] = _read_oldest(connection, tables.audit_log.c.at, None)
    return oldest


def _read_oldest(
    connection: sa.Connection, time: sa.Column[int], cameras: frozenset[str] | None
) -> int | None:
    first = _read_first(connection, time)
    if cameras is None or first is None:
        return first
    # Roll-ups may lack the oldest days, so these are searched.
    oldest = _read_first(connection, time, cameras, first, first + _CUT_DAYS_US)
    if oldest is None:
        oldest = _read_first(connection, time, cameras, _read_start(connection, time, cameras, first))
    return oldest


def _read_start(connection: sa.Connection, time: sa.Column[int], cameras: frozenset[str], first: int) -> int:
    """A time from which on all rows of the cameras are: the first day that has any, as far as roll-ups tell.

    `first` is the time of the oldest row of all cameras.
    """
    days = tables.camera_days.c
    counts = tables.COUNTS if time.table is tables.camera_minutes else ("visits",)
    has_rows = sa.or_(*(days[name] > 0 for name in counts))
    day = connection.scalar(
        sa.select(sa.func.min(days.day)).where(
            days.day >= first - _CUT_DAYS_US, days.camera_id.in_(sorted(cameras)), has_rows
        )
    )
    until = read_rolled_up(connection).days
    return until if day is None else min(int(day), until)


def _read_first(
    connection: sa.Connection,
    time: sa.Column[int],
    cameras: frozenset[str] | None = None,
    start: int | None = None,
    end: int | None = None,
) -> int | None:
    """The first `time` from `start` to before `end`."""
    conditions: list[sa.ColumnElement[bool]] = []
    if cameras is not None:
        conditions.append(time.table.c.camera_id.in_(sorted(cameras)))
    if has_day_partitions(connection.engine) and any(time is each for each in PARTITION_COLUMNS):
        return read_oldest_time(connection, time, *conditions, start=start, end=end)
    if start is not None:
        conditions.append(time >= start)
    if end is not None:
        conditions.append(time < end)
    return connection.scalar(sa.select(sa.func.min(time)).where(*conditions))
