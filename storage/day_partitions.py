"""Day partitions of PostgreSQL: visits and observations have one table for each UTC day.

Day partitions are created in advance. A row whose day has none is stored in the default partition, so that
no row is refused, and moves when the day partition is created. Retention drops old day partitions as a whole.

Only the owner has privileges on a day partition itself. The other roles use its rows through the table, whose
privileges are the ones that count then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import sqlalchemy as sa

from bus.messages import MICROSECONDS
from storage import tables

DAY_US = 86_400 * MICROSECONDS
DAYS_AHEAD = 7
PARTITION_COLUMNS: tuple[sa.Column[int], ...] = (
    tables.visits.c.first_seen,
    tables.observations.c.observed_at,
)
"""The columns by which tables are partitioned."""

_LOCK = 0x6D69656F
_LOCK_TIMEOUT = "5s"
"""How long a change waits for readers and writers, and so how long it may block those that come after it."""


@dataclass(frozen=True, slots=True)
class DayPartition:
    """The table of the rows from `start` to `end`, microseconds UTC."""

    name: str
    start: int
    end: int


def start_of_day(time_us: int) -> int:
    """The start of the UTC day that contains `time_us`, in microseconds."""
    return time_us - time_us % DAY_US


def has_day_partitions(engine: sa.Engine) -> bool:
    """Whether this database has day partitions: PostgreSQL has."""
    return engine.dialect.name == "postgresql"


def default_partition(time: sa.Column[int]) -> str:
    """The name of the default partition."""
    return f"{time.table.description}_default"


def read_day_partitions(connection: sa.Connection, time: sa.Column[int]) -> list[DayPartition]:
    """The day partitions of the table of `time`, by day."""
    query = sa.text(
        "SELECT child.relname, pg_get_expr(child.relpartbound, child.oid) FROM pg_inherits "
        "JOIN pg_class child ON child.oid = inhrelid WHERE inhparent = to_regclass(:parent)"
    )
    bounds = [
        (name, re.findall(r"-?\d+", bound))
        for name, bound in connection.execute(query, {"parent": time.table.description})
    ]
    found = [DayPartition(name, int(bound[0]), int(bound[1])) for name, bound in bounds if bound]
    return sorted(found, key=lambda day: day.start)


def read_oldest_time(
    connection: sa.Connection,
    time: sa.Column[int],
    *conditions: sa.ColumnElement[bool],
    start: int | None = None,
    end: int | None = None,
) -> int | None:
    """The oldest `time` from `start` to before `end` of the rows that meet the conditions, None without one.

    Ever longer periods are searched, from the oldest day on: a query over a year of partitions takes longer
    to plan than to execute.
    """
    days = [
        day.start
        for day in read_day_partitions(connection, time)
        if (start is None or day.start > start) and (end is None or day.start < end)
    ]
    doubling = [days[2**power - 1] for power in range(len(days).bit_length())]
    for first, last in pairwise((start, *doubling, end)):
        after = [time >= first] if first is not None else []
        before = [time < last] if last is not None else []
        oldest = connection.scalar(sa.select(sa.func.min(time)).where(*after, *before, *conditions))
        if oldest is not None:
            return int(oldest)
    return None


def count_default_rows(connection: sa.Connection, time: sa.Column[int]) -> dict[int, int]:
    """The number of rows in the default partition, by the start of their day."""
    default = sa.table(default_partition(time), sa.column(time.name, sa.BigInteger))
    stamp = default.c[time.name]
    day = (stamp - stamp % DAY_US).label("day")
    return dict(connection.execute(sa.select(day, sa.func.count()).group_by(day)).all())


def create_missing(
    engine: sa.Engine, time: sa.Column[int], now_us: int, progress: Callable[[], None] = lambda: None
) -> list[DayPartition]:
    """Create the day partitions of today, of `DAYS_AHEAD` days and of rows in the default one; the new ones.

    Rows of later days stay in the default partition, since their time comes from a wrong clock. `progress` is
    called after each partition; what it raises ends the work there.

    Raises `storage.errors.DatabaseUnavailable` where others use the table for too long.
    """
    today = start_of_day(now_us)
    last = today + DAYS_AHEAD * DAY_US
    with engine.connect() as connection:
        with_rows = [day for day in count_default_rows(connection, time) if day <= last]
        existing = {day.start for day in read_day_partitions(connection, time)}
    made = []
    for start in sorted({*with_rows, *range(today, last + 1, DAY_US)} - existing):
        if day := _create(engine, time, start):
            made.append(day)
        progress()
    return made


def create_days(engine: sa.Engine, time: sa.Column[int], starts: Iterable[int]) -> None:
    """Create the day partitions that are missing of the days that start at `starts`, microseconds UTC.

    Raises `storage.errors.DatabaseUnavailable` where others use the table for too long.
    """
    with engine.connect() as connection:
        existing = {day.start for day in read_day_partitions(connection, time)}
    for start in sorted(set(starts) - existing):
        _create(engine, time, start)


def drop_before(
    engine: sa.Engine, time: sa.Column[int], before_us: int, progress: Callable[[], None] = lambda: None
) -> int:
    """Drop the day partitions that end by `before_us`; the number of their rows.

    `progress` is called after each partition; what it raises ends the work there.

    Raises `storage.errors.DatabaseUnavailable` where others use the table for too long.
    """
    with engine.connect() as connection:
        old = [day for day in read_day_partitions(connection, time) if day.end <= before_us]
    rows = 0
    for day in old:
        rows += _drop(engine, time, day)
        progress()
    return rows


def revoke_direct_privileges(connection: sa.Connection) -> None:
    """Revoke the privileges that roles other than the owner have on day partitions themselves.

    PostgreSQL does not pass a REVOKE on a table on to its partitions, so a role could still use them.
    """
    _lock(connection)
    found = [read_day_partitions(connection, time) for time in PARTITION_COLUMNS]
    _revoke_privileges(connection, [day.name for days in found for day in days])


def _create(engine: sa.Engine, time: sa.Column[int], start: int) -> DayPartition | None:
    """Create a day partition and move its rows into it; None where another process just did."""
    table, default = time.table.description, default_partition(time)
    day = DayPartition(f"{table}_{_date(start):%Y%m%d}", start, start + DAY_US)
    within = f"{time.name} >= {day.start} AND {time.name} < {day.end}"
    with engine.begin() as connection:
        _begin_change(connection)
        if day in read_day_partitions(connection, time):
            return None
        # The lock keeps writers out: once the day is attached, the default partition refuses its rows.
        _execute(
            connection,
            f"LOCK TABLE ONLY {table} IN SHARE ROW EXCLUSIVE MODE",
            f"CREATE TABLE {day.name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
            f"WITH moved AS (DELETE FROM {default} WHERE {within} RETURNING *) "
            f"INSERT INTO {day.name} SELECT * FROM moved",
            f"ALTER TABLE {table} ATTACH PARTITION {day.name} FOR VALUES FROM ({day.start}) TO ({day.end})",
        )
        # The default privileges for new tables (`storage.roles`) hold for this one, too.
        _revoke_privileges(connection, [day.name])
    return day


def _drop(engine: sa.Engine, time: sa.Column[int], day: DayPartition) -> int:
    with engine.begin() as connection:
        _begin_change(connection)
        if day not in read_day_partitions(connection, time):
            return 0
        rows = int(connection.exec_driver_sql(f"SELECT count(*) FROM {day.name}").scalar_one())
        _execute(
            connection,
            f"ALTER TABLE {time.table.description} DETACH PARTITION {day.name}",
            f"DROP TABLE {day.name}",
        )
    return rows


def _begin_change(connection: sa.Connection) -> None:
    """Let one change run at a time, with a limited wait for locks."""
    _execute(connection, f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    _lock(connection)


def _lock(connection: sa.Connection) -> None:
    """Let no other process create or drop a day partition until the end of the transaction."""
    _execute(connection, f"SELECT pg_advisory_xact_lock({_LOCK})")


def _revoke_privileges(connection: sa.Connection, names: Sequence[str]) -> None:
    """Leave the privileges on these tables to their owner alone."""
    query = sa.text(
        "SELECT relname, string_agg(DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' "
        "ELSE quote_ident(pg_get_userbyid(grantee)) END, ', ') "
        "FROM pg_class CROSS JOIN aclexplode(relacl) WHERE grantee <> relowner "
        "AND pg_class.oid = ANY (SELECT to_regclass(name) FROM unnest(CAST(:names AS text[])) AS name) "
        "GROUP BY relname"
    )
    found = connection.execute(query, {"names": list(names)}).all()
    _execute(connection, *(f"REVOKE ALL ON {name} FROM {roles}" for name, roles in found))


def _execute(connection: sa.Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def _date(day: int) -> datetime:
    return datetime.fromtimestamp(day / MICROSECONDS, UTC)


def date_range(days: Sequence[DayPartition]) -> str:
    """The first and the last date as text: "2023-11-14 to 2023-11-16"."""
    if not days:
        return "none"
    first, last = (f"{_date(day.start):%Y-%m-%d}" for day in (days[0], days[-1]))
    return first if first == last else f"{first} to {last}"
