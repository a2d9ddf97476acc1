"""The privacy check reads the dead-letter queue, and states how long frames lie in Kafka."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaProducer
from PIL import Image

from mien.privacy_check import Look, Outcome, check_privacy
from mien.settings import Settings
from storage.engine import open_database
from tests.support.brokers import Broker
from tests.support.buses import KAFKA, PATIENCE_SECONDS, fresh_topic

pytestmark = KAFKA


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(7).integers(0, 255, (48, 48)).astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


def test_a_picture_in_the_dead_letter_queue_is_found(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cluster = fresh_topic(broker)
    url = f"sqlite:///{tmp_path}/mien.db"
    open_database(url).dispose()
    bus = f"kafka://{cluster.servers[0]}/{cluster.topic}"

    def look(**settings: bool) -> dict[str, Look]:
        return {each.place: each for each in check_privacy(Settings(database=url, bus=bus, **settings))}  # type: ignore[arg-type]

    letters = f"topic {cluster.dead_letters}"
    with closing(KafkaProducer(bootstrap_servers=cluster.servers[0])) as producer:
        headers = [("dlq.error", b"no picture"), ("dlq.size", b"12")]
        producer.send(cluster.dead_letters, b"", headers=headers).get(timeout=PATIENCE_SECONDS)
        clean = look()
        assert clean[letters].outcome is Outcome.CLEAN
        assert "1 records" in clean[letters].details
        frames = clean[f"topic {cluster.topic}"]
        assert frames.outcome is Outcome.ALLOWED
        assert "at most" in frames.details
        producer.send(cluster.dead_letters, jpeg()).get(timeout=PATIENCE_SECONDS)
    found = look()
    assert found[letters].outcome is Outcome.FOUND
    assert "JPEG in 1 records" in found[letters].details
    assert look(dead_letter_originals=True)[letters].outcome is Outcome.ALLOWED
