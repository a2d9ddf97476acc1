"""Costs of cameras that see a still scene, beside those that see people."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import live
from benchmarks.isolation import run_on_cores
from benchmarks.latency import FPS, Times, measure_capacity, write_clip, write_still_clip
from benchmarks.live import LiveLatency, Load

BUSY_EVERY = 4
"""In the search for the capacity one in so many cameras sees people."""


@dataclass(frozen=True, slots=True)
class Idle:
    """The same number of cameras with people and without, and the capacity of a mixture."""

    busy: LiveLatency
    still: LiveLatency
    mixed: list[LiveLatency]
    """Every measured load of the search, sorted by its cameras."""


def measure(data: Path, cores: int, cameras: int, most: int, times: Times) -> Idle:
    """Measure busy and still cameras, and search how many fit on the cores if one in four is busy."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        videos = write_clip(data, folder), write_still_clip(data, folder)
        busy, still = (
            run_on_cores(
                cores,
                live.measure,
                Load(video, cameras, FPS, cores, times.warm_up_s, times.seconds),
            )
            for video in videos
        )
    return Idle(busy, still, measure_capacity(data, cores, most, times, BUSY_EVERY))


def to_dict(idle: Idle) -> dict[str, Any]:
    """The measurement as JSON types."""
    return asdict(idle)


def from_dict(stored: dict[str, Any]) -> Idle:
    """The measurement from JSON types."""
    return Idle(
        LiveLatency(**stored["busy"]),
        LiveLatency(**stored["still"]),
        [LiveLatency(**each) for each in stored["mixed"]],
    )
