"""A worker on a real database that refuses the results of one frame."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
import sqlalchemy as sa
from numpy.typing import NDArray

from bus.embedded import EmbeddedBus
from bus.messages import Frame, Partition
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Faces, ScoreLevels
from inference.worker import Worker
from storage import tables
from storage.writer import Writer
from tests.support.databases import rows
from tests.support.people import count_every_face

NOW = 1_700_000_000_000_000
POISON = 5
COUNT = 20


@pytest.fixture(autouse=True)
def every_face_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    count_every_face(monkeypatch)


class OneFace:
    """A detector that always finds the same face."""

    levels = ScoreLevels(weak=0.3, face=0.5, sure=0.8)

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        return Faces(np.array([[20, 20, 30, 36]], np.float32), np.array([0.9], np.float32))


def captured_at(seq: int) -> int:
    return NOW + seq * 200_000


@contextmanager
def refusing_visits(engine: sa.Engine, last_seen: int) -> Iterator[None]:
    """A database that refuses visits with this end."""
    postgresql = (
        f"ALTER TABLE visits ADD CONSTRAINT refuse CHECK (last_seen <> {last_seen})",
        "ALTER TABLE visits DROP CONSTRAINT refuse",
    )
    sqlite = (
        f"CREATE TRIGGER refuse BEFORE INSERT ON visits WHEN NEW.last_seen = {last_seen} "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "DROP TRIGGER refuse",
    )
    make, drop = postgresql if engine.dialect.name == "postgresql" else sqlite
    with engine.begin() as connection:
        connection.exec_driver_sql(make)
    yield
    with engine.begin() as connection:
        connection.exec_driver_sql(drop)


def test_one_frame_fails_and_every_other_one_is_stored_exactly_once(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    bus, sink = EmbeddedBus(capacity=COUNT), Writer(engine)
    writer = bus.writer()
    jpeg = cv2.imencode(".jpg", np.random.default_rng(3).integers(0, 255, (96, 128), np.uint8))[1].tobytes()
    for seq in range(COUNT):
        writer.publish(Frame("till", captured_at(seq), seq, NOW, 128, 96, jpeg))
    writer.close()
    analyser = Analyser(OneFace(), Classifier(), "m")
    worker = Worker(bus.reader([0], sink.positions), sink, analyser, live_limits=None)
    with refusing_visits(engine, captured_at(POISON)):
        worker.run(threading.Event())
    assert f"offset {POISON} rejected: " in caplog.text
    minutes = rows(engine, tables.camera_minutes)
    assert sum(int(str(row["analysed"])) for row in minutes) == COUNT - 1
    assert sum(int(str(row["failed"])) for row in minutes) == 1
    assert sink.positions([Partition("embedded", 0)]) == {Partition("embedded", 0): COUNT}
    visits = sorted(rows(engine, tables.visits), key=lambda row: int(str(row["first_seen"])))
    closed = [row for row in visits if row["closed"]]
    assert [row["frames"] for row in closed] == [COUNT - POISON - 1]
