"""Fencing by frames: of two writers of one camera, the one with the later frames wins."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from bus.messages import CameraMinute, LastFrame, Partition, Results
from storage import tables
from storage.engine import open_database
from storage.errors import Fenced
from storage.maintenance import create_day_partitions
from storage.retention import Retention, purge
from storage.writer import Writer
from tests.storage.test_fence import commits
from tests.support.databases import T0, contents, rows

ONE, OTHER = Partition("frames", 0), Partition("frames", 1)
DAY_US = 86_400_000_000


def batch(*last: LastFrame, analysed: int = 1) -> Results:
    return Results(minutes=(CameraMinute("till", T0, analysed=analysed),), last_frames=last)


def last(seq: int, epoch: int = 5, analysed: bool = True, camera: str = "till") -> LastFrame:
    return LastFrame(camera, epoch, seq, analysed)


def stored(engine: sa.Engine) -> list[tuple[object, ...]]:
    found = rows(engine, tables.last_frames)
    return [(row["camera_id"], row["epoch"], row["seq"], bool(row["analysed"])) for row in found]


def test_the_last_frames_are_stored_with_the_results_and_can_be_read(engine: sa.Engine) -> None:
    writer = Writer(engine)
    writer.write(batch(last(3), last(4), last(9, epoch=6, analysed=False), last(1, camera="door")), {ONE: 4})
    assert stored(engine) == [("door", 5, 1, True), ("till", 5, 4, True), ("till", 6, 9, False)]
    assert writer.last_frames("till") == (last(9, epoch=6, analysed=False), last(4))
    assert writer.last_frames("attic") == ()


def test_an_epoch_stays_analysed(engine: sa.Engine) -> None:
    writer = Writer(engine)
    writer.write(batch(last(1)), {ONE: 1})
    writer.write(batch(last(2, analysed=False)), {ONE: 2})
    assert writer.last_frames("till") == (last(2),)


@pytest.mark.parametrize("seq", [6, 7])
def test_frames_that_another_writer_stored_are_fenced_in_any_partition(engine: sa.Engine, seq: int) -> None:
    first, second = Writer(engine), Writer(engine)
    second.positions([OTHER])
    second.last_frames("till")
    first.write(batch(last(7)), {ONE: 1})
    before = contents(engine)
    with pytest.raises(Fenced, match="frames of camera till: another writer stored later ones"):
        second.write(batch(last(seq)), {OTHER: 1})
    assert contents(engine) == before
    with pytest.raises(Fenced):
        second.write(batch(last(8)), {OTHER: 1})
    second.positions([OTHER])
    second.write(batch(last(8)), {OTHER: 1})


def test_a_writer_of_an_earlier_epoch_is_fenced_until_it_knows_the_later_one(engine: sa.Engine) -> None:
    replaced, heir = Writer(engine), Writer(engine)
    replaced.write(batch(last(1)), {ONE: 1})
    heir.write(batch(last(0, epoch=6)), {OTHER: 1})
    before = contents(engine)
    with pytest.raises(Fenced):
        replaced.write(batch(last(2)), {ONE: 2})
    assert contents(engine) == before
    replaced.positions([ONE])
    assert last(0, epoch=6) in replaced.last_frames("till")
    replaced.write(batch(last(2, analysed=False)), {ONE: 2})
    assert stored(engine) == [("till", 5, 2, True), ("till", 6, 0, True)]


def test_an_epoch_of_which_nothing_was_analysed_fences_nobody(engine: sa.Engine) -> None:
    Writer(engine).write(batch(last(0, epoch=9, analysed=False)), {OTHER: 1})
    Writer(engine).write(batch(last(2)), {ONE: 1})


@pytest.mark.parametrize("succeed", [True, False])
def test_a_write_of_unknown_outcome_can_be_repeated(engine: sa.Engine, succeed: bool) -> None:
    writer = Writer(engine)
    with commits(engine, succeed), pytest.raises(Exception, match="closed the connection"):
        writer.write(batch(last(3)), {ONE: 1})
    writer.write(batch(last(3)), {ONE: 1})
    writer.write(batch(last(4)), {ONE: 2})
    assert stored(engine) == [("till", 5, 4, True)]
    assert [row["analysed"] for row in rows(engine, tables.camera_minutes)] == [2]


def test_two_writers_of_many_cameras_wait_for_each_other_without_a_deadlock(migrated_url: str) -> None:
    engines = [open_database(migrated_url), open_database(migrated_url)]
    names = [f"camera-{number}" for number in range(20)]
    fenced = []

    def store(number: int) -> None:
        writer, order = Writer(engines[number]), names if number else names[::-1]
        for seq in range(20):
            try:
                writer.write(
                    Results(last_frames=tuple(last(seq, camera=each) for each in order)),
                    {Partition("frames", number): seq + 1},
                )
            except Fenced:
                fenced.append(number)
                writer.positions([Partition("frames", number)])

    threads = [threading.Thread(target=store, args=(number,)) for number in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=120)
    assert not any(each.is_alive() for each in threads)
    assert {row[2] for row in stored(engines[0])} == {19}
    for engine in engines:
        engine.dispose()


def test_old_last_frames_are_deleted(engine: sa.Engine) -> None:
    Writer(engine).write(batch(last(3)), {ONE: 1})
    (row,) = rows(engine, tables.last_frames)
    written_at = int(str(row["written_at"]))
    create_day_partitions(engine, written_at)
    assert purge(engine, Retention().cutoffs(written_at + 29 * DAY_US))["last_frames"] == 0
    assert purge(engine, Retention().cutoffs(written_at + 32 * DAY_US))["last_frames"] == 1
