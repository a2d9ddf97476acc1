"""Throughput: of the kernels alone, from bus to database, and from video to database."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from benchmarks import clips
from benchmarks.clips import Gray
from benchmarks.isolation import run_on_cores
from benchmarks.recorded import EPOCH, Recorder, analyse, captured_at
from bus.embedded import EmbeddedBus
from bus.messages import Frame
from common.access import LOCAL
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Detector
from inference.worker import Worker
from mien.loops.run import Pipeline
from mien.loops.work import WorkerPool
from mien.metrics import Metrics
from mien.settings import Settings
from mien.wiring.embedded import create_parts
from mien.wiring.parts import keep_leases
from mien.wiring.registry import open_settings_database
from mien.wiring.run_options import RunOptions
from storage.engine import open_database
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer

QUALITY = 85


@dataclass(frozen=True, slots=True)
class Throughput:
    """Frames per second of one workload on a number of cores, each the median of its repeats."""

    workload: str
    cores: int
    frames: int
    """Frames of one repeat."""
    floor: float
    """JPEG decoding, detector and classifier alone."""
    chain: float
    """From bus to database."""
    whole: float
    """From video to database, including video decoding and JPEG encoding."""


def measure(data: Path, cores: Sequence[int], frames: int, repeats: int) -> list[Throughput]:
    """Measure every workload on each number of cores."""
    return [
        run_on_cores(count, _measure_workload, data, workload, count, frames * count, repeats)
        for workload in clips.WORKLOADS
        for count in cores
    ]


def _measure_workload(data: Path, workload: str, cores: int, frames: int, repeats: int) -> Throughput:
    cv2.setNumThreads(1)
    pictures = clips.WORKLOADS[workload](data)
    jpegs = clips.encode_jpegs(pictures, frames, QUALITY)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = clips.write_video(pictures, frames // cores, folder / "clip.mp4")
        kernels, chain = Kernels(jpegs, cores), Chain(jpegs, cores, folder)
        runs = (kernels.run, chain.run, lambda: run_pipeline(video, cores, frames))
        floor, from_bus, whole = (frames / seconds for seconds in _medians(runs, repeats))
    return Throughput(workload, cores, frames, floor, from_bus, whole)


def _medians(runs: Sequence[Callable[[], float]], repeats: int) -> list[float]:
    """Median seconds of each run; they alternate, so that a disturbance affects all. Round 1 is a warm-up."""
    for run in runs:
        run()
    rounds = [[run() for run in runs] for _ in range(repeats)]
    return [median(column) for column in zip(*rounds, strict=True)]


class Kernels:
    """Decoding, detection and classification alone, on one thread per core."""

    def __init__(self, jpegs: list[bytes], threads: int) -> None:
        self._parts = [jpegs[n::threads] for n in range(threads)]
        self._detector, self._classifier = Detector(), Classifier()
        self._crops = [self._find_crops(part) for part in self._parts]

    def run(self) -> float:
        """Seconds for all frames."""
        began = time.perf_counter()
        with ThreadPoolExecutor(len(self._parts)) as pool:
            list(pool.map(self._work, self._parts, self._crops))
        return time.perf_counter() - began

    def _work(self, jpegs: list[bytes], crops: list[Gray]) -> None:
        for jpeg, faces in zip(jpegs, crops, strict=True):
            self._detector.detect(_decode(jpeg), self._detector.levels.weak)
            self._classifier.classify(faces)

    def _find_crops(self, jpegs: list[bytes]) -> list[Gray]:
        """The inputs of the classifier, found beforehand: cropping is not a kernel."""
        networks = Recorder(self._detector, self._classifier)
        analyse(networks, [_decode(jpeg) for jpeg in jpegs])
        return networks.crops


class Chain:
    """Workers between a bus that is full of frames and a database, one worker and camera per core."""

    def __init__(self, jpegs: list[bytes], workers: int, folder: Path) -> None:
        self._jpegs = jpegs
        self._workers = workers
        self._folder = folder
        self._detector, self._classifier = Detector(), Classifier()

    def run(self) -> float:
        """Seconds until all frames are stored."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            engine = open_database(f"sqlite:///{name}/mien.db")
            sink = Writer(engine)
            bus = EmbeddedBus(self._workers, capacity=len(self._jpegs))
            self._publish(bus)
            workers = [
                Worker(bus.reader([n], sink.positions), sink, self._analyser(), live_limits=None)
                for n in range(self._workers)
            ]
            began = time.perf_counter()
            with ThreadPoolExecutor(len(workers)) as pool:
                list(pool.map(lambda worker: worker.run(threading.Event()), workers))
            seconds = time.perf_counter() - began
            engine.dispose()
            return seconds

    def _publish(self, bus: EmbeddedBus) -> None:
        writer = bus.writer()
        height, width = _decode(self._jpegs[0]).shape
        for number, jpeg in enumerate(self._jpegs):
            seq = number // self._workers
            camera = f"camera-{number % self._workers}"
            writer.publish(Frame(camera, captured_at(seq), seq, EPOCH, width, height, jpeg))
        writer.close()

    def _analyser(self) -> Analyser:
        return Analyser(self._detector, self._classifier, "benchmark")


def run_pipeline(video: Path, cameras: int, frames: int) -> float:
    """Seconds from opening a video, once for each camera, until all its frames are stored.

    Raises ValueError if frames are lost.
    """
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(database=f"sqlite:///{name}/mien.db", workers=cameras)
        engine = open_settings_database(settings)
        rows = [CameraRow(f"camera-{n}", str(video)) for n in range(cameras)]
        CameraRegistry(engine).sync(LOCAL, rows)
        options = RunOptions(fast=True)
        with keep_leases(engine, options) as leases:
            parts = create_parts(settings, engine, options, leases, Metrics())
            pipeline = Pipeline(parts.supervisor, parts.frames, WorkerPool(parts.workers), parts.maintain)
            began = time.perf_counter()
            failures = pipeline.run(threading.Event())
            seconds = time.perf_counter() - began
        engine.dispose()
        analysed = sum(each.frames["analysed"] for each in parts.store.totals().values())
        if failures or analysed != frames:
            raise ValueError(f"{analysed} of {frames} frames were stored: {dict(failures)}")
        return seconds


def _decode(jpeg: bytes) -> Gray:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)
