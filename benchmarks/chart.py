"""The figures as one picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.latency import LIMIT_MS
from benchmarks.live import Live
from benchmarks.memory import Memory
from benchmarks.throughput import Throughput

_COLOURS = ("#9aa5b1", "#2a78d6", "#1b4f8f")
_LINE = "#2a78d6"
_LIMIT = "#c0392b"


def draw(figures: Mapping[str, Any], path: Path) -> None:
    """Throughput, latency by cameras and memory over time, as far as they were measured, as PNG."""
    panels: dict[str, Callable[[Axes, Any], None]] = {
        "throughput": _throughput,
        "capacity": _capacity,
        "memory": _memory,
    }
    present = [name for name in panels if name in figures]
    if not present:
        return
    figure = Figure(figsize=(4.2 * len(present), 3.4), layout="constrained", dpi=150)
    for axes, name in zip(figure.subplots(1, len(present), squeeze=False)[0], present, strict=True):
        panels[name](axes, figures[name])
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _throughput(axes: Axes, results: list[dict[str, Any]]) -> None:
    each = [Throughput(**result) for result in results]
    ways = {"kernels alone": "floor", "bus to rows": "chain", "video to rows": "whole"}
    for number, ((label, name), colour) in enumerate(zip(ways.items(), _COLOURS, strict=True)):
        places = [place + 0.27 * (number - 1) for place in range(len(each))]
        bars = axes.bar(places, [getattr(one, name) for one in each], 0.25, label=label, color=colour)
        axes.bar_label(bars, fmt="%.0f", fontsize=7)
    names = [f"{one.workload.partition(',')[0]}\n{one.cores} core{'s' * (one.cores > 1)}" for one in each]
    axes.set_xticks(range(len(each)), names, fontsize=8)
    axes.set_title("Frames per second", fontsize=10)
    axes.margins(y=0.25)
    axes.legend(fontsize=7, frameon=False, ncols=3, loc="upper center")


def _capacity(axes: Axes, results: list[dict[str, Any]]) -> None:
    loads = [Live(**result) for result in results]
    cameras = [load.cameras for load in loads]
    axes.plot(cameras, [load.p95_ms for load in loads], "o-", color=_LINE, label="95 % of frames")
    axes.plot(cameras, [load.p50_ms for load in loads], "o:", color=_LINE, label="half of the frames")
    axes.axhline(LIMIT_MS, color=_LIMIT, linewidth=1, linestyle="--")
    axes.set_yscale("log")
    axes.set_title(f"Capture to row (ms), cameras at {loads[0].fps:g} frames/s", fontsize=10)
    axes.set_xlabel("cameras", fontsize=8)
    axes.legend(fontsize=7, frameon=False)


def _memory(axes: Axes, result: dict[str, Any]) -> None:
    memory = Memory(**result)
    axes.plot([second / 60 for second in memory.seconds], memory.resident_mb, color=_LINE)
    axes.set_ylim(0, 1.25 * max(memory.resident_mb))
    axes.set_title(f"Resident memory (MB), {memory.cameras} cameras", fontsize=10)
    axes.set_xlabel("minutes", fontsize=8)
