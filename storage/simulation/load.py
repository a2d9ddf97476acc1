"""Loading of a simulated history in bulk, and its registration."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bus.messages import MINUTE_US
from common.timezones import open_timezone
from storage import day_partitions, tables
from storage.day_partitions import DAY_US, start_of_day
from storage.errors import StorageError
from storage.local_time import dates, day_start
from storage.mood import mood_of
from storage.pauses import begin_pause
from storage.rollups import roll_up
from storage.simulation.sampling import MINUTE_ORDER, VISIT_ORDER, sample_day
from storage.simulation.scenario import Scenario
from storage.sums import SIMULATED_MODEL
from storage.versions import require_owner
from storage.visit_classes import add_closed_visits

PAUSE_REASON = "Simulated history"

Progress = Callable[[int, int], None]
"""Is told how many steps of how many are done."""


def has_real_visits(engine: sa.Engine) -> bool:
    """Whether the database has visits that are not simulated."""
    return _has(engine, tables.visits.c.model != SIMULATED_MODEL)


def has_simulated_visits(engine: sa.Engine) -> bool:
    """Whether the database has a simulated history."""
    return _has(engine, tables.visits.c.model == SIMULATED_MODEL)


def _has(engine: sa.Engine, condition: sa.ColumnElement[bool]) -> bool:
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.literal(1)).where(sa.exists().where(condition))) == 1


def load_history(
    engine: sa.Engine, scenario: Scenario, timezone: str, now_us: int, report: Progress = lambda *_: None
) -> int:
    """Store the history of a scenario up to now, and its roll-ups; the number of visits.

    It is stored in one transaction: a part of it would look like a shop that opened late, and could not be
    completed.

    Raises:
        StorageError: the user does not own the tables, or the database has a simulated history already.
        DatabaseUnavailable: the database cannot be written.
    """
    require_owner(engine)
    if has_simulated_visits(engine):
        raise StorageError("database: has a simulated history already; use another database")
    zone = open_timezone(timezone)
    days = dates(scenario.first, scenario.last)
    _create_day_partitions(engine, day_start(scenario.first, zone), now_us)
    count = 0
    with engine.begin() as connection:
        _register(connection, scenario, zone, now_us)
        # Older roll-ups do not contain these rows, so they are built again.
        connection.execute(sa.delete(tables.rollup_state))
        for number, day in enumerate(days):
            rows = sample_day(scenario, day, zone, now_us)
            count += len(rows.visits)
            start, end = day_start(day, zone), day_start(day + timedelta(days=1), zone)
            _insert(connection, tables.visits, VISIT_ORDER, rows.visits)
            _insert(connection, tables.camera_minutes, MINUTE_ORDER, rows.minutes)
            _roll_up_minutes(connection, start, end)
            add_closed_visits(connection, start, end, SIMULATED_MODEL)
            report(number + 1, 2 * len(days))
    done = iter(range(len(days) + 1, 2 * len(days) + 1))
    roll_up(engine, now_us, timezone, lambda _: report(next(done, 2 * len(days)), 2 * len(days)))
    _optimise(engine)
    return count


def _register(connection: sa.Connection, scenario: Scenario, zone: ZoneInfo, now_us: int) -> None:
    cameras = [
        {
            "id": camera.id,
            "name": camera.name,
            "site": camera.site,
            "zone": camera.zone,
            "source": camera.source,
            "enabled": camera.enabled,
            "pause_reason": "" if camera.enabled else PAUSE_REASON,
            "created_at": day_start(scenario.first, zone),
            "changed_at": now_us,
            "open_hours": camera.open_hours,
        }
        for camera in scenario.cameras
    ]
    known = set(connection.scalars(sa.select(tables.cameras.c.id)))
    taken = sorted(known & {camera.id for camera in scenario.cameras})
    if taken:
        raise StorageError(f"camera {taken[0]}: is registered already; use another database")
    connection.execute(sa.insert(tables.cameras), cameras)
    for camera in scenario.cameras:
        if not camera.enabled:
            begin_pause(connection, camera.id, now_us)
    for event in scenario.events:
        event_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{event.name} {event.first}").hex
        connection.execute(
            sa.insert(tables.events),
            {
                "id": event_id,
                "name": event.name,
                "start_at": day_start(event.first, zone),
                "end_at": day_start(event.last + timedelta(days=1), zone),
                "created_at": now_us,
            },
        )
        affected = [
            {"event_id": event_id, "camera_id": camera.id}
            for camera in scenario.cameras
            if camera.site == event.site
        ]
        connection.execute(sa.insert(tables.event_cameras), affected)


def _create_day_partitions(engine: sa.Engine, start: int, now_us: int) -> None:
    if day_partitions.has_day_partitions(engine):
        days = range(start_of_day(start), start_of_day(now_us) + DAY_US, DAY_US)
        day_partitions.create_days(engine, tables.visits.c.first_seen, days)


def _insert(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Insert rows as fast as the driver can."""
    cursor: Any = connection.connection.cursor()
    names = ", ".join(columns)
    try:
        if connection.dialect.name == "postgresql":
            with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join("?" * len(columns))
            cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)
    finally:
        cursor.close()


def _roll_up_minutes(connection: sa.Connection, start: int, end: int) -> None:
    """Add the simulated visits of a day to the sums by minute, as the writer does for others."""
    visits = tables.visits.c
    mood = mood_of(dict(visits))
    values = {
        **{name: visits[name] for name in (*tables.PROBABILITIES, "p_female")},
        "mood": mood,
        "mood_squared": mood * mood,
        "dwell_us": visits.last_seen - visits.first_seen,
    }
    keys = {
        "minute": visits.first_seen - visits.first_seen % MINUTE_US,
        **{name: visits[name] for name in ("camera_id", "expression", "gender")},
    }
    each = (
        sa.select(*(value.label(name) for name, value in (keys | values).items()))
        .where(visits.first_seen >= start, visits.first_seen < end, visits.model == SIMULATED_MODEL)
        .subquery()
        .c
    )
    sums = sa.select(
        *(each[name] for name in keys), sa.func.count(), *(sa.func.sum(each[name]) for name in values)
    ).group_by(*(each[name] for name in keys))
    into = sa.insert(tables.visit_minutes).from_select((*keys, "visits", *values), sums)
    connection.execute(into)


def _optimise(engine: sa.Engine) -> None:
    """Let the database know how its rows are distributed."""
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
