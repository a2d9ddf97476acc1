"""Totals of a run: only what was stored is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from bus.messages import CameraMinute, Estimate, LastFrame, Partition, Positions, Results, Visit
from mien.totals import CountingStore
from storage.engine import open_database
from storage.writer import Writer

EXPRESSIONS = {
    "anger": 0,
    "disgust": 0,
    "fear": 0,
    "happiness": 0.9,
    "sadness": 0,
    "surprise": 0,
    "neutral": 0.1,
}


def visit(closed: bool) -> Visit:
    estimate = Estimate(EXPRESSIONS, 0.8, "happiness", "female")
    return Visit("v1", "door", 1_000_000, 2_000_000, 5, 40.0, 0.9, estimate, "test", closed)


def test_visits_are_counted_when_they_close_and_frames_by_outcome(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    store = CountingStore(Writer(engine))
    store.count(CameraMinute("door", 0, captured=7, dropped={"buffer full": 2}))
    store.write(Results(visits=(visit(False),), minutes=(CameraMinute("door", 0, analysed=3),)), {})
    store.write(Results(visits=(visit(True),), minutes=(CameraMinute("door", 0, analysed=1, stale=1),)), {})
    door = store.totals()["door"]
    assert (door.visits, door.expressions, door.genders) == (1, {"happiness": 1}, {"female": 1})
    assert +door.frames == {"captured": 7, "analysed": 4, "stale": 1}
    assert door.dropped == {"buffer full": 2}
    engine.dispose()


class Unavailable:
    def write(self, results: Results, positions: Positions) -> None:
        raise ConnectionError

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        raise ConnectionError

    def last_frames(self, camera_id: str) -> Sequence[LastFrame]:
        raise ConnectionError

    def report(self, health: object) -> None:
        raise ConnectionError

    def count(self, minute: CameraMinute) -> None:
        raise ConnectionError


def test_nothing_is_counted_when_the_store_is_unavailable() -> None:
    store = CountingStore(Unavailable())
    with pytest.raises(ConnectionError):
        store.write(Results(visits=(visit(True),)), {})
    with pytest.raises(ConnectionError):
        store.count(CameraMinute("door", 0, captured=1))
    assert store.totals() == {}
