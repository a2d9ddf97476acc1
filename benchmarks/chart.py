"""Chart of the figures, one PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.latency import LIMIT_MS
from benchmarks.live import LiveLatency
from benchmarks.memory import Memory
from benchmarks.throughput import Throughput
from common import palette

_COLOURS = (palette.MUTED, palette.LIGHT["female"], palette.LIGHT["accent"])
_LINE = palette.LIGHT["accent"]
_LIMIT = palette.STRONG


def draw_chart(figures: Mapping[str, Any], path: Path) -> None:
    """Draw those of throughput, latency by cameras and memory over time that were measured, as PNG."""
    panels: dict[str, Callable[[Axes, Any], None]] = {
        "throughput": _draw_throughput,
        "capacity": _draw_capacity,
        "memory": _draw_memory,
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


def _draw_throughput(axes: Axes, results: list[dict[str, Any]]) -> None:
    each = [Throughput(**result) for result in results]
    bars_by_label = {"kernels alone": "floor", "bus to database": "chain", "video to database": "whole"}
    for number, ((label, name), colour) in enumerate(zip(bars_by_label.items(), _COLOURS, strict=True)):
        positions = [group + 0.27 * (number - 1) for group in range(len(each))]
        bars = axes.bar(positions, [getattr(one, name) for one in each], 0.25, label=label, color=colour)
        axes.bar_label(bars, fmt="%.0f", fontsize=7)
    names = [f"{one.workload.partition(',')[0]}\n{one.cores} core{'s' * (one.cores > 1)}" for one in each]
    axes.set_xticks(range(len(each)), names, fontsize=8)
    axes.set_title("Frames per second", fontsize=10)
    axes.margins(y=0.25)
    axes.legend(fontsize=7, frameon=False, ncols=3, loc="upper center")


def _draw_capacity(axes: Axes, results: list[dict[str, Any]]) -> None:
    loads = [LiveLatency(**result) for result in results]
    cameras = [load.cameras for load in loads]
    axes.plot(cameras, [load.p95_ms for load in loads], "o-", color=_LINE, label="95 % of frames")
    axes.plot(cameras, [load.p50_ms for load in loads], "o:", color=_LINE, label="half of the frames")
    axes.axhline(LIMIT_MS, color=_LIMIT, linewidth=1, linestyle="--")
    axes.set_yscale("log")
    axes.set_title(f"Capture to database (ms), cameras at {loads[0].fps:g} frames/s", fontsize=10)
    axes.set_xlabel("cameras", fontsize=8)
    axes.legend(fontsize=7, frameon=False)


def _draw_memory(axes: Axes, result: dict[str, Any]) -> None:
    memory = Memory(**result)
    axes.plot([second / 60 for second in memory.seconds], memory.resident_mb, color=_LINE)
    axes.set_ylim(0, 1.25 * max(memory.resident_mb))
    axes.set_title(f"Resident memory (MB), {memory.cameras} cameras", fontsize=10)
    axes.set_xlabel("minutes", fontsize=8)
