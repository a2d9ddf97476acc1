"""Retention: what is older than its days goes, nothing else."""

from __future__ import annotations

import threading

import sqlalchemy as sa

from bus.messages import CameraMinute, minute_of
from storage import tables
from storage.engine import open_database
from storage.retention import DAY_US, Retention, purge
from storage.writer import Writer
from tests.databases import T0, contents, observation, results, rows, visit

NOW = T0 + 1000 * DAY_US


def seen_days_ago(writer: Writer, days: float) -> None:
    """A visit with its observation and its minute of coverage."""
    start = NOW - round(days * DAY_US)
    name = f"v{days:g}"
    coverage = CameraMinute("till", minute_of(start), captured=1, dropped={"buffer full": 1})
    seen = observation(name, (start - T0) // 1_000_000)
    writer.write(results([visit(name, closed=True, first_seen=start)], [seen], [coverage]), {})


def test_each_kind_is_kept_for_its_days(engine: sa.Engine) -> None:
    writer = Writer(engine)
    for days in (1, 15, 25, 35, 45):
        seen_days_ago(writer, days)
    deleted = purge(engine, Retention(visits=40, observations=10, coverage=20), NOW)
    assert deleted == {
        "visits": 1,
        "visit_minutes": 1,
        "observations": 4,
        "camera_minutes": 3,
        "camera_drops": 3,
    }
    assert [row["visit_id"] for row in rows(engine, tables.visits)] == ["v1", "v15", "v25", "v35"]
    assert [row["visit_id"] for row in rows(engine, tables.observations)] == ["v1"]
    assert len(rows(engine, tables.camera_minutes)) == len(rows(engine, tables.camera_drops)) == 2


def test_what_is_exactly_as_old_stays(engine: sa.Engine) -> None:
    seen_days_ago(Writer(engine), 30)
    before = contents(engine)
    assert set(purge(engine, Retention(30, 30, 30), NOW).values()) == {0}
    assert contents(engine) == before
    purge(engine, Retention(30, 30, 30), NOW + 60_000_000)
    assert not any(contents(engine).values())


def test_the_defaults_outlast_a_year_of_visits(engine: sa.Engine) -> None:
    writer = Writer(engine)
    seen_days_ago(writer, 366)
    purge(engine, Retention(), NOW)
    assert len(rows(engine, tables.visits)) == len(rows(engine, tables.visit_minutes)) == 1
    assert rows(engine, tables.observations) == []


def test_many_rows_go_in_batches_between_which_others_write(engine: sa.Engine) -> None:
    start = NOW - 40 * DAY_US
    old = [observation(f"v{i}", (start - T0) // 1_000_000) for i in range(12_001)]
    writer = Writer(engine)
    writer.write(results(observations=old), {})
    deleted: list[int] = []

    @sa.event.listens_for(engine, "after_cursor_execute")
    def count(_c: object, cursor: sa.engine.interfaces.DBAPICursor, statement: str, *_: object) -> None:
        if statement.startswith("DELETE FROM observations"):
            deleted.append(cursor.rowcount)

    assert purge(engine, Retention(), NOW)["observations"] == 12_001
    assert deleted == [5000, 5000, 2001]
    assert rows(engine, tables.observations) == []


def test_a_writer_goes_on_while_old_rows_are_deleted(database_url: str) -> None:
    engine, other = open_database(database_url), open_database(database_url)
    start = NOW - 40 * DAY_US
    old = [observation(f"v{i}", (start - T0) // 1_000_000) for i in range(10_000)]
    Writer(engine).write(results(observations=old), {})
    done = threading.Event()
    failed: list[BaseException] = []

    def delete() -> None:
        try:
            purge(other, Retention(), NOW)
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
