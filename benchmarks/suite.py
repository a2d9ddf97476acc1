"""The list of benchmarks, and how long each runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import figures, idle, latency, memory, presence, scaled_mode, stages, throughput, viewers
from benchmarks.latency import Times
from benchmarks.viewers import ViewersPlan

SOAK = "memory"
"""The benchmark that takes as long as all others together: it runs only on request (`--only`)."""


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """Extent of all measurements; `frames` are per core."""

    frames: int
    repeats: int
    live: Times
    cameras: tuple[int, ...]
    search: Times
    most_cameras: int
    idle_cameras: int
    demo_s: float
    seated: int
    scaled: scaled_mode.ScaledPlan
    history_days: int
    history_cameras: int
    viewers: ViewersPlan
    soak_s: float
    soak_cameras: int
    sample_s: float


FULL = SuitePlan(
    frames=300,
    repeats=3,
    live=Times(5, 25),
    cameras=(1, 8, 16),
    search=Times(5, 15),
    most_cameras=256,
    idle_cameras=8,
    demo_s=120,
    seated=100,
    scaled=scaled_mode.ScaledPlan(frames=600, repeats=3, live=Times(5, 25), cameras=16, hours=12),
    history_days=365,
    history_cameras=50,
    viewers=ViewersPlan(),
    soak_s=600,
    soak_cameras=8,
    sample_s=2,
)
QUICK = SuitePlan(
    frames=40,
    repeats=1,
    live=Times(2, 3),
    cameras=(1, 4),
    search=Times(2, 3),
    most_cameras=8,
    idle_cameras=4,
    demo_s=5,
    seated=3,
    scaled=scaled_mode.ScaledPlan(frames=100, repeats=1, live=Times(2, 5), cameras=4, hours=1),
    history_days=8,
    history_cameras=4,
    viewers=ViewersPlan(viewers=3, changing_s=8, looking_s=3, think_s=(0.5, 1)),
    soak_s=10,
    soak_cameras=8,
    sample_s=0.5,
)


def benchmarks(
    data: Path, cores: int, plan: SuitePlan, history: str | None = None
) -> dict[str, Callable[[], Any]]:
    """Every benchmark by name, in the order in which they run; each returns JSON types.

    `history` is the URL of a database of `mien simulate` for the viewers, None to make one.

    They raise `benchmarks.servers.ServersUnavailable` if this machine lacks the servers that they need.
    """
    counts = sorted({1, min(2, cores)})
    return {
        "throughput": lambda: _to_dicts(throughput.measure(data, counts, plan.frames, plan.repeats)),
        "stages": lambda: _to_dicts(stages.measure(data, latency.WORKLOAD, plan.frames, plan.repeats)),
        "latency": lambda: _to_dicts(latency.measure_latency(data, counts[-1], plan.cameras, plan.live)),
        "capacity": lambda: _to_dicts(
            latency.measure_capacity(data, counts[-1], plan.most_cameras, plan.search)
        ),
        "idle": lambda: idle.to_dict(
            idle.measure(data, counts[-1], plan.idle_cameras, plan.most_cameras, plan.search)
        ),
        "presence": lambda: presence.to_dict(presence.measure(data, plan.demo_s, plan.seated)),
        "scaled": lambda: asdict(scaled_mode.measure(data, counts, plan.scaled)),
        "figures": lambda: figures.to_dict(
            figures.measure(plan.history_days, plan.history_cameras, 10 * plan.repeats)
        ),
        "viewers": lambda: viewers.to_dict(
            viewers.measure(plan.history_days, plan.history_cameras, plan.viewers, history)
        ),
        "memory": lambda: asdict(memory.measure(data, plan.soak_cameras, plan.soak_s, plan.sample_s)),
    }


def _to_dicts(results: list[Any]) -> list[dict[str, Any]]:
    return [asdict(each) for each in results]
