"""Frames per second of `mien work` processes between Kafka and PostgreSQL, beside embedded mode."""

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
from benchmarks.isolation import on_cores
from benchmarks.processes import Process, cpu_seconds, move, pinned, wait_for
from benchmarks.recorded import FPS
from benchmarks.servers import Place, Servers
from benchmarks.throughput import QUALITY, Chain
from bus.kafka.settings import KafkaSettings
from bus.kafka.writer import KafkaWriter
from bus.messages import MICROSECONDS, Frame
from media.images import decode_gray
from storage import tables

_PUBLISH_S = 60.0
_STALLED_S = 120.0
_LOOK_S = 0.05
_HOUR_S = 3600
"""Recorded frames this old are still analysed here, so that a backlog can be laid down beforehand."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """Frames per second of some workers, each a process on a core of its own; medians of the repeats."""

    workload: str
    workers: int
    spare: int
    """Cores left for broker and database; where there is none they share the workers'."""
    frames: int
    """Frames of one repeat, for each worker."""
    embedded: float
    """The same frames through the embedded bus into SQLite, one process on as many cores."""
    embedded_ms: float
    """Processor time per frame there, in milliseconds, which others on the machine disturb less."""
    rate: float
    cpu_ms: dict[str, float]
    """Processor time per frame of the workers, the broker and the database, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Speed:
    """One repeat."""

    rate: float
    cpu_ms: dict[str, float]


def measure(
    servers: Servers, data: Path, workload: str, counts: Sequence[int], frames: int, repeats: int
) -> list[Scaled]:
    """Each number of workers in turn, one camera and partition for each worker.

    Raises:
        TimeoutError: frames are not analysed.
        RuntimeError: a worker ended.
    """
    jpegs = clips.jpegs(clips.WORKLOADS[workload](data), frames, QUALITY)
    return [_measure(servers, data, workload, count, jpegs, repeats) for count in counts]


def _measure(
    servers: Servers, data: Path, workload: str, workers: int, jpegs: Sequence[bytes], repeats: int
) -> Scaled:
    cores = sorted(os.sched_getaffinity(0))
    spare = cores[workers:]
    move([*servers.broker_pids, *servers.database_pids], spare or cores)
    embedded: list[Speed] = []
    speeds: list[Speed] = []
    with servers.place(workers) as place, _crew(place, cores[:workers]) as crew:
        for number in range(repeats + 1):
            if (
                number
            ):  # In turns, so that a slow moment hits both; the first round only warms the workers up.
                embedded.append(on_cores(workers, _embedded, data, workload, workers, len(jpegs)))
            with pinned(spare or cores):
                speeds.append(_run(servers, place, crew, jpegs, (number + 1) * len(jpegs)))
    move([*servers.broker_pids, *servers.database_pids], cores)
    measured = speeds[1:]
    return Scaled(
        workload=workload,
        workers=workers,
        spare=len(spare),
        frames=len(jpegs),
        embedded=median(each.rate for each in embedded),
        embedded_ms=median(each.cpu_ms["embedded"] for each in embedded),
        rate=median(each.rate for each in measured),
        cpu_ms={name: median(each.cpu_ms[name] for each in measured) for name in measured[0].cpu_ms},
    )


def _embedded(data: Path, workload: str, workers: int, frames: int) -> Speed:
    """From bus to rows, when everything is warm."""
    cv2.setNumThreads(1)
    jpegs = clips.jpegs(clips.WORKLOADS[workload](data), workers * frames, QUALITY)
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(jpegs, workers, Path(folder))
        chain.run()
        busy = -time.process_time()
        seconds = chain.run()
        busy += time.process_time()
    return Speed(len(jpegs) / seconds, {"embedded": 1000 * busy / len(jpegs)})


@contextmanager
def _crew(place: Place, cores: Sequence[int]) -> Iterator[list[Process]]:
    """A worker on each core, each with a partition."""
    variables = place.variables | {"MIEN_MAX_FRAME_AGE": str(_HOUR_S), "MIEN_LOG_LEVEL": "warning"}
    with ExitStack() as stack:
        crew = []
        for core in cores:
            with pinned([core]):
                crew.append(stack.enter_context(Process(place.folder, variables, "work")))
        wait_for(crew, "mien_lag_records")
        yield crew


def _run(servers: Servers, place: Place, crew: Sequence[Process], jpegs: Sequence[bytes], goal: int) -> Speed:
    """Lay a backlog down and watch the workers from then on until one of them is through."""
    publish(place.cluster, len(crew), jpegs)
    pids = {
        "work": [worker.pid for worker in crew],
        "broker": servers.broker_pids,
        "database": servers.database_pids,
    }
    busy = {name: -cpu_seconds(each) for name, each in pids.items()}
    moments = list(_moments(place, len(crew), goal))
    frames = sum(moments[-1].done) - sum(moments[0].done)
    busy = {name: seconds + cpu_seconds(pids[name]) for name, seconds in busy.items()}
    _wait_until_stored(place, len(crew), goal)
    rate = sum(_steady(moments, lane) for lane in range(len(crew)))
    return Speed(rate, {name: 1000 * seconds / frames for name, seconds in busy.items()})


@dataclass(frozen=True, slots=True)
class _Moment:
    """Frames of each partition that were stored at one time."""

    time_s: float
    done: tuple[int, ...]


def _moments(place: Place, lanes: int, goal: int) -> Iterator[_Moment]:
    """What is stored, every now and then, until one partition is through.

    Raises TimeoutError where nothing moves.
    """
    offsets = tables.offsets.c
    query = sa.select(offsets.partition, offsets.next_offset).where(offsets.topic == place.cluster.topic)
    engine = place.engine.execution_options(isolation_level="AUTOCOMMIT")
    began = time.perf_counter()
    with engine.connect() as connection:
        while time.perf_counter() < began + _STALLED_S:
            found = dict(connection.execute(query).all())
            moment = _Moment(time.perf_counter(), tuple(found.get(lane, 0) for lane in range(lanes)))
            yield moment
            if max(moment.done) >= goal:
                return
            time.sleep(_LOOK_S)
    raise TimeoutError(f"{found} of {goal} frames of each partition within {_STALLED_S:g} s")


def _wait_until_stored(place: Place, lanes: int, goal: int) -> None:
    for lane in range(lanes):
        while next(_moments(place, lanes, goal)).done[lane] < goal:
            time.sleep(_LOOK_S)


def _steady(moments: Sequence[_Moment], lane: int) -> float:
    """Frames per second of a partition, from the first commit that was seen to the last."""
    commits = [after for before, after in pairwise(moments) if after.done[lane] > before.done[lane]]
    first, last = commits[0], commits[-1]
    return (last.done[lane] - first.done[lane]) / (last.time_s - first.time_s)


def publish(cluster: KafkaSettings, cameras: int, jpegs: Sequence[bytes]) -> None:
    """Publish the frames once for each camera, the n-th into partition n; returns when all are acknowledged.

    They were captured one after the other in the last half hour, as far as they say.

    Raises TimeoutError where they are not taken in.
    """
    names = {f"camera-{number}": number for number in range(cameras)}
    height, width = decode_gray(jpegs[0]).shape
    epoch = time.time_ns() // 1000
    writer = KafkaWriter(cluster, names.__getitem__, capacity=64, grace=_PUBLISH_S)
    for seq, jpeg in enumerate(jpegs):
        captured_at = epoch + round((seq - _HOUR_S / 2 * FPS) / FPS * MICROSECONDS)
        for name in names:
            writer.wait_for_room(name, _PUBLISH_S)
            writer.publish(Frame(name, captured_at, seq, epoch, width, height, jpeg))
    writer.close()
    if lost := {name: drops for name in names if (drops := writer.take_drops(name))}:
        raise TimeoutError(f"frames were not taken in: {lost}")
