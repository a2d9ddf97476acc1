"""A database that says nothing, and a process that is to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from storage.engine import open_database
from storage.standstill import let_go
from storage.writer import OUTAGES

SECONDS = 0.5


@pytest.fixture
def engine(postgresql_url: str) -> Iterator[sa.Engine]:
    engine = open_database(postgresql_url)
    yield engine
    engine.dispose()


def sleep(engine: sa.Engine, seconds: float) -> None:
    """A statement that takes so long: it says nothing meanwhile."""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_sleep({seconds})")


def seconds_until_outage(waiting: Future[None]) -> float:
    began = time.monotonic()
    with pytest.raises(OUTAGES):
        waiting.result(timeout=60)
    return time.monotonic() - began


def test_what_has_no_answer_is_given_up_once_the_process_is_to_end(engine: sa.Engine) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(2) as pool, let_go(engine, stop, SECONDS):
        waiting = [pool.submit(sleep, engine, 60) for _ in range(2)]
        time.sleep(3 * SECONDS)
        assert not any(each.done() for each in waiting), "nobody is to end yet"
        stop.set()
        assert SECONDS / 2 < seconds_until_outage(waiting[0]) < 20
        assert seconds_until_outage(waiting[1]) < 20
        began = time.monotonic()
        with pytest.raises(OUTAGES, match="stands still"):
            sleep(engine, 0)
        assert time.monotonic() - began < 1, "nobody waits for it any more"


def test_a_database_that_answers_is_left_alone_to_the_end(engine: sa.Engine) -> None:
    stop = threading.Event()
    with let_go(engine, stop, SECONDS):
        sleep(engine, 0)
        stop.set()
        deadline = time.monotonic() + 4 * SECONDS
        while time.monotonic() < deadline:
            sleep(engine, 0.01)
            time.sleep(0.05)
        with engine.begin() as connection:  # In a transaction, but nothing is asked.
            time.sleep(2 * SECONDS)
            assert connection.scalar(sa.select(1)) == 1


def test_sqlite_is_waited_for(tmp_path: object) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    stop = threading.Event()
    stop.set()
    with let_go(engine, stop, 0), engine.begin() as connection:
        assert connection.scalar(sa.select(1)) == 1
    engine.dispose()
