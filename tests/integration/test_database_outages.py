"""PostgreSQL restarts, crashes, or loses a connection during a commit: nothing is lost or stored twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, CameraMinute, Partition, Results
from storage import tables
from storage.check import check_database
from storage.engine import open_database
from storage.errors import DatabaseUnavailable
from storage.maintenance import create_day_partitions
from storage.writer import Writer
from tests.support.databases import T0, observation, results, rows, visit
from tests.support.postgres import Server
from tests.support.proxies import Break, CommitProxy, commit_proxy

pytestmark = pytest.mark.integration

PARTITION = Partition("frames", 0)


@pytest.fixture
def database(postgresql_server: Server) -> Iterator[str]:
    with postgresql_server.database() as name:
        yield name


@pytest.fixture
def engine(postgresql_server: Server, database: str) -> Iterator[sa.Engine]:
    engine = open_database(str(postgresql_server.over_tcp(database)))
    create_day_partitions(engine, T0)
    yield engine
    engine.dispose()


@pytest.fixture
def proxy(postgresql_server: Server) -> Iterator[CommitProxy]:
    with commit_proxy("127.0.0.1", postgresql_server.port) as proxy:
        yield proxy


@pytest.fixture
def far(proxy: CommitProxy, engine: sa.Engine) -> Iterator[sa.Engine]:
    """The database, connected through the proxy."""
    far = open_database(engine.url.set(port=proxy.port).render_as_string(hide_password=False))
    yield far
    far.dispose()


def batch(number: int, size: int = 4) -> Results:
    """The results of `size` frames, with a closed visit."""
    name = f"v{number}"
    return results(
        [visit(name, 2), visit(name, 4, closed=True)],
        [observation(name, number)],
        [CameraMinute("till", T0, analysed=size)],
    )


def check_stored_once(engine: sa.Engine, batches: int) -> None:
    """Check that every batch is stored exactly once."""
    assert sum(int(str(row["analysed"])) for row in rows(engine, tables.camera_minutes)) == 4 * batches
    assert len(rows(engine, tables.visits)) == len(rows(engine, tables.observations)) == batches
    assert sum(int(str(row["visits"])) for row in rows(engine, tables.visit_minutes)) == batches
    assert Writer(engine).positions([PARTITION]) == {PARTITION: 4 * batches}
    now = T0 + batches * MICROSECONDS  # Each batch is a second later than the one before.
    assert [each for each in check_database(engine, now) if not each.passed] == []


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_nothing_is_lost_or_stored_twice_while_the_server_restarts(
    postgresql_server: Server, engine: sa.Engine, mode: str
) -> None:
    """Three times, during writes that are repeated until they succeed."""
    stop = threading.Event()
    outages: list[str] = []
    failed: list[BaseException] = []
    written = 0

    def write() -> None:
        nonlocal written
        writer = Writer(engine)
        try:
            writer.positions([PARTITION])
            while not stop.is_set():
                call_until_it_succeeds(writer, written)
                written += 1
        except BaseException as error:
            failed.append(error)
            raise

    def call_until_it_succeeds(writer: Writer, number: int) -> None:
        while True:
            try:
                writer.write(batch(number), {PARTITION: 4 * (number + 1)})
                return
            except DatabaseUnavailable as error:
                outages.append(str(error))
                time.sleep(0.05)

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(3):
        wait_for(lambda before=written: written > before + 5)  # type: ignore[misc]
        postgresql_server.stop(mode)
        seen = len(outages)
        wait_for(lambda seen=seen: len(outages) > seen + 3)  # type: ignore[misc]
        postgresql_server.start()
    wait_for(lambda before=written: written > before + 5)  # type: ignore[misc]
    stop.set()
    thread.join(timeout=60)
    assert failed == []
    check_stored_once(engine, written)


def wait_for(condition: object, seconds: float = 60) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "time-out"
        time.sleep(0.02)


@pytest.mark.parametrize("fate", [Break.BEFORE, Break.AFTER])
def test_a_batch_is_stored_once_if_the_connection_breaks_at_the_commit(
    far: sa.Engine, engine: sa.Engine, proxy: CommitProxy, fate: Break
) -> None:
    writer = Writer(far)
    writer.positions([PARTITION])
    writer.write(batch(0), {PARTITION: 4})
    for number in (1, 2):
        proxy.arm(fate)
        with pytest.raises(DatabaseUnavailable):
            writer.write(batch(number), {PARTITION: 4 * (number + 1)})
        assert proxy.broken.is_set()
        there = number + 1 if fate is Break.AFTER else number
        wait_for(lambda there=there: len(rows(engine, tables.visits)) == there)  # type: ignore[misc]
        writer.write(batch(number), {PARTITION: 4 * (number + 1)})
    writer.write(batch(3), {PARTITION: 16})
    check_stored_once(engine, 4)


def test_a_batch_is_stored_once_if_the_first_commit_breaks(
    far: sa.Engine, engine: sa.Engine, proxy: CommitProxy
) -> None:
    writer = Writer(far)
    assert writer.positions([PARTITION]) == {}
    proxy.arm(Break.AFTER)
    with pytest.raises(DatabaseUnavailable):
        writer.write(batch(0), {PARTITION: 4})
    writer.write(batch(0), {PARTITION: 4})
    check_stored_once(engine, 1)


def test_a_delayed_commit_and_the_second_attempt_store_a_batch_once(
    far: sa.Engine, engine: sa.Engine, proxy: CommitProxy
) -> None:
    """The first attempt holds its locks when the second starts, and is committed while that one waits."""
    writer = Writer(far)
    writer.write(batch(0), {PARTITION: 4})
    proxy.arm(Break.LATE)
    with pytest.raises(DatabaseUnavailable):
        writer.write(batch(1), {PARTITION: 8})
    failed: list[BaseException] = []

    def again() -> None:
        try:
            writer.write(batch(1), {PARTITION: 8})
        except BaseException as error:
            failed.append(error)
            raise

    second = threading.Thread(target=again)
    second.start()
    wait_for(lambda: waiting_for_a_lock(engine))
    assert len(rows(engine, tables.visits)) == 1
    proxy.deliver()
    second.join(timeout=60)
    assert not second.is_alive()
    assert failed == []
    writer.write(batch(2), {PARTITION: 12})
    check_stored_once(engine, 3)


def waiting_for_a_lock(engine: sa.Engine) -> bool:
    here = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    with engine.connect() as connection:
        return bool(connection.exec_driver_sql(f"{here} AND wait_event_type = 'Lock'").scalar())


@pytest.mark.parametrize("fate", [Break.BEFORE, Break.AFTER])
def test_counts_whose_commit_broke_are_added_once(
    far: sa.Engine, engine: sa.Engine, proxy: CommitProxy, fate: Break
) -> None:
    writer = Writer(far)
    writer.count(CameraMinute("till", T0, captured=10))
    proxy.arm(fate)
    with pytest.raises(DatabaseUnavailable):
        writer.count(CameraMinute("till", T0, captured=20, dropped={"buffer full": 2}))
    writer.count(CameraMinute("till", T0, captured=25, dropped={"buffer full": 3}))
    (row,) = rows(engine, tables.camera_minutes)
    assert (row["captured"], row["dropped"]) == (35, 3)


def test_time_outs_release_the_locks_of_a_client_that_disappears(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        shown = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("idle_in_transaction_session_timeout", "tcp_user_timeout", "lock_timeout")
        }
    assert shown == {
        "idle_in_transaction_session_timeout": "1min",
        "tcp_user_timeout": "20000",
        "lock_timeout": "30s",
    }


def test_a_read_only_server_is_unavailable_until_another_one_takes_over(
    postgresql_server: Server, engine: sa.Engine, database: str
) -> None:
    """A standby server at the same address accepts connections and refuses writes."""
    writer = Writer(engine)
    writer.write(batch(0), {PARTITION: 4})
    switch_to_standby(postgresql_server, database)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            writer.write(batch(1), {PARTITION: 8})
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        writer.count(CameraMinute("till", T0, captured=1))
    # Sessions that started read-only stay so; only a new one can write.
    postgresql_server.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
    writer.write(batch(1), {PARTITION: 8})
    check_stored_once(engine, 2)


def switch_to_standby(server: Server, database: str) -> None:
    """End all sessions, and make new ones read-only."""
    server.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    server.execute(
        f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{database}'"
    )


def test_a_session_that_the_server_ended_within_a_transaction_is_unavailable(engine: sa.Engine) -> None:
    def stay_idle() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("SET idle_in_transaction_session_timeout = '20ms'")
            time.sleep(0.5)
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(DatabaseUnavailable, match="idle-in-transaction"):
        stay_idle()
