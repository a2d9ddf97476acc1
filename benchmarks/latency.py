"""How long a frame takes from capture to commit, and how many cameras that holds for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import clips, live
from benchmarks.isolation import on_cores
from benchmarks.live import Live, Load

WORKLOAD = "two faces, 640x480"
FPS = 5.0
LIMIT_MS = 500.0
LEAST_SHARE = 0.95
"""Frames that must be stored, of those that were wanted, for a number of cameras to be held."""
_CLIP_FRAMES = 300
_FINE = 1 / 16
"""The search ends when the next number would be less than this share higher."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that a load runs before it is measured, and while."""

    warm_up_s: float
    seconds: float


def latency(data: Path, cores: int, cameras: Sequence[int], times: Times) -> list[Live]:
    """Each number of cameras in turn."""
    with tempfile.TemporaryDirectory() as folder:
        video = write_clip(data, Path(folder))
        return [_run(video, cores, count, times) for count in cameras]


def capacity(data: Path, cores: int, most: int, times: Times) -> list[Live]:
    """Every load that was tried on the way to the largest that is held, in order of its cameras.

    Numbers of cameras are doubled until one is not held, then halved in between. `most` ends the search.
    """
    with tempfile.TemporaryDirectory() as folder:
        video = write_clip(data, Path(folder))
        tried: dict[int, Live] = {}
        held, failed, count = 0, most + 1, min(4, most)
        while count > held and count < failed and (count - held) >= held * _FINE:
            tried[count] = _run(video, cores, count, times)
            if is_held(tried[count]):
                held = count
            else:
                failed = count
            count = min(2 * held or 1, most) if failed > most else (held + failed) // 2
        return [tried[count] for count in sorted(tried)]


def is_held(result: Live) -> bool:
    """Whether nearly every frame became a row, and 95 % of them in time."""
    return result.p95_ms < LIMIT_MS and result.share >= LEAST_SHARE


def most_held(results: Sequence[Live]) -> int:
    """The largest number of cameras that was held, 0 where none was."""
    return max((each.cameras for each in results if is_held(each)), default=0)


def write_clip(data: Path, folder: Path) -> Path:
    """The video that every camera shows."""
    return clips.write_video(clips.WORKLOADS[WORKLOAD](data), _CLIP_FRAMES, folder / "clip.mp4")


def _run(video: Path, cores: int, cameras: int, times: Times) -> Live:
    load = Load(video, cameras, FPS, cores, times.warm_up_s, times.seconds)
    return on_cores(cores, live.run, load)
