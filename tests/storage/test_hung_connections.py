"""Abort of connections to a database that does not respond, while the process is to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from storage.engine import open_database
from storage.errors import DatabaseUnavailable
from storage.hung_connections import abort_hung_connections

SECONDS = 0.5


@pytest.fixture
def engine(postgresql_url: str) -> Iterator[sa.Engine]:
    engine = open_database(postgresql_url)
    yield engine
    engine.dispose()


def sleep(engine: sa.Engine, seconds: float) -> None:
    """A statement that gets no answer for so long."""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_sleep({seconds})")


def seconds_until_outage(waiting: Future[None]) -> float:
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        waiting.result(timeout=60)
    return time.monotonic() - began


def test_hung_connections_are_aborted_once_the_process_is_to_end(engine: sa.Engine) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(2) as pool, abort_hung_connections(engine, stop, SECONDS):
        waiting = [pool.submit(sleep, engine, 60) for _ in range(2)]
        time.sleep(3 * SECONDS)
        assert not any(each.done() for each in waiting), "the process is not to end yet"
        stopped = time.monotonic()
        stop.set()
        assert seconds_until_outage(waiting[0]) < 20
        assert time.monotonic() - stopped > SECONDS / 2
        assert seconds_until_outage(waiting[1]) < 20
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="does not respond"):
            sleep(engine, 0)
        assert time.monotonic() - began < 1, "a new connection is refused at once"


def test_connections_to_a_database_that_responds_are_not_aborted(postgresql_url: str) -> None:
    for seconds in (SECONDS, 8 * SECONDS, 64 * SECONDS):
        engine = open_database(postgresql_url)  # One that was aborted opens no further connection.
        try:
            if all_statements_are_answered(engine, seconds):
                return
        finally:
            engine.dispose()
    pytest.fail("this machine delayed an answer by more than every limit")


def all_statements_are_answered(engine: sa.Engine, seconds: float) -> bool:
    """Run statements for longer than the limit; False if one was aborted because it did last longer."""
    stop = threading.Event()
    began = time.monotonic()
    with abort_hung_connections(engine, stop, seconds):
        try:
            sleep(engine, 0)
            stop.set()
            deadline = time.monotonic() + 4 * seconds
            while (began := time.monotonic()) < deadline:
                sleep(engine, 0.01)
                time.sleep(0.05)
            with engine.begin() as connection:  # In a transaction without a running statement.
                time.sleep(2 * seconds)
                began = time.monotonic()
                assert connection.scalar(sa.select(1)) == 1
        except DatabaseUnavailable:
            assert time.monotonic() - began > seconds, "a connection was aborted that responded in time"
            return False
    return True


def test_connections_to_sqlite_are_not_aborted(tmp_path: object) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    stop = threading.Event()
    stop.set()
    with abort_hung_connections(engine, stop, 0), engine.begin() as connection:
        assert connection.scalar(sa.select(1)) == 1
    engine.dispose()
