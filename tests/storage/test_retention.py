"""Retention: rows older than their full days are deleted, and no others."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, CameraMinute, Observation, Partition, Results, minute_of
from common.access import LOCAL
from storage import day_partitions, tables
from storage.audit import read_audit
from storage.day_partitions import DAY_US, start_of_day
from storage.engine import open_database
from storage.events import add_event
from storage.maintenance import create_day_partitions
from storage.retention import Retention, count_expired, cutoffs_before, purge
from storage.writer import Writer
from tests.support.databases import T0, contents, estimate, observation, results, rows, visit

NOW = T0 + 1000 * DAY_US
TODAY = start_of_day(NOW)


def seen_at(writer: Writer, name: str, start: int) -> None:
    """A visit with its observation and its minute of coverage."""
    coverage = CameraMinute("till", minute_of(start), captured=1, dropped={"buffer full": 1})
    second = Observation(name, "till", start, estimate())
    writer.write(results([visit(name, closed=True, first_seen=start)], [second], [coverage]), {})


def seen_days_ago(writer: Writer, *days: float) -> None:
    for each in days:
        seen_at(writer, f"v{each:g}", NOW - round(each * DAY_US))


def ids(engine: sa.Engine, table: sa.Table) -> list[object]:
    return sorted(str(row["visit_id"]) for row in rows(engine, table))


@pytest.fixture(params=["partitions first", "partitions later", "no partitions"])
def filled(request: pytest.FixtureRequest, engine: sa.Engine) -> sa.Engine:
    """A database with visits on some days, with and without day partitions."""
    if request.param == "partitions first":
        for days in (50, 40, 30, 20, 10, 0):
            create_day_partitions(engine, NOW - days * DAY_US)
    seen_days_ago(Writer(engine), 1, 15, 25, 35, 45)
    if request.param == "partitions later":
        create_day_partitions(engine, NOW)
    return engine


def test_each_kind_of_row_is_kept_for_its_days(filled: sa.Engine) -> None:
    deleted = purge(filled, Retention(visits=40, observations=10, coverage=20).cutoffs(NOW))
    assert {table: count for table, count in deleted.items() if count} == {
        "rollup_changes": 1,
        "visits": 1,
        "visit_minutes": 1,
        "observations": 4,
        "camera_minutes": 3,
        "camera_drops": 3,
        "visit_classes": 2,
    }
    assert ids(filled, tables.visits) == ["v1", "v15", "v25", "v35"]
    assert ids(filled, tables.observations) == ["v1"]
    assert len(rows(filled, tables.camera_minutes)) == len(rows(filled, tables.camera_drops)) == 2


def test_full_days_are_kept(engine: sa.Engine) -> None:
    writer = Writer(engine)
    seen_at(writer, "first kept", TODAY - 30 * DAY_US)
    seen_at(writer, "last deleted", TODAY - 30 * DAY_US - 1)
    purge(engine, Retention(30, 30, 30).cutoffs(NOW))
    assert ids(engine, tables.visits) == ids(engine, tables.observations) == ["first kept"]
    before = contents(engine)
    assert set(purge(engine, Retention(30, 30, 30).cutoffs(TODAY + DAY_US - 1)).values()) == {0}
    assert contents(engine) == before
    purge(engine, Retention(30, 30, 30).cutoffs(TODAY + DAY_US))
    assert not any(contents(engine).values())


def test_visits_are_kept_for_more_than_a_year_by_default(engine: sa.Engine) -> None:
    seen_days_ago(Writer(engine), 366)
    purge(engine, Retention().cutoffs(NOW))
    assert len(rows(engine, tables.visits)) == len(rows(engine, tables.visit_minutes)) == 1
    assert rows(engine, tables.observations) == []


def test_observations_are_not_kept_longer_than_their_visits(engine: sa.Engine) -> None:
    seen_days_ago(Writer(engine), 1, 15)
    purge(engine, Retention(visits=10, observations=300).cutoffs(NOW))
    assert ids(engine, tables.visits) == ids(engine, tables.observations) == ["v1"]


def test_no_observation_remains_of_a_visit_over_the_midnight_of_the_cutoff(engine: sa.Engine) -> None:
    cutoff = TODAY - 3 * DAY_US
    early = visit("over", closed=True, first_seen=cutoff - MICROSECONDS, seconds=3)
    late = visit("after", closed=True, first_seen=cutoff + MICROSECONDS, seconds=3)
    seconds = [Observation("over", "till", cutoff + n * MICROSECONDS, estimate()) for n in (-1, 0, 2)]
    seconds += [Observation("after", "till", cutoff + n * MICROSECONDS, estimate()) for n in (1, 3)]
    Writer(engine).write(results([early, late], seconds), {})
    assert purge(engine, Retention(3, 3, 3).cutoffs(NOW))["observations"] == 3
    assert ids(engine, tables.visits) == ["after"]
    assert ids(engine, tables.observations) == ["after", "after"]


def test_all_rows_before_a_date_can_be_counted_and_deleted(filled: sa.Engine) -> None:
    cutoffs = cutoffs_before(NOW - 20 * DAY_US)
    expired = count_expired(filled, cutoffs)
    wanted = ("visits", "visit_minutes", "observations", "camera_minutes", "camera_drops", "rollup_changes")
    assert {table: count for table, count in expired.items() if count} == dict.fromkeys(wanted, 3) | {
        "visit_classes": 6
    }
    assert len(rows(filled, tables.visits)) == 5, "counting deletes nothing"
    assert purge(filled, cutoffs) == expired
    assert ids(filled, tables.visits) == ids(filled, tables.observations) == ["v1", "v15"]
    assert len(rows(filled, tables.visit_minutes)) == len(rows(filled, tables.camera_minutes)) == 2


def test_positions_without_a_recent_write_are_deleted(engine: sa.Engine) -> None:
    old, new = Partition("embedded/old", 0), Partition("frames", 3)
    Writer(engine).write(Results(), {old: 5, new: 7})
    with engine.begin() as connection:
        for partition, days in ((old, 31), (new, 29)):
            this = sa.update(tables.offsets).where(tables.offsets.c.topic == partition.topic)
            connection.execute(this.values(written_at=TODAY - days * DAY_US))
    assert purge(engine, Retention().cutoffs(NOW))["offsets"] == 1
    assert Writer(engine).positions([old, new]) == {new: 7}
    assert tables.offsets not in {time.table for time in cutoffs_before(NOW)}


def test_the_audit_log_is_kept_for_its_own_days(engine: sa.Engine) -> None:
    for days in (401, 400, 11, 10, 0):
        add_event(engine, LOCAL, f"{days} days ago", T0, T0 + 1)
        with engine.begin() as connection:
            newest = tables.audit_log.c.details.like(f"name: {days} days ago%")
            change = sa.update(tables.audit_log).where(newest)
            connection.execute(change.values(at=TODAY - days * DAY_US))

    def kept() -> list[str]:
        return [entry.details.split(" ")[1] for entry in read_audit(engine, LOCAL)]

    assert purge(engine, Retention(visits=1, observations=1, coverage=1).cutoffs(NOW))["audit_log"] == 1
    assert kept() == ["0", "10", "11", "400"], "other kinds of rows are kept for a day"
    assert purge(engine, Retention(audit=10).cutoffs(NOW))["audit_log"] == 2
    assert kept() == ["0", "10"]
    purge(engine, cutoffs_before(NOW))
    assert kept() == ["0", "10"], "it is no row about visitors"


def test_many_rows_are_deleted_in_batches(engine: sa.Engine) -> None:
    start = NOW - 40 * DAY_US
    old = [observation(f"v{i}", (start - T0) // 1_000_000) for i in range(12_001)]
    writer = Writer(engine)
    writer.write(results(observations=old), {})
    deleted: list[int] = []

    @sa.event.listens_for(engine, "after_cursor_execute")
    def note(_c: object, cursor: sa.engine.interfaces.DBAPICursor, statement: str, *_: object) -> None:
        if statement.startswith("DELETE FROM observations") and cursor.rowcount:
            deleted.append(cursor.rowcount)

    assert purge(engine, Retention().cutoffs(NOW))["observations"] == 12_001
    assert deleted == [5000, 5000, 2001]
    assert rows(engine, tables.observations) == []


def test_day_partitions_are_dropped_and_not_deleted_row_by_row(postgresql_url: str) -> None:
    engine = open_database(postgresql_url)
    seen_days_ago(Writer(engine), 50, 45)
    create_day_partitions(engine, NOW)
    deleted: list[int] = []

    @sa.event.listens_for(engine, "after_cursor_execute")
    def note(_c: object, cursor: sa.engine.interfaces.DBAPICursor, statement: str, *_: object) -> None:
        if statement.startswith(("DELETE FROM visits ", "DELETE FROM observations ")):
            deleted.append(cursor.rowcount)

    assert purge(engine, Retention(visits=40).cutoffs(NOW))["visits"] == 2
    assert set(deleted) <= {0}
    with engine.connect() as connection:
        assert all(
            day.end > TODAY - 40 * DAY_US
            for day in day_partitions.read_day_partitions(connection, day_partitions.PARTITION_COLUMNS[0])
        )
    engine.dispose()


def test_upkeep_beats_after_every_day_partition_and_can_end_there(postgresql_url: str) -> None:
    engine = open_database(postgresql_url)
    create_day_partitions(engine, NOW - 60 * DAY_US)
    beats: list[int] = []
    create_day_partitions(engine, NOW, lambda: beats.append(1))
    assert len(beats) >= 8
    beats.clear()

    class UpkeepEnds(Exception):
        """Raised after the first partition."""

    def end() -> None:
        beats.append(1)
        raise UpkeepEnds

    time = day_partitions.PARTITION_COLUMNS[0]
    with pytest.raises(UpkeepEnds):
        day_partitions.drop_before(engine, time, NOW, end)
    with engine.connect() as connection:
        old = [day for day in day_partitions.read_day_partitions(connection, time) if day.end <= NOW]
    assert len(old) >= 7
    day_partitions.drop_before(engine, time, NOW, lambda: beats.append(1))
    assert len(beats) == 1 + len(old)
    engine.dispose()


def test_a_writer_continues_while_old_rows_are_deleted(migrated_url: str) -> None:
    engine, other = open_database(migrated_url), open_database(migrated_url)
    start = NOW - 40 * DAY_US
    old = [observation(f"v{i}", (start - T0) // 1_000_000) for i in range(10_000)]
    Writer(engine).write(results(observations=old), {})
    done = threading.Event()
    failed: list[BaseException] = []

    def delete() -> None:
        try:
            purge(other, Retention().cutoffs(NOW))
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            done.set()

    thread = threading.Thread(target=delete)
    thread.start()
    written = 0
    while not done.is_set():
        Writer(engine).count(CameraMinute("till", minute_of(NOW), captured=1))
        written += 1
    thread.join()
    assert failed == []
    assert rows(engine, tables.observations) == []
    total = [row["captured"] for row in rows(engine, tables.camera_minutes)]
    assert total == ([written] if written else [])
    engine.dispose()
    other.dispose()
