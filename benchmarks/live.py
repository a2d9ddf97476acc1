"""Live cameras through the real parts, with a stop-watch from capture to commit."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import sqlalchemy as sa

from bus.embedded import EmbeddedBus
from bus.messages import Partition, Positions
from bus.transport import Batch, FrameReader, Record
from inference.worker import wall_clock_us
from ingest.cameras import Camera
from mien import wiring
from mien.pipeline import Pipeline, Workforce
from mien.settings import load as load_settings
from storage import tables
from storage.engine import open_database
from storage.writer import OUTAGES, Writer


@dataclass(frozen=True, slots=True)
class Load:
    """Cameras that all show one video, over and over."""

    video: Path
    cameras: int
    fps: float
    workers: int
    warm_up_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Live:
    """What came of a load: milliseconds from capture to commit, and how many frames made it."""

    cameras: int
    fps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    stored: int
    """Frames that became rows in the measured time."""
    wanted: int
    """Frames that the cameras were asked for in the measured time."""
    cores_busy: float

    @property
    def share(self) -> float:
        """Stored frames, of those that were wanted."""
        return self.stored / self.wanted


def run(load: Load) -> Live:
    """Watch for a while, and measure after the warm-up."""
    watch = _StopWatch()
    with tempfile.TemporaryDirectory() as name:
        engine = open_database(f"sqlite:///{name}/mien.db")
        pipeline = _pipeline(load, Writer(engine), watch)
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(pipeline.run, stop)
            time.sleep(load.warm_up_s)
            before = _Moment.now(engine, watch)
            time.sleep(load.seconds)
            after = _Moment.now(engine, watch)
            stop.set()
            running.result()
        engine.dispose()
    seconds = after.time_s - before.time_s
    latencies = np.array(watch.latencies[before.frames : after.frames]) / 1000
    if not len(latencies):
        raise ValueError(f"{load}: no frame came through")
    p50, p95, p99 = np.percentile(latencies, [50, 95, 99]).tolist()
    return Live(
        cameras=load.cameras,
        fps=load.fps,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        stored=after.stored - before.stored,
        wanted=round(load.cameras * load.fps * seconds),
        cores_busy=(after.busy_s - before.busy_s) / seconds,
    )


def _pipeline(load: Load, writer: Writer, watch: _StopWatch) -> Pipeline:
    settings, analysers = load_settings(), wiring.Analysers()
    bus = EmbeddedBus(load.workers)
    frames = bus.writer()
    workers = [
        wiring.worker(
            settings,
            _TimedReader(bus.reader([number], writer.positions), watch),
            writer,
            analysers.one(),
            every_frame=False,
        )
        for number in range(load.workers)
    ]
    cameras = [Camera(f"camera-{n}", str(load.video), load.fps) for n in range(load.cameras)]
    captures = wiring.captures(settings, _Cameras(cameras), frames, writer, wiring.Watch(loop=True))
    return Pipeline(captures, frames, Workforce(workers), lambda: None, OUTAGES)


@dataclass(frozen=True, slots=True)
class _Moment:
    """Where everything stood at one time."""

    time_s: float
    busy_s: float
    frames: int
    stored: int

    @classmethod
    def now(cls, engine: sa.Engine, watch: _StopWatch) -> Self:
        with engine.connect() as connection:
            stored = connection.scalar(sa.select(sa.func.sum(tables.camera_minutes.c.analysed)))
        return cls(time.monotonic(), time.process_time(), len(watch.latencies), stored or 0)


@dataclass(frozen=True)
class _Cameras:
    """A list of cameras that never changes."""

    all: Sequence[Camera]

    def cameras(self) -> Sequence[Camera]:
        return self.all


@dataclass
class _StopWatch:
    """Microseconds from capture to commit, in the order of the commits; shared by all workers."""

    latencies: list[int] = field(default_factory=list)


class _TimedReader:
    """A reader that notes how old frames are when their results have been committed.

    A worker acknowledges right after the commit. Frames that it skipped as stale are noted too: they are
    older than anybody wants.
    """

    def __init__(self, reader: FrameReader, watch: _StopWatch) -> None:
        self._reader = reader
        self._watch = watch
        self._captured: deque[int] = deque()

    def poll(self, limit: int, timeout: float) -> Batch:
        batch = self._reader.poll(limit, timeout)
        self._captured.extend(int(record.headers["captured_at"]) for record in batch.records)
        return batch

    def acknowledge(self, positions: Positions) -> None:
        self._reader.acknowledge(positions)
        now = wall_clock_us()
        self._watch.latencies.extend(now - captured_at for captured_at in self._captured)
        self._captured.clear()

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._reader.resume(partitions)

    def hold(self, timeout: float) -> None:
        self._reader.hold(timeout)

    def reject(self, record: Record, reason: str) -> None:
        self._reader.reject(record, reason)

    def close(self) -> None:
        self._reader.close()
