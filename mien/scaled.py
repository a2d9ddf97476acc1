"""The same parts on many machines: Kafka between cameras and workers, PostgreSQL behind them."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from bus.errors import BrokerUnavailable
from bus.kafka.reader import KafkaReader
from bus.kafka.settings import KafkaSettings, parse_url
from bus.kafka.topics import partition_count
from bus.kafka.writer import KafkaWriter
from bus.messages import CameraMinute, minute_of
from inference.worker import Worker
from ingest.cameras import Camera
from mien import wiring
from mien.errors import SettingsError
from mien.metrics import MeasuredReader, MeasuredStore, Metrics
from mien.pipeline import Ingestion, Workforce
from mien.settings import EMBEDDED, Settings
from mien.tally import Tally
from mien.upkeep import now_us
from storage.registry import CameraRegistry
from storage.writer import OUTAGES, Writer

_RETRY_S = 2.0

_log = logging.getLogger(__name__)


def kafka(settings: Settings) -> KafkaSettings:
    """The cluster that the setting `bus` names.

    Raises:
        SettingsError: it names the embedded bus, which lies within one process.
        AddressError: it cannot be read.
    """
    if settings.bus == EMBEDDED:
        raise SettingsError(f"bus {EMBEDDED!r}: set MIEN_BUS=kafka://HOST[:PORT]; alone, use `mien run`")
    return parse_url(settings.bus, os.environ)


class PartitionedCameras:
    """Registered cameras, each with a partition of the bus before it is captured."""

    def __init__(self, cameras: wiring.RegisteredCameras, registry: CameraRegistry, count: int) -> None:
        self._cameras = cameras
        self._registry = registry
        self._count = count
        self._partitions: dict[str, int] = {}

    def cameras(self) -> list[Camera]:
        """Those that are watched; raises the outages of the registry."""
        self._partitions |= self._registry.assign_partitions(self._count)
        return self._cameras.cameras()

    def partition_of(self, camera_id: str) -> int:
        """The partition of a camera that was told before."""
        return self._partitions[camera_id]


def wait_for_partitions(cluster: KafkaSettings, stop: threading.Event) -> int | None:
    """The partitions of the topic, once a broker answers; None where `stop` came before.

    Raises:
        BrokerRefused, TopicError: which waiting does not mend.
    """
    while not stop.is_set():
        try:
            return partition_count(cluster)
        except BrokerUnavailable as error:
            _log.warning("waiting for a broker: %s", error)
            stop.wait(_RETRY_S)
    return None


def ingestion(
    settings: Settings, engine: sa.Engine, watch: wiring.Watch, partitions: int, metrics: Metrics
) -> tuple[Ingestion, Tally]:
    """Everything between cameras and Kafka, ready to run in this process."""
    wiring.prepare()
    registry = CameraRegistry(engine)
    cameras = PartitionedCameras(
        wiring.RegisteredCameras(registry, watch, settings.fps), registry, partitions
    )
    frames = KafkaWriter(kafka(settings), cameras.partition_of, capacity=settings.buffer_frames)
    tally = Tally(MeasuredStore(Writer(engine), metrics))
    captures = wiring.captures(settings, cameras, frames, tally, watch)
    return Ingestion(captures, frames, lambda take: _count_last(tally, registry, take)), tally


def workforce(
    settings: Settings, engine: sa.Engine, workers: int, drain: bool, metrics: Metrics
) -> Workforce:
    """Members of the consumer group, each in a thread of this process.

    Raises:
        BrokerUnavailable, BrokerRefused, TopicError: the group cannot be joined.
        ModelError: a model file cannot be used.
    """
    analysers = wiring.Analysers()
    return Workforce([_member(settings, engine, analysers, drain, metrics) for _ in range(workers)])


def _member(
    settings: Settings, engine: sa.Engine, analysers: wiring.Analysers, drain: bool, metrics: Metrics
) -> Worker:
    # A writer for each: it remembers which positions its worker holds.
    store = MeasuredStore(Writer(engine), metrics)
    reader = KafkaReader(kafka(settings), store.positions, outages=OUTAGES, drain=drain)
    measured = MeasuredReader(reader, metrics, wiring.max_age_us(settings))
    return wiring.worker(settings, measured, store, analysers.measured(metrics), drain)


def _count_last(tally: Tally, registry: CameraRegistry, take: Callable[[str], Mapping[str, int]]) -> None:
    """Store what was dropped when the writer was closed, after the captures had counted."""
    minute = minute_of(now_us())
    try:
        for camera in registry.cameras():
            if dropped := take(camera.id):
                tally.count(CameraMinute(camera.id, minute, dropped=dropped))
    except OUTAGES as error:
        _log.error("the counts of frames that were dropped at the end were not stored: %s", error)
