"""Rejected frames are counted by camera and kind of reason, in the database and in the metrics."""

from __future__ import annotations

import sqlalchemy as sa

from bus.embedded import EmbeddedBus
from mien.metrics import MeasuredReader, Metrics
from storage.dead_letters import DeadLetterCounts, read_dead_letters
from tests.support.buses import frame


def test_a_rejected_frame_counts_once_however_often_its_rejection_is_tried(engine: sa.Engine) -> None:
    bus = EmbeddedBus(1, 4, topic="embedded/test")
    writer = bus.writer()
    metrics = Metrics()
    reader = MeasuredReader(
        bus.reader([0], lambda _: {}), metrics, 10**6, dead_letters=DeadLetterCounts(engine)
    )
    first, second = frame(0), frame(1)
    for each in (first, second):
        writer.publish(each)
    (record, other) = reader.poll(4, 60).records
    assert metrics.registry.get_sample_value("mien_lag_records", {"partition": "0"}) == 0
    for _ in range(2):
        reader.reject(record, "picture cannot be decoded: 17 bytes are missing")
    reader.reject(other, "picture cannot be decoded: 4 bytes are missing")
    (found,) = read_dead_letters(engine, 0, 2**62)
    assert (found.camera_id, found.records) == (first.camera_id, 2)
    assert found.reason == "picture cannot be decoded: N bytes are missing"
    reader.close()
