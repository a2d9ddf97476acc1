"""What a process says of its work to Prometheus, and whether it is alive.

Names and meanings stand in docs/operations.md; a test compares.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bus.messages import MICROSECONDS, CameraHealth, CameraMinute, CameraState, Partition, Positions, Results
from bus.transport import Batch, FrameReader, Record
from inference.analyser import Analyser, Analysis
from mien.tally import Store
from mien.upkeep import now_us

ALIVE_S = 60.0
"""A process whose loop was not heard of for so long is not alive."""

_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0, 60.0)
_INFERENCE_SECONDS = (0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)


class Metrics:
    """The figures of one process, in a registry of its own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = registry = CollectorRegistry()
        self.frames = Counter(
            "mien_frames", "Frames by what became of them", ["camera", "outcome"], registry=registry
        )
        self.drops = Counter(
            "mien_drops", "Frames that never reached a worker", ["camera", "reason"], registry=registry
        )
        self.visits = Counter("mien_visits", "Visits that were closed", ["camera"], registry=registry)
        self.dead_letters = Counter("mien_dead_letters", "Records set aside for good", registry=registry)
        self.inference = Histogram(
            "mien_inference_seconds", "Analysis of one frame", buckets=_INFERENCE_SECONDS, registry=registry
        )
        self.capture_to_row = Histogram(
            "mien_capture_to_row_seconds",
            "From a frame's capture until its results were stored",
            buckets=_SECONDS,
            registry=registry,
        )
        self.frame_age = Gauge(
            "mien_frame_age_seconds", "Age of the newest frame when it was read", registry=registry
        )
        self.lag = Gauge("mien_lag_records", "Records that wait on the bus", ["partition"], registry=registry)
        self.cameras = Gauge("mien_cameras", "Cameras by state", ["state"], registry=registry)
        self._states: dict[str, CameraState] = {}
        self._clock = clock
        self._heard_at = clock()

    def beat(self) -> None:
        """The process's loop goes round."""
        self._heard_at = self._clock()

    @property
    def alive(self) -> bool:
        """Whether the loop was heard of lately."""
        return self._clock() - self._heard_at < ALIVE_S

    def count(self, minute: CameraMinute) -> None:
        """Take an increment of what became of frames."""
        for outcome in ("captured", "analysed", "stale", "failed"):
            if frames := getattr(minute, outcome):
                self.frames.labels(minute.camera_id, outcome).inc(frames)
        for reason, frames in minute.dropped.items():
            self.drops.labels(minute.camera_id, reason).inc(frames)

    def see(self, health: CameraHealth) -> None:
        """Take a camera's state."""
        self._states[health.camera_id] = health.state
        for state in CameraState:
            self.cameras.labels(state.value).set(sum(each is state for each in self._states.values()))


class MeasuredStore:
    """Passes everything on to a store, and measures what was stored."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    def write(self, results: Results, positions: Positions) -> None:
        """Store, then count."""
        self._store.write(results, positions)
        for minute in results.minutes:
            self._metrics.count(minute)
        for visit in results.visits:
            if visit.closed:
                self._metrics.visits.labels(visit.camera_id).inc()

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        """The stored positions."""
        return self._store.positions(partitions)

    def report(self, health: CameraHealth) -> None:
        """Store a camera's state; the supervisor's loop goes round."""
        self._metrics.beat()
        self._store.report(health)
        self._metrics.see(health)

    def count(self, minute: CameraMinute) -> None:
        """Store an increment, then count."""
        self._store.count(minute)
        self._metrics.count(minute)


class LaggingReader(FrameReader, Protocol):
    """A reader that knows how much waits; `bus.kafka.reader.KafkaReader` is the one that ships."""

    def lag(self) -> Mapping[Partition, int]:
        """Records that were not handed out yet, by partition."""


class MeasuredReader:
    """Passes everything on to a reader, and measures how old frames are when they are read and stored.

    Frames older than `max_age_us` when they are read are skipped by the worker and have no row.
    """

    def __init__(
        self,
        reader: LaggingReader,
        metrics: Metrics,
        max_age_us: int,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._reader = reader
        self._metrics = metrics
        self._max_age_us = max_age_us
        self._clock = clock
        self._read: deque[tuple[Partition, int, int]] = deque()

    def poll(self, limit: int, timeout: float) -> Batch:
        """See `FrameReader.poll`."""
        batch = self._reader.poll(limit, timeout)
        self._metrics.beat()
        now = self._clock()
        for record in batch.records:
            captured_at = _captured_at(record)
            if captured_at is not None and now - captured_at <= self._max_age_us:
                self._read.append((record.partition, record.offset, captured_at))
        if self._read and batch.records:
            self._metrics.frame_age.set((now - self._read[-1][2]) / MICROSECONDS)
        for partition, waiting in self._reader.lag().items():
            self._metrics.lag.labels(str(partition.number)).set(waiting)
        return batch

    def acknowledge(self, positions: Positions) -> None:
        """See `FrameReader.acknowledge`."""
        self._reader.acknowledge(positions)
        now = self._clock()
        for partition, offset, captured_at in self._read:
            if offset < positions.get(partition, 0):
                self._metrics.capture_to_row.observe((now - captured_at) / MICROSECONDS)
        self._read.clear()

    def resume(self, partitions: Iterable[Partition]) -> None:
        """See `FrameReader.resume`."""
        self._read.clear()
        self._reader.resume(partitions)

    def hold(self, timeout: float) -> None:
        """See `FrameReader.hold`."""
        self._metrics.beat()
        self._reader.hold(timeout)

    def reject(self, record: Record, reason: str) -> None:
        """See `FrameReader.reject`."""
        self._metrics.dead_letters.inc()
        self._reader.reject(record, reason)

    def close(self) -> None:
        """See `FrameReader.close`."""
        self._reader.close()


class MeasuredAnalyser(Analyser):
    """An analyser that measures how long it takes."""

    def __init__(self, *given: object, metrics: Metrics, **named: object) -> None:
        super().__init__(*given, **named)  # type: ignore[arg-type]
        self._metrics = metrics

    def analyse(self, camera_id: str, captured_at: int, gray: NDArray[np.uint8]) -> Analysis:
        """See `Analyser.analyse`."""
        with self._metrics.inference.time():
            return super().analyse(camera_id, captured_at, gray)


def _captured_at(record: Record) -> int | None:
    text = record.headers.get("captured_at", b"")
    return int(text) if text.isdigit() else None
