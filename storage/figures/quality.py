"""How good the data of each camera are: coverage, and what became of its frames. They contain no visits."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from storage import tables
from storage.day_partitions import PARTITION_COLUMNS, has_day_partitions, read_oldest_time
from storage.figures.cells import read_cells, snapshot
from storage.figures.timeline import Timeline

_OUTCOMES = tuple(
    name for name in tables.COUNTS if name not in {"captured", "faces", "watched_us", "age_sum_us"}
)
_COLUMNS = tables.COVERAGE_SUMS


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
    with engine.connect() as connection:
        oldest = {kind: _read_oldest(connection, time, cameras) for kind, time in times.items()}
        if cameras is None:
            oldest["audit"] = _read_oldest(connection, tables.audit_log.c.at, None)
    return oldest


def _read_oldest(
    connection: sa.Connection, time: sa.Column[int], cameras: frozenset[str] | None
) -> int | None:
    conditions = [] if cameras is None else [time.table.c.camera_id.in_(sorted(cameras))]
    if has_day_partitions(connection.engine) and any(time is each for each in PARTITION_COLUMNS):
        return read_oldest_time(connection, time, *conditions)
    return connection.scalar(sa.select(sa.func.min(time)).where(*conditions))
