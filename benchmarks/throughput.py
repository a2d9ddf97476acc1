"""Frames per second: the kernels alone, from the bus to rows, and from a video to rows."""

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
from benchmarks.isolation import on_cores
from benchmarks.recorded import EPOCH, Recorder, analyse, captured_at
from bus.embedded import EmbeddedBus
from bus.messages import Frame
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Detector
from inference.worker import Worker
from mien import wiring
from mien.settings import Settings
from storage.engine import open_database
from storage.registry import CameraRegistry, CameraRow
from storage.writer import OUTAGES, Writer

QUALITY = 85


@dataclass(frozen=True, slots=True)
class Throughput:
    """Frames per second of one workload on some cores, each the median of its repeats."""

    workload: str
    cores: int
    frames: int
    """Frames of one repeat."""
    floor: float
    """JPEG decoding, detector and classifier alone."""
    chain: float
    """From the bus to rows: what one adds to a machine that gets frames from elsewhere."""
    whole: float
    """From a video file to rows: the file's decoding and the JPEG encoding included."""


def measure(data: Path, cores: Sequence[int], frames: int, repeats: int) -> list[Throughput]:
    """Every workload on each number of cores."""
    return [
        on_cores(count, _throughput, data, workload, count, frames * count, repeats)
        for workload in clips.WORKLOADS
        for count in cores
    ]


def _throughput(data: Path, workload: str, cores: int, frames: int, repeats: int) -> Throughput:
    cv2.setNumThreads(1)
    pictures = clips.WORKLOADS[workload](data)
    jpegs = clips.jpegs(pictures, frames, QUALITY)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = clips.write_video(pictures, frames // cores, folder / "clip.mp4")
        kernels, chain = Kernels(jpegs, cores), Chain(jpegs, cores, folder)
        ways = (kernels.run, chain.run, lambda: run_whole(video, cores, frames))
        floor, from_bus, whole = (frames / seconds for seconds in _medians(ways, repeats))
    return Throughput(workload, cores, frames, floor, from_bus, whole)


def _medians(ways: Sequence[Callable[[], float]], repeats: int) -> list[float]:
    """Seconds of each way, in turns, so that a slow moment hits all; the first round only warms up."""
    for run in ways:
        run()
    rounds = [[run() for run in ways] for _ in range(repeats)]
    return [median(column) for column in zip(*rounds, strict=True)]


class Kernels:
    """Decoding, detection and classification with nothing around them, on one thread per core."""

    def __init__(self, jpegs: list[bytes], threads: int) -> None:
        self._parts = [jpegs[n::threads] for n in range(threads)]
        self._detector, self._classifier = Detector(), Classifier()
        self._crops = [self._faces(part) for part in self._parts]

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

    def _faces(self, jpegs: list[bytes]) -> list[Gray]:
        """What the classifier is asked, found beforehand: the way from boxes to crops is no kernel."""
        networks = Recorder(self._detector, self._classifier)
        analyse(networks, [_decode(jpeg) for jpeg in jpegs])
        return networks.crops


class Chain:
    """Workers between a bus that is full of frames and a database, one per core and camera."""

    def __init__(self, jpegs: list[bytes], workers: int, folder: Path) -> None:
        self._jpegs = jpegs
        self._workers = workers
        self._folder = folder
        self._detector, self._classifier = Detector(), Classifier()

    def run(self) -> float:
        """Seconds until all frames are rows."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            engine = open_database(f"sqlite:///{name}/mien.db")
            sink = Writer(engine)
            bus = EmbeddedBus(self._workers, capacity=len(self._jpegs))
            self._publish(bus)
            workers = [
                Worker(bus.reader([n], sink.positions), sink, self._analyser(), pace=None, outages=OUTAGES)
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


def run_whole(video: Path, cameras: int, frames: int) -> float:
    """Seconds from opening a video, once for each camera, until all its frames are rows.

    Raises ValueError where frames were lost on the way.
    """
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(database=f"sqlite:///{name}/mien.db", workers=cameras)
        engine = wiring.database(settings)
        rows = [CameraRow(f"camera-{n}", str(video)) for n in range(cameras)]
        CameraRegistry(engine).sync(rows)
        pipeline, tally = wiring.pipeline(settings, engine, wiring.Watch(fast=True))
        began = time.perf_counter()
        failures = pipeline.run(threading.Event())
        seconds = time.perf_counter() - began
        engine.dispose()
        analysed = sum(each.frames["analysed"] for each in tally.cameras().values())
        if failures or analysed != frames:
            raise ValueError(f"{analysed} of {frames} frames became rows: {dict(failures)}")
        return seconds


def _decode(jpeg: bytes) -> Gray:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)
