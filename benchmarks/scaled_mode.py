"""Benchmark of scaled mode on one machine, with a real broker and PostgreSQL, and its section of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from benchmarks import scaled_latency, scaled_throughput, sizing
from benchmarks.latency import LIMIT_MS, WORKLOAD, Times
from benchmarks.markdown import render_table
from benchmarks.scaled_latency import ScaledLatency
from benchmarks.scaled_throughput import ScaledThroughput
from benchmarks.servers import start_servers
from benchmarks.sizing import Sizing

_CLIENTS = ("kafka-python", "psycopg")

_HEAD = """## Scaled mode

`mien ingest` and `mien work` as separate processes with a broker and a database, all on this machine; the
database has its default durability settings: {versions}.

Frames per second ({workload}): all frames are in the topic beforehand; each worker has its own partition and
its own core. Broker and database use the remaining cores, or share those of the workers if none remains.
Embedded mode is the same work in one process on the same number of cores, with SQLite. Goals: one worker
reaches 85 % of embedded mode, two workers reach 1.8 times the rate of one. The columns in ms are processor
time per frame.
"""
_LIVE = """
Latency in milliseconds, from the capture of a frame to the commit of its results: {cameras} cameras at
{fps:g} frames per second, one `mien ingest` and {workers} `mien work`, on the same cores as broker and
database (goal: 95 % within {limit:g} ms):
"""
_COST = """
Processor time per frame of the same run, in milliseconds (ingest includes the decoding of the video):
"""
_SIZE = """
How much network and disk a camera needs is in [operations.md](operations.md#sizing).
"""


@dataclass(frozen=True, slots=True)
class ScaledPlan:
    """Extent of the measurement: frames per worker, number of cameras, hours of the filled database."""

    frames: int
    repeats: int
    live: Times
    cameras: int
    hours: int


@dataclass(frozen=True, slots=True)
class ScaledMode:
    """All figures of scaled mode. `versions`: of servers and clients, by name."""

    versions: dict[str, str]
    throughput: list[ScaledThroughput]
    latency: ScaledLatency
    sizing: Sizing

    @classmethod
    def from_figures(cls, figures: Mapping[str, Any]) -> Self:
        """Create it from JSON types."""
        return cls(
            figures["versions"],
            [ScaledThroughput(**each) for each in figures["throughput"]],
            ScaledLatency(**figures["latency"]),
            Sizing(**figures["sizing"]),
        )


def measure(data: Path, counts: Sequence[int], plan: ScaledPlan) -> ScaledMode:
    """Measure throughput for each number of workers in `counts`, latency for the largest, and the sizes.

    Raises:
        ServersUnavailable: this machine has no broker or no database.
        TimeoutError: no frame is stored.
        RuntimeError: a process ended.
    """
    with start_servers() as servers:
        return ScaledMode(
            servers.versions | {name: version(name) for name in _CLIENTS},
            scaled_throughput.measure(servers, data, WORKLOAD, counts, plan.frames, plan.repeats),
            scaled_latency.measure(servers, data, plan.cameras, counts[-1], plan.live),
            sizing.measure(servers, data, plan.hours),
        )


def render_section(figures: Mapping[str, Any]) -> str:
    """The section of the page, in Markdown."""
    scaled = ScaledMode.from_figures(figures)
    versions = ", ".join(f"{name} {number}" for name, number in scaled.versions.items())
    live = scaled.latency
    parts = [
        _HEAD.format(versions=versions, workload=scaled.throughput[0].workload),
        _render_throughput(scaled.throughput),
        _LIVE.format(cameras=live.cameras, fps=live.fps, workers=live.workers, limit=LIMIT_MS),
        _render_latency(live),
        _COST,
        render_table(list(live.cpu_ms), [[f"{each:.2f}" for each in live.cpu_ms.values()]]),
        _SIZE,
    ]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _render_throughput(results: Sequence[ScaledThroughput]) -> str:
    head = ("workers", "cores left", "frames/s", "embedded", "of embedded", "times one worker")
    costs = ("embedded, ms", *(f"{name}, ms" for name in results[0].cpu_ms))
    rows = [
        (
            each.workers,
            each.spare,
            f"{each.rate:.0f}",
            f"{each.embedded:.0f}",
            f"{each.rate / each.embedded:.0%}",
            f"{each.rate / results[0].rate:.2f}",
            *(f"{cost:.2f}" for cost in (each.embedded_ms, *each.cpu_ms.values())),
        )
        for each in results
    ]
    return render_table((*head, *costs), rows)


def _render_latency(live: ScaledLatency) -> str:
    head = ("p50", "p95", "p99", "frames stored", "of those requested", "stale")
    row = (
        f"{live.p50_ms:.0f}",
        f"{live.p95_ms:.0f}",
        f"{live.p99_ms:.0f}",
        live.stored,
        f"{live.share:.1%}",
        live.stale,
    )
    return render_table(head, [row])
