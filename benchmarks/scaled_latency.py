"""Latency from capture to commit in scaled mode, read from the metrics of `mien work`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

from benchmarks.latency import FPS, Times, write_clip
from benchmarks.processes import Process, cpu_seconds, wait_for
from benchmarks.servers import Servers

_HISTOGRAM = "mien_capture_to_row_seconds_bucket"
_FRAMES = "mien_frames_total"


@dataclass(frozen=True, slots=True)
class ScaledLatency:
    """Live cameras, one `mien ingest`, several `mien work`, broker and database, all on the same cores."""

    cameras: int
    fps: float
    workers: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    """Milliseconds from capture to commit, interpolated within the histogram's buckets."""
    stored: int
    """Frames that were stored during the measurement."""
    stale: int
    wanted: int
    cpu_ms: dict[str, float]
    """Processor time per stored frame of each kind of process, in milliseconds."""

    @property
    def share(self) -> float:
        """Share of the requested frames that were stored."""
        return self.stored / self.wanted


def measure(servers: Servers, data: Path, cameras: int, workers: int, times: Times) -> ScaledLatency:
    """Run cameras, and measure after the warm-up.

    Raises:
        TimeoutError: no frame is stored.
        RuntimeError: a process ended.
    """
    with servers.make_workspace(cameras) as workspace, ExitStack() as stack:
        clip = str(write_clip(data, workspace.folder))
        variables = workspace.variables | {"MIEN_FPS": str(FPS)}
        processes = [
            stack.enter_context(Process(workspace.folder, variables, "work")) for _ in range(workers)
        ]
        wait_for(processes, "mien_lag_records")
        sources = ["--source", clip] * cameras
        ingest = stack.enter_context(Process(workspace.folder, variables, "ingest", "--loop", *sources))
        wait_for(processes, _FRAMES)
        pids = {
            "ingest": [ingest.pid],
            "broker": servers.broker_pids,
            "work": [worker.pid for worker in processes],
            "database": servers.database_pids,
        }
        time.sleep(times.warm_up_s)
        before = _MetricsSnapshot.now(processes, pids)
        time.sleep(times.seconds)
        after = _MetricsSnapshot.now(processes, pids)
    seconds = after.time_s - before.time_s
    buckets = {limit: count - before.buckets.get(limit, 0) for limit, count in after.buckets.items()}
    p50, p95, p99 = (1000 * interpolate_quantile(buckets, share) for share in (0.5, 0.95, 0.99))
    stored, stale = (after.frames.get(name, 0) - before.frames.get(name, 0) for name in ("analysed", "stale"))
    return ScaledLatency(
        cameras=cameras,
        fps=FPS,
        workers=workers,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        stored=stored,
        stale=stale,
        wanted=round(cameras * FPS * seconds),
        cpu_ms={name: 1000 * (after.busy_s[name] - before.busy_s[name]) / stored for name in pids},
    )


def interpolate_quantile(buckets: dict[float, float], share: float) -> float:
    """The value below which the given share of a histogram's observations is.

    `buckets` has the cumulative count by upper limit. Within a bucket observations are taken as evenly
    distributed, as `histogram_quantile` of Prometheus does. The result is at most the last finite limit.

    Raises ValueError for an empty histogram.
    """
    ordered = [(0.0, 0.0), *sorted(buckets.items())]
    wanted = share * ordered[-1][1]
    if not wanted:
        raise ValueError("no frame was stored during the measurement")
    for (low, below), (high, count) in pairwise(ordered):
        if count >= wanted:
            return low if high == float("inf") else low + (high - low) * (wanted - below) / (count - below)
    raise AssertionError("the last bucket contains all observations")


@dataclass(frozen=True, slots=True)
class _MetricsSnapshot:
    """Processor time and metrics at one time."""

    time_s: float
    busy_s: dict[str, float]
    buckets: dict[float, float]
    frames: dict[str, int]

    @classmethod
    def now(cls, processes: Sequence[Process], pids: dict[str, list[int]]) -> Self:
        buckets: dict[float, float] = {}
        frames: dict[str, int] = {}
        time_s = time.monotonic()
        busy_s = {name: cpu_seconds(each) for name, each in pids.items()}
        for samples in [worker.samples() for worker in processes]:
            for labels, count in samples.get(_HISTOGRAM, []):
                limit = float(labels["le"])
                buckets[limit] = buckets.get(limit, 0) + count
            for labels, count in samples.get(_FRAMES, []):
                outcome = labels["outcome"]
                frames[outcome] = frames.get(outcome, 0) + int(count)
        return cls(time_s, busy_s, buckets, frames)
