"""The same parts in many processes, with Kafka between cameras and workers: `mien ingest` and `mien work`."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bus.errors import BrokerUnavailable
from bus.kafka.reader import KafkaReader
from bus.kafka.settings import KafkaSettings, parse_url
from bus.kafka.topics import partition_count
from bus.kafka.writer import KafkaWriter
from bus.messages import MICROSECONDS
from inference.worker import Worker
from ingest.cameras import Camera, CameraList
from ingest.leases import LeaseKeeper
from ingest.supervisor import Supervisor
from mien.errors import SettingsError
from mien.metrics import MeasuredReader, MeasuredStore, Metrics
from mien.settings import EMBEDDED, Settings
from mien.totals import CountingStore
from mien.wiring.parts import (
    AnalyserFactory,
    RegisteredCameras,
    configure_libraries,
    create_supervisor,
    create_worker,
    max_frame_age_us,
)
from mien.wiring.previews import Previews
from mien.wiring.run_options import RunOptions
from storage.dead_letters import DeadLetterCounts
from storage.engine import Database
from storage.registry import CameraRegistry
from storage.writer import Writer

_RETRY_S = 2.0

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


def kafka_settings(settings: Settings) -> KafkaSettings:
    """Read the cluster from the setting `bus`.

    Raises:
        SettingsError: it names the embedded bus, which exists only within one process.
        AddressError: it is not a Kafka URL that can be read.
    """
    if settings.bus == EMBEDDED:
        raise SettingsError(
            f"bus {EMBEDDED!r}: set MIEN_BUS=kafka://HOST[:PORT]; on one machine use `mien run`"
        )
    return parse_url(settings.bus, os.environ)


class PartitionedCameras(CameraList):
    """Registered cameras, each assigned to a partition of the topic before it is captured."""

    def __init__(
        self,
        cameras: RegisteredCameras,
        registry: CameraRegistry,
        count: int,
        record_heartbeat: Callable[[], None],
    ) -> None:
        self._cameras = cameras
        self._registry = registry
        self._count = count
        self._record_heartbeat = record_heartbeat
        self._partitions: dict[str, int] = {}

    def cameras(self) -> list[Camera]:
        """All that have a partition, also paused ones; raises SinkUnavailable."""
        self._record_heartbeat()  # The supervisor's loop calls this, also while this process stands by.
        listed = self._cameras.cameras()
        # Afterwards, since a camera may be registered at any moment: every listed one has a partition now,
        # unless it has just been removed.
        self._partitions |= self._registry.assign_partitions(self._count)
        return [camera for camera in listed if camera.id in self._partitions]

    def partition_of(self, camera_id: str) -> int:
        """The partition of a camera that `cameras` has returned."""
        return self._partitions[camera_id]


def wait_for_partitions(
    settings: Settings, stop: threading.Event, heartbeat: Callable[[], None]
) -> int | None:
    """Wait for a broker and return the number of partitions of the topic; None if `stop` is set before.

    Raises:
        AdvertisedNameError, BrokerRefused, TopicError: errors that remain however long one waits.
    """
    cluster = kafka_settings(settings)
    return _wait_for_broker(lambda: partition_count(cluster), stop, heartbeat)


def _wait_for_broker(
    call: Callable[[], Result], stop: threading.Event, heartbeat: Callable[[], None]
) -> Result | None:
    """Call until a broker is available; None if `stop` is set before. `heartbeat` is called meanwhile.

    The reason is logged again only where it changes.
    """
    logged = ""
    while not stop.is_set():
        heartbeat()
        try:
            return call()
        except BrokerUnavailable as error:
            if logged != (logged := str(error)):
                _log.warning("waiting for a broker: %s", error)
            stop.wait(_RETRY_S)
    return None


@dataclass(frozen=True, slots=True)
class IngestParts:
    """Everything between cameras and Kafka, not started yet."""

    supervisor: Supervisor
    frames: KafkaWriter
    """The writer that the captures publish to."""
    registry: CameraRegistry
    store: CountingStore

    def check(self) -> None:
        """Raise what ended the supervisor, the leases or the writer, if anything did."""
        self.supervisor.check()
        self.frames.check()


def create_ingest_parts(
    settings: Settings,
    engine: Database,
    options: RunOptions,
    leases: LeaseKeeper,
    partitions: int,
    metrics: Metrics,
) -> IngestParts:
    """Create the parts of `mien ingest` for a topic with that many partitions."""
    configure_libraries()
    registry = CameraRegistry(engine)
    cameras = PartitionedCameras(
        RegisteredCameras(registry, options, settings), registry, partitions, metrics.record_heartbeat
    )
    frames = KafkaWriter(kafka_settings(settings), cameras.partition_of, capacity=settings.buffer_frames)
    metrics.clock_offset.set_function(lambda: frames.clock_offset_us / MICROSECONDS)
    store = CountingStore(MeasuredStore(Writer(engine), metrics))
    supervisor = create_supervisor(settings, cameras, leases, frames, store, options)
    metrics.follow_states(supervisor.states)
    return IngestParts(supervisor, frames, registry, store)


@dataclass(frozen=True, slots=True)
class WorkParts:
    """The workers of `mien work`, not started yet, and what draws live pictures of their cameras."""

    workers: list[Worker]
    previews: Previews


def wait_for_workers(
    settings: Settings, engine: Database, count: int, drain: bool, metrics: Metrics, stop: threading.Event
) -> WorkParts | None:
    """Wait for a broker and create the workers of `mien work`, members of the consumer group.

    Returns None if `stop` is set before a broker is available.

    Raises:
        AdvertisedNameError, BrokerRefused, TopicError: a worker cannot join the group.
        ModelError: a model file cannot be used.
    """
    analysers = AnalyserFactory()
    workers: list[Worker] = []
    for _ in range(count):
        worker = _wait_for_broker(
            lambda: _create_member(settings, engine, analysers, drain, metrics),
            stop,
            metrics.record_heartbeat,
        )
        if worker is None:
            for each in workers:
                each.run(stop)  # A worker that is stopped already only leaves the group.
            return None
        workers.append(worker)
    return WorkParts(workers, analysers.create_previews(settings))


def _create_member(
    settings: Settings, engine: Database, analysers: AnalyserFactory, drain: bool, metrics: Metrics
) -> Worker:
    # A writer for each worker: it remembers the positions of its partitions.
    store = MeasuredStore(Writer(engine), metrics)
    reader = KafkaReader(
        kafka_settings(settings),
        store.positions,
        drain=drain,
        dead_letter_originals=settings.dead_letter_originals,
    )
    metrics.clock_offset.set_function(lambda: reader.clock_offset_us / MICROSECONDS)
    measured = MeasuredReader(
        reader, metrics, max_frame_age_us(settings), dead_letters=DeadLetterCounts(engine)
    )
    return create_worker(settings, measured, store, analysers.create_measured(metrics), drain)
