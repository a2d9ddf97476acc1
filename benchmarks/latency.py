"""Latency from capture to commit, and the number of cameras that keeps it within a limit."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import clips, live
from benchmarks.isolation import run_on_cores
from benchmarks.live import LiveLatency, Load

WORKLOAD = "two faces, 640x480"
FPS = 5.0
LIMIT_MS = 500.0
MIN_SHARE = 0.95
"""Share of the requested frames that must be stored for a load to count as sustained."""
_CLIP_FRAMES = 300
_RESOLUTION = 1 / 16
"""The search ends when the next load would be less than this share higher."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that a load runs before the measurement, and during it."""

    warm_up_s: float
    seconds: float


def measure_latency(data: Path, cores: int, cameras: Sequence[int], times: Times) -> list[LiveLatency]:
    """Measure each number of cameras in turn."""
    with tempfile.TemporaryDirectory() as folder:
        video = write_clip(data, Path(folder))
        return [_run(video, cores, count, times) for count in cameras]


def measure_capacity(
    data: Path, cores: int, most: int, times: Times, busy_every: int = 1
) -> list[LiveLatency]:
    """Search the largest sustained load; returns every measured load, sorted by its cameras.

    One in `busy_every` cameras sees people, the others see a still scene. The number of cameras is doubled
    until a load is not sustained, then a binary search follows. `most` is the largest load that is tried.
    """
    with tempfile.TemporaryDirectory() as folder:
        video, still = write_clip(data, Path(folder)), write_still_clip(data, Path(folder))
        tried: dict[int, LiveLatency] = {}
        sustained, failed, count = 0, most + 1, min(4, most)
        while count > sustained and count < failed and (count - sustained) >= sustained * _RESOLUTION:
            load = Load(video, count, FPS, cores, times.warm_up_s, times.seconds, busy_every, still)
            tried[count] = run_on_cores(cores, live.measure, load)
            if is_sustained(tried[count]):
                sustained = count
            else:
                failed = count
            count = min(2 * sustained or 1, most) if failed > most else (sustained + failed) // 2
        return [tried[count] for count in sorted(tried)]


def is_sustained(result: LiveLatency) -> bool:
    """Whether nearly every frame is stored, and 95 % of them within the limit."""
    return result.p95_ms < LIMIT_MS and result.share >= MIN_SHARE


def find_capacity(results: Sequence[LiveLatency]) -> int:
    """The largest number of cameras that was sustained; 0 if none was."""
    return max((each.cameras for each in results if is_sustained(each)), default=0)


def write_clip(data: Path, folder: Path) -> Path:
    """Write the video that every camera plays."""
    return clips.write_video(clips.WORKLOADS[WORKLOAD](data), _CLIP_FRAMES, folder / "clip.mp4")


def write_still_clip(data: Path, folder: Path) -> Path:
    """Write the video that every camera without people plays: the same place, with a camera's noise."""
    return clips.write_video(clips.still(data), _CLIP_FRAMES, folder / "still.mp4")


def _run(video: Path, cores: int, cameras: int, times: Times) -> LiveLatency:
    load = Load(video, cameras, FPS, cores, times.warm_up_s, times.seconds)
    return run_on_cores(cores, live.measure, load)
