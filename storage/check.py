"""Integrity check of a database: the invariants of its tables, recomputed from the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bus.messages import MINUTE_US
from storage import day_partitions, tables
from storage.day_partitions import DAY_US, start_of_day
from storage.mood import mood_of
from storage.newest_result import FUTURE_US
from storage.rollup_check import count_wrong_days, count_wrong_hours
from storage.versions import read_version

LEAST_DAYS_AHEAD = 3
"""Fewer day partitions ahead than this mean that maintenance does not run."""

_TIMES: tuple[sa.Column[int], ...] = (
    tables.visits.c.first_seen,
    tables.observations.c.observed_at,
    tables.camera_minutes.c.minute,
)
"""The times of results, which come from the clocks of cameras' machines."""

_ROUNDING = 1e-6
"""The largest difference, by visit, of two sums of the same values in another order."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check: whether it passed, its subject, and details in one line."""

    passed: bool
    subject: str
    details: str


def check_database(engine: sa.Engine, now_us: int) -> list[CheckResult]:
    """Check all invariants without a change; each table is read once or twice as a whole.

    Raises:
        StorageError: the database is of a version that this program does not know.
        DatabaseError: the database cannot be read.
    """
    with engine.connect() as connection:
        if day_partitions.has_day_partitions(engine):
            # The time limit for statements of readers is too short for this.
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        version = read_version(connection)
        details = f"{version.current}, newest is {version.newest}"
        results = [CheckResult(version.is_newest, "version", details)]
        if not day_partitions.has_day_partitions(engine):
            results.append(_file(connection))
            if not results[-1].passed:
                return results  # No other check could trust what it reads.
        for time in day_partitions.PARTITION_COLUMNS if day_partitions.has_day_partitions(engine) else ():
            results += [_days_ahead(connection, time, now_us), _default_rows(connection, time, now_us)]
        results += [_future_rows(connection, time, now_us) for time in _TIMES]
        checks: tuple[Callable[[sa.Connection], CheckResult], ...] = (
            _positions,
            _visits,
            _rollup,
            _hours,
            _days,
            _observations,
            _drops,
        )
        return results + [each(connection) for each in checks]


def _file(connection: sa.Connection) -> CheckResult:
    answer = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    return CheckResult(answer == "ok", "file", answer)


def _days_ahead(connection: sa.Connection, time: sa.Column[int], now_us: int) -> CheckResult:
    existing = {day.start for day in day_partitions.read_day_partitions(connection, time)}
    today = start_of_day(now_us)
    ahead = 0
    while today + (ahead + 1) * DAY_US in existing:
        ahead += 1
    passed = today in existing and ahead >= LEAST_DAYS_AHEAD
    details = f"{ahead} ahead" if today in existing else "none for today"
    fix = "" if passed else ": run `mien db maintain`"
    return CheckResult(passed, f"day partitions of {time.table.description}", details + fix)


def _default_rows(connection: sa.Connection, time: sa.Column[int], now_us: int) -> CheckResult:
    last = start_of_day(now_us) + day_partitions.DAYS_AHEAD * DAY_US
    rows = day_partitions.count_default_rows(connection, time)
    late = sum(count for day, count in rows.items() if day <= last)
    subject = f"{time.table.description} without a day partition"
    return CheckResult(not late, subject, f"{late} rows: run `mien db maintain`" if late else "none")


def _future_rows(connection: sa.Connection, time: sa.Column[int], now_us: int) -> CheckResult:
    """Rows of the future come from a wrong clock, or from a recording that was read faster than its time."""
    count = connection.scalar(
        sa.select(sa.func.count()).select_from(time.table).where(time > now_us + FUTURE_US)
    )
    details = f"{count} rows: the clock of a machine is wrong" if count else "none"
    return CheckResult(not count, f"{time.table.description} of the future", details)


def _positions(connection: sa.Connection) -> CheckResult:
    offsets = tables.offsets.c
    rows, negative = connection.execute(
        sa.select(sa.func.count(), sa.func.count().filter(offsets.next_offset < 0)).select_from(
            tables.offsets
        )
    ).one()
    return CheckResult(not negative, "positions", f"{rows}, of which {negative} are negative")


def _visits(connection: sa.Connection) -> CheckResult:
    visits = tables.visits.c
    repeated = sa.select(visits.visit_id).group_by(visits.visit_id).having(sa.func.count() > 1)
    return _no_rows(connection, repeated, "visits", "{} ids occur more than once")


def _rollup(connection: sa.Connection) -> CheckResult:
    """The rollup equals the sums over the closed visits."""
    visits, rollup = tables.visits.c, tables.visit_minutes.c
    keys = ("camera_id", "expression", "gender")
    figures = {
        "visits": sa.literal(1),
        "dwell_us": visits.last_seen - visits.first_seen,
        "mood": mood_of(dict(visits)),
        "p_female": visits.p_female,
    }
    minute = (visits.first_seen - visits.first_seen % MINUTE_US).label("minute")
    expected = sa.select(
        minute, *(visits[key] for key in keys), *(each.label(name) for name, each in figures.items())
    ).where(visits.closed)
    stored = sa.select(
        rollup.minute, *(rollup[key] for key in keys), *((-rollup[name]).label(name) for name in figures)
    )
    both = sa.union_all(expected, stored).subquery().c
    groups = [both.minute, *(both[key] for key in keys)]
    sums = {name: sa.func.sum(both[name]) for name in figures}
    # The sum over both sides is 0, so the number of visits, which limits the rounding, is the rollup's.
    cell = sa.func.sum(sa.case((both.visits < 0, -both.visits), else_=0))
    wrong = sa.or_(
        sums["visits"] != 0,
        sa.func.abs(sums["dwell_us"]) > 0.5,
        *(sa.func.abs(sums[name]) > _ROUNDING * cell for name in ("mood", "p_female")),
    )
    return _no_rows(
        connection, sa.select(both.minute).group_by(*groups).having(wrong), "rollup", "{} cells differ"
    )


def _hours(connection: sa.Connection) -> CheckResult:
    """The roll-ups by hour equal the sums over the closed visits."""
    wrong = count_wrong_hours(connection)
    return CheckResult(not wrong, "rollup by hour", f"{wrong} hours differ")


def _days(connection: sa.Connection) -> CheckResult:
    """The roll-ups by day equal the sums of their hours."""
    wrong = count_wrong_days(connection)
    return CheckResult(not wrong, "rollup by day", f"{wrong} days differ")


def _observations(connection: sa.Connection) -> CheckResult:
    seen, visits = tables.observations.c, tables.visits.c
    orphans = sa.select(seen.visit_id).where(~sa.exists().where(visits.visit_id == seen.visit_id))
    return _no_rows(connection, orphans, "observations", "{} have no visit")


def _drops(connection: sa.Connection) -> CheckResult:
    """The dropped frames by reason add up to all dropped frames."""
    minutes, drops = tables.camera_minutes.c, tables.camera_drops.c
    totals = sa.select(minutes.minute, minutes.camera_id, minutes.dropped.label("frames"))
    parts = sa.select(drops.minute, drops.camera_id, -drops.frames)
    both = sa.union_all(totals, parts).subquery().c
    differ = (
        sa.select(both.minute).group_by(both.minute, both.camera_id).having(sa.func.sum(both.frames) != 0)
    )
    return _no_rows(connection, differ, "drops", "{} minutes differ from the sum of their reasons")


def _no_rows(connection: sa.Connection, wrong: sa.Select[Any], subject: str, template: str) -> CheckResult:
    count = connection.scalar(sa.select(sa.func.count()).select_from(wrong.subquery())) or 0
    return CheckResult(count == 0, subject, template.format(count))
