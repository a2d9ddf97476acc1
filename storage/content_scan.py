"""Scan of a whole database for pictures and vectors: every table and column that could hold one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from common.picture_traces import SHORTEST, VECTOR, find_in_value
from storage import tables
from storage.day_partitions import (
    PARTITION_COLUMNS,
    DayPartition,
    has_day_partitions,
    read_day_partitions,
)
from storage.engine import sqlite_file
from storage.errors import DatabaseError

SAMPLE_ROWS = 20_000
"""Rows of a table that are read, the newest first, unless all are."""

STATEMENT_MS = 20_000
_BATCH = 1000
_TIMES = ("at", "created_at", "written_at", "first_seen", "observed_at", "minute", "hour", "day", "since")
"""Columns by which the newest rows of a table are found."""

_NUMBERS = (sa.Integer, sa.Float, sa.Boolean, sa.Numeric, sa.Date, sa.DateTime, sa.Time, sa.Interval)
"""Types that hold one number each."""


@dataclass(frozen=True, slots=True)
class TableScan:
    """What was read of one table, and what was found: the column and the trace.

    `rows` are those that were read; `has_more` if there are more, since a sample was asked for. `problem`
    says why not all that was asked for is read.
    """

    table: str
    columns: int
    rows: int
    has_more: bool
    found: tuple[tuple[str, str], ...]
    problem: str = ""


def scan_tables(engine: sa.Engine, *, everything: bool = False) -> Iterator[TableScan]:
    """Scan all tables of the database, also those that are not Mien's, as far as the user may read them.

    Without `everything` the newest `SAMPLE_ROWS` rows of each. Raises DatabaseError where the database cannot
    be read at all.
    """
    inspector = sa.inspect(engine)
    for schema, name in _table_names(engine):
        columns = {each["name"]: each["type"] for each in inspector.get_columns(name, schema)}
        yield _scan_table(engine, schema, name, columns, everything)
    if engine.dialect.name == "postgresql":
        yield _scan_large_objects(engine)


def _table_names(engine: sa.Engine) -> list[tuple[str | None, str]]:
    if engine.dialect.name != "postgresql":
        return [(None, name) for name in sorted(sa.inspect(engine).get_table_names())]
    # Partitions are read with their table.
    query = sa.text(
        "SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE relkind IN ('r', 'p', 'm') AND NOT relispartition AND nspname <> 'information_schema' "
        r"AND nspname !~ '^pg_' ORDER BY nspname, relname"
    )
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(query)]


def _scan_table(
    engine: sa.Engine, schema: str | None, name: str, columns: dict[str, Any], everything: bool
) -> TableScan:
    shown = name if schema in (None, "public") else f"{schema}.{name}"
    wide = _wide(name, columns)
    wanted = [column for column, kind in columns.items() if not isinstance(kind, _NUMBERS)]
    if engine.dialect.name == "sqlite":
        wanted = list(columns)  # Any column of SQLite holds any value.
    if not wanted:
        return TableScan(shown, 0, 0, False, wide)
    table = sa.table(name, *(sa.column(each) for each in columns), schema=schema)
    most = None if everything else SAMPLE_ROWS
    found = dict.fromkeys(wide)
    rows = 0
    has_more = False
    try:
        with engine.connect() as connection:
            _limit_time(connection, everything)
            # A row more than the sample tells that there are more; to count them, all would be read.
            for row in _read_rows(connection, table, wanted, None if most is None else most + 1):
                if rows == most:
                    has_more = True
                    continue
                rows += 1
                for column, value in zip(wanted, row, strict=True):
                    if _could_hold(value):
                        found |= dict.fromkeys((column, trace) for trace in find_in_value(value))
    except DatabaseError as error:
        return TableScan(shown, len(wanted), rows, False, tuple(found), str(error))
    return TableScan(shown, len(wanted), rows, has_more, tuple(found))


def _limit_time(connection: sa.Connection, everything: bool) -> None:
    """Limit each statement; the limit of readers is too short for a large table."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {0 if everything else STATEMENT_MS}")


def _read_rows(
    connection: sa.Connection, table: sa.TableClause, columns: Sequence[str], most: int | None
) -> Iterator[Sequence[Any]]:
    """The columns of the `most` newest rows, or of all rows in any order."""
    query = sa.select(*(table.c[each] for each in columns))
    streaming = connection.execution_options(stream_results=True, yield_per=_BATCH)
    if most is None:
        yield from streaming.execute(query)
        return
    newest = next((table.c[each] for each in _TIMES if each in table.c), None)
    if newest is None:
        yield from streaming.execute(query.limit(most))
        return
    for period in _periods(connection, table, newest):
        read = 0
        for row in streaming.execute(query.where(*period).order_by(newest.desc()).limit(most)):
            read += 1
            yield row
        most -= read
        if not most:
            return


def _periods(
    connection: sa.Connection, table: sa.TableClause, time: sa.ColumnClause[Any]
) -> Iterator[list[sa.ColumnElement[bool]]]:
    """The conditions of periods that together have all rows, the newest first.

    A table with day partitions has no index by which all its rows are in order: they would be read and sorted
    at once. So each day is a period; a row without a day partition is in that of the day partition before it.
    """
    partitioned = next((each for each in PARTITION_COLUMNS if _is_of(each, table, time)), None)
    days: list[DayPartition] = []
    if partitioned is not None and has_day_partitions(connection.engine):
        days = read_day_partitions(connection, partitioned)
    starts = [day.start for day in days]
    for start, end in reversed(list(pairwise((None, *starts, None)))):
        after = [time >= start] if start is not None else []
        before = [time < end] if end is not None else []
        yield [*after, *before]


def _is_of(column: sa.Column[int], table: sa.TableClause, time: sa.ColumnClause[Any]) -> bool:
    return (column.table.description, column.name) == (table.name, time.name)


def _could_hold(value: object) -> bool:
    if isinstance(value, str | bytes | memoryview):
        return len(value) >= SHORTEST
    return isinstance(value, list | dict | tuple)


def _wide(name: str, columns: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """A table that is not Mien's, with so many columns of numbers that a row is a vector."""
    numbers = [each for each, kind in columns.items() if isinstance(kind, sa.Float)]
    if name in tables.metadata.tables or len(numbers) < VECTOR:
        return ()
    return ((f"{numbers[0]} ... {numbers[-1]}", "vector as columns"),)


def _scan_large_objects(engine: sa.Engine) -> TableScan:
    """Large objects of PostgreSQL: Mien has none, so any is a finding."""
    try:
        with engine.connect() as connection:
            count = connection.scalar(sa.text("SELECT count(*) FROM pg_largeobject_metadata")) or 0
    except DatabaseError as error:
        return TableScan("large objects", 1, 0, False, (), str(error))
    found = (("large objects", f"{count} large objects of unknown content"),) if count else ()
    return TableScan("large objects", 1, count, False, found)


def uses_broker(engine: sa.Engine) -> bool:
    """Whether a worker stored results of a topic of Kafka in the last weeks. Raises DatabaseError."""
    topic = tables.offsets.c.topic
    inside = sa.or_(topic.startswith("embedded/"), topic.startswith("counts/"))
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.literal(1)).where(sa.exists().where(~inside))) == 1


def database_files(url: str) -> list[str]:
    """The files of SQLite, which may contain the remains of deleted rows; none for other databases.

    Raises StorageError for an invalid URL.
    """
    path = sqlite_file(url)
    return [f"{path}{end}" for end in ("", "-wal", "-journal")] if path else []
