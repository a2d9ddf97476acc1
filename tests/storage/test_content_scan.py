"""The scan of a database reads the newest rows of a large table, and as much as was asked for."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from storage import day_partitions, tables
from storage.content_scan import TableScan, scan_tables
from storage.day_partitions import DAY_US, start_of_day
from storage.engine import open_database
from storage.writer import Writer
from tests.support.databases import T0, results, visit

DAYS = (-30, -3, -1, 0, 2, 3, 40)
"""The days of the visits, 0 is today. Days 2 and 40 have no day partition; no visit is of tomorrow."""

PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60)).decode()


@pytest.fixture
def reader(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """A database with a visit of each of `DAYS`, of which a sample has three rows."""
    monkeypatch.setattr("storage.content_scan.SAMPLE_ROWS", 3)
    engine = open_database(migrated_url)
    if day_partitions.has_day_partitions(engine):
        with_partition = [start_of_day(T0) + day * DAY_US for day in (*DAYS[:4], 1, 3)]
        day_partitions.create_days(engine, tables.visits.c.first_seen, with_partition)
    visits = [visit(f"v{day}", first_seen=T0 + day * DAY_US, closed=True) for day in DAYS]
    Writer(engine).write(results(visits), {})
    engine.dispose()
    reader = open_database(migrated_url, read_only=True)
    yield reader
    reader.dispose()


def scan_visits(engine: sa.Engine, everything: bool = False) -> TableScan:
    (found,) = (each for each in scan_tables(engine, everything=everything) if each.table == "visits")
    return found


@pytest.mark.parametrize("day", [0, 2])
def test_the_newest_rows_of_all_days_are_the_sample(reader: sa.Engine, migrated_url: str, day: int) -> None:
    writer = sa.create_engine(migrated_url)
    with writer.begin() as connection:
        planted = sa.update(tables.visits).where(tables.visits.c.visit_id == f"v{day}")
        connection.execute(planted.values(model=PICTURE))
    writer.dispose()
    sample = scan_visits(reader)
    assert (sample.rows, sample.has_more, sample.problem) == (3, True, "")
    assert bool(sample.found) == (day in DAYS[-3:])
    whole = scan_visits(reader, everything=True)
    assert (whole.rows, whole.has_more, bool(whole.found)) == (len(DAYS), False, True)


def test_a_table_of_as_many_rows_as_a_sample_is_read_as_a_whole(
    reader: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.content_scan.SAMPLE_ROWS", len(DAYS))
    sample = scan_visits(reader)
    assert (sample.rows, sample.has_more) == (len(DAYS), False)


@pytest.mark.integration
@pytest.mark.parametrize(("everything", "limit"), [(False, "20s"), (True, "0")])
@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
def test_no_statement_has_the_short_time_limit_of_readers(
    reader: sa.Engine, everything: bool, limit: str
) -> None:
    seen: list[tuple[str, str]] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "FROM public.visits" in statement:
            seen.append((statement, connection.scalar(sa.func.current_setting("statement_timeout"))))

    sa.event.listen(reader, "before_cursor_execute", note)
    assert scan_visits(reader, everything).rows > 0
    assert {each for _, each in seen} == {limit}
    if not everything:
        # Days 40 and 3, day 2 with that before it, and no older one.
        assert len(seen) == 3
        assert all("first_seen >= " in statement for statement, _ in seen)
