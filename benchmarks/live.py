"""Latency of live cameras, measured in one process from capture to commit."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import sqlalchemy as sa
from typing_extensions import override

from bus.embedded import EmbeddedBus
from bus.messages import Partition, Positions
from bus.transport import Batch, FrameReader, Record
from common.clock import wall_clock_us
from ingest.cameras import Camera, CameraList
from ingest.leases import LeaseKeeper
from mien.loops.run import Pipeline
from mien.loops.work import WorkerPool
from mien.settings import load as load_settings
from mien.wiring.parts import AnalyserFactory, create_supervisor, create_worker, keep_leases
from mien.wiring.run_options import RunOptions
from storage import tables
from storage.engine import open_database
from storage.writer import Writer


@dataclass(frozen=True, slots=True)
class Load:
    """Cameras that play videos in a loop: every `busy_every`th one `video`, all others `still`."""

    video: Path
    cameras: int
    fps: float
    workers: int
    warm_up_s: float
    seconds: float
    busy_every: int = 1
    still: Path | None = None
    """Needed if not every camera is busy."""


@dataclass(frozen=True, slots=True)
class LiveLatency:
    """Result of a load: milliseconds from capture to commit, and the number of stored frames."""

    cameras: int
    fps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    stored: int
    """Frames that were stored during the measurement, or counted as unchanged."""
    wanted: int
    """Frames that were requested from the cameras during the measurement."""
    cores_busy: float
    analysed: int = 0
    """The stored frames that are not unchanged."""

    @property
    def share(self) -> float:
        """Share of the requested frames that were stored."""
        return self.stored / self.wanted


def measure(load: Load) -> LiveLatency:
    """Run the load, and measure it after the warm-up."""
    latencies: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        engine = open_database(f"sqlite:///{name}/mien.db")
        options, stop = RunOptions(loop=True), threading.Event()
        with keep_leases(engine, options) as leases, ThreadPoolExecutor(1) as pool:
            pipeline = _make_pipeline(load, Writer(engine), leases, options, latencies)
            running = pool.submit(pipeline.run, stop)
            time.sleep(load.warm_up_s)
            before = _LoadSnapshot.now(engine, latencies)
            time.sleep(load.seconds)
            after = _LoadSnapshot.now(engine, latencies)
            stop.set()
            running.result()
        engine.dispose()
    seconds = after.time_s - before.time_s
    measured_ms = np.array(latencies[before.frames : after.frames]) / 1000
    if not len(measured_ms):
        raise ValueError(f"{load}: no frame was stored")
    p50, p95, p99 = np.percentile(measured_ms, [50, 95, 99]).tolist()
    return LiveLatency(
        cameras=load.cameras,
        fps=load.fps,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        stored=after.stored - before.stored,
        wanted=round(load.cameras * load.fps * seconds),
        cores_busy=(after.busy_s - before.busy_s) / seconds,
        analysed=after.analysed - before.analysed,
    )


def _make_pipeline(
    load: Load, writer: Writer, leases: LeaseKeeper, options: RunOptions, latencies: list[int]
) -> Pipeline:
    settings, analysers = load_settings(), AnalyserFactory()
    bus = EmbeddedBus(load.workers)
    frames = bus.writer()
    workers = [
        create_worker(
            settings,
            _TimedReader(bus.reader([number], writer.positions), latencies),
            writer,
            analysers.create(),
            every_frame=False,
        )
        for number in range(load.workers)
    ]
    cameras = [Camera(f"camera-{n}", str(_video_of(load, n)), load.fps) for n in range(load.cameras)]
    supervisor = create_supervisor(settings, _FixedCameras(cameras), leases, frames, writer, options)
    return Pipeline(supervisor, frames, WorkerPool(workers), lambda _: None)


def _video_of(load: Load, number: int) -> Path:
    """The video that a camera plays."""
    return load.still if load.still and number % load.busy_every else load.video


@dataclass(frozen=True, slots=True)
class _LoadSnapshot:
    """Counters at one time."""

    time_s: float
    busy_s: float
    frames: int
    stored: int
    analysed: int

    @classmethod
    def now(cls, engine: sa.Engine, latencies: list[int]) -> Self:
        with engine.connect() as connection:
            counts = tables.camera_minutes.c
            sums = sa.select(*(sa.func.sum(counts[name]) for name in ("analysed", "unchanged")))
            analysed, unchanged = (count or 0 for count in connection.execute(sums).one())
        return cls(time.monotonic(), time.process_time(), len(latencies), analysed + unchanged, analysed)


@dataclass(frozen=True)
class _FixedCameras(CameraList):
    """A camera list that never changes."""

    all: Sequence[Camera]

    @override
    def cameras(self) -> Sequence[Camera]:
        return self.all


class _TimedReader(FrameReader):
    """A reader that records how old frames are when their results are committed.

    `latencies` receives the microseconds from capture to commit, in the order of the commits; all workers
    share it. A worker acknowledges immediately after the commit. Stale frames, which it skips, are recorded
    too.
    """

    def __init__(self, reader: FrameReader, latencies: list[int]) -> None:
        self._reader = reader
        self._latencies = latencies
        self._captured: deque[int] = deque()

    @override
    def poll(self, limit: int, timeout: float) -> Batch:
        batch = self._reader.poll(limit, timeout)
        self._captured.extend(int(dict(record.headers)["captured_at"]) for record in batch.records)
        return batch

    @override
    def acknowledge(self, positions: Positions) -> None:
        self._reader.acknowledge(positions)
        now = wall_clock_us()
        self._latencies.extend(now - captured_at for captured_at in self._captured)
        self._captured.clear()

    @override
    def resume(self, partitions: Iterable[Partition]) -> None:
        self._reader.resume(partitions)

    @override
    def hold(self, timeout: float) -> None:
        self._reader.hold(timeout)

    @override
    def reject(self, record: Record, reason: str) -> None:
        self._reader.reject(record, reason)

    @override
    def close(self) -> None:
        self._reader.close()
