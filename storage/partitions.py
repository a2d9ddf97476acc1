"""PostgreSQL's partitions: a table of its own for each UTC day of visits and of observations.

Days are made ahead. A row whose day is missing goes to the default partition, so that none is ever refused,
and moves to its day when that is made. What is too old goes with its day, as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from bus.messages import MICROSECONDS
from storage import tables

DAY_US = 86_400 * MICROSECONDS
DAYS_AHEAD = 7
TIMES: tuple[sa.Column[int], ...] = (tables.visits.c.first_seen, tables.observations.c.observed_at)
"""The columns by which tables are partitioned."""

_LOCK = 0x6D69656F
_WAIT = "5s"
"""How long a change waits for those who read or write; whoever comes after it waits for as long."""


@dataclass(frozen=True, slots=True)
class Day:
    """A partition: the rows of `start` to `end`, microseconds UTC."""

    name: str
    start: int
    end: int


def day_of(time_us: int) -> int:
    """The start of the UTC day that holds `time_us`, in microseconds."""
    return time_us - time_us % DAY_US


def are_used(engine: sa.Engine) -> bool:
    """Whether this database has partitions."""
    return engine.dialect.name == "postgresql"


def default_of(time: sa.Column[int]) -> str:
    """The name of the default partition."""
    return f"{time.table.description}_default"


def days(connection: sa.Connection, time: sa.Column[int]) -> list[Day]:
    """The days of a table, in order."""
    query = sa.text(
        "SELECT child.relname, pg_get_expr(child.relpartbound, child.oid) FROM pg_inherits "
        "JOIN pg_class child ON child.oid = inhrelid WHERE inhparent = to_regclass(:parent)"
    )
    bounds = [
        (name, re.findall(r"-?\d+", bound))
        for name, bound in connection.execute(query, {"parent": time.table.description})
    ]
    found = [Day(name, int(bound[0]), int(bound[1])) for name, bound in bounds if bound]
    return sorted(found, key=lambda day: day.start)


def unplaced(connection: sa.Connection, time: sa.Column[int]) -> dict[int, int]:
    """Rows in the default partition, by the day to which they belong."""
    default = sa.table(default_of(time), sa.column(time.name, sa.BigInteger))
    stamp = default.c[time.name]
    day = (stamp - stamp % DAY_US).label("day")
    return dict(connection.execute(sa.select(day, sa.func.count()).group_by(day)).all())


def make_days(engine: sa.Engine, time: sa.Column[int], now_us: int) -> list[Day]:
    """Make today's partition, those of the days ahead, and those for which rows wait; which are new.

    Rows of later days stay in the default partition: a clock is wrong.

    Raises `storage.writer.OUTAGES` where somebody uses the table for too long.
    """
    today = day_of(now_us)
    last = today + DAYS_AHEAD * DAY_US
    with engine.connect() as connection:
        waiting = [day for day in unplaced(connection, time) if day <= last]
        there = {day.start for day in days(connection, time)}
    wanted = {*waiting, *range(today, last + 1, DAY_US)} - there
    return [day for start in sorted(wanted) if (day := _make(engine, time, start))]


def drop_days(engine: sa.Engine, time: sa.Column[int], before_us: int) -> int:
    """Drop the days that end by `before_us`; how many rows were in them.

    Raises `storage.writer.OUTAGES` where somebody uses the table for too long.
    """
    with engine.connect() as connection:
        old = [day for day in days(connection, time) if day.end <= before_us]
    return sum(_drop(engine, time, day) for day in old)


def _make(engine: sa.Engine, time: sa.Column[int], start: int) -> Day | None:
    """Make a day and move there what waits for it; None where somebody else just did."""
    table, default = time.table.description, default_of(time)
    day = Day(f"{table}_{_date(start):%Y%m%d}", start, start + DAY_US)
    within = f"{time.name} >= {day.start} AND {time.name} < {day.end}"
    with engine.begin() as connection:
        _begin_change(connection)
        if day in days(connection, time):
            return None
        # Without writers, none finds the default partition closed to a row that it was about to take.
        _execute(
            connection,
            f"LOCK TABLE ONLY {table} IN SHARE ROW EXCLUSIVE MODE",
            f"CREATE TABLE {day.name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
            f"WITH moved AS (DELETE FROM {default} WHERE {within} RETURNING *) "
            f"INSERT INTO {day.name} SELECT * FROM moved",
            f"ALTER TABLE {table} ATTACH PARTITION {day.name} FOR VALUES FROM ({day.start}) TO ({day.end})",
        )
    return day


def _drop(engine: sa.Engine, time: sa.Column[int], day: Day) -> int:
    with engine.begin() as connection:
        _begin_change(connection)
        if day not in days(connection, time):
            return 0
        rows = int(connection.exec_driver_sql(f"SELECT count(*) FROM {day.name}").scalar_one())
        _execute(
            connection,
            f"ALTER TABLE {time.table.description} DETACH PARTITION {day.name}",
            f"DROP TABLE {day.name}",
        )
    return rows


def _begin_change(connection: sa.Connection) -> None:
    """One change at a time, and none that lets the others wait for long."""
    _execute(connection, f"SET LOCAL lock_timeout = '{_WAIT}'", f"SELECT pg_advisory_xact_lock({_LOCK})")


def _execute(connection: sa.Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def _date(day: int) -> datetime:
    return datetime.fromtimestamp(day / MICROSECONDS, UTC)


def dates(found: Sequence[Day]) -> str:
    """The days in words: the first and the last."""
    if not found:
        return "none"
    first, last = (f"{_date(day.start):%Y-%m-%d}" for day in (found[0], found[-1]))
    return first if first == last else f"{first} to {last}"
