"""Two writers of one partition: one is stopped. A commit of unknown outcome: stored once, whatever it was."""

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
from storage.errors import Fenced
from storage.writer import OUTAGES, Writer
from tests.support.databases import T0, contents, observation, results, rows, visit

LANE, OTHER = Partition("frames", 0), Partition("frames", 1)


def batch(analysed: int = 1, name: str = "v1", frames: int = 3, closed: bool = False) -> Results:
    return results([visit(name, frames, closed=closed)], [observation(name)], [minute(analysed=analysed)])


def minute(start: int = T0, dropped: int = 0, **counts: int) -> CameraMinute:
    return CameraMinute("till", start, dropped={"buffer full": dropped} if dropped else {}, **counts)


def analysed(engine: sa.Engine) -> int:
    return sum(int(str(row["analysed"])) for row in rows(engine, tables.camera_minutes))


@contextmanager
def commits(engine: sa.Engine, succeed: bool) -> Iterator[None]:
    """The next commit does what it says, yet all that is heard of it is that the connection broke."""

    def break_off(connection: Any) -> None:
        patch.undo()
        if succeed:
            connection.commit()
        raise engine.dialect.loaded_dbapi.OperationalError("server closed the connection unexpectedly")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.dialect, "do_commit", break_off)
        yield


def test_a_writer_that_another_one_overtook_stores_nothing(engine: sa.Engine) -> None:
    zombie, heir = Writer(engine), Writer(engine)
    zombie.positions([LANE])
    zombie.write(batch(5), {LANE: 5})
    assert heir.positions([LANE]) == {LANE: 5}
    heir.write(batch(4, "v2"), {LANE: 9})
    before = contents(engine)
    with pytest.raises(Fenced, match="positions of frames 0: were moved by another writer"):
        zombie.write(batch(7, "v3", closed=True), {LANE: 12})
    assert contents(engine) == before
    heir.write(batch(1, "v2", 9), {LANE: 10})
    assert analysed(engine) == 10


def test_of_two_that_begin_together_one_goes_on(engine: sa.Engine) -> None:
    first, second = Writer(engine), Writer(engine)
    assert first.positions([LANE]) == second.positions([LANE]) == {}
    first.write(batch(2), {LANE: 2})
    with pytest.raises(Fenced):
        second.write(batch(3), {LANE: 3})
    assert analysed(engine) == 2


def test_a_partition_that_was_never_asked_about_is_taken_for_new(engine: sa.Engine) -> None:
    Writer(engine).write(batch(4), {LANE: 4})
    before = contents(engine)
    with pytest.raises(Fenced):
        Writer(engine).write(batch(1), {LANE: 5})
    with pytest.raises(Fenced):
        Writer(engine).write(batch(1), {OTHER: 1, LANE: 4})
    assert contents(engine) == before
    Writer(engine).write(batch(1), {OTHER: 1})
    assert analysed(engine) == 5


def test_a_partition_that_was_fenced_stays_so_until_it_is_asked_about(engine: sa.Engine) -> None:
    """What lay in the refused batch of the partition that was not lost is read again, not skipped."""
    zombie, heir = Writer(engine), Writer(engine)
    zombie.positions([LANE, OTHER])
    zombie.write(batch(2), {LANE: 1, OTHER: 1})
    heir.positions([LANE])
    heir.write(batch(1), {LANE: 2})
    with pytest.raises(Fenced, match="positions of frames 0, frames 1"):
        zombie.write(batch(8), {LANE: 5, OTHER: 5})
    with pytest.raises(Fenced, match="positions of frames 1"):
        zombie.write(batch(3), {OTHER: 8})
    assert zombie.positions([OTHER]) == {OTHER: 1}
    zombie.write(batch(7), {OTHER: 8})
    with pytest.raises(Fenced):
        zombie.write(batch(), {LANE: 6})
    assert analysed(engine) == 10


def test_a_fenced_partition_without_a_row_is_refused_as_well(engine: sa.Engine) -> None:
    zombie = Writer(engine)
    zombie.positions([LANE, OTHER])
    Writer(engine).write(batch(1), {LANE: 1})
    with pytest.raises(Fenced):
        zombie.write(batch(8), {LANE: 5, OTHER: 5})
    with pytest.raises(Fenced):
        zombie.write(batch(1), {OTHER: 6})
    assert zombie.positions([OTHER]) == {}
    zombie.write(batch(6), {OTHER: 6})
    assert analysed(engine) == 7


def test_writing_a_position_again_finds_out_whether_it_is_still_ours(engine: sa.Engine) -> None:
    zombie, heir = Writer(engine), Writer(engine)
    zombie.write(batch(5), {LANE: 5})
    zombie.write(results([visit("v1", 5)]), {LANE: 5})
    heir.positions([LANE])
    heir.write(batch(1), {LANE: 6})
    with pytest.raises(Fenced):
        zombie.write(results([visit("v1", 9, closed=True)]), {LANE: 5})
    assert [(row["frames"], row["closed"]) for row in rows(engine, tables.visits)] == [(5, False)]


def test_a_position_that_was_deleted_is_written_anew(engine: sa.Engine) -> None:
    writer = Writer(engine)
    writer.write(batch(5), {LANE: 5})
    with engine.begin() as connection:
        connection.execute(sa.delete(tables.offsets))
    writer.write(batch(2), {LANE: 7})
    assert writer.positions([LANE]) == {LANE: 7}
    assert analysed(engine) == 7


def test_rivals_that_ask_again_store_everything_once(database_url: str) -> None:
    """Four writers fight for one partition; each takes over from where it then is."""
    engines = [open_database(database_url) for _ in range(4)]
    start = threading.Barrier(len(engines))
    fenced: list[int] = []
    failed: list[BaseException] = []

    def work(number: int) -> None:
        writer = Writer(engines[number])
        try:
            position = writer.positions([LANE]).get(LANE, 0)
            start.wait(timeout=60)  # All begin at the same position: all but one are refused at first.
            while position < 60:
                try:
                    upto = min(position + 1 + number, 60)
                    writer.write(results(minutes=[minute(analysed=upto - position)]), {LANE: upto})
                    position = upto
                except Fenced:
                    fenced.append(number)
                    position = writer.positions([LANE])[LANE]
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
    assert Writer(engines[0]).positions([LANE]) == {LANE: 60}
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("succeed", [True, False], ids=["stored", "not stored"])
def test_the_same_write_after_an_unknown_outcome_is_stored_once(engine: sa.Engine, succeed: bool) -> None:
    writer = Writer(engine)
    writer.positions([LANE, OTHER])
    writer.write(batch(1), {LANE: 1, OTHER: 7})
    again = batch(4, frames=9, closed=True), {LANE: 5, OTHER: 7}
    with commits(engine, succeed), pytest.raises(OUTAGES, match="unexpectedly"):
        writer.write(*again)
    assert analysed(engine) == (5 if succeed else 1)
    writer.write(*again)
    assert analysed(engine) == 5
    assert [row["visits"] for row in rows(engine, tables.visit_minutes)] == [1]
    writer.write(batch(2), {LANE: 7})
    assert analysed(engine) == 7


@pytest.mark.parametrize("succeed", [True, False], ids=["stored", "not stored"])
def test_two_unknown_outcomes_in_a_row(engine: sa.Engine, succeed: bool) -> None:
    writer = Writer(engine)
    for _ in range(2):
        with commits(engine, succeed), pytest.raises(OUTAGES):
            writer.write(batch(4), {LANE: 4})
    writer.write(batch(4), {LANE: 4})
    assert analysed(engine) == 4


def test_a_zombie_with_an_unknown_outcome_is_still_one(engine: sa.Engine) -> None:
    """Its write was not stored; whoever went on happens to have stopped at the same position."""
    zombie, heir = Writer(engine), Writer(engine)
    zombie.write(batch(1), {LANE: 1, OTHER: 1})
    with commits(engine, succeed=False), pytest.raises(OUTAGES):
        zombie.write(batch(8, "zombie"), {LANE: 5, OTHER: 5})
    heir.positions([LANE])
    heir.write(batch(4), {LANE: 5})
    with pytest.raises(Fenced):
        zombie.write(batch(8, "zombie"), {LANE: 5, OTHER: 5})
    assert analysed(engine) == 5
    assert zombie.positions([LANE, OTHER]) == {LANE: 5, OTHER: 1}


def test_another_write_after_an_unknown_outcome_is_refused_where_that_was_stored(engine: sa.Engine) -> None:
    writer = Writer(engine)
    with commits(engine, succeed=True), pytest.raises(OUTAGES):
        writer.write(batch(4), {LANE: 4})
    with pytest.raises(Fenced):
        writer.write(batch(6), {LANE: 6})
    assert writer.positions([LANE]) == {LANE: 4}
    writer.write(batch(2), {LANE: 6})
    assert analysed(engine) == 6


def captured(engine: sa.Engine) -> list[tuple[object, ...]]:
    return [
        tuple(row[n] for n in ("minute", "captured", "dropped"))
        for row in rows(engine, tables.camera_minutes)
    ]


@pytest.mark.parametrize("succeed", [True, False], ids=["stored", "not stored"])
def test_counts_after_an_unknown_outcome_are_added_once_also_where_they_grew(
    engine: sa.Engine, succeed: bool
) -> None:
    writer = Writer(engine)
    writer.count(minute(captured=10))
    for grown in (20, 25):
        with commits(engine, succeed), pytest.raises(OUTAGES):
            writer.count(minute(captured=grown, dropped=grown - 18))
    writer.count(minute(captured=30, dropped=8))
    assert captured(engine) == [(T0, 40, 8)]
    assert [row["frames"] for row in rows(engine, tables.camera_drops)] == [8]
    writer.count(minute(captured=1))
    assert captured(engine) == [(T0, 41, 8)]


@pytest.mark.parametrize("succeed", [True, False], ids=["stored", "not stored"])
def test_counts_of_another_minute_or_camera_may_come_in_between(engine: sa.Engine, succeed: bool) -> None:
    writer = Writer(engine)
    with commits(engine, succeed), pytest.raises(OUTAGES):
        writer.count(minute(captured=5))
    writer.count(minute(T0 + MINUTE_US, captured=7))
    writer.count(CameraMinute("door", T0, captured=9))
    writer.count(minute(captured=6))
    assert captured(engine) == [(T0, 9, 0), (T0, 6, 0), (T0 + MINUTE_US, 7, 0)]
