"""PostgreSQL restarted, crashed, away, or cut off in the middle of a commit: nothing is lost or doubled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from bus.messages import CameraMinute, Partition, Results
from storage import tables
from storage.check import check
from storage.engine import open_database
from storage.maintenance import make_days
from storage.writer import OUTAGES, Writer
from tests.support.databases import T0, observation, results, rows, visit
from tests.support.postgres import Server
from tests.support.proxies import Break, CommitProxy, commit_proxy

pytestmark = pytest.mark.integration

LANE = Partition("frames", 0)


@pytest.fixture
def database(postgresql_server: Server) -> Iterator[str]:
    with postgresql_server.database() as name:
        yield name


@pytest.fixture
def engine(postgresql_server: Server, database: str) -> Iterator[sa.Engine]:
    engine = open_database(str(postgresql_server.over_tcp(database)))
    make_days(engine, T0)
    yield engine
    engine.dispose()


@pytest.fixture
def proxy(postgresql_server: Server) -> Iterator[CommitProxy]:
    with commit_proxy("127.0.0.1", postgresql_server.port) as proxy:
        yield proxy


@pytest.fixture
def far(proxy: CommitProxy, engine: sa.Engine) -> Iterator[sa.Engine]:
    """The database as it is seen through the proxy."""
    far = open_database(engine.url.set(port=proxy.port).render_as_string(hide_password=False))
    yield far
    far.dispose()


def batch(number: int, size: int = 4) -> Results:
    """The results of `size` frames, with a visit that they close."""
    name = f"v{number}"
    return results(
        [visit(name, 2), visit(name, 4, closed=True)],
        [observation(name, number)],
        [CameraMinute("till", T0, analysed=size)],
    )


def check_stored_once(engine: sa.Engine, batches: int) -> None:
    """Every batch is there, each once."""
    assert sum(int(str(row["analysed"])) for row in rows(engine, tables.camera_minutes)) == 4 * batches
    assert len(rows(engine, tables.visits)) == len(rows(engine, tables.observations)) == batches
    assert sum(int(str(row["visits"])) for row in rows(engine, tables.visit_minutes)) == batches
    assert Writer(engine).positions([LANE]) == {LANE: 4 * batches}
    assert [each for each in check(engine, T0) if not each.fine] == []


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_is_away_and_comes_back_loses_and_doubles_nothing(
    postgresql_server: Server, engine: sa.Engine, mode: str
) -> None:
    """Three times, in the middle of writes that are called again until they succeed."""
    stop = threading.Event()
    outages: list[str] = []
    failed: list[BaseException] = []
    written = 0

    def write() -> None:
        nonlocal written
        writer = Writer(engine)
        try:
            writer.positions([LANE])
            while not stop.is_set():
                call_until_it_succeeds(writer, written)
                written += 1
        except BaseException as error:
            failed.append(error)
            raise

    def call_until_it_succeeds(writer: Writer, number: int) -> None:
        while True:
            try:
                writer.write(batch(number), {LANE: 4 * (number + 1)})
                return
            except OUTAGES as error:
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
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


@pytest.mark.parametrize("fate", [Break.BEFORE, Break.AFTER])
def test_a_connection_that_breaks_at_the_commit(
    far: sa.Engine, engine: sa.Engine, proxy: CommitProxy, fate: Break
) -> None:
    writer = Writer(far)
    writer.positions([LANE])
    writer.write(batch(0), {LANE: 4})
    for number in (1, 2):
        proxy.arm(fate)
        with pytest.raises(OUTAGES):
            writer.write(batch(number), {LANE: 4 * (number + 1)})
        assert proxy.broken.is_set()
        there = number + 1 if fate is Break.AFTER else number
        wait_for(lambda there=there: len(rows(engine, tables.visits)) == there)  # type: ignore[misc]
        writer.write(batch(number), {LANE: 4 * (number + 1)})
    writer.write(batch(3), {LANE: 16})
    check_stored_once(engine, 4)


def test_the_first_commit_of_all_breaks(far: sa.Engine, engine: sa.Engine, proxy: CommitProxy) -> None:
    writer = Writer(far)
    assert writer.positions([LANE]) == {}
    proxy.arm(Break.AFTER)
    with pytest.raises(OUTAGES):
        writer.write(batch(0), {LANE: 4})
    writer.write(batch(0), {LANE: 4})
    check_stored_once(engine, 1)


def test_a_commit_that_arrives_late_meets_the_second_attempt(
    far: sa.Engine, engine: sa.Engine, proxy: CommitProxy
) -> None:
    """The first attempt still holds its locks when the second comes, and is carried out while that waits."""
    writer = Writer(far)
    writer.write(batch(0), {LANE: 4})
    proxy.arm(Break.LATE)
    with pytest.raises(OUTAGES):
        writer.write(batch(1), {LANE: 8})
    failed: list[BaseException] = []

    def again() -> None:
        try:
            writer.write(batch(1), {LANE: 8})
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
    writer.write(batch(2), {LANE: 12})
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
    with pytest.raises(OUTAGES):
        writer.count(CameraMinute("till", T0, captured=20, dropped={"buffer full": 2}))
    writer.count(CameraMinute("till", T0, captured=25, dropped={"buffer full": 3}))
    (row,) = rows(engine, tables.camera_minutes)
    assert (row["captured"], row["dropped"]) == (35, 3)


def test_a_client_that_vanishes_does_not_hold_its_locks(engine: sa.Engine) -> None:
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


def test_a_server_that_became_read_only_is_an_outage_until_another_one_takes_over(
    postgresql_server: Server, engine: sa.Engine, database: str
) -> None:
    """A standby behind the same address takes connections and refuses to write."""
    writer = Writer(engine)
    writer.write(batch(0), {LANE: 4})
    lead_to_a_standby(postgresql_server, database)
    for _ in range(2):
        with pytest.raises(OUTAGES):
            writer.write(batch(1), {LANE: 8})
    with pytest.raises(OUTAGES, match="read-only"):
        writer.count(CameraMinute("till", T0, captured=1))
    # Sessions that were begun read-only stay so: what helps is a new one.
    postgresql_server.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
    writer.write(batch(1), {LANE: 8})
    check_stored_once(engine, 2)


def lead_to_a_standby(server: Server, database: str) -> None:
    """Sessions end, and those that follow them are read-only."""
    server.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    server.execute(
        f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{database}'"
    )


def test_a_session_that_the_server_ended_in_a_transaction_is_an_outage(engine: sa.Engine) -> None:
    def stand_still() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("SET idle_in_transaction_session_timeout = '20ms'")
            time.sleep(0.5)
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(OUTAGES, match="idle-in-transaction"):
        stand_still()
