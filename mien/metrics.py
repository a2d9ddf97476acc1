"""Metrics of one process for Prometheus, and its liveness.

docs/operations.md describes every metric; a test compares.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from typing_extensions import override

from bus.codec import camera_of, captured_at_of
from bus.messages import (
    EVERYTHING,
    MICROSECONDS,
    CameraHealth,
    CameraMinute,
    CameraState,
    LastFrame,
    Partition,
    Positions,
    Results,
    Switches,
    check_camera_id,
)
from bus.sinks import Store
from bus.transport import Batch, FrameReader, Record
from common.clock import wall_clock_us
from inference.analyser import Analyser, Analysis, FaceClassifier, FaceDetector
from inference.preview import PreviewBoard
from storage.dead_letters import DeadLetterCounts

ALIVE_S = 60.0
"""A process is alive while its last heartbeat is not older than this, in seconds."""

_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0, 60.0)
_INFERENCE_SECONDS = (0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = registry = CollectorRegistry()
        self.frames = Counter("mien_frames", "Frames by outcome", ["camera", "outcome"], registry=registry)
        self.drops = Counter(
            "mien_drops", "Frames that never reached a worker", ["camera", "reason"], registry=registry
        )
        self.visits = Counter("mien_visits", "Visits that were closed", ["camera"], registry=registry)
        self.dead_letters = Counter(
            "mien_dead_letters", "Records moved to the dead-letter queue", registry=registry
        )
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
        self.lag = Gauge(
            "mien_lag_records", "Records on the bus that were not read yet", ["partition"], registry=registry
        )
        self.clock_offset = Gauge(
            "mien_clock_offset_seconds",
            "This machine's clock less the broker's, as far as it is certain",
            registry=registry,
        )
        self.cameras = Gauge("mien_cameras", "Cameras by state", ["state"], registry=registry)
        self.alert_deliveries = Counter(
            "mien_alert_deliveries",
            "Attempts to deliver an alert",
            ["channel", "outcome"],
            registry=registry,
        )
        self.alerts_firing = Gauge(
            "mien_alerts_firing", "Cameras and sites for which a rule fires", registry=registry
        )
        self._captured: dict[str, int] = {}
        self._clock = clock
        self._last_heartbeat = clock()

    def record_heartbeat(self) -> None:
        """Note that the process's loop runs."""
        self._last_heartbeat = self._clock()

    @property
    def alive(self) -> bool:
        """Whether the last heartbeat is recent."""
        return self._clock() - self._last_heartbeat < ALIVE_S

    def count_frames(self, minute: CameraMinute) -> None:
        """Add an increment of frames by outcome; `update_captured` counts those that were captured."""
        for outcome in ("unchanged", "analysed", "stale", "failed", "superseded", "repeated"):
            if frames := getattr(minute, outcome):
                self.frames.labels(minute.camera_id, outcome).inc(frames)
        for reason, frames in minute.dropped.items():
            self.drops.labels(minute.camera_id, reason).inc(frames)

    def update_captured(self, captured: Mapping[str, int]) -> None:
        """Count the pictures that were captured since the last call; `captured` are totals by camera."""
        for camera_id, total in captured.items():
            if (more := total - self._captured.get(camera_id, 0)) > 0:
                self.frames.labels(camera_id, "captured").inc(more)
                self._captured[camera_id] = total

    def follow_states(self, read: Callable[[], Iterable[CameraState]]) -> None:
        """Count cameras by state whenever the metrics are read; `read` returns the state of each camera."""
        for state in CameraState:
            self.cameras.labels(state.value).set_function(partial(_count, read, state))


def _count(read: Callable[[], Iterable[CameraState]], state: CameraState) -> int:
    return sum(each is state for each in read())


class MeasuredStore(Store):
    """A store that passes everything on to another one and measures what was stored."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    @override
    def write(self, results: Results, positions: Positions) -> None:
        self._store.write(results, positions)
        for minute in results.minutes:
            self._metrics.count_frames(minute)
        for visit in results.visits:
            if visit.closed:
                self._metrics.visits.labels(visit.camera_id).inc()

    @override
    def positions(self, partitions: Iterable[Partition]) -> Positions:
        return self._store.positions(partitions)

    @override
    def last_frames(self, camera_id: str) -> Sequence[LastFrame]:
        return self._store.last_frames(camera_id)

    @override
    def report(self, health: CameraHealth) -> None:
        self._metrics.record_heartbeat()  # The supervisor's loop calls this.
        self._store.report(health)

    @override
    def count(self, minute: CameraMinute) -> None:
        self._store.count(minute)
        self._metrics.count_frames(minute)


class LaggingReader(FrameReader, Protocol):
    """A reader that knows its lag, as those of both buses do."""

    def lag(self) -> Mapping[Partition, int]:
        """Records on the bus that were not polled yet, by partition."""


class MeasuredReader(FrameReader):
    """A reader that passes everything on to another one and measures the age of frames when read and stored.

    The worker skips frames that waited for longer than `max_age_us` when they are read: only their age is
    measured, which tells that workers are too slow.
    `dead_letters` counts the rejected records in the database.
    """

    def __init__(
        self,
        reader: LaggingReader,
        metrics: Metrics,
        max_age_us: int,
        clock: Callable[[], int] = wall_clock_us,
        *,
        dead_letters: DeadLetterCounts | None = None,
    ) -> None:
        self._reader = reader
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._max_age_us = max_age_us
        self._clock = clock
        self._read: deque[tuple[Record, int]] = deque()
        self._lags: frozenset[int] = frozenset()
        """The partitions whose lag is among the metrics."""

    @override
    def poll(self, limit: int, timeout: float) -> Batch:
        batch = self._reader.poll(limit, timeout)
        self._metrics.record_heartbeat()
        now = self._clock()
        for record in batch.records:
            captured_at = captured_at_of(record.headers)
            if captured_at is None:
                continue
            self._metrics.frame_age.set(record.age_us(now, captured_at) / MICROSECONDS)
            if record.waited_us(now, captured_at) <= self._max_age_us:
                self._read.append((record, captured_at))
        self._update_lags({partition.number: count for partition, count in self._reader.lag().items()})
        return batch

    @override
    def acknowledge(self, positions: Positions) -> None:
        self._reader.acknowledge(positions)
        now = self._clock()
        for record, captured_at in self._read:
            if record.offset < positions.get(record.partition, 0):
                self._metrics.capture_to_row.observe(record.age_us(now, captured_at) / MICROSECONDS)
        self._read.clear()

    @override
    def resume(self, partitions: Iterable[Partition]) -> None:
        self._read.clear()
        self._reader.resume(partitions)

    @override
    def hold(self, timeout: float) -> None:
        self._metrics.record_heartbeat()
        self._reader.hold(timeout)

    @override
    def reject(self, record: Record, reason: str) -> None:
        if self._dead_letters:
            self._dead_letters.count(record.partition, record.offset, _valid_camera(record), reason)
        self._reader.reject(record, reason)
        self._metrics.dead_letters.inc()

    @override
    def close(self) -> None:
        self._update_lags({})
        self._reader.close()

    def _update_lags(self, lags: Mapping[int, int]) -> None:
        """Set the lag of this reader's partitions, and forget that of partitions that it has lost."""
        for number in self._lags - lags.keys():
            self._metrics.lag.remove(str(number))
        for number, count in lags.items():
            self._metrics.lag.labels(str(number)).set(count)
        self._lags = frozenset(lags)


def _valid_camera(record: Record) -> str:
    """The camera that a record names, empty where that is no valid id."""
    try:
        return check_camera_id(camera_of(record.headers) or "")
    except ValueError:
        return ""


class MeasuredAnalyser(Analyser):
    """An analyser that records the duration of each analysis."""

    def __init__(
        self,
        detector: FaceDetector,
        classifier: FaceClassifier,
        model: str,
        metrics: Metrics,
        thorough: FaceDetector | None = None,
        previews: PreviewBoard | None = None,
    ) -> None:
        super().__init__(detector, classifier, model, thorough=thorough, previews=previews)
        self._metrics = metrics

    @override
    def analyse(
        self,
        camera_id: str,
        captured_at: int,
        gray: NDArray[np.uint8],
        unchanged: int = 0,
        thorough: bool = False,
        switches: Switches = EVERYTHING,
    ) -> Analysis:
        with self._metrics.inference.time():
            return super().analyse(camera_id, captured_at, gray, unchanged, thorough, switches)
