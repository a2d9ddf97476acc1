"""Visits by face size and confidence: each counted once, and no period reveals a few visits."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, Partition
from storage import tables
from storage.day_partitions import DAY_US, start_of_day
from storage.dead_letters import DeadLetterCounts, read_dead_letters
from storage.figures.classes import read_classes
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit
from storage.visit_classes import CONFIDENCE_EDGES, SIZE_EDGES, add_closed_visits
from storage.writer import Writer
from tests.support.databases import T0, estimate, results, rows, visit

DAY = start_of_day(T0)
UTC = ZoneInfo("UTC")


def period(first: int, days: int, now_day: int = 100) -> Timeline:
    edges = tuple(DAY + (first + number) * DAY_US for number in range(days + 1))
    return Timeline(edges, Unit.DAY, DAY + now_day * DAY_US, UTC)


def store(
    engine: sa.Engine, day: int, count: int, *, camera: str = "till", size: float = 60.0, p: float = 0.7
) -> None:
    made = [
        replace(
            visit(
                f"{camera}-{day}-{size}-{p}-{number}",
                closed=True,
                camera=camera,
                first_seen=DAY + day * DAY_US + number * MICROSECONDS,
                looks=estimate(p=p),
            ),
            face_size=size,
        )
        for number in range(count)
    ]
    for _ in range(2):  # A visit that is stored again counts once.
        Writer(engine).write(results(made), {})


def test_visits_are_counted_by_class_of_size_and_confidence(engine: sa.Engine) -> None:
    store(engine, 0, 12, size=15.9)
    store(engine, 0, 8, size=16.0, p=0.95)
    found = read_classes(engine, period(0, 1), Choice(10))
    assert (found.sizes.days, found.sizes.hidden_days) == (1, 0)
    assert found.sizes.counts == (12, 8, 0, 0, 0, 0)
    assert sum(found.confidences.counts) == 20
    assert found.confidences.counts[-1] == 8


def test_days_with_few_visits_count_nowhere(engine: sa.Engine) -> None:
    store(engine, 0, 9)
    store(engine, 1, 30)
    store(engine, 2, 40)
    alone = read_classes(engine, period(0, 1), Choice(10))
    assert (sum(alone.sizes.counts), alone.sizes.hidden_days) == (0, 1)
    wide, narrow = (read_classes(engine, period(first, 3 - first), Choice(10)) for first in (0, 1))
    difference = sum(wide.sizes.counts) - sum(narrow.sizes.counts)
    assert difference in {0, -30, -40}, "the day of nine visits is never revealed"


def test_days_with_few_estimates_count_for_face_sizes_alone(engine: sa.Engine) -> None:
    store(engine, 0, 40)
    store(engine, 1, 30)
    confidence = sa.delete(tables.visit_classes).where(tables.visit_classes.c.kind == "confidence")
    with engine.begin() as connection:
        # Expression was estimated of two of the visits of the second day.
        connection.execute(confidence.where(tables.visit_classes.c.day == DAY + DAY_US))
    store(engine, 1, 2, size=200.0)
    store(engine, 2, 20)
    second = read_classes(engine, period(1, 1), Choice(10))
    assert (sum(second.sizes.counts), sum(second.confidences.counts)) == (32, 0)
    assert (second.sizes.days, second.sizes.hidden_days) == (1, 0)
    assert (second.confidences.days, second.confidences.hidden_days) == (0, 1)
    wide, narrow = (read_classes(engine, period(first, 3 - first), Choice(10)) for first in (0, 1))
    assert sum(wide.sizes.counts) == 92
    assert sum(wide.confidences.counts) in {20, 40}, "another day is hidden, lest it reveals the second"
    assert sum(narrow.confidences.counts) == 0


def test_a_choice_of_cameras_does_not_reveal_the_few_visits_of_another_one(engine: sa.Engine) -> None:
    store(engine, 0, 50, camera="till")
    store(engine, 0, 3, camera="door")
    both = read_classes(engine, period(0, 1), Choice(10))
    chosen = read_classes(engine, period(0, 1), Choice(10, frozenset({"till"})))
    assert sum(both.sizes.counts) - sum(chosen.sizes.counts) != 3


def test_the_current_day_does_not_count(engine: sa.Engine) -> None:
    store(engine, 0, 30)
    assert sum(read_classes(engine, period(0, 1, now_day=0), Choice(10)).sizes.counts) == 0
    assert sum(read_classes(engine, period(0, 1, now_day=1), Choice(10)).sizes.counts) == 30


def test_a_loaded_history_counts_as_written_visits_do(engine: sa.Engine) -> None:
    for number, size in enumerate((*SIZE_EDGES, 15.0, 200.0)):
        store(engine, 0, 2, size=size, p=0.2 + number / 10)
    written = rows(engine, tables.visit_classes)
    with engine.begin() as connection:
        connection.execute(sa.delete(tables.visit_classes))
        add_closed_visits(connection, DAY, DAY + DAY_US, "network 1")
    assert rows(engine, tables.visit_classes) == written
    assert {row["class"] for row in written if row["kind"] == "size"} == set(range(len(SIZE_EDGES) + 1))
    assert max(int(str(row["class"])) for row in written) == len(CONFIDENCE_EDGES) - 1


def test_dead_letters_are_counted_once_by_kind_of_reason(engine: sa.Engine) -> None:
    counts, partition = DeadLetterCounts(engine), Partition("frames", 0)
    for offset in (1, 2, 2):
        counts.count(partition, offset, "door", f"size {1000 + offset}: expected at most 500\x00")
    counts.count(Partition("frames", 1), 2, "", "password=hunter2 is no frame")
    (first, second) = read_dead_letters(engine, 0, 2**62)
    assert (first.camera_id, first.records) == ("door", 2)
    assert first.reason.startswith("size N: expected at most N")
    assert "hunter2" not in second.reason
    assert read_dead_letters(engine, 0, 2**62, frozenset({"door"})) == [first]


@pytest.mark.parametrize("size", [0.0, 1e6])
def test_any_size_has_a_class(engine: sa.Engine, size: float) -> None:
    store(engine, 0, 10, size=size)
    assert sum(read_classes(engine, period(0, 1), Choice(10)).sizes.counts) == 10
