"""Fencing of the second of two writers, and repeated writes after a commit of unknown outcome."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from bus.messages import MINUTE_US, CameraMinute, Partition, Results
from storage import tables
from storage.engine import open_database
from storage.errors import DatabaseUnavailable, Fenced
from storage.writer import Writer
from tests.support.databases import T0, contents, observation, results, rows, visit

PARTITION, OTHER = Partition("frames", 0), Partition("frames", 1)


def batch(analysed: int = 1, name: str = "v1", frames: int = 3, closed: bool = False) -> Results:
    return results([visit(name, frames, closed=closed)], [observation(name)], [minute(analysed=analysed)])


def minute(start: int = T0, dropped: int = 0, **counts: int) -> CameraMinute:
    return CameraMinute("till", start, dropped={"buffer full": dropped} if dropped else {}, **counts)


def analysed(engine: sa.Engine) -> int:
    return sum(int(str(row["analysed"])) for row in rows(engine, tables.camera_minutes))


@contextmanager
def commits(engine: sa.Engine, succeed: bool) -> Iterator[None]:
    """The next commit succeeds or fails; the client only learns that the connection broke."""

    def break_off(connection: Any) -> None:
        patch.undo()
        if succeed:
            connection.commit()
        raise engine.dialect.loaded_dbapi.OperationalError("server closed the connection unexpectedly")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.dialect, "do_commit", break_off)
        yield


def test_a_writer_stores_nothing_once_another_one_took_over(engine: sa.Engine) -> None:
    fenced_writer, successor = Writer(engine), Writer(engine)
    fenced_writer.positions([PARTITION])
    fenced_writer.write(batch(5), {PARTITION: 5})
    assert successor.positions([PARTITION]) == {PARTITION: 5}
    successor.write(batch(4, "v2"), {PARTITION: 9})
    before = contents(engine)
    with pytest.raises(Fenced, match="positions of frames 0: another writer moved them"):
        fenced_writer.write(batch(7, "v3", closed=True), {PARTITION: 12})
    assert contents(engine) == before
    successor.write(batch(1, "v2", 9), {PARTITION: 10})
    assert analysed(engine) == 10


def test_of_two_writers_that_start_together_one_is_fenced(engine: sa.Engine) -> None:
    first, second = Writer(engine), Writer(engine)
    assert first.positions([PARTITION]) == second.positions([PARTITION]) == {}
    first.write(batch(2), {PARTITION: 2})
    with pytest.raises(Fenced):
        second.write(batch(3), {PARTITION: 3})
    assert analysed(engine) == 2


def test_a_partition_whose_position_was_never_read_counts_as_new(engine: sa.Engine) -> None:
    Writer(engine).write(batch(4), {PARTITION: 4})
    before = contents(engine)
    with pytest.raises(Fenced):
        Writer(engine).write(batch(1), {PARTITION: 5})
    with pytest.raises(Fenced):
        Writer(engine).write(batch(1), {OTHER: 1, PARTITION: 4})
    assert contents(engine) == before
    Writer(engine).write(batch(1), {OTHER: 1})
    assert analysed(engine) == 5


def test_a_partition_stays_fenced_until_its_position_is_read(engine: sa.Engine) -> None:
    """The frames of the other partition in the refused batch are read again, not skipped."""
    fenced_writer, successor = Writer(engine), Writer(engine)
    fenced_writer.positions([PARTITION, OTHER])
    fenced_writer.write(batch(2), {PARTITION: 1, OTHER: 1})
    successor.positions([PARTITION])
    successor.write(batch(1), {PARTITION: 2})
    with pytest.raises(Fenced, match="positions of frames 0, frames 1"):
        fenced_writer.write(batch(8), {PARTITION: 5, OTHER: 5})
    with pytest.raises(Fenced, match="positions of frames 1"):
        fenced_writer.write(batch(3), {OTHER: 8})
    assert fenced_writer.positions([OTHER]) == {OTHER: 1}
    fenced_writer.write(batch(7), {OTHER: 8})
    with pytest.raises(Fenced):
        fenced_writer.write(batch(), {PARTITION: 6})
    assert analysed(engine) == 10


def test_a_fenced_partition_without_a_stored_position_is_refused(engine: sa.Engine) -> None:
    fenced_writer = Writer(engine)
    fenced_writer.positions([PARTITION, OTHER])
    Writer(engine).write(batch(1), {PARTITION: 1})
    with pytest.raises(Fenced):
        fenced_writer.write(batch(8), {PARTITION: 5, OTHER: 5})
    with pytest.raises(Fenced):
        fenced_writer.write(batch(1), {OTHER: 6})
    assert fenced_writer.positions([OTHER]) == {}
    fenced_writer.write(batch(6), {OTHER: 6})
    assert analysed(engine) == 7


def test_writing_an_unchanged_position_checks_the_fence(engine: sa.Engine) -> None:
    fenced_writer, successor = Writer(engine), Writer(engine)
    fenced_writer.write(batch(5), {PARTITION: 5})
    fenced_writer.write(results([visit("v1", 5)]), {PARTITION: 5})
    successor.positions([PARTITION])
    successor.write(batch(1), {PARTITION: 6})
    with pytest.raises(Fenced):
        fenced_writer.write(results([visit("v1", 9, closed=True)]), {PARTITION: 5})
    assert [(row["frames"], row["closed"]) for row in rows(engine, tables.visits)] == [(5, False)]


def test_a_deleted_position_is_written_again(engine: sa.Engine) -> None:
    writer = Writer(engine)
    writer.write(batch(5), {PARTITION: 5})
    with engine.begin() as connection:
        connection.execute(sa.delete(tables.offsets))
    writer.write(batch(2), {PARTITION: 7})
    assert writer.positions([PARTITION]) == {PARTITION: 7}
    assert analysed(engine) == 7


def test_concurrent_writers_that_read_positions_again_store_everything_once(migrated_url: str) -> None:
    """Four writers share one partition; each continues at the stored position."""
    engines = [open_database(migrated_url) for _ in range(4)]
    start = threading.Barrier(len(engines))
    fenced: list[int] = []
    failed: list[BaseException] = []

    def work(number: int) -> None:
        writer = Writer(engines[number])
        try:
            position = writer.positions([PARTITION]).get(PARTITION, 0)
            start.wait(timeout=60)  # All start at the same position, so all but one are fenced at first.
            while position < 60:
                try:
                    upto = min(position + 1 + number, 60)
                    writer.write(results(minutes=[minute(analysed=upto - position)]), {PARTITION: upto})
                    position = upto
                except Fenced:
                    fenced.append(number)
                    position = writer.positions([PARTITION])[PARTITION]
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(engines))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=100)
    assert failed == []
    assert len(fenced) >= len(engines) - 1
    assert analysed(engines[0]) == 60
    assert Writer(engines[0]).positions([PARTITION]) == {PARTITION: 60}
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("succeed", [True, False], ids=["stored", "not stored"])
def test_the_same_write_after_an_unknown_outcome_is_stored_once(engine: sa.Engine, succeed: bool) -> None:
    writer = Writer(engine)
    writer.positions([PARTITION, OTHER])
    writer.write(batch(1), {PARTITION: 1, OTHER: 7})
    again = batch(4, frames=9, closed=True), {PARTITION: 5, OTHER: 7}
    with commits(engine, succeed), pytest.raises(DatabaseUnavailable, match="unexpectedly"):
        writer.write(*again)
    assert analysed(engine) == (5 if succeed else 1)
    writer.write(*again)
    assert analysed(engine) == 5
    assert [row["visits"] for row in rows(engine, tables.visit_minutes)] == [1]
    writer.write(batch(2), {PARTITION: 7})
    assert analysed(engine) == 7


@pytest.mark.parametrize("succeed", [True, False], ids=["stored", "not stored"])
def test_a_write_is_stored_once_after_two_unknown_outcomes(engine: sa.Engine, succeed: bool) -> None:
    writer = Writer(engine)
    for _ in range(2):
        with commits(engine, succeed), pytest.raises(DatabaseUnavailable):
            writer.write(batch(4), {PARTITION: 4})
    writer.write(batch(4), {PARTITION: 4})
    assert analysed(engine) == 4


def test_a_writer_with_an_unknown_outcome_is_fenced_by_its_successor(engine: sa.Engine) -> None:
    """Its write was not stored, and its successor stored the same position."""
    fenced_writer, successor = Writer(engine), Writer(engine)
    fenced_writer.write(batch(1), {PARTITION: 1, OTHER: 1})
    with commits(engine, succeed=False), pytest.raises(DatabaseUnavailable):
        fenced_writer.write(batch(8, "fenced_writer"), {PARTITION: 5, OTHER: 5})
    successor.positions([PARTITION])
    successor.write(batch(4), {PARTITION: 5})
    with pytest.raises(Fenced):
        fenced_writer.write(batch(8, "fenced_writer"), {PARTITION: 5, OTHER: 5})
    assert analysed(engine) == 5
    assert fenced_writer.positions([PARTITION, OTHER]) == {PARTITION: 5, OTHER: 1}


def test_a_different_write_is_refused_if_one_of_unknown_outcome_was_stored(engine: sa.Engine) -> None:
    writer = Writer(engine)
    with commits(engine, succeed=True), pytest.raises(DatabaseUnavailable):
        writer.write(batch(4), {PARTITION: 4})
    with pytest.raises(Fenced):
        writer.write(batch(6), {PARTITION: 6})
    assert writer.positions([PARTITION]) == {PARTITION: 4}
    writer.write(batch(2), {PARTITION: 6})
    assert analysed(engine) == 6


def captured(engine: sa.Engine) -> list[tuple[object, ...]]:
    return [
        tuple(row[n] for n in ("minute", "captured", "dropped"))
        for row in rows(engine, tables.camera_minutes)
    ]


@pytest.mark.parametrize("succeed", [True, False], ids=["stored", "not stored"])
def test_counts_that_grew_after_an_unknown_outcome_are_added_once(engine: sa.Engine, succeed: bool) -> None:
    writer = Writer(engine)
    writer.count(minute(captured=10))
    for grown in (20, 25):
        with commits(engine, succeed), pytest.raises(DatabaseUnavailable):
            writer.count(minute(captured=grown, dropped=grown - 18))
    writer.count(minute(captured=30, dropped=8))
    assert captured(engine) == [(T0, 40, 8)]
    assert [row["frames"] for row in rows(engine, tables.camera_drops)] == [8]
    writer.count(minute(captured=1))
    assert captured(engine) == [(T0, 41, 8)]


@pytest.mark.parametrize("succeed", [True, False], ids=["stored", "not stored"])
def test_counts_of_another_minute_or_camera_may_follow_an_unknown_outcome(
    engine: sa.Engine, succeed: bool
) -> None:
    writer = Writer(engine)
    with commits(engine, succeed), pytest.raises(DatabaseUnavailable):
        writer.count(minute(captured=5))
    writer.count(minute(T0 + MINUTE_US, captured=7))
    writer.count(CameraMinute("door", T0, captured=9))
    writer.count(minute(captured=6))
    assert captured(engine) == [(T0, 9, 0), (T0, 6, 0), (T0 + MINUTE_US, 7, 0)]
