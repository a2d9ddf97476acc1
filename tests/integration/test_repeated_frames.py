"""Frames that are on a real broker twice count once, however many records lie between, and across workers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import sqlalchemy as sa
from kafka import KafkaProducer
from numpy.typing import NDArray

from bus import codec
from bus.kafka.reader import KafkaReader
from bus.kafka.settings import KafkaSettings
from bus.messages import Frame
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Faces, ScoreLevels
from inference.worker import Worker
from storage import tables
from storage.engine import open_database
from storage.writer import Writer
from tests.support.brokers import Broker
from tests.support.buses import KAFKA, fresh_topic
from tests.support.databases import rows

pytestmark = KAFKA

NOW = 1_700_000_000_000_000
OTHERS = ("door", "till")
APART = 40
"""Frames of each other camera between a frame and its repetition."""


class NoFaces:
    """A detector that finds nothing."""

    levels = ScoreLevels(weak=0.3, face=0.5, sure=0.8)

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        return Faces(np.empty((0, 4), np.float32), np.empty(0, np.float32))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def frames(camera: str, numbers: Iterable[int], epoch: int = NOW) -> list[Frame]:
    _, jpeg = cv2.imencode(".jpg", np.full((48, 64), 90, np.uint8))
    first = Frame(camera, NOW, 0, epoch, 64, 48, jpeg.tobytes())
    return [replace(first, seq=seq, captured_at=NOW + seq * 200_000) for seq in numbers]


def send(settings: KafkaSettings, published: Iterable[Frame]) -> None:
    producer = KafkaProducer(**settings.connection(), enable_idempotence=False, acks=1)
    for each in published:
        headers, value = codec.encode(each)
        producer.send(settings.topic, value, None, list(headers), partition=0)
    producer.flush()
    producer.close()


@pytest.fixture
def work(broker: Broker, classifier: Classifier, postgresql_url: str) -> Callable[[KafkaSettings], sa.Engine]:
    def run(settings: KafkaSettings) -> sa.Engine:
        """A new worker processes what is in the topic."""
        engine = open_database(postgresql_url)
        writer = Writer(engine)
        reader = KafkaReader(settings, writer.positions, drain=True)
        analyser = Analyser(NoFaces(), classifier, "m")
        thread = threading.Thread(
            target=Worker(reader, writer, analyser, live_limits=None).run, args=(threading.Event(),)
        )
        thread.start()
        thread.join(timeout=120)
        assert not thread.is_alive()
        return engine

    return run


def counts(engine: sa.Engine) -> dict[str, tuple[int, int, int]]:
    """Analysed, repeated and superseded frames by camera."""
    found: dict[str, tuple[int, int, int]] = {}
    for row in rows(engine, tables.camera_minutes):
        before = found.get(str(row["camera_id"]), (0, 0, 0))
        names = ("analysed", "repeated", "superseded")
        added = [int(str(row[name])) for name in names]
        found[str(row["camera_id"])] = (before[0] + added[0], before[1] + added[1], before[2] + added[2])
    engine.dispose()
    return found


def test_a_repetition_counts_once_although_other_cameras_and_a_restart_lie_between(
    broker: Broker, work: Callable[[KafkaSettings], sa.Engine]
) -> None:
    settings = fresh_topic(broker)
    send(settings, frames("entrance", range(5)))
    for number in range(2):
        for camera in OTHERS:
            send(settings, frames(camera, range(number * APART, (number + 1) * APART)))
    work(settings).dispose()
    send(settings, frames("entrance", [*range(5), 5, 6]))
    assert counts(work(settings)) == {
        "entrance": (7, 5, 0),
        "door": (2 * APART, 0, 0),
        "till": (2 * APART, 0, 0),
    }


def test_a_capture_that_was_replaced_adds_nothing_after_a_restart(
    broker: Broker, work: Callable[[KafkaSettings], sa.Engine]
) -> None:
    settings = fresh_topic(broker)
    send(settings, [*frames("entrance", range(5)), *frames("entrance", range(3), epoch=NOW + 1)])
    work(settings).dispose()
    send(settings, [*frames("entrance", range(3, 8)), *frames("entrance", range(2, 5), epoch=NOW + 1)])
    assert counts(work(settings)) == {"entrance": (5 + 5, 2 + 1, 3)}
