"""What a run says of itself: counted only when it is stored."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from bus.messages import CameraMinute, Estimate, Partition, Positions, Results, Visit
from mien.tally import Tally
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


def test_visits_count_when_they_close_and_frames_by_what_became_of_them(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    tally = Tally(Writer(engine))
    tally.count(CameraMinute("door", 0, captured=7, dropped={"buffer full": 2}))
    tally.write(Results(visits=(visit(False),), minutes=(CameraMinute("door", 0, analysed=3),)), {})
    tally.write(Results(visits=(visit(True),), minutes=(CameraMinute("door", 0, analysed=1, stale=1),)), {})
    door = tally.cameras()["door"]
    assert (door.visits, door.expressions, door.genders) == (1, {"happiness": 1}, {"female": 1})
    assert door.frames == {"captured": 7, "analysed": 4, "stale": 1, "failed": 0}
    assert door.dropped == {"buffer full": 2}
    engine.dispose()


class Away:
    def write(self, results: Results, positions: Positions) -> None:
        raise ConnectionError

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        raise ConnectionError

    def report(self, health: object) -> None:
        raise ConnectionError

    def count(self, minute: CameraMinute) -> None:
        raise ConnectionError


def test_what_is_not_stored_is_not_counted() -> None:
    tally = Tally(Away())
    with pytest.raises(ConnectionError):
        tally.write(Results(visits=(visit(True),)), {})
    with pytest.raises(ConnectionError):
        tally.count(CameraMinute("door", 0, captured=1))
    assert tally.cameras() == {}
