"""Throughput of `mien work` processes between Kafka and PostgreSQL, compared with embedded mode."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import cv2
import sqlalchemy as sa

from benchmarks import clips
from benchmarks.isolation import run_on_cores
from benchmarks.processes import Process, bind_to_cores, cpu_seconds, rebind, wait_for
from benchmarks.recorded import FPS
from benchmarks.servers import Servers, Workspace
from benchmarks.throughput import QUALITY, Chain
from bus.kafka.settings import KafkaSettings
from bus.kafka.writer import KafkaWriter
from bus.messages import MICROSECONDS, Frame
from common.clock import wall_clock_us
from media.images import decode_gray
from storage import tables

_PUBLISH_S = 60.0
_STALLED_S = 120.0
_POLL_S = 0.05
_HOUR_S = 3600
"""Maximum frame age during the measurement, so that the backlog of frames is not stale."""


@dataclass(frozen=True, slots=True)
class ScaledThroughput:
    """Frames per second of several workers, each a process on its own core; medians of the repeats."""

    workload: str
    workers: int
    spare: int
    """Cores that remain for broker and database; if none does, they share those of the workers."""
    frames: int
    """Frames of one repeat, for each worker."""
    embedded: float
    """Frames per second with the embedded bus and SQLite, in one process on the same number of cores."""
    embedded_ms: float
    """Processor time per frame in embedded mode, in milliseconds; it depends less on other load."""
    rate: float
    cpu_ms: dict[str, float]
    """Processor time per frame of the workers, the broker and the database, in milliseconds."""


@dataclass(frozen=True, slots=True)
class _Repeat:
    """Frames per second of one repeat, and processor time per frame in milliseconds."""

    rate: float
    cpu_ms: dict[str, float]


def measure(
    servers: Servers, data: Path, workload: str, counts: Sequence[int], frames: int, repeats: int
) -> list[ScaledThroughput]:
    """Measure each number of workers in turn, with one camera and one partition per worker.

    Raises:
        TimeoutError: frames are not analysed.
        RuntimeError: a worker ended.
    """
    jpegs = clips.encode_jpegs(clips.WORKLOADS[workload](data), frames, QUALITY)
    return [_measure(servers, data, workload, count, jpegs, repeats) for count in counts]


def _measure(
    servers: Servers, data: Path, workload: str, workers: int, jpegs: Sequence[bytes], repeats: int
) -> ScaledThroughput:
    cores = sorted(os.sched_getaffinity(0))
    spare = cores[workers:]
    rebind([*servers.broker_pids, *servers.database_pids], spare or cores)
    embedded: list[_Repeat] = []
    speeds: list[_Repeat] = []
    with (
        servers.make_workspace(workers) as workspace,
        _start_workers(workspace, cores[:workers]) as processes,
    ):
        for number in range(repeats + 1):
            if number:  # The first round is the warm-up; alternating lets a disturbance affect both modes.
                embedded.append(run_on_cores(workers, _measure_embedded, data, workload, workers, len(jpegs)))
            with bind_to_cores(spare or cores):
                speeds.append(_run(servers, workspace, processes, jpegs, (number + 1) * len(jpegs)))
    rebind([*servers.broker_pids, *servers.database_pids], cores)
    measured = speeds[1:]
    return ScaledThroughput(
        workload=workload,
        workers=workers,
        spare=len(spare),
        frames=len(jpegs),
        embedded=median(each.rate for each in embedded),
        embedded_ms=median(each.cpu_ms["embedded"] for each in embedded),
        rate=median(each.rate for each in measured),
        cpu_ms={name: median(each.cpu_ms[name] for each in measured) for name in measured[0].cpu_ms},
    )


def _measure_embedded(data: Path, workload: str, workers: int, frames: int) -> _Repeat:
    """Measure embedded mode after a warm-up."""
    cv2.setNumThreads(1)
    jpegs = clips.encode_jpegs(clips.WORKLOADS[workload](data), workers * frames, QUALITY)
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(jpegs, workers, Path(folder))
        chain.run()
        busy = -time.process_time()
        seconds = chain.run()
        busy += time.process_time()
    return _Repeat(len(jpegs) / seconds, {"embedded": 1000 * busy / len(jpegs)})


@contextmanager
def _start_workers(workspace: Workspace, cores: Sequence[int]) -> Iterator[list[Process]]:
    """Start one worker per core; each gets one partition."""
    variables = workspace.variables | {"MIEN_MAX_FRAME_AGE": str(_HOUR_S), "MIEN_LOG_LEVEL": "warning"}
    with ExitStack() as stack:
        processes = []
        for core in cores:
            with bind_to_cores([core]):
                processes.append(stack.enter_context(Process(workspace.folder, variables, "work")))
        wait_for(processes, "mien_lag_records")
        yield processes


def _run(
    servers: Servers, workspace: Workspace, processes: Sequence[Process], jpegs: Sequence[bytes], goal: int
) -> _Repeat:
    """Publish a backlog of frames, and measure until one worker has finished its part."""
    publish_backlog(workspace.cluster, len(processes), jpegs)
    pids = {
        "work": [worker.pid for worker in processes],
        "broker": servers.broker_pids,
        "database": servers.database_pids,
    }
    busy = {name: -cpu_seconds(each) for name, each in pids.items()}
    progress = list(_poll_progress(workspace, len(processes), goal))
    frames = sum(progress[-1].done) - sum(progress[0].done)
    busy = {name: seconds + cpu_seconds(pids[name]) for name, seconds in busy.items()}
    _wait_until_stored(workspace, len(processes), goal)
    rate = sum(_steady_rate(progress, partition) for partition in range(len(processes)))
    return _Repeat(rate, {name: 1000 * seconds / frames for name, seconds in busy.items()})


@dataclass(frozen=True, slots=True)
class _Progress:
    """Number of stored frames of each partition at one time."""

    time_s: float
    done: tuple[int, ...]


def _poll_progress(workspace: Workspace, partitions: int, goal: int) -> Iterator[_Progress]:
    """Poll the stored offsets until one partition has reached the goal.

    Raises TimeoutError if none does.
    """
    offsets = tables.offsets.c
    query = sa.select(offsets.partition, offsets.next_offset).where(offsets.topic == workspace.cluster.topic)
    engine = workspace.engine.execution_options(isolation_level="AUTOCOMMIT")
    began = time.perf_counter()
    with engine.connect() as connection:
        while time.perf_counter() < began + _STALLED_S:
            found = dict(connection.execute(query).all())
            snapshot = _Progress(
                time.perf_counter(), tuple(found.get(partition, 0) for partition in range(partitions))
            )
            yield snapshot
            if max(snapshot.done) >= goal:
                return
            time.sleep(_POLL_S)
    raise TimeoutError(f"{found} of {goal} frames of each partition within {_STALLED_S:g} s")


def _wait_until_stored(workspace: Workspace, partitions: int, goal: int) -> None:
    for partition in range(partitions):
        while next(_poll_progress(workspace, partitions, goal)).done[partition] < goal:
            time.sleep(_POLL_S)


def _steady_rate(progress: Sequence[_Progress], partition: int) -> float:
    """Frames per second of a partition, from the first observed commit to the last."""
    commits = [
        after for before, after in pairwise(progress) if after.done[partition] > before.done[partition]
    ]
    first, last = commits[0], commits[-1]
    return (last.done[partition] - first.done[partition]) / (last.time_s - first.time_s)


def publish_backlog(cluster: KafkaSettings, cameras: int, jpegs: Sequence[bytes]) -> None:
    """Publish the frames once per camera, camera n to partition n; returns when all are acknowledged.

    Their capture times are within the last half hour.

    Raises TimeoutError if the broker does not accept them.
    """
    names = {f"camera-{number}": number for number in range(cameras)}
    height, width = decode_gray(jpegs[0]).shape
    epoch = wall_clock_us()
    writer = KafkaWriter(cluster, names.__getitem__, capacity=64, grace=_PUBLISH_S)
    for seq, jpeg in enumerate(jpegs):
        captured_at = epoch + round((seq - _HOUR_S / 2 * FPS) / FPS * MICROSECONDS)
        for name in names:
            writer.wait_for_room(name, _PUBLISH_S)
            writer.publish(Frame(name, captured_at, seq, epoch, width, height, jpeg))
    writer.close()
    if lost := {name: drops for name in names if (drops := writer.take_drops(name))}:
        raise TimeoutError(f"frames were not accepted: {lost}")
