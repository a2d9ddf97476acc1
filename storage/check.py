"""Whether a database is whole: what should always hold of the tables, counted anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bus.messages import MINUTE_US
from storage import partitions, tables
from storage.mood import mood_of
from storage.partitions import DAY_US, day_of
from storage.versions import version

LEAST_DAYS_AHEAD = 3
"""Days made ahead under which maintenance was not run for too long."""

_ROUNDING = 1e-6
"""How far two sums of the same figures may lie apart, by visit: they were added in another order."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether all is well, and what was found, in one line."""

    fine: bool
    what: str
    found: str


def check(engine: sa.Engine, now_us: int) -> list[Finding]:
    """Look at everything, changing nothing; each table is read once or twice, as a whole.

    Raises:
        StorageError: the database is of a version that this program does not know.
        sqlalchemy.exc.DBAPIError: it cannot be read.
    """
    with engine.connect() as connection:
        if partitions.are_used(engine):
            # This may take longer than a reader's statement usually may.
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        found = version(connection)
        findings = [Finding(found.is_newest, "version", f"{found.current}, newest is {found.newest}")]
        if not partitions.are_used(engine):
            findings.append(_file(connection))
        for time in partitions.TIMES if partitions.are_used(engine) else ():
            findings += [_days_ahead(connection, time, now_us), _default(connection, time, now_us)]
        checks: tuple[Callable[[sa.Connection], Finding], ...] = (
            _positions,
            _visits,
            _rollup,
            _seconds,
            _drops,
        )
        return findings + [each(connection) for each in checks]


def _file(connection: sa.Connection) -> Finding:
    answer = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    return Finding(answer == "ok", "file", answer)


def _days_ahead(connection: sa.Connection, time: sa.Column[int], now_us: int) -> Finding:
    there = {day.start for day in partitions.days(connection, time)}
    today = day_of(now_us)
    ahead = 0
    while today + (ahead + 1) * DAY_US in there:
        ahead += 1
    fine = today in there and ahead >= LEAST_DAYS_AHEAD
    found = f"{ahead} ahead" if today in there else "none for today"
    return Finding(fine, f"days of {time.table.description}", found + _fix(fine, "run `mien db maintain`"))


def _default(connection: sa.Connection, time: sa.Column[int], now_us: int) -> Finding:
    last = day_of(now_us) + partitions.DAYS_AHEAD * DAY_US
    rows = partitions.unplaced(connection, time)
    late = sum(count for day, count in rows.items() if day <= last)
    future = sum(rows.values()) - late
    found = [f"{late} rows wait for their day: run `mien db maintain`"] if late else []
    found += [f"{future} rows lie in the future: a camera's clock is wrong"] if future else []
    return Finding(not found, f"rows of {time.table.description} without a day", "; ".join(found) or "none")


def _positions(connection: sa.Connection) -> Finding:
    offsets = tables.offsets.c
    rows, negative = connection.execute(
        sa.select(sa.func.count(), sa.func.count().filter(offsets.next_offset < 0)).select_from(
            tables.offsets
        )
    ).one()
    return Finding(not negative, "positions", f"{rows}, of which {negative} lie before the beginning")


def _visits(connection: sa.Connection) -> Finding:
    visits = tables.visits.c
    doubled = sa.select(visits.visit_id).group_by(visits.visit_id).having(sa.func.count() > 1)
    return _none_of(connection, doubled, "visits", "{} are there more than once")


def _rollup(connection: sa.Connection) -> Finding:
    """Closed visits, counted anew, are what the rollup holds."""
    visits, rollup = tables.visits.c, tables.visit_minutes.c
    keys = ("camera_id", "expression", "gender")
    figures = {
        "visits": sa.literal(1),
        "dwell_us": visits.last_seen - visits.first_seen,
        "mood": mood_of(dict(visits)),
        "p_female": visits.p_female,
    }
    minute = (visits.first_seen - visits.first_seen % MINUTE_US).label("minute")
    anew = sa.select(
        minute, *(visits[key] for key in keys), *(each.label(name) for name, each in figures.items())
    ).where(visits.closed)
    kept = sa.select(
        rollup.minute, *(rollup[key] for key in keys), *((-rollup[name]).label(name) for name in figures)
    )
    both = sa.union_all(anew, kept).subquery().c
    counted = [both.minute, *(both[key] for key in keys)]
    sums = {name: sa.func.sum(both[name]) for name in figures}
    # The visits of a cell cancel out, so that what rounding may amount to is taken from the rollup alone.
    cell = sa.func.sum(sa.case((both.visits < 0, -both.visits), else_=0))
    wrong = sa.or_(
        sums["visits"] != 0,
        sa.func.abs(sums["dwell_us"]) > 0.5,
        *(sa.func.abs(sums[name]) > _ROUNDING * cell for name in ("mood", "p_female")),
    )
    return _none_of(
        connection, sa.select(both.minute).group_by(*counted).having(wrong), "rollup", "{} cells differ"
    )


def _seconds(connection: sa.Connection) -> Finding:
    seen, visits = tables.observations.c, tables.visits.c
    orphans = sa.select(seen.visit_id).where(~sa.exists().where(visits.visit_id == seen.visit_id))
    return _none_of(connection, orphans, "observations", "{} belong to no visit")


def _drops(connection: sa.Connection) -> Finding:
    """What was dropped for each reason adds up to what was dropped."""
    minutes, drops = tables.camera_minutes.c, tables.camera_drops.c
    whole = sa.select(minutes.minute, minutes.camera_id, minutes.dropped.label("frames"))
    parts = sa.select(drops.minute, drops.camera_id, -drops.frames)
    both = sa.union_all(whole, parts).subquery().c
    differ = (
        sa.select(both.minute).group_by(both.minute, both.camera_id).having(sa.func.sum(both.frames) != 0)
    )
    return _none_of(connection, differ, "drops", "{} minutes differ from the sum of their reasons")


def _none_of(connection: sa.Connection, wrong: sa.Select[Any], what: str, words: str) -> Finding:
    count = connection.scalar(sa.select(sa.func.count()).select_from(wrong.subquery())) or 0
    return Finding(count == 0, what, words.format(count))


def _fix(fine: bool, words: str) -> str:
    return "" if fine else f": {words}"
