"""What one run did: counted on its way into the database."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bus.messages import CameraHealth, CameraMinute, Partition, Positions, Results


class Store(Protocol):
    """What is counted in front of; `storage.writer.Writer` is the one that ships."""

    def write(self, results: Results, positions: Positions) -> None:
        """See `inference.worker.ResultSink`."""

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        """See `inference.worker.ResultSink`."""

    def report(self, health: CameraHealth) -> None:
        """See `ingest.health.CaptureSink`."""

    def count(self, minute: CameraMinute) -> None:
        """See `ingest.health.CaptureSink`."""


@dataclass(slots=True)
class CameraTally:
    """Frames and visits of one camera."""

    frames: Counter[str] = field(default_factory=Counter)
    """By what became of them: captured, analysed, stale, failed."""
    dropped: Counter[str] = field(default_factory=Counter)
    """By reason."""
    visits: int = 0
    expressions: Counter[str] = field(default_factory=Counter)
    genders: Counter[str] = field(default_factory=Counter)


class Tally:
    """Passes everything on to a store and counts what was stored; any number of threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._cameras: defaultdict[str, CameraTally] = defaultdict(CameraTally)

    def write(self, results: Results, positions: Positions) -> None:
        """Store; visits count when they close."""
        self._store.write(results, positions)
        with self._lock:
            for minute in results.minutes:
                self._add(minute)
            for visit in results.visits:
                if visit.closed:
                    camera = self._cameras[visit.camera_id]
                    camera.visits += 1
                    camera.expressions[visit.estimate.expression] += 1
                    camera.genders[visit.estimate.gender] += 1

    def count(self, minute: CameraMinute) -> None:
        """Store what a capture counted."""
        self._store.count(minute)
        with self._lock:
            self._add(minute)

    def report(self, health: CameraHealth) -> None:
        """Store a camera's state."""
        self._store.report(health)

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        """The stored positions."""
        return self._store.positions(partitions)

    def cameras(self) -> Mapping[str, CameraTally]:
        """The counts by camera id, to be read when the run is over."""
        return dict(sorted(self._cameras.items()))

    def _add(self, minute: CameraMinute) -> None:
        camera = self._cameras[minute.camera_id]
        for name in ("captured", "analysed", "stale", "failed"):
            camera.frames[name] += getattr(minute, name)
        camera.dropped.update(minute.dropped)
