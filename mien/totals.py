"""Totals of one run, counted while its results are stored; `mien run` and `mien ingest` print them."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from bus.messages import CameraHealth, CameraMinute, LastFrame, Partition, Positions, Results
from bus.sinks import Store


@dataclass(slots=True)
class CameraTotals:
    """Frames and visits of one camera."""

    frames: Counter[str] = field(default_factory=Counter)
    """By outcome: captured, unchanged, analysed, stale, failed, superseded, repeated."""
    dropped: Counter[str] = field(default_factory=Counter)
    """By reason."""
    visits: int = 0
    expressions: Counter[str] = field(default_factory=Counter)
    genders: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did."""

    totals: Mapping[str, CameraTotals]
    """By camera id."""
    failures: Mapping[str, str]
    """Recordings that could not be read to their end: the reason by camera id."""
    results_lost: bool = False
    """Whether the run ended during an outage of the database, with results that are lost."""


def with_captured(
    totals: Mapping[str, CameraTotals], captured: Mapping[str, int]
) -> Mapping[str, CameraTotals]:
    """The totals of captures: `captured` has all sampled pictures, a store only the unpublished ones."""
    result = {camera_id: totals.get(camera_id, CameraTotals()) for camera_id in sorted({*totals, *captured})}
    for camera_id, pictures in captured.items():
        result[camera_id].frames["captured"] = pictures
    return result


class CountingStore(Store):
    """A store that passes everything on to another one and counts what was stored; thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._cameras: defaultdict[str, CameraTotals] = defaultdict(CameraTotals)

    @override
    def write(self, results: Results, positions: Positions) -> None:
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

    @override
    def count(self, minute: CameraMinute) -> None:
        self._store.count(minute)
        with self._lock:
            self._add(minute)

    @override
    def report(self, health: CameraHealth) -> None:
        self._store.report(health)

    @override
    def positions(self, partitions: Iterable[Partition]) -> Positions:
        return self._store.positions(partitions)

    @override
    def last_frames(self, camera_id: str) -> Sequence[LastFrame]:
        return self._store.last_frames(camera_id)

    def totals(self) -> Mapping[str, CameraTotals]:
        """The totals by camera id; to be read when the run has ended."""
        return dict(sorted(self._cameras.items()))

    def _add(self, minute: CameraMinute) -> None:
        camera = self._cameras[minute.camera_id]
        for name in ("captured", "unchanged", "analysed", "stale", "failed", "superseded", "repeated"):
            camera.frames[name] += getattr(minute, name)
        camera.dropped.update(minute.dropped)
