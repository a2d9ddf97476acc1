"""Time per frame of each stage of the pipeline, measured separately on one core."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import cv2

from benchmarks import clips
from benchmarks.clips import Gray
from benchmarks.isolation import run_on_cores
from benchmarks.recorded import EPOCH, Recorder, Replay, analyse, captured_at
from benchmarks.throughput import QUALITY
from bus.embedded import EmbeddedBus
from bus.messages import Frame, Partition, Results
from inference.classifier import Classifier
from inference.detector import Detector
from ingest.encoding import encode_jpeg, to_gray
from ingest.sources import open_source
from media.images import decode_gray
from storage.engine import open_database
from storage.writer import Writer

_BATCH = 16
"""Frames per write: the largest batch of a worker."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Milliseconds per frame in a stage, the median of the repeats."""

    name: str
    milliseconds: float


def measure(data: Path, workload: str, frames: int, repeats: int) -> list[Stage]:
    """Measure all stages, in the order in which a frame passes them."""
    return run_on_cores(1, _measure_stages, data, workload, frames, repeats)


def _measure_stages(data: Path, workload: str, frames: int, repeats: int) -> list[Stage]:
    cv2.setNumThreads(1)
    pictures = clips.WORKLOADS[workload](data)
    jpegs = clips.encode_jpegs(pictures, frames, QUALITY)
    grays = [decode_gray(jpeg) for jpeg in jpegs]
    networks = Recorder(Detector(), Classifier())
    results = analyse(networks, grays)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = clips.write_video(pictures, frames, folder / "clip.mp4")
        stages: dict[str, Callable[[], object]] = {
            "read the video": partial(_read, video),
            "grey, JPEG": lambda: [encode_jpeg(to_gray(gray, 1280), QUALITY) for gray in grays],
            "bus": partial(_pass_through_bus, jpegs, grays[0].shape),
            "decode": lambda: [decode_gray(jpeg) for jpeg in jpegs],
            "detect": partial(_detect, networks.detector, grays),
            "track, crop, pool": lambda: analyse(Replay(networks), grays),
            "classify": lambda: [networks.classifier.classify(each) for each in networks.crops],
            "store": partial(_store, results, folder),
        }
        return [Stage(name, _milliseconds(run, frames, repeats)) for name, run in stages.items()]


def _milliseconds(run: Callable[[], object], frames: int, repeats: int) -> float:
    run()
    seconds: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return 1000 * median(seconds) / frames


def _read(video: Path) -> None:
    source = open_source(str(video))
    while picture := source.read():
        picture.decode()
    source.close()


def _pass_through_bus(jpegs: Sequence[bytes], shape: tuple[int, ...]) -> None:
    """Publish, poll and acknowledge all frames."""
    bus = EmbeddedBus(capacity=len(jpegs))
    writer, reader = bus.writer(), bus.reader([0], lambda _: {})
    for seq, jpeg in enumerate(jpegs):
        writer.publish(Frame("camera", captured_at(seq), seq, EPOCH, shape[1], shape[0], jpeg))
    while (batch := reader.poll(_BATCH, 0)).records:
        reader.acknowledge(batch.positions)


def _detect(detector: Detector, grays: Sequence[Gray]) -> None:
    """Detect with the threshold of the analyser, which tracks weak detections too."""
    for gray in grays:
        detector.detect(gray, detector.levels.weak)


def _store(results: Sequence[Results], folder: Path) -> None:
    """Write all results in batches into a new database."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        engine = open_database(f"sqlite:///{name}/mien.db")
        writer = Writer(engine)
        for start in range(0, len(results), _BATCH):
            batch = results[start : start + _BATCH]
            writer.write(join_results(batch), {Partition("embedded", 0): start + len(batch)})
        engine.dispose()


def join_results(parts: Sequence[Results]) -> Results:
    """Join the results of several frames."""
    return Results(
        visits=tuple(visit for part in parts for visit in part.visits),
        observations=tuple(seen for part in parts for seen in part.observations),
    )
