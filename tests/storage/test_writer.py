"""The writer on both kinds of database: atomic writes, each visit once, sums by minute."""

from __future__ import annotations

import random
import resource
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bus.messages import (
    MICROSECONDS,
    MINUTE_US,
    CameraHealth,
    CameraMinute,
    CameraState,
    Estimate,
    Partition,
    Results,
)
from storage import tables
from storage.engine import open_database
from storage.errors import DatabaseError, DatabaseUnavailable, StorageError
from storage.writer import Writer
from tests.support.databases import T0, administrator, contents, estimate, observation, results, rows, visit

PARTITION = Partition("frames", 0)


@pytest.fixture
def writer(engine: sa.Engine) -> Writer:
    return Writer(engine)


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    yield engine
    engine.dispose()


def stored(engine: sa.Engine, table: sa.Table, *names: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in names) for row in rows(engine, table)]


def minute(captured: int = 0, camera: str = "till", start: int = T0, **counts: Any) -> CameraMinute:
    return CameraMinute(camera, start, captured, **counts)


def test_all_values_of_a_visit_are_stored(engine: sa.Engine, writer: Writer) -> None:
    looks = estimate("surprise", "male", 0.55)
    seen = visit("v1", frames=7, closed=True, seconds=2.5, looks=looks)
    writer.write(results([seen], [observation("v1", second=1)]), {})
    (row,) = rows(engine, tables.visits)
    assert row == {
        "visit_id": "v1",
        "camera_id": "till",
        "first_seen": T0,
        "last_seen": T0 + 2_500_000,
        "frames": 7,
        "face_size": 60.0,
        "quality": 0.9,
        **{f"p_{name}": looks.expressions[name] for name in tables.EXPRESSIONS},
        "p_female": looks.female,
        "expression": "surprise",
        "gender": "male",
        "model": "network 1",
        "closed": True,
    }
    assert stored(engine, tables.observations, "visit_id", "observed_at") == [("v1", T0 + MICROSECONDS)]


def test_an_open_visit_has_the_values_with_most_frames(engine: sa.Engine, writer: Writer) -> None:
    for frames in (3, 9, 5):
        writer.write(results([visit("v1", frames)]), {})
    assert stored(engine, tables.visits, "frames", "closed") == [(9, False)]
    assert rows(engine, tables.visit_minutes) == []


def test_a_batch_may_contain_several_rows_of_a_visit(engine: sa.Engine, writer: Writer) -> None:
    writer.write(results([visit("v1", 3), visit("v1", 8), visit("v1", 9, closed=True)]), {})
    assert stored(engine, tables.visits, "frames", "closed") == [(9, True)]
    assert stored(engine, tables.visit_minutes, "visits") == [(1,)]


def test_a_closed_visit_stays_closed(engine: sa.Engine, writer: Writer) -> None:
    writer.write(results([visit("v1", 9, closed=True)]), {})
    before = contents(engine)
    writer.write(results([visit("v1", 20)]), {})
    writer.write(results([visit("v1", 20, closed=True)]), {})
    assert contents(engine) == before


def test_repeated_visits_and_observations_change_nothing(engine: sa.Engine, writer: Writer) -> None:
    batch = results(
        [visit("v1", 4), visit("v2", 9, closed=True), visit("v3", 5, closed=True)],
        [observation("v1"), observation("v2"), observation("v2", 1)],
    )
    writer.write(batch, {PARTITION: 3})
    before = contents(engine)
    writer.write(batch, {PARTITION: 3})
    assert contents(engine) == before
    assert stored(engine, tables.visit_minutes, "visits") == [(2,)]


def test_the_rollup_contains_counts_and_sums(engine: sa.Engine, writer: Writer) -> None:
    happy, sad = estimate("happiness", "female", 0.7), estimate("sadness", "female", 0.64)
    writer.write(
        results(
            [
                visit("v1", closed=True, seconds=2, looks=happy),
                visit("v2", closed=True, seconds=4, looks=happy),
                visit("v3", closed=True, seconds=1, looks=sad),
                visit("v4", closed=True, looks=happy, camera="door"),
                visit("v5", closed=True, looks=happy, first_seen=T0 + MINUTE_US),
            ]
        ),
        {},
    )
    keys = ("minute", "camera_id", "expression", "gender", "visits", "dwell_us")
    assert stored(engine, tables.visit_minutes, *keys) == [
        (T0, "door", "happiness", "female", 1, 1e6),
        (T0, "till", "happiness", "female", 2, 6e6),
        (T0, "till", "sadness", "female", 1, 1e6),
        (T0 + MINUTE_US, "till", "happiness", "female", 1, 1e6),
    ]
    _, happy_row, sad_row, _ = rows(engine, tables.visit_minutes)
    mood = 0.7 - 4 * 0.05
    assert happy_row["p_happiness"] == pytest.approx(2 * 0.7)
    assert happy_row["p_female"] == pytest.approx(2 * 0.7)
    assert happy_row["mood"] == pytest.approx(2 * mood)
    assert happy_row["mood_squared"] == pytest.approx(2 * mood**2)
    assert sad_row["mood"] == pytest.approx(0.06 - 0.64 - 3 * 0.06)


def test_minutes_and_drops_are_summed(engine: sa.Engine, writer: Writer) -> None:
    writer.count(minute(captured=10, dropped={"buffer full": 2}))
    writer.write(results(minutes=[minute(analysed=5, faces=7, watched_us=400), minute(stale=1)]), {})
    writer.count(minute(captured=3, dropped={"buffer full": 1, "too large": 4}))
    writer.count(minute(captured=1, start=T0 + MINUTE_US))
    names = ("minute", "captured", "analysed", "stale", "dropped", "faces", "watched_us")
    assert stored(engine, tables.camera_minutes, *names) == [
        (T0, 13, 5, 1, 7, 7, 400),
        (T0 + MINUTE_US, 1, 0, 0, 0, 0, 0),
    ]
    assert stored(engine, tables.camera_drops, "reason", "frames") == [("buffer full", 3), ("too large", 4)]


def test_positions_are_stored(engine: sa.Engine, writer: Writer) -> None:
    other = Partition("frames", 1)
    writer.write(Results(), {PARTITION: 5, other: 7})
    writer.write(Results(), {PARTITION: 6})
    assert writer.positions([PARTITION, other]) == {PARTITION: 6, other: 7}
    assert writer.positions([PARTITION, Partition("frames", 2)]) == {PARTITION: 6}
    assert Writer(engine).positions([]) == {}


def test_a_write_that_fails_late_stores_nothing(engine: sa.Engine, writer: Writer) -> None:
    batch = results([visit("v1", closed=True)], [observation("v1")], [minute(analysed=1, dropped={"x": 1})])
    before = contents(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE offsets RENAME TO hidden")
    with pytest.raises(DatabaseError, match="offsets"):
        writer.write(batch, {PARTITION: 1})
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO offsets")
    assert contents(engine) == before
    writer.write(batch, {PARTITION: 1})
    filled = {name for name, found in contents(engine).items() if found}
    wanted = {"visits", "observations", "camera_minutes", "camera_drops", "visit_minutes", "offsets"}
    assert filled == wanted | {"rollup_changes", "visit_classes"}


def test_unknown_expressions_are_refused(engine: sa.Engine, writer: Writer) -> None:
    odd = visit("v1", looks=Estimate({"bored": 1.0}, 0.5, "bored", "unknown"))
    with pytest.raises(StorageError, match=r"\['bored'\].* use a model that was trained on these"):
        writer.write(results([odd]), {PARTITION: 1})
    assert writer.positions([PARTITION]) == {}


def test_a_camera_has_one_state(engine: sa.Engine, writer: Writer) -> None:
    health = CameraHealth("till", CameraState.ONLINE, "", T0, T0 + 1, 4.9, T0, 0)
    writer.report(health)
    writer.report(replace(health, state=CameraState.RETRYING, reason="it is unplugged " * 50, reconnects=1))
    (row,) = rows(engine, tables.camera_states)
    assert (row["state"], row["reconnects"], row["fps"]) == ("retrying", 1, 4.9)
    assert row["reason"] == ("it is unplugged " * 50)[: tables.REASON_LENGTH]


def test_abandoned_visits_are_closed_and_rolled_up_once(engine: sa.Engine, writer: Writer) -> None:
    early = visit("v1", frames=4, seconds=1)
    late = visit("v2", frames=4, seconds=30)
    done = visit("v3", frames=4, seconds=1, closed=True)
    writer.write(results([early, late, done]), {})
    assert writer.close_abandoned(T0 + 10 * MICROSECONDS) == 1
    assert writer.close_abandoned(T0 + 10 * MICROSECONDS) == 0
    assert stored(engine, tables.visits, "visit_id", "closed") == [("v1", True), ("v2", False), ("v3", True)]
    assert stored(engine, tables.visit_minutes, "visits", "dwell_us") == [(2, 2e6)]


def test_writers_on_several_threads_store_everything_once(migrated_url: str) -> None:
    engines = [open_database(migrated_url) for _ in range(2)]
    shared = Writer(engines[0])
    writers = [shared, shared, Writer(engines[1])]
    start = threading.Barrier(len(writers))
    failed: list[BaseException] = []

    def write(number: int, writer: Writer) -> None:
        try:
            start.wait(timeout=60)
            for i in range(40):
                seen = visit(f"v{i}", frames=5, closed=True)
                writer.write(
                    results([seen], [observation(f"v{i}", number)], [minute(analysed=1)]),
                    {Partition("frames", number): i + 1},
                )
                writer.count(minute(captured=1, dropped={"buffer full": 1}))
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=write, args=each) for each in enumerate(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert failed == []
    names = ("captured", "analysed", "dropped")
    assert stored(engines[0], tables.camera_minutes, *names) == [(120, 120, 120)]
    assert stored(engines[0], tables.visit_minutes, "visits") == [(40,)]
    assert len(rows(engines[0], tables.observations)) == 120
    partitions = [Partition("frames", number) for number in range(len(writers))]
    assert shared.positions(partitions) == dict.fromkeys(partitions, 40)
    for engine in engines:
        engine.dispose()


def test_a_full_database_is_unavailable_until_it_has_space(sqlite_engine: sa.Engine) -> None:
    def fill(connection: sa.Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def free_space(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")

    with sqlite_engine.begin() as connection:
        fill(connection)
    check_outage(sqlite_engine, "full")
    with sqlite_engine.begin() as connection:
        free_space(connection)
    check_recovery(sqlite_engine)


def test_a_full_disk_makes_the_database_unavailable(sqlite_engine: sa.Engine, tmp_path: Path) -> None:
    written = max(path.stat().st_size for path in tmp_path.iterdir())
    with largest_file(written):
        check_outage(sqlite_engine, "disk")
    check_recovery(sqlite_engine)


def test_a_locked_database_is_unavailable(sqlite_engine: sa.Engine, tmp_path: Path) -> None:
    other = open_database(f"sqlite:///{tmp_path}/mien.db")
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    with other.begin():
        check_outage(sqlite_engine, "locked")
    check_recovery(sqlite_engine)
    other.dispose()


def test_a_server_that_ends_the_connection_during_a_write_is_unavailable(postgresql_url: str) -> None:
    engine = open_database(postgresql_url)
    caught: list[BaseException] = []

    def write() -> None:
        try:
            Writer(engine).write(*big_batch())
        except DatabaseUnavailable as error:
            caught.append(error)

    blocker = sa.create_engine(postgresql_url)
    with blocker.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE offsets IN EXCLUSIVE MODE")
        thread = threading.Thread(target=write)
        thread.start()
        terminate_waiting(engine.url.database or "")
        thread.join(timeout=60)
    assert len(caught) == 1
    assert {name for name, found in contents(engine).items() if found} == set()
    check_recovery(engine)
    blocker.dispose()
    engine.dispose()


def recording(random_: random.Random) -> list[Results]:
    """The results of each frame of a camera: visits that open, grow and close."""
    records: list[Results] = []
    open_frames: dict[str, int] = {}
    for number in range(60):
        visits, seen = [], []
        if random_.random() < 0.3:
            open_frames[f"v{number}"] = 0
        for name in list(open_frames):
            open_frames[name] += 1
            closed = open_frames[name] > 3 and random_.random() < 0.25
            looks = estimate(random_.choice(tables.EXPRESSIONS), random_.choice(["female", "male"]))
            start = T0 + int(name[1:]) * 4 * MICROSECONDS
            visits.append(visit(name, open_frames[name], closed=closed, first_seen=start, looks=looks))
            seen.append(observation(name, second=number // 3))
            if closed:
                del open_frames[name]
        start = T0 + number // 20 * MINUTE_US
        counted = minute(start=start, analysed=1, faces=len(visits), age_sum_us=random_.randrange(10**6))
        records.append(results(visits, seen, [counted]))
    return records


def joined(parts: Sequence[Results]) -> Results:
    return results(
        [each for part in parts for each in part.visits],
        [each for part in parts for each in part.observations],
        [each for part in parts for each in part.minutes],
    )


def write_with_crashes(engine: sa.Engine, records: Sequence[Results], random_: random.Random) -> int:
    """Write in random batches like a worker that restarts often; the number of restarts."""
    restarts = 0
    writer = Writer(engine)
    position = writer.positions([PARTITION]).get(PARTITION, 0)
    while position < len(records):
        upto = min(position + random_.randint(1, 16), len(records))
        batch = joined(records[position:upto])
        fate = random_.choice(["continues", "dies before the commit", "dies after the commit"])
        if fate == "dies before the commit":
            with pytest.raises(KeyboardInterrupt), killed_at_commit(engine):
                writer.write(batch, {PARTITION: upto})
        else:
            writer.write(batch, {PARTITION: upto})
        if fate == "continues":
            position = upto
        else:
            restarts += 1
            writer = Writer(engine)
            position = writer.positions([PARTITION]).get(PARTITION, 0)
        # A slower worker writes late: visits and observations, no counts.
        old = random_.choice(records[: max(position, 1)])
        writer.write(results(old.visits if position else (), old.observations if position else ()), {})
    return restarts


@contextmanager
def killed_at_commit(engine: sa.Engine) -> Iterator[None]:
    def die(_: sa.Connection) -> None:
        raise KeyboardInterrupt

    sa.event.listen(engine, "commit", die)
    try:
        yield
    finally:
        sa.event.remove(engine, "commit", die)


@pytest.mark.parametrize("seed", range(4))
def test_all_ways_to_split_and_replay_batches_give_the_same_tables(engine: sa.Engine, seed: int) -> None:
    random_ = random.Random(seed)
    records = recording(random_)
    assert write_with_crashes(engine, records, random_) > 0
    newest = {each.visit_id: each for part in records for each in part.visits}
    assert stored(engine, tables.visits, "visit_id", "frames", "closed", "expression") == sorted(
        (each.visit_id, each.frames, each.closed, each.estimate.expression) for each in newest.values()
    )
    seen = {(each.visit_id, each.observed_at) for part in records for each in part.observations}
    assert stored(engine, tables.observations, "visit_id", "observed_at") == sorted(seen)
    check_rollup(engine)
    counted = [each for part in records for each in part.minutes]
    expected = [
        (start, *(sum(getattr(m, name) for m in counted if m.minute == start) for name in COUNTED))
        for start in sorted({m.minute for m in counted})
    ]
    assert stored(engine, tables.camera_minutes, "minute", *COUNTED) == expected


COUNTED = ("analysed", "faces", "age_sum_us")


def check_rollup(engine: sa.Engine) -> None:
    """The rollup equals the sums over the closed visits."""
    closed = [row for row in rows(engine, tables.visits) if row["closed"]]
    assert closed
    found = rows(engine, tables.visit_minutes)
    assert sum(int(str(row["visits"])) for row in found) == len(closed)
    for row in found:
        members = [
            one
            for one in closed
            if int(str(one["first_seen"])) // MINUTE_US * MINUTE_US == row["minute"]
            and (one["expression"], one["gender"]) == (row["expression"], row["gender"])
        ]
        assert row["visits"] == len(members)
        for name in (*tables.PROBABILITIES, "p_female"):
            assert row[name] == pytest.approx(sum(float(str(one[name])) for one in members))


def big_batch() -> tuple[Results, dict[Partition, int]]:
    visits = [visit(f"v{i}", closed=True) for i in range(400)]
    return results(visits, [observation(f"v{i}") for i in range(400)], [minute(analysed=1)]), {PARTITION: 1}


def check_outage(engine: sa.Engine, cause: str) -> None:
    """A write raises DatabaseUnavailable and stores nothing."""
    with pytest.raises(DatabaseUnavailable, match=cause):
        Writer(engine).write(*big_batch())
    with pytest.raises(DatabaseUnavailable, match=cause):
        Writer(engine).write(*big_batch())


def check_recovery(engine: sa.Engine) -> None:
    """The same write succeeds and is stored once."""
    assert {name for name, found in contents(engine).items() if found} == set()
    Writer(engine).write(*big_batch())
    assert len(rows(engine, tables.visits)) == 400
    assert stored(engine, tables.visit_minutes, "visits") == [(400,)]
    assert stored(engine, tables.camera_minutes, "analysed") == [(1,)]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def terminate_waiting(database: str) -> None:
    """End the session of `database` that waits for a lock, once there is one."""
    terminate = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = %s AND wait_event_type = 'Lock'"
    )
    pause = threading.Event()
    with administrator() as connection:
        for _ in range(600):
            if connection.exec_driver_sql(terminate, (database,)).rowcount:
                return
            pause.wait(0.1)
    raise AssertionError("no session waits")
