"""A row that is stored late is in the roll-ups, whatever a roll-up does at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from bus.messages import CameraMinute, Visit
from storage import tables
from storage.engine import open_database
from storage.local_time import HOUR_US
from storage.rollups import roll_up
from storage.writer import Writer
from tests.support.databases import T0, results, rows, visit

BERLIN = "Europe/Berlin"
NOW = T0 + 96 * HOUR_US
NOTED = T0 - T0 % HOUR_US + 5 * HOUR_US
PATIENCE_S = 60.0
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
def engine(postgresql_url: str) -> Iterator[sa.Engine]:
    """A database with roll-ups, and a late row in the hour `NOTED`, which waits to be rolled up again."""
    engine = open_database(postgresql_url)
    Writer(engine).write(results([seen_at("first", T0)]), {})
    roll_up(engine, NOW, BERLIN)
    Writer(engine).write(results([seen_at("late", NOTED)]), {})
    yield engine
    engine.dispose()


@pytest.fixture
def other(postgresql_url: str, engine: sa.Engine) -> Iterator[sa.Engine]:
    """The database for another process, after `engine` has made it."""
    other = open_database(postgresql_url)
    yield other
    other.dispose()


def seen_at(name: str, start: int) -> Visit:
    return visit(name, first_seen=start, closed=True)


def rolled_up(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.sum(tables.camera_hours.c.visits))) or 0)


def wait_until_locked(engine: sa.Engine, is_done: threading.Event) -> None:
    """Wait until a session waits for a lock, or for the end of what should."""
    deadline = time.monotonic() + PATIENCE_S
    with engine.connect() as connection:
        while not is_done.is_set() and not connection.exec_driver_sql(WAITING).scalar():
            assert time.monotonic() < deadline, "no session waits for a lock"
            connection.rollback()


def test_a_row_of_another_hour_of_a_day_that_is_read_is_in_the_next_roll_up(
    engine: sa.Engine, other: sa.Engine
) -> None:
    later = [seen_at("later", NOTED + 2 * HOUR_US)]

    @sa.event.listens_for(engine, "after_cursor_execute")
    def store(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if later and "FROM visits" in statement:
            Writer(other).write(results([later.pop()]), {})

    roll_up(engine, NOW, BERLIN)
    assert later == [], "the visits of the day were read before"
    roll_up(engine, NOW, BERLIN)
    assert rolled_up(engine) == 3
    assert rows(engine, tables.rollup_changes) == []


def test_a_roll_up_waits_for_a_writer_that_has_noted_its_hour(engine: sa.Engine, other: sa.Engine) -> None:
    noted, may_commit, is_rolled_up = threading.Event(), threading.Event(), threading.Event()

    @sa.event.listens_for(other, "commit")
    def wait(_: object) -> None:
        noted.set()
        assert may_commit.wait(PATIENCE_S)

    def repeat() -> None:
        try:
            roll_up(engine, NOW, BERLIN)
        finally:
            is_rolled_up.set()

    with ThreadPoolExecutor(2) as threads:
        try:
            stored = threads.submit(Writer(other).write, results([seen_at("later", NOTED + 1)]), {})
            assert noted.wait(PATIENCE_S)
            repeated = threads.submit(repeat)
            wait_until_locked(engine, is_rolled_up)
        finally:
            may_commit.set()
        stored.result(PATIENCE_S)
        repeated.result(PATIENCE_S)
    assert rolled_up(engine) == 3
    assert rows(engine, tables.rollup_changes) == []


def test_a_writer_notes_the_hours_of_all_its_rows_in_their_order(engine: sa.Engine) -> None:
    noted: list[object] = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "INTO rollup_changes" in statement:
            noted.append(parameters)

    minute = CameraMinute("till", T0 - T0 % HOUR_US, captured=1)
    Writer(engine).write(results([seen_at("later", NOTED + HOUR_US)], minutes=[minute]), {})
    assert noted == [[{"hour": minute.minute}, {"hour": NOTED + HOUR_US}]], "one statement, so no deadlock"
